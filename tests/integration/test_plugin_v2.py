# SPDX-License-Identifier: MIT
"""Wire version 2 as the plugin in a real QEMU speaks it: the same tests on both carriers, then a
server that does all that it must not. Each time the user hears in one line why the device is lost,
the guest gets its bus error, and a device of another server notices nothing."""
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
from probe import TARGETS, Probe
from v2_device import NEVER, Server

BASE = TARGETS["riscv32"][0]
RAM = 0x80800000
UART = 0x10000000
PLIC_PENDING = 0x0C001000
VALUE = 0xF1E2D3C4B5A69788
ONES = 0xFFFFFFFF
SHARED_RAM = ["-object", "memory-backend-memfd,id=r,size=128M,share=on", "-M", "memory-backend=r"]
SECONDS = 5  # of measuring an idle QEMU


class PluginTest(probe.TestCase):
    shm = True

    def setUp(self):
        super().setUp()
        self.server = Server(self, self.shm)

    def at(self, number):
        return BASE + number * 0x1000

    def device(self, answer=None):
        return self.server.device(self.dir / f"d{len(self.server.devices)}", answer)

    def properties(self, number=0, **more):
        return {"socket": self.dir / f"d{number}", "base_address": hex(self.at(number)), **more}

    def until(self, condition):
        end = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not come to pass")
            time.sleep(0.001)


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
        self.assertEqual(len(probe.said()), 1)

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

    def test_late_answer(self):
        """A connection outlives a time-out: the late answer brings the device back, and is not
        taken for the answer to a later request."""
        device = self.device(lambda device, request: None)
        probe = self.probe(self.properties(timeout_ms=500))
        self.assertEqual(self.fault(probe.read, BASE), 5)
        probe.wait_err(r"no answer within 500 ms \(.*/d0\); its accesses fail until it is back")
        self.assertEqual(probe.count_faults(BASE, 20), 20)
        self.assertEqual(len(device.requests), 1)
        device.answer = lambda device, request: 0x600D
        self.server.call(lambda: device.reply(device.requests[0], 0xBAD))
        self.assertEqual(probe.read(BASE), 0x600D)
        probe.wait_err("answers again")
        self.assertEqual(device.hellos.qsize(), 1)

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
        while probe.out.count(b"\n") or probe.selector.select(1):
            probe.answer()
            answered += 1
        self.assertLess(answered, count)
        if self.shm:
            self.assertEqual(answered, v2.SLOTS)
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


