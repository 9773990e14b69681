# SPDX-License-Identifier: MIT
"""The plugin in a real QEMU: accesses as they arrive on the wire, and what becomes of the guest
when a device does not do its part. With another QEMU in front of PATH, that one is tested."""
import functools
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time

import common
from probe import TARGETS, Probe, TestCase, qemu_argv
from v1_device import Device, hang_up, response

BASE = TARGETS["riscv32"][0]
VALUE = 0xF1E2D3C4B5A69788
ONES = 0xFFFFFFFF


class PluginTest(TestCase):
    def device(self, name="d0", answer=None):
        device = Device(self.dir / name, answer)
        self.addCleanup(device.stop)
        return device

    def properties(self, name="d0", base=BASE, **more):
        """Unless a test is about time-outs, a device on a busy host has more time than usual."""
        return {"socket": self.dir / name, "base_address": hex(base), "protocol": 1, "timeout_ms": 20000, **more}


class EveryTarget(PluginTest):
    """What depends on the guest's architecture."""

    def each(self, check, *archs):
        """check(arch, base) for every target that there is a QEMU for."""
        found = [arch for arch in archs or TARGETS if shutil.which(f"qemu-system-{arch}")]
        if not found:
            self.skipTest("no qemu-system-* is installed (tools/deps installs them)")
        for arch in found:
            with self.subTest(arch=arch):
                check(arch, TARGETS[arch][0])

    def test_widths(self):
        """Each width arrives as one frame with the right bytes, and what is answered is read."""
        def check(arch, base):
            device = self.device(arch, lambda connection, request: response(VALUE))
            probe = self.probe(self.properties(arch, base), arch=arch)
            for size in 1, 2, 4, 8:
                value = VALUE & (1 << 8 * size) - 1
                for addr in base, base + size, base + 4096 - size:
                    probe.write(addr, value, size)
                    self.assertEqual(device.frames.get(timeout=30),
                                     struct.pack("<BBHQQ", 1, size, 0, addr, value))
                    self.assertEqual(probe.read(addr, size), value)
                    self.assertEqual(device.frames.get(timeout=30),
                                     struct.pack("<BBHQQ", 0, size, 0, addr, 0))
            self.assertEqual(device.requests(), [])
        self.each(check)

    def test_error_answer_is_a_bus_fault(self):
        def check(arch, base):
            self.device(arch, lambda connection, request: response(0x1234, success=0))
            probe = self.probe(self.properties(arch, base), arch=arch)
            causes = self.fault(probe.read, base), self.fault(probe.write, base, 1)
            if arch.startswith("riscv"):
                self.assertEqual(causes, (5, 7))
            self.assertEqual(probe.said(), [])
        self.each(check, "riscv32", "riscv64", "arm", "aarch64")

    def test_x86_has_no_bus_faults(self):
        def check(arch, base):
            self.device(arch, lambda connection, request: response(0x1234, success=0))
            probe = self.probe(self.properties(arch, base), arch=arch)
            self.assertEqual(probe.read(base), ONES)
            probe.write(base, 1)
            probe.wait_err(r"device at 0xd0000000: read of 4 bytes at offset 0x0 failed; this "
                           "guest has no bus faults and reads all ones")
            probe.wait_err("write of 4 bytes at offset 0x0 failed")
            probe.count_faults(base, 100)
            probe.wait_err("no more of these lines")
            self.assertEqual(probe.err.count("no bus faults"), 8)
        self.each(check, "x86_64")

    def test_ones_and_zeros(self):
        def check(arch, base):
            for on_error, value in ("ones", ONES), ("zeros", 0):
                name = arch + on_error
                self.device(name, lambda connection, request: response(0x1234, success=0))
                probe = self.probe(self.properties(name, base, on_error=on_error), arch=arch)
                self.assertEqual(probe.read(base), value)
                probe.write(base, 1)
                self.assertEqual(probe.said(), [])
        self.each(check)

    def test_machine_is_protected(self):
        def check(arch, _):
            ram = {"x": 0x100000, "a": 0x40000000, "r": 0x80000000}[arch[0]]
            result = common.run(qemu_argv(arch, [self.properties(base=ram)]))
            self.assertEqual(result.code, 2, result)
            self.assertRegex(result.err, rf"device at {ram:#x}: the machine has '[\w.-]+' at 0x")
        self.each(check)

    def test_guest_that_waits_for_ever(self):
        def check(arch, base):
            self.device(arch)
            probe = self.probe(self.properties(arch, base), arch=arch, plugin_args=",on_idle=exit")
            probe.ask("h")
            self.assertEqual(probe.process.wait(30), 125)
            probe.wait_err("waits for ever")
        # On x86 the board's own timers are always armed.
        self.each(check, "riscv32", "riscv64", "arm", "aarch64")


