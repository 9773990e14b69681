# SPDX-License-Identifier: MIT
"""Wire version 2 as the plugin in a real QEMU speaks it: the same tests on both carriers, and many
devices."""
import os
import pathlib
import re
import resource
import socket
import subprocess
import threading
import time
import unittest.mock

import common
import probe
import v2_device as v2
from probe import Probe, TARGETS
from v2_case import BASE, PluginTest, RAM, SHARED_RAM, UART
from v2_device import Server

PLIC_PENDING = 0x0C001000
VALUE = 0xF1E2D3C4B5A69788
ONES = 0xFFFFFFFF
SECOND = 1_000_000  # of a guest that sleeps: in microseconds


class Suite:
    """What has to be the same on both carriers."""

    def test_widths(self):
        device = self.device(lambda device, request: VALUE)
        probe = self.probe()
        hello = device.hellos.get(timeout=30)
        self.assertEqual((hello.low, hello.high, hello.base, hello.size, hello.irqs),
                         (2, 2, BASE, 4096, 0))
        self.assertTrue(hello.features & v2.SHM)
        self.assertEqual(bool(self.server.memory), self.shm)
        for size in 1, 2, 4, 8:
            value = VALUE & (1 << 8 * size) - 1
            for offset in 0, size, 4096 - size:
                probe.write(BASE + offset, value, size)
                self.assertEqual(probe.read(BASE + offset, size), value)
                write, read = device.requests[-2:]
                self.assertEqual((write.type, write.size, write.addr, write.data, write.flags),
                                 (v2.WRITE, size, offset, value, 0))
                self.assertEqual((read.type, read.size, read.addr, read.data),
                                 (v2.READ, size, offset, 0))
                self.assertGreater(read.id, write.id)
                self.assertGreaterEqual(read.time, write.time)
        self.assertEqual(len(device.requests), 24)
        self.assertEqual(probe.said(), [])

    def test_error_status(self):
        self.device(lambda device, request: (request.addr, 0x1234))
        probe = self.probe()
        for status in v2.MALFORMED, v2.WIDTH, v2.RANGE, v2.REFUSED, v2.CANCELLED, v2.NO_DEVICE, 99:
            self.assertEqual(self.fault(probe.read, BASE + status, 1), 5)
            self.assertEqual(self.fault(probe.write, BASE + status, 1, 1), 7)
        self.assertEqual(probe.read(BASE, 4), 0x1234)
        self.assertEqual(probe.said(), [])

    def test_ones_and_zeros(self):
        for _ in range(2):
            self.device(lambda device, request: (v2.REFUSED, 0x1234))
        probe = self.probe(self.properties(on_error="ones"), self.properties(1, on_error="zeros"))
        self.assertEqual(probe.read(self.at(0)), ONES)
        self.assertEqual(probe.read(self.at(1)), 0)
        probe.write(self.at(0), 1)
        probe.write(self.at(1), 1)
        self.assertEqual(probe.said(), [])

    def test_dies_in_an_access(self):
        """Two devices of a session: the other one goes on."""
        device, other = self.device(), self.device()
        probe = self.probe(self.properties(timeout_ms=0), self.properties(1))
        device.answer = lambda device, request: device.close()
        self.assertEqual(self.fault(probe.read, BASE), 5)
        probe.wait_err(r"device at 0x10200000: the connection was closed \(.*/d0\); its accesses "
                       "fail until it is back")
        self.assertEqual(probe.count_faults(BASE, 100), 100)
        probe.write(self.at(1), 0x55)
        self.assertEqual(probe.read(self.at(1)), 0x55)
        self.assertEqual(len(other.requests), 2)
        probe.wait_err("trestle-qemu: ")
        self.assertEqual(len(probe.said()), 1, probe.err)

        device.answer = None
        self.server.call(device.listen)
        probe.until_back(BASE)
        probe.wait_err("answers again")
        self.assertEqual(probe.read(self.at(1)), 0x55)

    def test_process_dies_in_an_access(self):
        device, other = self.device(), self.device()
        probe = self.probe(self.properties(timeout_ms=0), self.properties(1))
        device.answer = lambda device, request: self.server.die()
        self.assertEqual(self.fault(probe.read, BASE), 5)
        self.assertEqual(self.fault(probe.read, self.at(1)), 5)
        self.server = Server(self, self.shm)
        self.server.device(device.path)
        self.server.device(other.path)
        for number in 0, 1:
            probe.until_back(self.at(number))
        self.until(lambda: len(probe.said()) == 4)

    def answer_late(self, timeout_ms):
        """False: the host was so busy that the plugin has connected again before."""
        path = self.dir / f"{timeout_ms}"
        device = self.server.device(path, lambda device, request: None)
        probe = self.probe(self.properties(socket=path, timeout_ms=timeout_ms))
        self.assertEqual(self.fault(probe.read, BASE), 5)
        probe.wait_err(rf"no answer within {timeout_ms} ms \({path}\); its accesses fail until it is back")
        self.assertEqual(probe.count_faults(BASE, 20), 20)
        if device.hellos.qsize() > 1:
            return False
        self.assertEqual(len(device.requests), 1)
        device.answer = lambda device, request: 0x600D
        self.server.call(lambda: device.reply(device.requests[0], 0xBAD))
        self.assertEqual(probe.read(BASE), 0x600D)
        probe.wait_err("answers again")
        return device.hellos.qsize() == 1

    def test_late_answer(self):
        """A connection outlives a time-out: the late answer brings the device back, and is not
        taken for the answer to a later request."""
        if not self.answer_late(500):
            self.server = Server(self, self.shm)
            self.assertTrue(self.answer_late(5000))

    def test_silence_is_replaced(self):
        """No late answer either: after the back-off another connection is made."""
        self.device(lambda device, request: 0x600D if device.hellos.qsize() > 1 else None)
        probe = self.probe(self.properties(timeout_ms=100))
        probe.until_back(BASE)
        self.assertEqual(probe.read(BASE), 0x600D)
        probe.wait_err("answers again")

    def test_restart_between_accesses(self):
        device = self.device()
        probe = self.probe()
        probe.write(BASE, 3)
        self.server.stop()
        probe.wait_err("the connection was closed")
        self.server = Server(self, self.shm)
        device = self.server.device(device.path)
        self.assertEqual(probe.read(BASE), 0)
        probe.wait_err("answers again")
        self.assertEqual(len(device.requests), 1)

    def test_nobody_listens(self):
        probe = self.probe()
        probe.wait_err(r"device at 0x10200000: cannot connect to .*/d0: No such file or directory; "
                       "its accesses fail until it is there")
        self.assertEqual(self.fault(probe.read, BASE), 5)
        self.device()
        probe.until_back(BASE)
        probe.wait_err("answers again")
        self.assertEqual(len(probe.said()), 2, probe.err)

    def test_slow_answers(self):
        def answer(device, request):
            time.sleep(0.02)  # the latency of this device
            return 7
        for number, wait in enumerate(("adaptive", "sleep", "spin")):
            with self.subTest(wait=wait):
                self.device(answer)
                probe = self.probe(self.properties(number, wait=wait))
                self.assertEqual(probe.count_faults(self.at(number), 10), 0)
                self.assertEqual(probe.read(self.at(number)), 7)
                probe.close()

    # --- posted writes

    def test_posted_writes(self):
        """They return at once, in order, before the read that follows."""
        device = self.device()
        probe = self.probe(self.properties(posted_writes="on"))
        for value in range(50):
            probe.write(BASE + 4 * (value % 3), value)
        self.assertEqual(probe.read(BASE), 48)
        self.assertEqual([r.data for r in device.requests[:-1]], list(range(50)))
        self.assertEqual({r.flags for r in device.requests[:-1]}, {1})

    def test_posted_writes_fill_the_carrier(self):
        """Back-pressure, and nothing lost."""
        device = self.device()
        probe = self.probe(self.properties(posted_writes="on", timeout_ms=0))
        probe.read(BASE)
        if self.shm:
            self.server.call(lambda: setattr(self.server, "hold", True))
            count = v2.SLOTS + 200
        else:
            self.server.call(lambda: self.server.unwatch(device.connection))
            count = 2000  # more than a socket's buffers hold
        for value in range(count):
            probe.send(f"w 4 {BASE:x} {value:x}")
        answered = 0
        while answered < v2.SLOTS if self.shm else probe.has_line(0.2):
            probe.answer()
            answered += 1
        self.assertLess(answered, count)
        if self.shm:
            self.assertFalse(probe.has_line(0.2))
            self.server.release()
        else:
            self.server.call(lambda: self.server.watch(device.connection, device.receive))
        for _ in range(count - answered):
            probe.answer()
        self.assertEqual(probe.read(BASE), count - 1)
        self.assertEqual([r.data for r in device.requests[1:-1]], list(range(count)))

    def test_order_between_devices(self):
        """On sockets a FLUSH keeps it."""
        self.device(), self.device()
        probe = self.probe(self.properties(posted_writes="on"),
                           self.properties(1, posted_writes="on"))
        for value in range(6):
            probe.write(self.at(value // 2 % 2), value)
        probe.read(self.at(0))
        log = [(index, r.data) for index, r in self.server.log if r.type == v2.WRITE]
        self.assertEqual(log, [(value // 2 % 2, value) for value in range(6)])
        flushes = [index for index, r in self.server.log if r.type == v2.FLUSH]
        self.assertEqual(flushes, [] if self.shm else [0, 1])

    # --- what the device wants

    def dma(self, kind, addr, data=b"", size=None, extra=0):
        """A device that makes one transfer in each read and gives its status as the value."""
        size = size or len(data)

        def answer(device, request):
            self.asked = request
            if self.shm and kind == v2.DMA_WRITE and data:
                self.server.memory.map[v2.BULK:v2.BULK + len(data)] = data
            if kind == v2.DMA_READ:
                self.server.dma_read = size
            device.send(v2.message(kind, device=0, id=request.id, addr=addr, data=size,
                                   extra=extra), data)
        handle = self.server.handle

        def handle_done(device, request):
            handle(device, request)
            if request.type == v2.DMA_DONE:
                if self.shm and kind == v2.DMA_READ:
                    self.server.payload = self.server.memory.map[v2.BULK:v2.BULK + size]
                device.reply(self.asked, request.status)
        self.server.handle = handle_done
        return answer

    def test_dma(self):
        data = bytes(range(256)) * 3
        device = self.device(self.dma(v2.DMA_WRITE, RAM, data))
        probe = self.probe()
        self.assertEqual(probe.read(BASE), v2.OK)
        self.assertEqual(probe.read(RAM + 512), 0x03020100)
        self.server.handle = Server.handle.__get__(self.server)
        device.answer = self.dma(v2.DMA_READ, RAM, size=len(data))
        self.assertEqual(probe.read(BASE), v2.OK)
        self.assertEqual(self.server.payload, data)

    def test_shared_ram(self):
        """Its descriptor comes with its place; what the other side says to have written there may be
        written indeed. Once for all devices."""
        self.device(), self.device()
        probe = self.probe(self.properties(), self.properties(1), args=SHARED_RAM)
        self.assertEqual(probe.read(BASE), 0)
        (shared, fd), = self.server.shared
        self.assertEqual((shared.addr, shared.data, shared.extra), (0x80000000, 128 << 20, 0))
        self.assertEqual(os.fstat(fd).st_size, 128 << 20)
        probe.write(RAM, 0x12345678)
        self.assertEqual(os.pread(fd, 4, RAM - shared.addr), bytes.fromhex("78563412"))

        def write(device, request):
            os.pwrite(fd, b"abcd", RAM - shared.addr)
            device.send(v2.message(v2.DMA_WRITTEN, addr=RAM, data=4))
            return 5
        self.server.devices[1].answer = write
        self.assertEqual(probe.read(self.at(1)), 5)
        self.assertEqual(probe.read(RAM), 0x64636261)
        self.assertEqual(probe.said(), [])

    def test_no_ram_to_share(self):
        """None where QEMU has it for itself."""
        for args in [], ["-object", "memory-backend-ram,id=r,size=128M", "-M", "memory-backend=r"], \
                ["-object", f"memory-backend-file,id=r,size=128M,mem-path={self.dir}/ram",
                 "-M", "memory-backend=r"]:
            with self.subTest(args=args):
                device = self.device()
                probe = self.probe(self.properties(device.index), args=args)
                self.assertEqual(probe.read(self.at(device.index)), 0)
                self.assertFalse(device.hello.features & v2.RAM_FEATURE)
                self.assertEqual(self.server.shared, [])
                probe.close()

    def test_refused_ram(self):
        """It is not offered again."""
        self.server.ram_status = v2.NOT_RAM
        self.device(), self.device()
        probe = self.probe(self.properties(), self.properties(1), args=SHARED_RAM)
        self.assertEqual((probe.read(BASE), probe.read(self.at(1))), (0, 0))
        self.assertEqual(len(self.server.shared), 1)
        self.assertEqual(probe.said(), [])

    def test_ram_without_an_answer(self):
        device = self.device()
        self.server.ram_status = None
        probe = self.probe(self.properties(timeout_ms=100), args=SHARED_RAM)
        probe.wait_err("cannot connect to .*/d0: accepts connections but answers no handshake")
        self.server.ram_status = v2.OK
        probe.until_back(BASE)
        self.assertEqual(len(self.server.shared), device.hellos.qsize())

    def test_dma_to_devices(self):
        """The UART's, another device's, its own, and where nothing is."""
        self.device(), self.device()
        probe = self.probe(self.properties(), self.properties(1))
        for addr in UART, self.at(1), self.at(0), 0x60000000, (1 << 64) - 2:
            for kind, data in (v2.DMA_WRITE, b"ABCD"), (v2.DMA_READ, b""):
                with self.subTest(addr=hex(addr), kind=kind):
                    self.server.handle = Server.handle.__get__(self.server)
                    self.server.devices[0].answer = self.dma(kind, addr, data, 4)
                    self.assertEqual(probe.read(BASE), v2.NOT_RAM)
        self.assertEqual(self.server.devices[1].requests, [])
        self.assertEqual(probe.said(), [])

    def test_lines(self):
        """Two lines of a device and one of another, at two inputs of a GIC, seen at its pending
        register: an input is high while a line is, and lines fall when their device is gone."""
        base, pending, first = TARGETS["aarch64"][0], 0x08000200 + 4 * (212 // 32), 180
        two, one = self.device(), self.device()
        two.irq_lines, one.irq_lines = 2, 1
        devices = [self.properties(0, base_address=hex(base), irq=f"{first}:{first + 1}"),
                   self.properties(1, base_address=hex(base + 0x1000), irq=first + 1)]
        probe = self.probe(*devices, arch="aarch64")

        def lines():
            return probe.read(pending) >> 212 % 32 & 3

        def set_line(device, line, level, expected):
            self.server.call(lambda: device.send(v2.message(v2.IRQ, device=device.index, addr=line,
                                                            data=level)))
            self.until(lambda: lines() == expected)
        self.assertEqual(lines(), 0)
        set_line(two, 0, 1, 1)
        set_line(two, 1, 1, 3)
        set_line(one, 0, 1, 3)
        set_line(two, 0, 0, 2)
        set_line(two, 1, 0, 2)
        set_line(two, 0, 1, 3)
        self.server.call(two.close)
        self.until(lambda: lines() == 2)
        self.server.call(one.close)
        self.until(lambda: lines() == 0)

    def test_reset(self):
        self.device(), self.device()
        qmp = self.dir / "qmp"
        probe = self.probe(self.properties(), self.properties(1),
                           args=["-qmp", f"unix:{qmp},server=on,wait=off"])
        self.assertEqual(probe.read(BASE), 0)
        before = [r.type for _, r in self.server.log].count(v2.RESET)
        self.reset(probe, qmp)
        for base in BASE, BASE + 0x1000, BASE:  # of which none says it again
            self.assertEqual(probe.read(base), 0)
        self.assertEqual([r.type for _, r in self.server.log].count(v2.RESET), before + 1)

    def reset(self, probe, qmp):
        with socket.socket(socket.AF_UNIX) as monitor, monitor.makefile("rw") as stream:
            monitor.connect(str(qmp))
            for command in "qmp_capabilities", "system_reset":
                stream.write('{"execute": "%s"}' % command)
                stream.flush()
            while not probe.line().endswith("probe"):
                pass

    def test_interrupt_while_the_guest_is_reset(self):
        """The PLIC, which is reset by then, would remember a line that was high for a moment."""
        device = self.device()
        device.irq_lines = 1

        def other(device, request):
            if request.type == v2.RESET:
                for level in 1, 0:
                    device.send(v2.message(v2.IRQ, device=device.index, addr=0, data=level))
            device.reply(request)
        self.server.other = other
        qmp = self.dir / "qmp"
        probe = self.probe(self.properties(irq=40),
                           args=["-qmp", f"unix:{qmp},server=on,wait=off"])
        self.reset(probe, qmp)
        self.assertEqual([r.type for _, r in self.server.log].count(v2.RESET), 2)
        self.assertEqual(probe.read(PLIC_PENDING + 4), 0)
        self.server.call(lambda: device.send(v2.message(v2.IRQ, device=device.index, addr=0,
                                                        data=1)))
        self.until(lambda: probe.read(PLIC_PENDING + 4) == 1 << 8)

    def test_a_watchdog(self):
        """Its line goes to nobody's input: the guest is reset at each edge, and not while it is up."""
        device = self.device()
        device.irq_lines = 2
        probe = self.probe(self.properties(irq="watchdog:40"))
        self.assertEqual(probe.read(BASE), 0)
        for _ in range(2):
            self.server.call(lambda: device.send(v2.message(v2.IRQ, device=device.index, addr=0,
                                                            data=1)))
            while not probe.line().endswith("probe"):
                pass
            self.assertEqual(probe.read(BASE), 0)
            self.server.call(lambda: device.send(v2.message(v2.IRQ, device=device.index, addr=0,
                                                            data=0)))
        self.assertEqual([r.type for _, r in self.server.log].count(v2.RESET), 3)
        self.server.call(lambda: device.send(v2.message(v2.IRQ, device=device.index, addr=1,
                                                        data=1)))
        self.until(lambda: probe.read(PLIC_PENDING + 4) == 1 << 8)

    def test_an_interrupt_behind_an_answer(self):
        """One ring for both, heard by the access that waits: the guest, which does nothing, is told."""
        device = self.device()
        device.irq_lines = 1

        def answer(device, request):
            memory = self.server.memory
            if memory:
                memory.ring = lambda: None
            device.reply(request)
            device.send(v2.message(v2.IRQ, device=device.index, addr=0, data=1))
            if memory:
                del memory.ring
                memory.ring()
        device.answer = answer
        probe = self.probe(self.properties(irq="watchdog", wait="sleep"))
        probe.send(f"r 4 {BASE:x}")
        while not probe.line().endswith("probe"):  # the reset may come before the guest says what it has read
            pass

    def test_reset_asks_all_sessions_at_once(self):
        """Each answers when the other one has been asked as well."""
        both = threading.Barrier(2)
        servers = self.server, Server(self, self.shm)

        def other(device, request):
            if request.type == v2.RESET:
                both.wait(30)
            device.reply(request)
        for number, server in enumerate(servers):
            server.other = other
            server.device(self.dir / f"d{number}")
        qmp = self.dir / "qmp"
        probe = self.probe(self.properties(timeout_ms=0), self.properties(1, timeout_ms=0),
                           args=["-qmp", f"unix:{qmp},server=on,wait=off"])
        self.reset(probe, qmp)
        self.assertEqual(probe.said(), [])

    def test_goodbye(self):
        device = self.device()
        probe = self.probe()
        self.assertEqual(probe.read(BASE), 0)
        probe.process.terminate()
        self.until(lambda: not device.connection)
        self.assertEqual([r.type for _, r in self.server.log][-1], v2.GOODBYE)


class Shm(Suite, PluginTest):
    shm = True


class Socket(Suite, PluginTest):
    shm = False


class Scale(PluginTest):
    """Many devices, as many as a guest may have. Needs more descriptors than the usual limit."""

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4096:
            self.skipTest(f"{hard} descriptors are too few (ulimit -Hn 4096)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def test_1024_devices(self):
        def answer(device, request):
            if not measured:
                measured.append(time.monotonic() - start)
                measured.append(len(common.descriptors(process.pid)))
            return device.perform(request)

        n, measured = 1024, []
        for shm in True, False:
            with self.subTest(shm=shm):
                self.server = Server(self, shm)
                for i in range(n):
                    device = self.server.device(self.dir / f"{shm}{i}", answer)
                    device.memory = dict(enumerate(self.at(i).to_bytes(8, "little")))
                argv = probe.qemu_argv("riscv32", [
                    self.properties(i, socket=self.dir / f"{shm}{i}", timeout_ms=20000)
                    for i in range(n)], ["-kernel", common.guest("many_devices"),
                                         "-append", f"n={n} rounds=1"])
                measured, start = [], time.monotonic()
                process = self.start(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     text=True)
                out, _ = process.communicate(timeout=100)
                self.assertIn(f"{3 * n + 1} passed, 0 failed", out)
                self.assertNotIn("trestle-qemu", out)
                self.assertEqual({len(device.requests) for device in self.server.devices}, {3})
                print(f"{n} devices, {'shared memory' if shm else 'sockets'}: the first access "
                      f"after {measured[0]:.2f} s, {measured[1]} descriptors in QEMU")
                self.assertGreaterEqual(measured[1], n)
                self.assertLess(measured[1], n + 40)
                self.server.stop()

    def test_nobody_answers_a_handshake(self):
        """Each waits for its time-out, all at the same time: one after the other they would take
        longer than the probe waits for its guest."""
        n = 200
        self.server.welcome = lambda device, hello: None
        for _ in range(n):
            self.device()
        probe = self.probe(*(self.properties(i, timeout_ms=1000) for i in range(n)))
        self.until(lambda: probe.err.count("answers no handshake") == n)
        self.assertTrue(probe.fails(self.at(n - 1)))

    def switches(self, guest):
        """Voluntary context switches of a QEMU's threads."""
        tasks = pathlib.Path(f"/proc/{guest.process.pid}/task").glob("*/status")
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", task.read_text(), re.M)[1])
                   for task in tasks)

    def idle_guest(self, devices, plugin):
        argv = probe.qemu_argv("riscv32", devices)
        if not plugin:
            at = argv.index("-plugin")
            del argv[at:at + 2]
        with unittest.mock.patch("probe.qemu_argv", lambda *args: argv):
            guest = Probe(self, devices)
        for i in range(len(devices)):
            guest.read(self.at(i))
        return guest

    def until_quiet(self, guests):
        """Until none of them has woken up for a hundred looks."""
        seen, quiet = [], 0
        def look():
            nonlocal seen, quiet
            now = [self.switches(guest) for guest in guests]
            seen, quiet = now, quiet + 1 if now == seen else 0
            return quiet == 100
        self.until(look)

    def test_idle_devices_wake_nobody(self):
        """Guests that wait, for a timer or for ever: with 256 devices QEMU wakes up no more often
        than without Trestle. Another guest's timer says how long they are watched."""
        n, guests, names = 256, [], []
        for name, command in ("for ever", "h"), ("for a timer", f"s {20 * SECOND:x}"):
            self.server = Server(self, True)
            for i in range(n):
                self.server.device(self.dir / f"{len(guests)}.{i}")
            devices = [self.properties(i, socket=device.path, timeout_ms=20000)
                       for i, device in enumerate(self.server.devices)]
            pair = self.idle_guest(devices, True), self.idle_guest([], False)
            for guest in pair:
                guest.send(command)
            guests += pair
            names.append(name)
        clock = self.idle_guest([], False)
        self.until_quiet(guests)
        before = [self.switches(guest) for guest in guests]
        clock.ask(f"s {SECOND:x}")
        found = [self.switches(guest) - start for guest, start in zip(guests, before)]
        for name, with_devices, without in zip(names, found[::2], found[1::2]):
            with self.subTest(name):
                print(f"waits {name}, a second: {with_devices} voluntary switches, {without} "
                      "without devices")
                self.assertLessEqual(with_devices, without + 2)


if __name__ == "__main__":
    common.main()