class Handshake(PluginTest):
    """Answers to a HELLO that are none. A device of another process goes on."""

    def setUp(self):
        super().setUp()
        self.other = Server(self, True)

    def lost(self, pattern, carrier="shm", timeout_ms=500, more=()):
        """The device of self.server cannot be reached for this reason; returns the probe."""
        self.device()
        self.other.device(self.dir / "d1")
        probe = self.probe(self.properties(carrier=carrier, timeout_ms=timeout_ms),
                           self.properties(1, carrier="shm"))
        probe.wait_err(pattern)
        self.assertEqual(self.fault(probe.read, BASE), 5)
        probe.write(self.at(1), 0x55)
        self.assertEqual(probe.read(self.at(1)), 0x55)
        self.assertEqual(len(probe.said()), 1, probe.err)
        return probe

    def answers(self, **fields):
        """Every HELLO is answered with a WELCOME that has these fields."""
        def welcome(device, hello):
            self.server.send_welcome(device, self.server.join(hello), **fields)
        self.server.welcome = welcome

    def gives(self, *make, features=v2.FEATURES):
        """Every HELLO is answered with these descriptors."""
        def welcome(device, hello):
            self.server.session = bytes(16)
            fds = [function() for function in make]
            self.server.send_welcome(device, fds, features=features & hello.features)
            for fd in fds:
                os.close(fd)
        self.server.welcome = welcome

    def test_wrong_magic(self):
        self.answers(magic=b"TRESTLE3")
        self.lost("does not speak protocol 2; use protocol=1")

    def test_version(self):
        self.answers(version=99)
        self.lost("it chose a version of the protocol that this plugin does not speak")

    def test_refused(self):
        for status, text in ((v2.BAD_VERSION, "no protocol version in common"),
                             (v2.GEOMETRY, "base address or size differ from the device's"),
                             (v2.BUSY, "another client has the device"),
                             (v2.NO_MEMORY, "out of memory"), (250, "unknown status")):
            with self.subTest(status=status):
                self.setUp()
                self.answers(status=status)
                self.lost(text).close()
                self.server.stop()

    def test_features_not_offered(self):
        for carrier in "shm", "socket":
            with self.subTest(carrier=carrier):
                self.setUp()
                self.answers(features=0x80000001)
                self.lost("features that were not offered", carrier).close()
                self.server.stop()

    def test_size(self):
        self.answers(size=8192)
        self.lost("base address or size differ")

    def test_number_taken(self):
        """Two devices of one session with the same number."""
        self.device(), self.device()
        self.answers(index=0)
        probe = self.probe(self.properties(), self.properties(1))
        probe.wait_err("the number of another device")
        self.assertEqual(len(probe.said()), 1)

    def test_number_too_high(self):
        self.answers(index=65536)
        self.lost("a number that no device has")

    def test_highest_number(self):
        self.device(), self.device()
        self.server.devices[1].index = 65535
        probe = self.probe(self.properties(), self.properties(1))
        probe.write(self.at(1), 0x55)
        self.assertEqual(probe.read(self.at(1)), 0x55)
        probe.close()

    def test_descriptors(self):
        def doorbell(family=socket.AF_UNIX, kind=socket.SOCK_STREAM):
            return socket.socket(family, kind).detach()

        def eventfd():
            return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

        def null():
            return os.open("/dev/null", os.O_RDWR | os.O_NONBLOCK)

        def short():
            return v2.memory_file(4096)
        memory, text = v2.memory_file, "the shared memory that came is not what it should be"
        count = "number of descriptors"
        for name, fds, pattern in (
                ("none", (), count),
                ("one", (memory,), count),
                ("three", (memory, doorbell, doorbell), count),
                ("eight", (memory,) * 8, count),
                ("unsealed", (lambda: memory(seals=0), doorbell), text),
                ("half sealed", (lambda: memory(seals=5), doorbell), text),
                ("short", (short, doorbell), text),
                ("long", (lambda: memory(v2.MEMORY_SIZE + 4096), doorbell), text),
                ("write-sealed", (lambda: memory(seals=15), doorbell), text + "|not perm"),
                ("no memory", (null, doorbell), text),
                ("no doorbell", (memory, null), text),
                ("eventfd", (memory, eventfd), text),
                ("datagrams", (memory, lambda: doorbell(kind=socket.SOCK_DGRAM)), text),
                ("network", (memory, lambda: doorbell(socket.AF_INET)), text)):
            with self.subTest(name):
                self.setUp()
                self.gives(*fds)
                probe = self.lost(pattern)
                pid = probe.process.pid
                fds = common.descriptors(pid).values()
                self.assertFalse([fd for fd in fds if "memfd:v2_device" in fd])
                maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
                self.assertEqual(maps.count("memfd:v2_device"), 1)  # the other server's
                probe.close()
                self.server.stop()

    def test_closes(self):
        for cut in 0, 7, 8, 63:
            with self.subTest(cut=cut):
                self.setUp()

                def welcome(device, hello, cut=cut):
                    if cut:
                        self.server.send_welcome(device, self.server.join(hello), cut=cut)
                    device.hang_up()
                self.server.welcome = welcome
                self.lost("the connection was closed during the handshake").close()
                self.server.stop()

    def test_never_answers(self):
        for cut in 0, 63:
            with self.subTest(cut=cut):
                self.setUp()

                def welcome(device, hello, cut=cut):
                    if cut:
                        self.server.send_welcome(device, self.server.join(hello), cut=cut)
                self.server.welcome = welcome
                self.lost("accepts connections but answers no handshake", timeout_ms=300).close()
                self.server.stop()

    # --- carrier=

    def test_carriers(self):
        for shm in True, False:
            for carrier in "auto", "socket", "shm":
                with self.subTest(carrier=carrier, shm=shm):
                    self.server = Server(self, shm)
                    if carrier == "shm" and not shm:
                        self.lost("the other side has no shared memory; use carrier=auto").close()
                        continue
                    device = self.device()
                    probe = self.probe(self.properties(carrier=carrier))
                    probe.write(BASE, 0x77)
                    self.assertEqual(probe.read(BASE), 0x77)
                    self.assertEqual(bool(self.server.memory), shm and carrier != "socket")
                    self.assertEqual(bool(device.hello.features & v2.SHM), carrier != "socket")
                    probe.close()
                    self.server.stop()

    def test_auto_falls_back(self):
        """Memory that cannot be used: sockets at once, under another identity. A server whose
        memory is fine keeps it, and takes its device back after a restart."""
        clients = []

        def welcome(device, hello):
            clients.append(hello.client)
            if hello.features & v2.SHM:
                self.server.session = bytes(16)
                fd = v2.memory_file(4096)
                bell = socket.socket(socket.AF_UNIX)
                self.server.send_welcome(device, [fd, bell.fileno()], features=v2.SHM)
                os.close(fd)
                bell.close()
            else:
                self.server.session = b"S" * 16
                self.server.send_welcome(device, [])
        self.server.welcome = welcome
        self.device(), self.device()
        good = [self.other.device(self.dir / f"d{i}") for i in (2, 3)]
        probe = self.probe(*(self.properties(i) for i in range(4)))
        for i in range(4):
            probe.write(self.at(i), i)
            self.assertEqual(probe.read(self.at(i)), i)
        self.assertEqual(probe.said(), [])
        self.assertFalse(self.server.memory)
        self.assertTrue(self.other.memory)
        self.assertEqual(len(set(clients)), 2)

        def busy(device, hello):
            mine = hello.client == good[0].hello.client
            self.other.send_welcome(device, [], status=v2.OK if mine else v2.BUSY)
        self.other.welcome = busy
        self.other.call(good[1].hang_up)
        probe.wait_err("the connection was closed")
        probe.until_back(self.at(3))
        self.assertEqual(probe.read(self.at(2)), 2)