class Failures(PluginTest):
    """A device that dies, hangs, lies, or is not there."""

    def test_dies_in_an_access(self):
        other = self.device("other")
        device = self.device()

        def die(connection, request):
            hang_up(device.listener)
            hang_up(connection)
        device.answer = die
        probe = self.probe(self.properties(timeout_ms=0),
                           self.properties("other", BASE + 0x1000))
        self.assertEqual(self.fault(probe.read, BASE), 5)
        probe.wait_err(r"device at 0x10200000: the connection was closed \(.*/d0\); its accesses "
                       "fail until it is back")
        self.assertEqual(probe.count_faults(BASE, 100), 100)
        probe.write(BASE + 0x1000, 0x55)
        self.assertEqual(probe.read(BASE + 0x1000), 0x55)
        self.assertEqual(len(other.requests()), 2)
        self.assertEqual(len(probe.said()), 1, probe.err)

        device.stop()
        device.answer = device.remember
        device.listen()
        probe.until_back(BASE)
        probe.write(BASE, 0x66)
        self.assertEqual(probe.read(BASE), 0x66)
        probe.wait_err("device at 0x10200000: answers again")
        self.assertEqual(len(probe.said()), 2, probe.err)

    def test_restart_between_accesses_loses_none(self):
        device = self.device()
        probe = self.probe()
        for _ in range(3):
            probe.write(BASE, 1)
            device.stop()
            device.listen()
        self.assertEqual(probe.read(BASE), 1)
        probe.wait_err("(?s)(answers again.*){3}")

    def answer_late(self, timeout_ms):
        """False: the host was so busy that the plugin has connected again before."""
        device = self.device(f"{timeout_ms}", lambda connection, request: None)
        probe = self.probe(self.properties(f"{timeout_ms}", timeout_ms=timeout_ms))
        self.assertEqual(self.fault(probe.read, BASE), 5)
        probe.wait_err(rf"no answer within {timeout_ms} ms \({device.path}\); its accesses fail until it is back")
        self.assertEqual(probe.count_faults(BASE, 20), 20)
        first = device.accepted.get()
        if not device.accepted.empty():
            return False
        self.assertEqual(len(device.requests()), 1)

        device.answer = lambda connection, request: response(0x600D)
        first.sendall(response(0xBAD))
        self.assertEqual(probe.read(BASE), 0x600D)
        self.assertEqual(probe.read(BASE), 0x600D)
        probe.wait_err("answers again")
        return True

    def test_late_answer_brings_the_device_back(self):
        """It must not be taken for the answer to a later request."""
        self.assertTrue(self.answer_late(500) or self.answer_late(5000))

    def test_end_of_a_late_connection_brings_the_device_back(self):
        device = self.device(answer=lambda connection, request: None)
        probe = self.probe(self.properties(timeout_ms=1000))
        self.assertTrue(probe.fails(BASE))
        device.stop()
        device.answer = device.remember
        device.listen()
        self.assertEqual(probe.read(BASE), 0)

    def test_half_an_answer(self):
        device = self.device(answer=lambda connection, request: response(0xBAD)[:7])
        probe = self.probe(self.properties(timeout_ms=1000))
        self.assertTrue(probe.fails(BASE))
        device.answer = lambda connection, request: response(0x600D)
        device.accepted.get().sendall(response(0xBAD)[7:])
        self.assertEqual(probe.read(BASE), 0x600D)

    def test_connection_that_stays_silent_is_replaced(self):
        """No late answer, no end: after the back-off, another connection is tried."""
        silent = set()

        def answer(connection, request):
            if len(silent) < 3:
                silent.add(connection)
            return None if connection in silent else response(0x600D)
        device = self.device(answer=answer)
        probe = self.probe(self.properties(timeout_ms=200))
        probe.until_back(BASE)
        self.assertEqual(probe.read(BASE), 0x600D)
        self.assertGreaterEqual(device.accepted.qsize(), 4)
        probe.wait_err("answers again")
        self.assertEqual(probe.err.count("no answer within 200 ms"), 1)

    def test_slow_answers_within_the_limit(self):
        """A vCPU that sleeps is woken, and one that spins does not give up."""
        def answer(connection, request):
            time.sleep(0.02)  # the latency of this device
            return response(7)
        for wait in "adaptive", "sleep", "spin":
            with self.subTest(wait=wait):
                self.device(wait, answer)
                probe = self.probe(self.properties(wait, wait=wait))
                self.assertEqual(probe.count_faults(BASE, 10), 0)
                self.assertEqual(probe.read(BASE), 7)

    def test_not_the_protocol(self):
        device = self.device(answer=lambda connection, request: b"\7" + response(7)[1:])
        probe = self.probe()
        self.assertEqual(self.fault(probe.read, BASE), 5)
        probe.wait_err("an answer that the protocol does not have; connection closed")
        device.answer = device.remember
        probe.until_back(BASE)

    def test_accepts_and_closes(self):
        """Said once, not at each connection, and tried less and less often."""
        device = self.device(answer=lambda connection, request: connection.close())
        probe = self.probe()
        self.assertEqual(probe.count_faults(BASE, 2000), 2000)
        probe.wait_err("the connection was closed")
        self.assertEqual(len(probe.said()), 1, probe.err)
        self.assertLess(device.accepted.qsize(), 20)

    def test_nobody_listens(self):
        probe = self.probe()
        probe.wait_err(r"device at 0x10200000: nobody listens at .*/d0 \(No such file or "
                       r"directory\); its accesses fail until somebody does")
        self.assertEqual(self.fault(probe.read, BASE), 5)
        self.device()
        probe.until_back(BASE)
        probe.wait_err("answers again")
        self.assertEqual(len(probe.said()), 2, probe.err)


