# SPDX-License-Identifier: MIT
"""What stands between a QEMU and its devices and can do harm: one loop that passes bytes and
descriptors on between the sockets that QEMU connects to and those of the devices, and on request
holds them back, cuts them off or changes them. It keeps a mapping of a session's shared memory, so
that it can write into the rings as a broken or hostile peer would."""
import array
import mmap
import os
import selectors
import socket
import struct
import time

RING_SLOTS, MESSAGE = 1024, 64
# docs/protocol.md: what the rings' header has, and where the rings are.
REQUESTS_CONSUMED, SERVER_SLEEPS, EVENTS_CONSUMED, CLIENT_SLEEPS = 0, 0x40, 0x80, 0xC0
REQUEST_RING, EVENT_RING = 0x1000, 0x11000
SHM_SIZE = 0x440000


class Loop:
    """Calls what is registered with a descriptor when that is readable."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()

    def add(self, file, ready):
        self.selector.register(file, selectors.EVENT_READ, ready)

    def remove(self, file):
        self.selector.unregister(file)

    def run(self, until):
        """One look: until something comes, or the time (of time.monotonic())."""
        for key, _ in self.selector.select(max(0, until - time.monotonic())):
            if key.fileobj.fileno() >= 0:  # not closed by one before it
                key.data()

    def close(self):
        self.selector.close()


class Link:
    """One connection, in two halves."""

    def __init__(self, proxy, client, device):
        self.proxy = proxy
        self.memory = None
        self.other = {client: device, device: client}
        self.held = []
        for end in client, device:
            end.setblocking(False)
            proxy.loop.add(end, lambda end=end: self.ready(end))

    def ready(self, end):
        fds = array.array("i")
        try:
            data, control, _, _ = end.recvmsg(4096, socket.CMSG_SPACE(8 * fds.itemsize),
                                              socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except ConnectionError:
            data, control = b"", []
        for _, _, bytes_of_fds in control:
            fds.frombytes(bytes_of_fds)
        if not data:
            self.close()
            return
        if fds and not self.memory:
            self.memory = mmap.mmap(fds[0], SHM_SIZE)
        self.send(self.other[end], self.proxy.changed(data), fds)

    def send(self, end, data, fds):
        if time.monotonic() < self.proxy.held_until:
            self.held.append((end, data, fds))
            return
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
        try:
            end.sendmsg([data], control)
        except (BlockingIOError, ConnectionError):
            self.close()
        for fd in fds:
            os.close(fd)

    def let_go(self):
        held, self.held = self.held, []
        for end, data, fds in held:
            if self in self.proxy.links:
                self.send(end, data, fds)
            else:
                for fd in fds:
                    os.close(fd)

    def close(self):
        if self not in self.proxy.links:
            return
        self.proxy.links.remove(self)
        for end in self.other:
            self.proxy.loop.remove(end)
            end.close()
        for _, _, fds in self.held:
            for fd in fds:
                os.close(fd)
        self.held = []
        if self.memory:
            self.memory.close()


class Proxy:
    def __init__(self, loop, path, device_path, random):
        self.loop, self.device_path, self.random = loop, device_path, random
        self.links = []
        self.held_until = 0
        self.to_change = 0  # so many of the next messages
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        loop.add(self.listener, self.accept)

    def accept(self):
        client, _ = self.listener.accept()
        device = socket.socket(socket.AF_UNIX)
        try:
            device.connect(str(self.device_path))
        except OSError:
            client.close()
            device.close()
            return
        self.links.append(Link(self, client, device))

    def changed(self, data):
        if self.to_change == 0:
            return data
        self.to_change -= 1
        data = bytearray(data)
        how = self.random.randrange(4)
        at = self.random.randrange(len(data))
        if how == 0:
            data[at] ^= 1 << self.random.randrange(8)
        elif how == 1:
            data[at:] = self.random.randbytes(len(data) - at)
        elif how == 2:
            del data[at]
        else:
            data[at:at] = self.random.randbytes(1 + self.random.randrange(80))
        return bytes(data)

    def disconnect(self):
        for link in list(self.links):
            link.close()

    def hold(self, seconds):
        self.held_until = time.monotonic() + seconds

    def let_go(self):
        self.held_until = 0
        for link in list(self.links):
            link.let_go()

    def corrupt(self):
        """Writes into the rings of shared memory, or changes the next messages on a socket."""
        memories = [link.memory for link in self.links if link.memory]
        if not memories:
            self.to_change = 1 + self.random.randrange(3)
        for memory in memories:
            getattr(self, "corrupt_" + self.random.choice(("slots", "ring", "header")))(memory)

    def corrupt_slots(self, memory):
        """A few bytes where the next messages go."""
        consumed_at, ring = self.random.choice([(REQUESTS_CONSUMED, REQUEST_RING),
                                                (EVENTS_CONSUMED, EVENT_RING)])
        consumed = struct.unpack_from("<Q", memory, consumed_at)[0]
        for _ in range(8):
            slot = (consumed + self.random.randrange(4)) % RING_SLOTS
            size = 1 + self.random.randrange(16)
            at = ring + slot * MESSAGE + self.random.randrange(MESSAGE - size)
            memory[at:at + size] = self.random.randbytes(size)

    def corrupt_ring(self, memory):
        ring = self.random.choice([REQUEST_RING, EVENT_RING])
        size = RING_SLOTS * MESSAGE
        memory[ring:ring + size] = self.random.randbytes(size)

    def corrupt_header(self, memory):
        at = self.random.choice([REQUESTS_CONSUMED, SERVER_SLEEPS, EVENTS_CONSUMED, CLIENT_SLEEPS])
        memory[at:at + 8] = self.random.choice([bytes(8), b"\xff" * 8, self.random.randbytes(8)])

    def close(self):
        self.disconnect()
        self.loop.remove(self.listener)
        self.listener.close()
