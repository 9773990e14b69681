# SPDX-License-Identifier: MIT
"""Wire version 2 as the plugin in a real QEMU speaks it: the same tests on both carriers, then a
server that does all that it must not. Each time the user hears in one line why the device is lost,
the guest gets its bus error, and a device of another server notices nothing."""
import socket
import time

import common
import v2_device as v2
from probe import TARGETS, Fault, Probe
from v2_device import Server

BASE = TARGETS["riscv32"][0]
RAM = 0x80800000
UART = 0x10000000
VALUE = 0xF1E2D3C4B5A69788
ONES = 0xFFFFFFFF


class PluginTest(common.TestCase):
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

    def probe(self, *devices, **kwargs):
        return Probe(self, devices or [self.properties()], **kwargs)

    def fault(self, function, *args):
        with self.assertRaises(Fault) as caught:
            function(*args)
        return caught.exception.cause

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
        self.assertEqual(len(probe.said()), 1)

        device.answer = None
        self.server.call(device.listen)
        while probe.fails(BASE):
            pass
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
            while probe.fails(self.at(number)):
                pass
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
        device = self.device(lambda device, request:
                             0x600D if device.hellos.qsize() > 1 else None)
        probe = self.probe(self.properties(timeout_ms=100))
        while probe.fails(BASE):
            pass
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
        while probe.fails(BASE):
            pass
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

    def test_reset(self):
        self.device(), self.device()
        qmp = self.dir / "qmp"
        probe = self.probe(self.properties(), self.properties(1),
                           args=["-qmp", f"unix:{qmp},server=on,wait=off"])
        self.assertEqual(probe.read(BASE), 0)
        before = [r.type for _, r in self.server.log].count(v2.RESET)
        with socket.socket(socket.AF_UNIX) as monitor, monitor.makefile("rw") as stream:
            monitor.connect(str(qmp))
            for command in "qmp_capabilities", "system_reset":
                stream.write('{"execute": "%s"}' % command)
                stream.flush()
            while not probe.line().endswith("probe"):
                pass
        self.assertEqual([r.type for _, r in self.server.log].count(v2.RESET), before + 1)


class Shm(Suite, PluginTest):
    shm = True


class Socket(Suite, PluginTest):
    shm = False


if __name__ == "__main__":
    common.main()