class Idle(PluginTest):
    """A guest that can never wake again."""

    def idle(self, *args, **kwargs):
        self.device()
        return self.probe(args=args, **kwargs)

    def test_said_once(self):
        for name, args in ("plain", []), ("icount", ["-icount", "shift=0,sleep=off"]), \
                ("smp", ["-smp", "2"]):
            with self.subTest(name):
                self.device(name)
                probe = self.probe(self.properties(name), args=args)
                probe.ask("h")
                probe.wait_err("the guest waits for ever: it is idle and no timer is armed; only "
                               "console input can wake it")
                self.assertIsNone(probe.process.poll())

    def test_status_125(self):
        probe = self.idle("-icount", "shift=0,sleep=off", plugin_args=",on_idle=exit")
        probe.ask("h")
        self.assertEqual(probe.process.wait(30), 125)

    def test_a_timer_counts(self):
        """Asleep for longer than the watch needs, and for a microsecond a thousand times."""
        probe = self.idle(plugin_args=",on_idle=exit")
        probe.ask("s 1e8480")  # 2 s
        for _ in range(1000):
            probe.ask("s 1")
        self.assertEqual(probe.said(), [])
        probe.ask("h")  # mtimecmp is at the end of time now, which is no timer
        self.assertEqual(probe.process.wait(30), 125)

    def test_stopped_is_not_idle(self):
        """A machine that its user has stopped waits for him."""
        qemu = self.start(qemu_argv("riscv32", [], ["-S"], ",on_idle=exit"))
        with self.assertRaises(subprocess.TimeoutExpired):
            qemu.wait(1.5)


