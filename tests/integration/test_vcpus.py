# SPDX-License-Identifier: MIT
"""Two vCPUs on two devices under multi-threaded TCG, with QEMU's big lock held while one waits, and
with release_lock."""
import json
import queue
import socket
import subprocess

import common
import probe
import v2_device as v2
from v2_device import Server

BASE = 0x10200000
MULTI = ["-smp", "2", "-accel", "tcg,thread=multi"]


class Stress(common.TestCase):
    def test_both_at_full_speed(self):
        for carrier in "shm", "socket":
            for release, posted in (False, False), (False, True), (True, False), (True, True):
                with self.subTest(carrier=carrier, release=release, posted=posted):
                    self.stress(carrier, release, posted)

    def stress(self, carrier, release, posted, rounds=1500):
        own = {"process": "own", "release_lock": True} if release else {}
        devices = [{"model": "id", "base_addr": hex(BASE + 0x1000 * i), "size": 4096,
                    "carrier": carrier, "posted_writes": posted, **own} for i in range(3)]
        config, stats = self.dir / "config.json", self.dir / "stats.json"
        config.write_text(json.dumps({
            "machine": {"qemu": common.qemu("riscv32"), "kernel": str(common.guest("two_harts")),
                        "args": [*MULTI, "-append", f"rounds={rounds}"]},
            "devices": devices, "stop_at": "100s"}))
        result = common.run([common.TRESTLE, "run", "--stats", stats, config], timeout=120)
        self.assertEqual(result.code, 0, result)
        self.assertIn("two_harts: 4 passed, 0 failed", result.out)
        # A 64-bit access is one, on a 32-bit guest too.
        self.assertEqual([(d["reads"], d["writes"]) for d in json.loads(stats.read_text())["devices"]],
                         [(2 * rounds, rounds)] * 2 + [(2 * rounds, 2 * rounds)])


class Slow(common.TestCase):
    """The first vCPU waits for a device, and the second uses another."""

    def setUp(self):
        super().setUp()
        self.slow, self.quick = Server(self, True), Server(self, True)
        self.waits = self.slow.device(self.dir / "d0", lambda device, request: None)
        self.goes_on = self.quick.device(self.dir / "d1")
        self.goes_on.memory = dict(enumerate((BASE + 0x1000).to_bytes(8, "little")))

    def guest(self, args=(), **more):
        devices = [{"socket": self.dir / f"d{i}", "base_address": hex(BASE + 0x1000 * i), **more}
                   for i in range(2)]
        argv = probe.qemu_argv("riscv32", devices, [*MULTI, *args, "-append", "slow=1", "-kernel",
                                                    common.guest("two_harts")])
        return self.start(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)

    def when_others_have_gone_on(self, act, times=50):
        """Calls act() when the quick device has been asked so often since the slow one was."""
        since = []

        def answer(device, request):
            if self.waits.requests:
                since.append(request)
                if len(since) == times:
                    act()
            return device.perform(request)
        self.goes_on.answer = answer
        return since

    def test_the_other_goes_on(self):
        for carrier in "shm", "socket":
            with self.subTest(carrier=carrier):
                since = self.when_others_have_gone_on(
                    lambda: self.slow.call(lambda: self.waits.reply(self.waits.requests[0], 1)))
                out, _ = self.guest(release_lock="on", carrier=carrier,
                                    timeout_ms=0).communicate(timeout=60)
                self.assertIn("two_harts: 4 passed, 0 failed", out)
                self.assertGreaterEqual(len(since), 50)
                self.setUp()

    def test_without_it_all_wait(self):
        """The default: the second finds the device's answer there when it goes on."""
        self.when_others_have_gone_on(
            lambda: self.slow.call(lambda: self.waits.reply(self.waits.requests[0], 1)))
        out, _ = self.guest(timeout_ms=300).communicate(timeout=60)
        self.assertIn("FAIL the slow device answers", out)
        self.assertIn("no answer within 300 ms", out)

    def test_time_out(self):
        out, _ = self.guest(release_lock="on", timeout_ms=300).communicate(timeout=60)
        self.assertIn("FAIL the slow device answers", out)
        self.assertIn("device at 0x10200000: no answer within 300 ms", out)
        self.assertIn("PASS the second", out)

    def test_the_device_dies(self):
        for carrier in "shm", "socket":
            with self.subTest(carrier=carrier):
                self.when_others_have_gone_on(self.slow.stop)
                out, _ = self.guest(release_lock="on", carrier=carrier,
                                    timeout_ms=0).communicate(timeout=60)
                self.assertIn("FAIL the slow device answers", out)
                self.assertIn("device at 0x10200000: the connection was closed", out)
                self.assertIn("PASS the second", out)
                self.setUp()

    def test_what_comes_meanwhile_waits_for_the_answer(self):
        """Interrupts of the device that is waited for, and bytes that make no sense."""
        self.when_others_have_gone_on(lambda: self.slow.call(
            lambda: self.waits.send(v2.message(v2.IRQ, device=0, addr=9, data=1))))
        out, _ = self.guest(release_lock="on", timeout_ms=0).communicate(timeout=60)
        self.assertIn("FAIL the slow device answers", out)
        self.assertIn("an interrupt of a line that is not there", out)
        self.assertIn("PASS the second", out)

    def test_monitor_is_served(self):
        """QEMU's main loop goes on as well: with the lock held it would not answer."""
        qmp = self.dir / "qmp"
        asked = queue.Queue()
        self.waits.answer = lambda device, request: asked.put(request)
        process = self.guest(["-qmp", f"unix:{qmp},server=on,wait=off"], release_lock="on",
                             timeout_ms=20000)
        request = asked.get(timeout=30)
        with socket.socket(socket.AF_UNIX) as monitor, monitor.makefile("rw") as stream:
            monitor.connect(str(qmp))
            # The device is taken: that the monitor may not wait for it shows as a bus error.
            command = {"command-line": f"xp /1wx {BASE:#x}"}
            for command in {"execute": "qmp_capabilities"}, \
                    {"execute": "human-monitor-command", "arguments": command}:
                stream.write(json.dumps(command))
                stream.flush()
            while "10200000" not in (line := stream.readline()):
                self.assertTrue(line)
        self.slow.call(lambda: self.waits.reply(request, 1))
        out, _ = process.communicate(timeout=60)
        self.assertIn("two_harts: 4 passed, 0 failed", out)


