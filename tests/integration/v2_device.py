# SPDX-License-Identifier: MIT
"""Devices behind wire version 2, on both carriers, written against docs/protocol.md and not against
the library. What a server does with each request, and where it breaks the protocol, is the test's
to say.

A Server stands for a process of devices: one thread, one session. It says that it sleeps for ever,
so the client rings for every message and no barrier is needed here."""
import collections
import fcntl
import mmap
import os
import queue
import select
import socket
import struct
import threading

MAGIC = b"TRESTLE2"
HELLO = struct.Struct("<8sHHI16sQQI4xQ")
WELCOME = struct.Struct("<8sHBxI16sIIQQQ")
MESSAGE = struct.Struct("<QBBBBIQQQQQQ")
SIZE = 64
NEVER = (1 << 64) - 1

SHM, POSTED, TIME, IRQ_FEATURE, DMA, RAM_FEATURE = 1, 2, 4, 8, 16, 32
RESET_DEVICE_FEATURE, REGIONS_FEATURE, MEMORY_FEATURE, BUS_FEATURE = 128, 256, 512, 1024
READ, WRITE, ADVANCE, RESET, FLUSH, DMA_DONE, GOODBYE, RAM, NOTE, RESET_DEVICE, \
    MEMORY, BUS = range(1, 13)
REPLY, IRQ, DMA_READ, DMA_WRITE, DMA_WRITTEN = range(0x81, 0x86)
OK, MALFORMED, WIDTH, RANGE, REFUSED, CANCELLED, NO_DEVICE = range(7)
BAD_VERSION, GEOMETRY, BUSY, NOT_RAM, NO_MEMORY = range(7, 12)

MEMORY_SIZE, BULK = 0x440000, 0x40000
REQUESTS_CONSUMED, SERVER_SLEEPS, EVENTS_CONSUMED = 0, 0x40, 0x80
REQUEST_RING, EVENT_RING, SLOTS = 0x1000, 0x11000, 1024
F_ADD_SEALS, SEALS = 1033, 1 | 2 | 4  # SEAL, SHRINK, GROW
FEATURES = SHM | POSTED | TIME | IRQ_FEATURE | DMA | RAM_FEATURE

Hello = collections.namedtuple("Hello", "magic low high features client base size irqs time")
Message = collections.namedtuple(
    "Message", "seq type flags size status device id addr data time next extra")


def message(kind, seq=0, flags=0, size=0, status=0, device=0, id=0, addr=0, data=0, time=0,
            next=NEVER, extra=0):
    return Message(seq, kind, flags, size, status, device, id, addr, data, time, next, extra)