class Refusals(PluginTest):
    """One line on stderr that says what is wrong and what to do, and status 2."""

    def refused(self, pattern, *devices, **kwargs):
        result = common.run(qemu_argv("riscv32", devices, **kwargs))
        self.assertEqual(result.code, 2, result)
        lines = [line for line in result.err.splitlines() if line.startswith("trestle-qemu: ")]
        self.assertEqual(len(lines), 1, result)
        self.assertRegex(lines[0], pattern)

    def test_properties(self):
        at = "^trestle-qemu: device at 0x10200000: "
        for pattern, more in (
                (at + "size is 0; it must be at least 1$", {"size": 0}),
                (at + "size cannot be read; it must be a number of bytes", {"size": "big"}),
                (at + "on_error is 'abort'; it must be fault, ones or zeros$",
                 {"on_error": "abort"}),
                (at + "wait is 'long'; it must be adaptive, sleep or spin$", {"wait": "long"}),
                (at + "shadow and behind exclude each other; leave one out$",
                 {"shadow": "on", "behind": "on"}),
                (at + "shadow cannot be read; it must be on or off$", {"shadow": "perhaps"}),
                (at + "timeout_ms cannot be read; it must be a number of milli",
                 {"timeout_ms": "1s"}),
                (at + "timeout_ms is above 4294967295; use 0 for no limit$",
                 {"timeout_ms": 1 << 32}),
                (at + "protocol 3 is not known to this plugin; use 1 or 2$", {"protocol": 3}),
                (at + "protocol 1 has neither posted writes nor shared memory; use protocol=2$",
                 {"protocol": 1, "posted_writes": "on"}),
                (at + "protocol 1 has neither posted writes nor shared memory; use protocol=2$",
                 {"protocol": 1, "carrier": "shm"}),
                (at + "carrier is 'pigeon'; it must be auto, socket or shm$",
                 {"carrier": "pigeon"}),
                (at + "socket is missing; add socket=PATH$", {"socket": ""}),
                (at + "socket has a path of 200 bytes, and at most 107 fit", {"socket": "x" * 200}),
                ("device at 0x10200004: base_address is not a multiple of 8; use 0x10200000$",
                 {"base_address": "0x10200004"}),
                ("sst-device number 1: base_address cannot be read", {"base_address": "here"}),
                ("0xfffffffffffffff8: size 0x10 goes beyond the end of the address space",
                 {"base_address": "0xfffffffffffffff8", "size": 16})):
            with self.subTest(**more):
                self.refused(pattern, {**self.properties(), **more})
        self.refused("number 1: base_address is missing; add base_address=ADDRESS$",
                     {"socket": "x"})
        self.refused("device at 0x10200000: socket is missing", {"base_address": BASE})

    def test_machine(self):
        for name, base in ("serial", 0x10000000), ("virt.flash0", 0x20000000), \
                ("riscv_virt_board.ram", 0x80000000), ("serial", 0xffff008):
            with self.subTest(name=name, base=base):
                self.refused(f"device at {base:#x}: the machine has '{name}' at 0x[0-9a-f]+; "
                             "choose another base address, or set shadow to cover it$",
                             self.properties(base=base))

    def test_each_other(self):
        self.refused(r"device at 0x10200ff8: overlaps the sst-device at 0x10200000 \(size 0x1000\)"
                     "; give one of them another base_address",
                     self.properties(), self.properties("d1", BASE + 0xFF8, shadow="on"))

    def test_plugin_argument(self):
        self.refused("-plugin has an argument 'on_idle=leave'; known are on_idle=say and",
                     self.properties(), plugin_args=",on_idle=leave")

    def test_a_qemu_that_cannot_carry_it(self):
        for program, pattern in (
                ("fake_qemu", r"this QEMU exports no internal functions \(qmp_query_version is "
                              "missing"),
                ("fake_qemu_99", "QEMU 99.1 does not export error_setg_internal; use a distrib")):
            result = common.run([common.BUILD / "tests/integration" / program, common.PLUGIN])
            self.assertEqual(result.code, 2, result)
            self.assertRegex(result.err, f"^trestle-qemu: {pattern}.*\n$")

    def test_no_qemu_at_all(self):
        result = common.run(["python3", "-c", f"import ctypes; ctypes.CDLL('{common.PLUGIN}')"])
        self.assertEqual((result.code, result.err), (0, ""), result)