class Refused(common.TestCase):
    def refused(self, pattern, args=(), **more):
        device = {"socket": "none", "base_address": hex(BASE), "release_lock": "on", **more}
        result = common.run(probe.qemu_argv("riscv32", [device], args))
        self.assertEqual(result.code, 2, result)
        lines = [line for line in result.err.splitlines() if line.startswith("trestle-qemu: ")]
        self.assertEqual(lines, [f"trestle-qemu: device at 0x10200000: {pattern}"])

    def test_refusals(self):
        self.refused("release_lock: with -icount the vCPUs take turns, so this would gain nothing; "
                     "leave it out", ["-icount", "shift=0"])
        self.refused("only protocol 2 has release_lock; leave it out", protocol=1)
        self.refused("only protocol 2 has release_lock; leave it out", floor="on")

    def test_two_devices_of_one_process(self):
        for order in ("on", "off"), ("off", "on"):
            with self.subTest(order=order):
                server = Server(self, True)
                for i in range(2):
                    server.device(self.dir / f"d{i}")
                guest = probe.Probe(self, [
                    {"socket": self.dir / f"d{i}", "base_address": hex(BASE + 0x1000 * i),
                     "release_lock": order[i]} for i in range(2)])
                guest.wait_err("cannot connect to .*: release_lock needs a process with no other "
                               "device; ")
                answers = [not guest.fails(BASE + 0x1000 * i) for i in range(2)]
                self.assertEqual(sorted(answers), [False, True])
                guest.close()
                server.stop()

    def test_configurations(self):
        def run(machine, **more):
            device = {"model": "id", "size": 4096, "release_lock": True}
            config = self.dir / "config.json"
            config.write_text(json.dumps({"machine": machine, "devices": [
                {**device, "base_addr": hex(BASE), **more}, {**device, "base_addr": "0x10300000"}]}))
            result = common.run([common.TRESTLE, "check", config])
            self.assertEqual(result.code, 2, result)
            return result.err
        self.assertRegex(run({}), r"devices\[0\]\.release_lock: the device needs a process of "
                                  r"its own; add \"process\": \"own\"")
        self.assertRegex(run({"icount": 0}, process="own"),
                         r"devices\[0\]\.release_lock: .*icount")


if __name__ == "__main__":
    common.main()
