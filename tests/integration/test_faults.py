# SPDX-License-Identifier: MIT
"""A short fault campaign (faults.py; "make faults" runs a long one), and that it sees what it looks
for."""
import os
import random
import signal

import common
import faults

# Longer than a loaded machine keeps a process waiting that nobody has done any harm.
TIMEOUT_MS = 400


class Faults(common.TestCase):
    def run_of(self, seed):
        run = faults.Run(seed, TIMEOUT_MS)
        self.addCleanup(run.close)
        return run

    def test_campaign(self):
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"the seed is {seed}", flush=True)
        print(faults.campaign(30, seed, TIMEOUT_MS, 15))

    def test_harm_to_a_bystander_is_seen(self):
        run = self.run_of(1)
        run.kind, run.victim = "kill", 0
        os.kill(run.children()["d1"], signal.SIGSTOP)
        with self.assertRaisesRegex(faults.Failure, "device 1 no answer, and nobody"):
            run.settle()

    def test_a_wrong_answer_is_seen(self):
        run = self.run_of(2)
        run.kind, run.victim = "disconnect", 3
        run.proxies[3].changed = lambda data: data[:32] + b"wrong" + data[37:]
        with self.assertRaisesRegex(faults.Failure, "device 3 gave a wrong answer"):
            run.settle()

    def test_a_leak_is_seen(self):
        run = self.run_of(3)
        run.before["qemu"] -= 1
        with self.assertRaisesRegex(faults.Failure, "a leak"):
            run.end(faults.Report())


if __name__ == "__main__":
    common.main()