def memory_file(size=MEMORY_SIZE, seals=SEALS):
    fd = os.memfd_create("v2_device", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    if seals:
        fcntl.fcntl(fd, F_ADD_SEALS, seals)
    return fd


class Memory:
    """The shared memory of a session with its doorbell, as the server has them. `fds` are for the
    client, until they are handed over."""

    def __init__(self):
        self.doorbell, clients = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.doorbell.setblocking(False)
        self.fds = [memory_file(), clients.detach()]
        self.map = mmap.mmap(self.fds[0], MEMORY_SIZE)
        self.words = memoryview(self.map).cast("Q")
        self.taken = self.posted = 0
        self.words[SERVER_SLEEPS // 8] = 1

    def close(self):
        self.words.release()
        self.map.close()
        self.doorbell.close()
        self.handed_over()

    def handed_over(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def slot(self, ring, seq):
        return ring + (seq - 1) % SLOTS * SIZE

    def take(self, counts=True):
        """The next request's bytes, or None."""
        at = self.slot(REQUEST_RING, self.taken + 1)
        if self.words[at // 8] != self.taken + 1:
            return None
        self.taken += 1
        data = self.map[at:at + SIZE]
        if counts:
            self.words[REQUESTS_CONSUMED // 8] = self.taken
        return data

    def post(self, data, jump=0):
        """Puts an event into its ring and rings; jump: what is wrong with its number."""
        self.posted += 1
        at = self.slot(EVENT_RING, self.posted)
        self.map[at + 8:at + SIZE] = data[8:]
        self.words[at // 8] = self.posted + jump
        self.ring()

    def ring(self):
        try:
            self.doorbell.send(b"!")
        except BlockingIOError:
            pass  # it has been rung
        except ConnectionError:
            pass  # the client has closed its end meanwhile


class Device:
    """A device of a server. Set answer(device, request) to a function that gives the data of the
    reply, (status, data), or None for silence. Without one it is memory, byte by byte."""

    def __init__(self, server, path, answer=None):
        self.server, self.path = server, str(path)
        self.answer = answer
        self.memory = {}
        self.connection = None
        self.hello = None
        self.index = len(server.devices)
        self.requests = []
        self.irq_lines = 0
        self.hellos = queue.Queue()
        self.listener = None
        server.devices.append(self)
        server.call(self.listen)

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.server.watch(self.listener, lambda: self.accept())

    def accept(self):
        connection, _ = self.listener.accept()
        if self.connection and not self.has_ended():
            connection.close()
            return
        self.hang_up()
        self.connection, self.hello = connection, None
        self.in_seq = self.out_seq = 0
        self.buffer = b""
        self.server.watch(connection, self.receive)

    def has_ended(self):
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def receive(self):
        try:
            data, fds, _, _ = socket.recv_fds(self.connection, 65536, 8)
            self.server.received += fds
        except ConnectionResetError:
            data = b""
        if not data:
            self.hang_up()
            return
        self.buffer += data
        while self.connection and len(self.buffer) >= SIZE:
            frame, self.buffer = self.buffer[:SIZE], self.buffer[SIZE:]
            if self.hello is None:
                self.hello = Hello(*HELLO.unpack(frame))
                self.hellos.put(self.hello)
                self.server.welcome(self, self.hello)
                continue
            request = Message(*MESSAGE.unpack(frame))
            if request.type == DMA_DONE and request.status == OK and self.server.dma_read:
                size, self.server.dma_read = self.server.dma_read, 0
                while len(self.buffer) < size:
                    self.buffer += self.connection.recv(size - len(self.buffer))
                self.server.payload, self.buffer = self.buffer[:size], self.buffer[size:]
            self.in_seq += 1
            assert request.seq == self.in_seq, request
            self.server.handle(self, request)

    def hang_up(self):
        """The connection ends; the device goes on to listen."""
        connection, self.connection = self.connection, None
        if connection:
            self.server.unwatch(connection)
            connection.close()
        self.server.left()

    def close(self):
        """The device is gone."""
        if self.listener:
            self.server.unwatch(self.listener)
            self.listener.close()
            os.unlink(self.path)
            self.listener = None
        self.hang_up()

    def perform(self, request):
        span = range(request.addr, request.addr + request.size)
        if request.type == WRITE:
            self.memory.update(zip(span, request.data.to_bytes(8, "little")))
            return 0
        return int.from_bytes(bytes(self.memory.get(a, 0) for a in span), "little")

    def reply(self, request, data=0, status=OK, **fields):
        self.send(message(REPLY, id=request.id, device=self.index, data=data, status=status,
                          time=request.time, **fields))

    def send(self, event, payload=b"", jump=0):
        """An event on the session's carrier, with the number that is due (or jump more)."""
        memory = self.server.memory
        if memory:
            memory.post(MESSAGE.pack(*event), jump)
        else:
            self.out_seq += 1
            self.connection.sendall(MESSAGE.pack(*event._replace(seq=self.out_seq + jump)) +
                                    payload)


class Died(Exception):
    pass


class Server:
    """shm: give shared memory to a client that asks for it. The test may replace welcome()."""

    def __init__(self, test, shm, features=FEATURES):
        self.shm, self.features = shm, features
        self.devices, self.memory, self.session = [], None, None
        self.log = []  # requests of all devices in order, as (device's index, request)
        self.hold = False  # True: requests stay in the ring or the socket
        self.counts = True  # False: says nothing of what it has taken from the ring
        self.rings = 0
        self.received = []  # descriptors
        self.shared, self.ram_status = [], OK  # (RAM or MEMORY, its descriptor); None: no answer
        self.dma_done, self.dma_read, self.payload = queue.Queue(), 0, None
        self.next = NEVER
        self.handlers, self.calls = {}, queue.Queue()
        self.poll = select.epoll()
        self.wake = os.eventfd(0)
        self.poll.register(self.wake, select.EPOLLIN)
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        test.addCleanup(self.stop)

    def device(self, path, answer=None):
        return Device(self, path, answer)

    # --- its thread

    def run(self):
        try:
            while True:
                for fd, _ in self.poll.poll():
                    if fd == self.wake:
                        os.eventfd_read(fd)
                        self.run_calls()
                    elif fd in self.handlers:
                        try:
                            self.handlers[fd]()
                        except (BrokenPipeError, ConnectionResetError):
                            pass  # QEMU was ended while it was answered; its end is read next
        except Died:
            pass
        except Exception as error:  # the test's thread tells
            self.failure = error
        finally:
            for device in self.devices:
                device.close()
            self.poll.close()
            self.run_calls(False)

    def run_calls(self, alive=True):
        while not self.calls.empty():
            function, done = self.calls.get()
            try:
                done.append(function() if alive else None)
            finally:
                done.append(None)
                done[0].set()

    def call(self, function):
        """Calls it in the server's thread; returns what it returns."""
        if threading.current_thread() is self.thread:
            return function()
        done = [threading.Event()]
        self.calls.put((function, done))
        os.eventfd_write(self.wake, 1)
        while not done[0].wait(0.1):
            if not self.thread.is_alive():
                break
        if self.failure:
            raise AssertionError("the server failed") from self.failure
        return done[1] if len(done) > 1 else None

    def die(self):
        raise Died

    def stop(self):
        """As if the process had ended."""
        if self.thread.is_alive():
            self.call(self.die)
            self.thread.join()
        for fd in self.received + [fd for _, fd in self.shared]:
            os.close(fd)
        self.received, self.shared = [], []
        if self.wake >= 0:
            os.close(self.wake)
            self.wake = -1
        if self.failure:
            raise AssertionError("the server failed") from self.failure

    def watch(self, source, handler):
        fd = source if isinstance(source, int) else source.fileno()
        self.handlers[fd] = handler
        self.poll.register(fd, select.EPOLLIN)

    def unwatch(self, source):
        fd = source if isinstance(source, int) else source.fileno()
        if self.handlers.pop(fd, None):
            self.poll.unregister(fd)

    # --- the session

    def join(self, hello):
        """The descriptors for a WELCOME, and whether the session has shared memory."""
        if self.session is None:
            self.session = os.urandom(16)
            if self.shm and hello.features & SHM:
                self.memory = Memory()
                self.watch(self.memory.doorbell, self.doorbell)
                return self.memory.fds
        return []

    def welcome(self, device, hello):
        self.send_welcome(device, self.join(hello))

    def send_welcome(self, device, fds, magic=MAGIC, version=2, status=OK, features=None, cut=SIZE,
                     size=None, session=None, index=None):
        if features is None:
            features = self.features & device.hello.features
            features &= ~(0 if self.memory else SHM)
        data = WELCOME.pack(magic, version, status, features, session or self.session,
                            device.index if index is None else index, device.irq_lines,
                            device.hello.size if size is None else size, 0, self.next)
        socket.send_fds(device.connection, [data[:cut]], fds)
        if self.memory and fds is self.memory.fds:
            self.memory.handed_over()

    def left(self):
        """A session ends with its last connection."""
        if self.session and not any(d.connection and d.hello for d in self.devices):
            self.session = None
            if self.memory:
                self.unwatch(self.memory.doorbell)
                self.memory.close()
                self.memory = None

    def doorbell(self):
        try:
            rung = len(self.memory.doorbell.recv(4096))
        except ConnectionResetError:  # with rings that it had not heard yet
            rung = 0
        if not rung:  # QEMU has ended; its sockets say so as well
            self.unwatch(self.memory.doorbell)
            return
        self.rings += rung
        self.take()

    def take(self):
        while not self.hold and self.memory and (data := self.memory.take(self.counts)):
            request = Message(*MESSAGE.unpack(data))
            self.handle(next(d for d in self.devices if d.index == request.device), request)

    def release(self):
        """After hold."""
        def go():
            self.hold = False
            self.take()
        self.call(go)

    def handle(self, device, request):
        self.log.append((device.index, request))
        if request.type == DMA_DONE:
            self.dma_done.put(request)
        elif request.type in (RAM, MEMORY):
            self.shared.append((request, self.received.pop()))
            if self.ram_status is not None:
                device.reply(request, status=self.ram_status, next=self.next)
        elif request.type in (ADVANCE, RESET, FLUSH, RESET_DEVICE, BUS):
            self.other(device, request)
        elif request.type in (READ, WRITE):
            device.requests.append(request)
            answer = (device.answer or Device.perform)(device, request)
            if answer is None or request.flags:
                return
            status, data = answer if isinstance(answer, tuple) else (OK, answer)
            device.reply(request, data, status, next=self.next)

    def other(self, device, request):
        device.reply(request, next=self.next)
