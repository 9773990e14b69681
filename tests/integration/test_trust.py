# SPDX-License-Identifier: MIT
"""What a run must bear: models with faults, and what it inherits from whoever starts it."""
import json
import os
import signal
import subprocess

import common
from cli_case import Case, Guest, read_until

FAULTY = str(common.BUILD / "tests" / "integration" / "faulty_model.so")
ID = {"name": "other", "model": "id", "base_addr": "0x10300000"}


class Faulty(Case):
    def faulty(self, process="shared", others=(), more=None, **params):
        """A configuration with the model, which misbehaves at a write to 10200000."""
        device = {"name": "dut", "model": FAULTY, "base_addr": "0x10200000", "process": process,
                  "params": params}
        return self.config({"machine": {"kernel": str(common.guest("probe"))},
                            "devices": [device, ID, *others], **(more or {})})


class Own(Faulty):
    def test_parameters_are_checked_as_by_its_process(self):
        config = self.faulty("own", number="abc")
        line = (f"{config}:12: devices[0].params.number: parameter 'number': 'abc' is not a whole "
                f"number of 64 bits (decimal or 0x hexadecimal)")
        self.assert_refused(line, "check", config)
        self.assert_refused(line, "run", config)

    def test_refusal_without_a_parameter(self):
        """A parameter's name in the sentence is not blamed for what is no parameter's fault."""
        config = self.faulty("own", init="fail", dut="1")
        result = self.trestle("check", config)
        self.assertEqual(result.code, 2, result)
        self.assertNotIn("params.dut", result.err)

    def test_what_it_prints(self):
        """To people, and its statistics stay right."""
        guest = Guest(self, "--stats", "s.json", config=self.faulty("own", fault="print"))
        self.assertEqual(guest.ask("w 4 10200000 1"), "=")
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 0, log)
        self.assertIn("printed by the model\n", log)
        device = json.loads((self.dir / "s.json").read_text())["devices"][0]
        self.assertEqual((device["writes"], device["restarts"]), (1, 0))


class Inherited(Faulty):
    def test_ignored_signals_stay_ignored(self):
        def nohup():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            common.die_with_parent()
        guest = Guest(self, config=self.faulty(), preexec_fn=nohup)
        guest.process.send_signal(signal.SIGHUP)
        self.assertEqual(guest.ask("w 4 10300008 1"), "=")
        guest.process.send_signal(signal.SIGTERM)
        self.assertEqual(guest.end()[0], 128 + signal.SIGTERM)

    def test_closed_standard_descriptors(self):
        """Nothing else is taken for them: not a socket, not the configuration."""
        config = self.faulty()
        for closed in "0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-":
            with self.subTest(closed=closed):
                result = subprocess.run(
                    ["sh", "-c", f'exec "$@" {closed}', "sh", common.TRESTLE, "run", "--timeout",
                     "0.3", config],
                    stdin=subprocess.DEVNULL, capture_output=True, env=self.env, timeout=60)
                self.assertEqual(result.returncode, 124, result)

    def test_files_of_limited_size(self):
        """A trace that grows too large ends as on a full disk."""
        config = self.faulty()
        result = subprocess.run(
            ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", common.TRESTLE, "run", "--trace",
             "t.trace", "--timeout", "0.3", config], stdin=subprocess.DEVNULL, capture_output=True, env=self.env, timeout=60,
            cwd=self.dir)
        self.assertEqual(result.returncode, 124, result)
        self.assertIn(b"File too large", result.stderr)


if __name__ == "__main__":
    common.main()