class Machine(PluginTest):
    def test_shadow(self):
        flash = 0x20000000
        device = self.device()
        probe = self.probe(self.properties(base=flash, shadow="on"))
        probe.write(flash, 0x77)
        self.assertEqual(probe.read(flash), 0x77)
        self.assertEqual(len(device.requests()), 2)

    def test_behind(self):
        """What the machine has stays; between its devices, the device of ours answers."""
        self.device()
        uart = 0x10000000
        probe = self.probe(self.properties(base=uart, size=0x2000, behind="on"))
        status = probe.read(uart + 5, 1)
        self.assertEqual(status & 0x60, 0x60)  # a 16550 with nothing to send
        self.assertNotEqual(probe.read(0x10001000), 0x12345678)  # virtio's magic is not ours
        probe.write(uart + 0x200, 0x12345678)
        self.assertEqual(probe.read(uart + 0x200), 0x12345678)

    def test_main_loop_gives_way(self):
        """Under -icount, unless somebody has chosen how it is scheduled."""
        icount = ["-icount", "shift=0,sleep=off"]
        for name, args, given, expected in (
                ("free", [], os.SCHED_OTHER, os.SCHED_OTHER),
                ("icount", icount, os.SCHED_OTHER, os.SCHED_BATCH),
                ("chosen", icount, os.SCHED_IDLE, os.SCHED_IDLE)):
            with self.subTest(name):
                self.device(name)
                probe = self.probe(self.properties(name), args=args, preexec_fn=functools.partial(
                    os.sched_setscheduler, 0, given, os.sched_param(0)))
                policy = os.sched_getscheduler(probe.process.pid) & ~os.SCHED_RESET_ON_FORK
                self.assertEqual(policy, expected)

    def test_size(self):
        """Below a page, and beyond one; what lies outside is not the device's."""
        for name, size in ("small", 16), ("large", 0x3000):
            self.device(name)
            probe = self.probe(self.properties(name, size=size))
            probe.write(BASE + size - 8, VALUE, 8)
            self.assertEqual(probe.read(BASE + size - 8, 8), VALUE)
            self.assertTrue(probe.fails(BASE + size))

    def test_json(self):
        """The other form of -device, with numbers that are numbers."""
        self.device()
        properties = {"driver": "sst-device", "socket": str(self.dir / "d0"),
                      "base_address": BASE, "size": 8192, "timeout_ms": 5, "shadow": False,
                      "protocol": 1}
        probe = Probe(self, [], args=["-device", json.dumps(properties)])
        probe.write(BASE + 8188, 5)
        self.assertEqual(probe.read(BASE + 8188), 5)

    def test_floor(self):
        probe = self.probe({"floor": "on", "base_address": hex(BASE)})
        first = probe.read(BASE, 8)
        self.assertGreater(probe.read(BASE, 8), first)

    def monitor(self, path, *commands):
        with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rw") as stream:
            connection.settimeout(30)
            connection.connect(str(path))
            stream.readline()
            for command in {"execute": "qmp_capabilities"}, *commands:
                stream.write(json.dumps(command) + "\n")
                stream.flush()
                while "event" in (answer := json.loads(stream.readline())):
                    pass
            return answer

    def test_translated_code_stays_the_same(self):
        """So a guest that computes is not slowed: QEMU instruments nothing for this plugin."""
        log, code = self.dir / "log", []
        args = ["-append", "rounds=1", "-d", "op", "-D", log, "-kernel", common.guest("busy")]
        joined = qemu_argv("riscv32", [{"floor": "on", "base_address": hex(BASE)}], args)
        plugin = joined.index("-plugin")
        for argv in joined, joined[:plugin] + joined[plugin + 4:]:
            result = common.run(argv)
            self.assertRegex(result.out, "busy: 1 rounds")
            # Which operations, on what: which blocks, and how often each, depends in QEMU 10 on
            # when its other threads have their turn.
            code.append({tuple(line.split(",")[0].split()) for line in
                         re.sub(r"0x[0-9a-f]+", "", log.read_text()).splitlines()})
            log.unlink()
        self.assertGreater(len(code[0]), 10)
        self.assertEqual(code[0], code[1])

    def test_monitor(self):
        device = self.device()
        qmp = self.dir / "qmp"
        probe = self.probe(self.properties(id="mine"),
                           args=["-qmp", f"unix:{qmp},server=on,wait=off"])
        # A device_add that fails waits, in QEMU 7.2, for a vCPU to leave the code it runs, which one
        # that polls its console need not do: so it is stopped.
        self.monitor(qmp, {"execute": "stop"})
        for command, arguments, pattern in (
                ("device_del", {"id": "mine"},
                 "the sst-device at 0x10200000 cannot be unplugged"),
                ("migrate", {"uri": "exec:cat"}, "an sst-device keeps its state outside QEMU"),
                ("device_add", {"driver": "sst-device", "socket": "x", "base_address": 0x10400000},
                 "can not be hotplugged")):
            answer = self.monitor(qmp, {"execute": command, "arguments": arguments})
            self.assertRegex(answer["error"]["desc"], pattern)
        answer = self.monitor(qmp, {"execute": "device-list-properties",
                                    "arguments": {"typename": "sst-device"}})
        self.assertLessEqual({"socket", "base_address", "on_error"},
                             {entry["name"] for entry in answer["return"]})
        self.monitor(qmp, {"execute": "cont"})
        self.monitor(qmp, {"execute": "system_reset"})
        while not probe.line().endswith("probe"):
            pass
        probe.write(BASE, 3)
        self.assertEqual(probe.read(BASE), 3)
        self.assertEqual(len(device.requests()), 2)


if __name__ == "__main__":
    common.main()