class Hostile:
    """Breaks the protocol in a session. A device of the same session is lost with it, for one
    reason that is said once; another process's goes on."""

    def setUp(self):
        super().setUp()
        self.other = Server(self, True)
        self.device(), self.device()
        self.other.device(self.dir / "d2")

    def broken(self, pattern, act, args=(), **more):
        def answer(device, request):
            if device.connection:
                act(device, request)
        probe = self.probe(self.properties(timeout_ms=2000, **more), self.properties(1, **more),
                           self.properties(2), args=args)
        self.assertEqual(probe.read(BASE), 0)
        self.server.devices[0].answer = answer
        self.assertEqual(self.fault(probe.read, BASE), 5)
        probe.wait_err(pattern)
        self.assertEqual(len(probe.said()), 1, probe.err)
        self.assertEqual(probe.read(self.at(2)), 0)
        self.server.devices[0].answer = None
        for number in 0, 1:
            probe.until_back(self.at(number))
        self.until(lambda: probe.err.count("answers again") == 2)
        return probe

    def test_sequence_jumps(self):
        for jump in 1, -1, 1 << 40:
            with self.subTest(jump=jump):
                self.broken("sequence number",
                            lambda device, request: device.send(v2.message(v2.REPLY), jump=jump)
                            ).close()
                self.setUp()

    def test_unknown_types(self):
        for kind in 0, v2.READ, 0x80, 0x86, 0xFF:
            with self.subTest(kind=kind):
                self.broken(f"message of type {kind:#04x}",
                            lambda device, request: device.send(v2.message(kind))).close()
                self.setUp()

    def test_fields(self):
        for event in (v2.message(v2.REPLY, flags=1), v2.message(v2.IRQ, addr=32),
                      v2.message(v2.IRQ, data=2), v2.message(v2.DMA_READ, addr=RAM),
                      v2.message(v2.DMA_READ, addr=RAM, data=65537),
                      v2.message(v2.DMA_WRITE, addr=RAM, data=NEVER),
                      v2.message(v2.DMA_WRITTEN, addr=RAM, data=0),
                      v2.message(v2.DMA_WRITTEN, addr=RAM, data=65537)):
            with self.subTest(event=event):
                self.broken("a message of type 0x8[1-5] with a field out of its values",
                            lambda device, request: device.send(event)).close()
                self.setUp()

    def test_irq_of_no_line(self):
        for index, line in (0, 0), (1, 31), (7, 0), (NEVER >> 32, 0):
            with self.subTest(index=index, line=line):
                self.broken("an interrupt of a line that is not there",
                            lambda device, request: device.send(
                                v2.message(v2.IRQ, device=index, addr=line, data=1))).close()
                self.setUp()

    def test_second_welcome(self):
        def again(device, request):
            device.connection.sendall(v2.WELCOME.pack(
                v2.MAGIC, 2, v2.OK, device.hello.features, self.server.session, device.index, 0,
                4096, 0, NEVER))
        self.broken("bytes on a socket beside the shared memory" if self.shm else
                    "a sequence number that is not the next", again, wait="sleep")

    def test_nonsense_that_nobody_asked_for(self):
        """QEMU's main loop finds it, while the guest does something else."""
        probe = self.probe(self.properties(), self.properties(1), self.properties(2))
        self.assertEqual(probe.read(BASE), 0)
        device = self.server.devices[0]
        self.server.call(lambda: device.send(v2.message(v2.IRQ, device=7, data=1)))
        probe.wait_err("an interrupt of a line that is not there")
        self.assertEqual(probe.read(self.at(2)), 0)
        self.assertEqual(len(probe.said()), 1, probe.err)

    def test_dma_written_elsewhere(self):
        """Only shared RAM can have been written: not the UART, which would hear of it otherwise."""
        end = RAM - 0x800000 + (128 << 20)
        for shared, addr in (False, RAM), (True, UART), (True, end), (True, end - 1), \
                (True, NEVER), (True, NEVER - 4095), (True, BASE):
            with self.subTest(shared=shared, addr=hex(addr)):
                self.broken("a DMA outside the guest's RAM",
                            lambda device, request: device.send(
                                v2.message(v2.DMA_WRITTEN, addr=addr, data=2)),
                            SHARED_RAM if shared else ()).close()
                self.setUp()

    def test_events_without_end(self):
        """Late answers for ever: the access ends all the same."""
        def flood(device, request):
            sent = 0
            try:
                while device.connection and device.connection.fileno() >= 0 and sent < 3000000:
                    if self.shm:
                        memory = self.server.memory
                        if memory.posted - memory.words[v2.EVENTS_CONSUMED // 8] >= v2.SLOTS:
                            if device.has_ended():
                                return
                            continue
                    device.send(v2.message(v2.REPLY, id=NEVER))
                    sent += 1
            except OSError:
                pass
        probe = self.probe(self.properties(timeout_ms=500), self.properties(2))
        self.server.devices[0].answer = flood
        start = time.monotonic()
        self.assertEqual(self.fault(probe.read, BASE), 5)
        self.assertLess(time.monotonic() - start, 10)
        self.assertEqual(probe.read(self.at(2)), 0)
        probe.wait_err("trestle-qemu: ")
        self.assertEqual(len(probe.said()), 1, probe.err)

    def test_times_that_do_not_pass(self):
        """An event that is due always, or long ago: QEMU's main loop goes on all the same."""
        for when in 0, 1, NEVER - 1, NEVER // 2:
            with self.subTest(when=when):
                self.server.next = when
                probe = self.probe(self.properties(), self.properties(2))
                for _ in range(3):
                    self.assertEqual(probe.read(BASE), 0)
                    probe.ask("s 64")
                    self.assertEqual(probe.read(self.at(2)), 0)
                self.assertEqual(probe.said(), [])
                probe.close()
                self.setUp()


class HostileShm(Hostile, PluginTest):
    shm = True

    def test_consumed_lies(self):
        for count in NEVER, 1 << 32, 5000:
            with self.subTest(count=count):
                def lie(device, request, count=count):
                    self.server.memory.words[v2.REQUESTS_CONSUMED // 8] = count
                    self.server.counts = False
                    device.reply(request, 0)
                probe = self.probe(self.properties(), self.properties(1), self.properties(2))
                self.server.devices[0].answer = lie
                self.assertEqual(probe.count_faults(BASE, 1100) > 0, True)
                probe.wait_err("count of what it has consumed")
                self.assertEqual(len([l for l in probe.said() if "again" not in l]), 1, probe.err)
                self.assertEqual(probe.read(self.at(2)), 0)
                probe.close()
                self.setUp()

    def test_dma_outside_the_bulk_area(self):
        for offset, size in (0x400000, 1), (0x3FFFFF, 2), (NEVER, 1), (NEVER - 3, 65536):
            with self.subTest(offset=offset, size=size):
                self.broken("a DMA outside the bulk area",
                            lambda device, request: device.send(
                                v2.message(v2.DMA_WRITE, addr=RAM, data=size, extra=offset))
                            ).close()
                self.setUp()

    def test_dma_without_end(self):
        """Each transfer wants an answer, and nothing is taken from the ring."""
        def flood(device, request):
            memory, sent = self.server.memory, 0
            self.server.counts = False
            while sent < 30000 and not device.has_ended():
                if memory.posted - memory.words[v2.EVENTS_CONSUMED // 8] < v2.SLOTS:
                    device.send(v2.message(v2.DMA_WRITE, addr=RAM, data=1))
                    sent += 1
        probe = self.probe(self.properties(timeout_ms=1000), self.properties(2))
        self.server.devices[0].answer = flood
        self.assertEqual(self.fault(probe.read, BASE), 5)
        self.assertEqual(probe.read(self.at(2)), 0)
        probe.wait_err("trestle-qemu: ")
        self.assertEqual(len(probe.said()), 1, probe.err)

    def test_doorbell_without_messages(self):
        def flood(device, request):
            while not device.has_ended():
                self.server.memory.ring()
        self.broken("rings without a message", flood, wait="sleep")

    def test_doorbell_that_blocks(self):
        """The server makes the client's end, and keeps a copy of it, which shares its flags: it has
        calls there wait, and then neither rings nor empties its own."""
        for wait in "sleep", "adaptive":
            with self.subTest(wait=wait):
                copies = []

                def welcome(device, hello, copies=copies):
                    fds = self.server.join(hello)
                    copies.extend(os.dup(fd) for fd in fds[1:])
                    self.server.send_welcome(device, fds)
                self.server.welcome = welcome
                more = {"timeout_ms": 300, "wait": wait}
                probe = self.probe(self.properties(posted_writes="on", **more),
                                   self.properties(1, **more), self.properties(2))
                os.set_blocking(copies[0], True)
                self.server.hold = True
                self.server.call(lambda: self.server.unwatch(self.server.memory.doorbell))
                for i in range(1000):  # more rings than the doorbell takes
                    probe.write(BASE, i)
                self.assertEqual(self.fault(probe.read, self.at(1)), 5)
                probe.wait_err("no answer within 300 ms")
                self.assertEqual(probe.read(self.at(2)), 0)
                self.server.call(lambda: self.server.watch(self.server.memory.doorbell,
                                                           self.server.doorbell))
                self.server.release()
                while probe.fails(self.at(1)):
                    pass
                self.assertEqual(len(self.server.devices[0].requests), 1000)
                probe.close()
                os.close(copies[0])
                self.setUp()

    def close_doorbell(self):
        self.server.unwatch(self.server.memory.doorbell)
        self.server.memory.doorbell.close()

    def test_doorbell_that_is_closed(self):
        """The server lives on, and so do its sockets: it is lost all the same, at once. With
        release_lock QEMU's main loop could see the end before the access does."""
        for release_lock in "off", "on":
            with self.subTest(release_lock=release_lock):
                probe = self.probe(
                    self.properties(timeout_ms=0, wait="sleep", release_lock=release_lock),
                    self.properties(2))
                for _ in range(10):
                    self.server.devices[0].answer = lambda device, request: self.close_doorbell()
                    self.assertEqual(self.fault(probe.read, BASE), 5)
                    probe.wait_err("the connection was closed")
                    self.assertEqual(probe.read(self.at(2)), 0)
                    self.server.devices[0].answer = None
                    while probe.fails(BASE):
                        pass
                probe.close()
                self.setUp()

    def test_doorbell_that_is_closed_while_nobody_waits(self):
        """QEMU's main loop hears of it once, not for ever."""
        probe = self.probe(self.properties(), self.properties(1), self.properties(2))
        self.assertEqual(probe.read(BASE), 0)
        self.server.call(self.close_doorbell)
        self.until(lambda: probe.err.count("the connection was closed") == 2)
        self.assertEqual(probe.read(self.at(2)), 0)
        for number in 0, 1:  # they come back to a new session
            while probe.fails(self.at(number)):
                pass
        self.assertEqual(len(probe.said()), 4, probe.err)

    def test_doorbell_that_nobody_asked_for(self):
        probe = self.probe(self.properties(), self.properties(2))
        self.assertEqual(probe.read(BASE), 0)
        device = self.server.devices[0]

        def flood():
            while not device.has_ended():
                self.server.memory.ring()
        self.server.call(flood)
        probe.wait_err("rings without a message")
        self.assertEqual(probe.read(self.at(2)), 0)

    def test_bytes_on_the_socket(self):
        self.broken("closed|bytes on its socket",
                    lambda device, request: device.connection.sendall(b"x"))

    def test_memory_that_is_unmapped(self):
        """The server lets go of its memory, and lives on."""
        def unmap(device, request):
            self.server.hold = True
            self.server.memory.words.release()
            self.server.memory.map.close()
        probe = self.probe(self.properties(timeout_ms=300), self.properties(2))
        self.server.devices[0].answer = unmap
        self.assertEqual(self.fault(probe.read, BASE), 5)
        probe.wait_err("no answer within 300 ms")
        self.assertEqual(probe.read(self.at(2)), 0)


class HostileSocket(Hostile, PluginTest):
    shm = False

    def test_stops_in_a_message(self):
        for end in False, True:
            with self.subTest(end=end):
                def stop(device, request, end=end):
                    device.connection.sendall(v2.MESSAGE.pack(*v2.message(v2.REPLY, seq=2))[:40])
                    if end:
                        device.hang_up()
                probe = self.probe(self.properties(timeout_ms=500), self.properties(2))
                self.assertEqual(probe.read(BASE), 0)
                self.server.devices[0].answer = stop
                self.assertEqual(self.fault(probe.read, BASE), 5)
                probe.wait_err("the connection was closed" if end else "no answer within 500 ms")
                self.assertEqual(len(probe.said()), 1, probe.err)
                self.assertEqual(probe.read(self.at(2)), 0)
                probe.close()
                self.setUp()

    def test_payload_that_does_not_come(self):
        probe = self.probe(self.properties(timeout_ms=500), self.properties(2))
        self.server.devices[0].answer = lambda device, request: device.send(
            v2.message(v2.DMA_WRITE, addr=RAM, data=4096), b"half")
        self.assertEqual(self.fault(probe.read, BASE), 5)
        probe.wait_err("it stopped in the middle of a message")
        self.assertEqual(probe.read(self.at(2)), 0)
        self.server.devices[0].answer = None
        probe.until_back(BASE)


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
        """Each waits for its time-out, all at the same time."""
        n = 200
        self.server.welcome = lambda device, hello: None
        for _ in range(n):
            self.device()
        start = time.monotonic()
        probe = self.probe(*(self.properties(i, timeout_ms=1000) for i in range(n)))
        self.assertLess(time.monotonic() - start, 20)
        self.until(lambda: probe.err.count("answers no handshake") == n)
        self.assertTrue(probe.fails(self.at(n - 1)))

    def switches(self, pid):
        """Voluntary context switches of a process's threads."""
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", task.read_text(), re.M)[1])
                   for task in pathlib.Path(f"/proc/{pid}/task").glob("*/status"))

    def idle_switches(self, devices, command, plugin):
        argv = probe.qemu_argv("riscv32", devices)
        if not plugin:
            at = argv.index("-plugin")
            del argv[at:at + 2]
        with unittest.mock.patch("probe.qemu_argv", lambda *args: argv):
            guest = Probe(self, devices)
        for i in range(len(devices)):
            guest.read(self.at(i))
        guest.send(command)
        time.sleep(2)  # until all is quiet
        before = self.switches(guest.process.pid)
        time.sleep(SECONDS)
        found = self.switches(guest.process.pid) - before
        guest.close()
        return found

    def test_idle_devices_wake_nobody(self):
        """A guest that waits, for a timer or for ever: with 256 devices QEMU wakes up no more often
        than without Trestle."""
        n = 256
        for _ in range(n):
            self.device()
        devices = [self.properties(i, timeout_ms=20000) for i in range(n)]
        for name, command in ("for ever", "h"), ("for a timer", "s 5f5e100"):
            with self.subTest(name):
                without = self.idle_switches([], command, False)
                found = self.idle_switches(devices, command, True)
                print(f"waits {name}, {SECONDS} s: {found} voluntary switches, "
                      f"{without} without devices")
                self.assertLessEqual(found, without + 4)


if __name__ == "__main__":
    common.main()
