# SPDX-License-Identifier: MIT
"""The plugin in a real QEMU, and a server that does all that it must not, in its answers to a
handshake and in a session. Each time the user hears in one line why the device is lost, the guest
gets its bus error, and a device of another server notices nothing."""
import os
import pathlib
import socket

import common
import v2_device as v2
from v2_case import BASE, PluginTest, RAM, SHARED_RAM, UART
from v2_device import NEVER, Server


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
        # Long enough for a server in Python on a busy host: nothing here waits for its end.
        probe = self.probe(self.properties(timeout_ms=20000, **more),
                           self.properties(1, timeout_ms=20000, **more),
                           self.properties(2, timeout_ms=20000), args=args)
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
        for event in (v2.message(v2.REPLY, flags=1), v2.message(v2.IRQ, addr=64),
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
        self.broken("bytes on a socket that must not carry any" if self.shm else
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
            try:
                while device.connection and device.connection.fileno() >= 0:
                    if self.shm:
                        memory = self.server.memory
                        if memory.posted - memory.words[v2.EVENTS_CONSUMED // 8] >= v2.SLOTS:
                            if device.has_ended():
                                return
                            continue
                    device.send(v2.message(v2.REPLY, id=NEVER))
            except OSError:
                pass
        probe = self.probe(self.properties(timeout_ms=500), self.properties(2))
        self.server.devices[0].answer = flood
        self.assertEqual(self.fault(probe.read, BASE), 5)
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
        for more in ({"wait": "sleep"}, {"wait": "spin"},
                     {"wait": "sleep", "release_lock": "on"}):
            with self.subTest(**more):
                probe = self.probe(self.properties(timeout_ms=0, **more), self.properties(2))
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
        self.until(lambda: probe.err.count("answers again") == 2)
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


if __name__ == "__main__":
    common.main()
