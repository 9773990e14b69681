# SPDX-License-Identifier: MIT
"""Devices inside QEMU: the same runs as with the devices outside, and what they give up."""
import json
import os
import pathlib
import re
import resource
import signal

import common
from cli_case import COMPUTE, ECHO, LINK, Case, Guest, without_asan

FAULTY = common.BUILD / "tests/integration/faulty_model.so"
INLINE = {"process": "inline"}


def inline(document):
    """The same configuration with all its devices in QEMU."""
    return {**document, "devices": [{**device, **INLINE} for device in document["devices"]]}


def example(name, **machine):
    """An example's configuration, with absolute paths."""
    path = common.SOURCE / "examples" / name
    document = json.loads(path.read_text())
    kernel = common.BUILD / "firmware" / pathlib.Path(document["machine"]["kernel"]).name
    document["machine"] = {**document["machine"], "kernel": str(kernel), **machine}
    return document


class Inline(Case):
    def probe(self, *devices, args=("-v",), **machine):
        config = self.config({"machine": {"kernel": str(common.guest("probe")), **machine},
                              "devices": list(devices)})
        return Guest(self, *args, config=config)

    def faulty(self, fault, *args, timeout_ms=10000, **params):
        """A guest that asks a model for its fault."""
        device = {"name": "dut", "model": str(FAULTY), "base_addr": "0x10200000", "irq": 40,
                  "timeout_ms": timeout_ms, "params": {"fault": fault, **params}, **INLINE}
        return self.probe(device, args=args)

    def run_both_ways(self, document, *args):
        """The results of the run outside and inside; its hash and its trace are the same."""
        results = []
        for name, way in ("outside", document), ("inside", inline(document)):
            config = self.config(way, f"{name}.json")
            result = self.trestle("run", config, "--trace", f"{name}.trace", "--stats",
                                  f"{name}.stats", *args)
            self.assertEqual(result.code, 0, result)
            results.append(result)
        hashes = [re.search(r"^run hash \w{16}; repeatable$", r.err, re.M) for r in results]
        self.assertTrue(all(hashes), results[1].err)
        self.assertEqual(hashes[0].group(), hashes[1].group())
        self.assertEqual((self.dir / "outside.trace").read_bytes(),
                         (self.dir / "inside.trace").read_bytes())
        stats = [json.loads((self.dir / f"{name}.stats").read_text())
                 for name in ("outside", "inside")]
        for key in "reads", "writes", "bytes", "errors":
            self.assertEqual([d[key] for d in stats[0]["devices"]],
                             [d[key] for d in stats[1]["devices"]], key)
        self.assertEqual(stats[0]["trace"]["records"], stats[1]["trace"]["records"])
        self.assertEqual(stats[0]["run_hash"], stats[1]["run_hash"])
        self.assertEqual({d["process"] for d in stats[1]["devices"]}, {"inline"})
        return results

    def test_the_same_as_outside(self):
        for name in ("01-two-devices/two_devices.json", "04-interrupts/exact.json",
                     "05-dma/dma.json", "05-dma/direct.json", "12-pci/virt.json"):
            with self.subTest(example=name):
                document = example(name)
                common.qemu(document["machine"]["arch"])
                document["machine"].setdefault("icount", 0)
                outside, inside = self.run_both_ways(document)
                self.assertEqual(outside.out, inside.out)

    def test_answers_that_come_later(self):
        """The engine goes on to them while the guest waits, with what else is due."""
        document = example("01-two-devices/two_devices.json", icount=0)
        document["devices"][0]["params"] = {"access_latency": 700}
        for name in "outside", "inside":
            way = document if name == "outside" else inline(document)
            result = self.trestle("run", self.config(way), "--trace", f"{name}.trace")
            self.assertIn("run hash", result.err)
        self.assertEqual((self.dir / "outside.trace").read_bytes(),
                         (self.dir / "inside.trace").read_bytes())

    def test_beside_devices_of_other_processes(self):
        guest = self.probe({**ECHO, "name": "a"}, {**ECHO, "name": "b", "base_addr": "0x10300000",
                                                  **INLINE},
                           {**ECHO, "name": "c", "base_addr": "0x10400000", "process": "own"},
                           args=("-v", "--stats", "stats.json"))
        for index in range(3):
            base = 0x10200000 + index * 0x100000
            self.assertEqual(guest.ask(f"w 4 {base:x} {index + 5:x}"), "=")
            self.assertEqual(guest.ask(f"r 4 {base + 4:x}"), f"= {index + 5:x}")
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 0, log)
        devices = json.loads((self.dir / "stats.json").read_text())["devices"]
        self.assertEqual([(d["reads"], d["writes"], d.get("process")) for d in devices],
                         [(1, 1, None), (1, 1, "inline"), (1, 1, "c")])

    def test_more_events_at_once_than_a_ring_takes(self):
        guest = self.faulty("flood")
        self.assertEqual(guest.ask("w 4 10200000 1"), "=")
        self.assertEqual(guest.ask("r 4 10200004"), "= 12345678")
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual((code, "trestle: error" in log), (0, False), log)

    WRITE = "dut: its write() of 4 bytes at offset 0x0"

    def provoke(self, fault, *more, others=(), args=(), fini="", **top):
        """A guest that has written what the model takes badly."""
        device = {"name": "dut", "model": str(FAULTY), "base_addr": "0x10200000", "irq": 40,
                  "timeout_ms": 10000, "params": {"fault": fault, "fini": fini}, **INLINE}
        guest = Guest(self, *args, config=self.config({
            "machine": {"kernel": str(common.guest("probe"))}, "devices": [device, *others], **top}))
        guest.process.stdin.write("\n".join(["r 4 10200004", "w 4 10200000 1", *more, ""]).encode())
        guest.process.stdin.flush()
        return guest

    def test_what_takes_qemu_along(self):
        ends = "; QEMU, whose process it shares, ends with it\n"
        for fault, code, line in (
                ("null", 139, "ends in SIGSEGV (Segmentation fault)"),
                ("bus", 135, "ends in SIGBUS (Bus error)"),
                ("abort", 134, "ends in SIGABRT (abort(), a failed assertion, or an exception in "
                               "C++)"),
                ("exit", 1, "calls exit(0)")):
            with self.subTest(fault=fault):
                got, log = self.provoke(fault).end()
                self.assertEqual(got, code, log)
                self.assertIn(f"trestle: error: {self.WRITE} {line}{ends}", log)
                if fault != "exit":
                    self.assertRegex(log, r"\ntrestle:   .*faulty_model.so")  # the backtrace
                self.assertRegex(log, r"\ndut +0x10200000 ")

    def test_exit_past_all_handlers(self):
        """Nobody is asked; but the run has not heard what was served."""
        code, log = self.provoke("leave").end()
        self.assertEqual(code, 1, log)
        self.assertIn("trestle: error: QEMU has ended without a report from the devices inside it "
                      "(dut); "
                      "a model may have called _exit()\n", log)

    def test_closed_descriptors(self):
        code, log = self.provoke("close").end()
        self.assertEqual(code, 1, log)
        self.assertIn("trestle: error: a model inside QEMU has closed descriptors that are not its own; "
                      "the last was dut, in its write(); QEMU ends with it\n", log)

    def test_damage(self):
        """What else crashes, and how, is chance."""
        code, log = self.provoke("trample").end()
        self.assertGreater(code, 128, log)
        self.assertRegex(log, r"trestle: error: [^\n]* written beyond its (state|memory)")

    def begin(self, fault, **more):
        """A run whose model has its fault in start(): before the guest begins."""
        config = self.config({"machine": {"kernel": str(common.guest("probe"))}, **more, "devices": [
            {"name": "dut", "model": str(FAULTY), "base_addr": "0x10200000", "params": {"start": fault}, **INLINE}]})
        return self.trestle("run", config)

    def test_faults_before_the_guest_begins(self):
        result = self.begin("exit")
        self.assertEqual(result.code, 1, result)
        self.assertIn("trestle: error: dut: its start() calls exit(0); QEMU, whose process it shares, ends with "
                      "it\n", result.err)
        for seconds in 1, 10:  # a host that is busy may end the run before the model hangs
            result = self.begin("loop", watchdog_ms=300, stop_at=f"{seconds}s")
            self.assertEqual(result.code, 124, result)
            if "has not returned" in result.err:
                break
        self.assertRegex(result.err, r"trestle: error: dut: its start\(\) has not returned for \d\.\d s, and QEMU "
                                     "stands still with it; gdb")

    @without_asan
    def test_a_crash_before_the_guest_begins(self):
        result = self.begin("null")
        self.assertEqual(result.code, 128 + signal.SIGSEGV, result)
        self.assertRegex(result.err, r"trestle: error: dut: its start\(\) ends in SIGSEGV .*; QEMU, whose process")

    def test_exit_of_a_child(self):
        """It does not end the devices of its parent, here or elsewhere."""
        device = {"name": "dut", "model": str(FAULTY), "base_addr": "0x10200000",
                  "params": {"fault": "fork", "fini": "lose"}, **INLINE}
        guest = self.probe(device, {**ECHO, "name": "outside", "base_addr": "0x10300000"})
        self.assertEqual(guest.ask("w 4 10200000 1"), "=")
        self.assertEqual(guest.ask("w 4 10300000 5"), "=")
        self.assertEqual(guest.ask("r 4 10300004"), "= 5")
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual((code, log.count("what you asked for is lost")), (1, 1), log)
        self.assertNotIn("calls exit", log)

    def test_a_callback_that_does_not_return_is_named(self):
        guest = self.provoke("stuck", watchdog_ms=300)
        guest.wait_for_log(rb"trestle: error: dut: its write\(\) of 4 bytes at offset 0x0 has not "
                           rb"returned for [0-9.]+ s, and QEMU stands still with it; gdb -p \d+ "
                           rb"shows where it is\n")
        guest.process.terminate()
        code, log = guest.end()
        self.assertEqual(code, 143, log)

    def test_a_callback_that_does_not_let_the_run_end(self):
        """It is named at the end, whatever watchdog_ms says, and what was served is known."""
        guest = self.provoke("stuck", args=("--trace", "run.trace"), watchdog_ms=0)
        guest.wait_for_log(re.escape(f"{self.WRITE} takes longer than 100 ms").encode())
        guest.process.terminate()
        code, log = guest.end()
        self.assertEqual(code, 143, log)
        self.assertIn(f"trestle: error: {self.WRITE} has not returned for ", log)
        self.assertNotIn("Trestle kills it", log)
        self.assertRegex(log, r"\ndut +0x10200000 +1 +0 ")
        trace = self.trestle("trace", "run.trace")
        self.assertEqual(trace.code, 0, trace)
        self.assertIn("read", trace.out)

    def test_fini(self):
        """It is watched, too. A fini() that fails at once is found before there is a guest."""
        for fault, code, line in (
                ("exit", 1, "calls exit(0); QEMU, whose process it shares, ends with it"),
                ("stuck", 1, "has not returned for ")):
            with self.subTest(fault=fault):
                got, log = self.provoke("arm", "q 0", fini=fault, watchdog_ms=300).end()
                self.assertEqual(got, code, log)
                self.assertIn(f"trestle: error: dut: its fini() {line}", log)
                self.assertRegex(log, r"\ndut +0x10200000 +1 +1 ")

    @without_asan
    def test_a_crash_in_fini(self):
        code, log = self.provoke("arm", "q 0", fini="null").end()
        self.assertEqual(code, 139, log)
        self.assertIn("trestle: error: dut: its fini() ends in SIGSEGV (Segmentation fault); QEMU, ", log)
        self.assertRegex(log, r"\ndut +0x10200000 +1 +1 ")

    def test_an_engine_that_does_not_come_to_rest(self):
        link = [{"from": "dut.peer", "to": "two.peer", "latency": "0ns"}]
        two = {"name": "two", "model": str(FAULTY), "base_addr": "0x10400000",
               "params": {"fault": "ping"}, **INLINE}
        for fault, names in (("picoseconds", r"wake\(\) of dut"),
                             ("ping", r"message\(\) of (dut|two), message\(\) of (dut|two)")):
            with self.subTest(fault=fault):
                guest = self.provoke(fault, "r 4 10200004", others=[two], watchdog_ms=300, links=link)
                guest.wait_for_log(b"the engine has not come to rest")
                guest.process.terminate()
                code, log = guest.end()
                self.assertEqual(code, 143, log)
                self.assertRegex(log, r"trestle: error: the engine has not come to rest for \d\.\d s "
                                      rf"and is at \d+\.\d+ us of simulated time: {names}, again")
                self.assertNotIn("Trestle kills it", log)  # it stops, and QEMU ends in order
                self.assertRegex(log, r"\ndut +0x10200000 +\d+ +1 ")

    def test_smaller_faults(self):
        for fault, line in (("keep", "warning: dut: its write() has put off the access at offset "
                                     "0x0, and nothing is scheduled to answer it"),
                            ("thread", "error: dut: model 'faulty' calls trestle_device_irq() from a "
                                       "thread of its own"),
                            ("overflow", "error: dut: model 'faulty' has written beyond its state")):
            with self.subTest(fault=fault):
                code, log = self.provoke(fault, "q 0").end()
                self.assertEqual(code, 0, log)
                self.assertIn(f"trestle: {line}", log)

    def test_a_slow_callback(self):
        """How soon that is said depends on how busy the host is: the model waits for it."""
        guest = self.provoke("waits", "q 0")
        guest.wait_for_log(re.escape(f"trestle: warning: {self.WRITE} takes longer than 100 ms of the host's "
                                     "time").encode())
        (self.dir / "go").touch()
        code, log = guest.end()
        self.assertEqual(code, 0, log)

    def test_an_access_that_is_never_answered(self):
        """It is given up after timeout_ms, as anywhere."""
        guest = self.faulty("keep", timeout_ms=200)
        self.assertEqual(guest.ask("w 4 10200000 1")[0], "!")
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 0, log)

    def test_qemu_is_killed(self):
        guest = self.probe({**ECHO, **INLINE})
        self.assertEqual(guest.ask("r 4 10200008"), "= 0")
        os.kill(guest.qemu_pid(), signal.SIGKILL)
        code, log = guest.end()
        self.assertEqual(code, 137, log)

    def test_a_model_that_does_not_start(self):
        config = self.config({
            "machine": {"kernel": str(common.guest("probe"))},
            "devices": [{"name": "dut", "model": str(FAULTY), "base_addr": "0x10200000",
                         "params": {"number": "many"}, **INLINE}]})
        self.assert_refused_like(
            r"\S+: devices\[0\]\.params\.number: .*many.*", "run", config)

    def test_no_shared_memory(self):
        config = self.config({"machine": {"kernel": str(common.guest("probe"))},
                              "devices": [{**ECHO, **INLINE}]})
        self.assert_refused(
            "trestle: error: there is no shared memory here (the limit for the size of files: File too "
            'large); leave "process": "inline" out', "run", config,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))

    def test_what_cannot_be(self):
        for key, value, why in (
                ("protocol", 1, "protocol 1 always uses a socket"),
                ("carrier", "socket", "a device inside QEMU needs no carrier"),
                ("release_lock", True, "a device inside QEMU needs QEMU's lock"),
                ("socket", "a.sock", "nobody else can connect to a device inside QEMU")):
            with self.subTest(key=key):
                config = self.config({"machine": {"kernel": str(common.guest("probe"))},
                                      "devices": [{**ECHO, **INLINE, key: value}]})
                self.assert_refused_like(
                    rf'\S+: devices\[0\]\.{key}: {why}; remove the key, or "process": "inline"',
                    "check", config)
        config = self.config({"devices": [{**ECHO, **INLINE, "restart": "always"}]})
        self.assert_refused_like(r"\S+: devices\[0\]\.restart: only a device in a process of its "
                                 r".*", "check", config)
        config = self.config({"devices": [{**ECHO, **INLINE}, COMPUTE], "links": [LINK]})
        self.assert_refused_like(r"trestle: link end echo_device.peer: .* no link can reach it", "check",
                                 config)
        config = self.config({"machine": {"kernel": str(common.guest("probe"))},
                              "devices": [{**ECHO, **INLINE}]})
        self.assert_refused_like(
            r"\S+: devices\[0\]\.process: only the plugin can do this, .*", "run", config,
            "--plugin", "none")
        for command in "serve", "qemu-args":
            self.assert_refused_like(
                r"\S+: devices\[0\]\.process: only trestle run puts devices into QEMU; .*",
                command, config)


if __name__ == "__main__":
    common.main()
