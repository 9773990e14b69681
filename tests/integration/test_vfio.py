# SPDX-License-Identifier: MIT
"""Devices of vfio-user: QEMU's own client with real guests, where that QEMU has one, and a client that
says what it likes."""
import array
import fcntl
import json
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import unittest

import common
import test_guests
import test_linux

VERSION, DMA_MAP, DMA_UNMAP, INFO, REGION_INFO, IO_FDS, IRQ_INFO, SET_IRQS = range(1, 9)
READ, WRITE, DMA_READ, DMA_WRITE, RESET = range(9, 14)
REPLY, NO_REPLY, ERROR = 1, 0x10, 0x20
CONFIG = 7
EINVAL, EEXIST, ENOENT, ENOTSUP = 22, 17, 2, 95
MSIX = 2


class Client:
    """One that says what it likes."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self.id = 0

    def send(self, command, payload=b"", fds=(), flags=0, size=None):
        self.id = self.id + 1 & 0xffff
        header = struct.pack("=HHIII", self.id, command, 16 + len(payload) if size is None else size, flags, 0)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([header + payload], rights)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def receive(self):
        number, command, size, flags, error = struct.unpack("=HHIII", self.exactly(16))
        return number, command, flags, error, self.exactly(size - 16)

    def ask(self, command, payload=b"", fds=()):
        """The reply's payload, or its error."""
        self.send(command, payload, fds)
        number, answered, flags, error, reply = self.receive()
        assert (number, answered, flags & 15) == (self.id, command, REPLY)
        return error if flags & ERROR else reply

    def agree(self, text=b"{}\0"):
        return self.ask(VERSION, struct.pack("=HH", 0, 0) + text)

    def read(self, region, offset, count):
        reply = self.ask(READ, struct.pack("=QII", offset, region, count))
        return reply if isinstance(reply, int) else int.from_bytes(reply[16:], "little")

    def write(self, region, offset, count, value):
        return self.ask(WRITE, struct.pack("=QII", offset, region, count) + value.to_bytes(count, "little"))

    def region_size(self, region):
        return struct.unpack("=IIIIQQ", self.ask(REGION_INFO, struct.pack("=IIIIQQ", 32, 0, region, 0, 0, 0)))[4]

    def set_irqs(self, index, start, count, flags=4 | 32, fds=(), data=b""):
        return self.ask(SET_IRQS, struct.pack("=IIIII", 20, flags, index, start, count) + data, fds)

    def map(self, addr, size, fds=(), offset=0, flags=3):
        return self.ask(DMA_MAP, struct.pack("=IIQQQ", 32, flags, offset, addr, size), fds)

    def unmap(self, addr, size, flags=0):
        return self.ask(DMA_UNMAP, struct.pack("=IIQQ", 24, flags, addr, size))

    def closed(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def told(event):
    """How often; it waits for the first time. The server has made the descriptor one that does not wait."""
    return os.eventfd_read(event) if select.select([event], [], [], 20)[0] else 0


class Case(common.TestCase):
    def serve_model(self, model="edu", **more):
        path = self.dir / "vfio.json"
        path.write_text(json.dumps({"devices": [{
            "name": "dev", "model": model, "pci": {}, "protocol": "vfio-user",
            "socket": str(self.dir / "s"), **more}]}))
        server = self.start([common.TRESTLE, "serve", path], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        while "dev" not in server.stdout.readline():
            self.assertIsNone(server.poll())
        return server

    def setUp(self):
        super().setUp()
        self.clients = []

    def client(self):
        client = Client(self.dir / "s")
        self.addCleanup(client.socket.close)
        self.clients.append(client)
        return client

    def agreed(self):
        client = self.client()
        client.agree()
        return client


class Messages(Case):
    """What the specification says, byte by byte."""

    def test_what_it_is(self):
        self.serve_model("nvme")
        client = self.client()
        reply = client.agree(b'{"capabilities":{"max_data_xfer_size":1048576}}\0')
        self.assertEqual(struct.unpack("=HH", reply[:4]), (0, 0))
        self.assertEqual(json.loads(reply[4:-1])["capabilities"]["max_msg_fds"], 16)
        self.assertEqual(struct.unpack("=IIII", client.ask(INFO, struct.pack("=IIII", 16, 0, 0, 0))),
                         (16, 3, 9, 5))
        self.assertEqual([client.region_size(region) for region in range(9)],
                         [0x2000, 0, 0, 0, 0x1000, 0, 0, 256, 0])
        self.assertEqual([struct.unpack("=IIII", client.ask(IRQ_INFO, struct.pack("=IIII", 16, 0, i, 0)))[3]
                          for i in range(5)], [1, 1, 9, 1, 0])
        self.assertEqual(client.read(CONFIG, 0, 4), 0x53561234)
        self.assertEqual(client.read(CONFIG, 8, 4) >> 8, 0x010802)
        client.write(CONFIG, 0x10, 4, 0xffffffff)
        self.assertEqual(client.read(CONFIG, 0x10, 4), 0xffffe004)
        self.assertEqual(client.read(0, 8, 4), 0x10200)  # NVMe's version
        self.assertEqual(client.ask(IO_FDS, struct.pack("=IIII", 16, 0, 0, 0)), ENOTSUP)

    def test_capabilities(self):
        self.serve_model("virtio-rng")
        client = self.agreed()
        found, at = [], client.read(CONFIG, 0x34, 1)
        while at:
            found.append(client.read(CONFIG, at, 1))
            at = client.read(CONFIG, at + 1, 1)
        self.assertEqual(sorted(set(found)), [0x01, 0x05, 0x09, 0x11])

    def test_window_in_the_configuration_space(self):
        """Reads and writes of the data there are those of a BAR."""
        self.serve_model("virtio-rng")
        client = self.agreed()
        at = client.read(CONFIG, 0x34, 1)
        while (client.read(CONFIG, at, 1), client.read(CONFIG, at + 3, 1)) != (9, 5):
            at = client.read(CONFIG, at + 1, 1)
        status = 0x14  # of the common configuration, which is in the second region

        def aim(bar, offset, length):
            client.write(CONFIG, at + 4, 1, bar)
            client.write(CONFIG, at + 8, 4, offset)
            client.write(CONFIG, at + 12, 4, length)
        aim(1, status, 1)
        client.write(CONFIG, at + 16, 1, 3)
        self.assertEqual(client.read(1, status, 1), 3)
        client.write(1, status, 1, 1)
        self.assertEqual(client.read(CONFIG, at + 16, 1), 1)
        self.assertEqual(client.read(CONFIG, at, 20) >> 128, 1)
        for bar, offset, length in (6, 0, 4), (4, 0, 4), (255, 0, 4), (1, 0, 3), (1, 1, 2):
            aim(bar, offset, length)
            client.write(CONFIG, at + 16, 4, 0x12345678)
            self.assertEqual(client.read(CONFIG, at + 16, 4), 0x12345678)
        aim(1, 2**32 - 4, 4)
        self.assertEqual(client.read(CONFIG, at + 16, 4), 2**32 - 1)
        self.assertEqual(client.read(1, status, 1), 1)

    def start_dma(self, client, src, dst, count=64, command=1):
        for offset, value in (0x80, src), (0x88, dst), (0x90, count), (0x98, command):
            client.write(0, offset, 8, value)

    def test_shared_memory(self):
        """Interrupts by MSI-X, transfers in the client's memory, and only as a bus master."""
        self.serve_model("edu")
        client = self.agreed()
        memory = os.memfd_create("ram", os.MFD_ALLOW_SEALING)
        self.addCleanup(os.close, memory)
        os.ftruncate(memory, 0x3000)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        os.pwrite(memory, b"trestle!" * 8, 0x1000)
        event = os.eventfd(0)
        self.addCleanup(os.close, event)
        self.assertEqual(client.map(0x100000, 0x2000, [memory], 0x1000), b"")
        self.assertEqual(client.set_irqs(MSIX, 0, 1, fds=[event]), b"")
        self.start_dma(client, 0x100000, 0x40000, command=1 | 4)
        self.assertEqual(told(event), 1)  # it failed
        client.write(0, 0x64, 4, 0x100)
        client.write(CONFIG, 4, 2, 6)
        self.start_dma(client, 0x100000, 0x40000, command=1 | 4)
        self.assertEqual(told(event), 1)
        client.write(0, 0x64, 4, 0x100)
        self.start_dma(client, 0x40000, 0x101000, command=1 | 2 | 4)
        self.assertEqual(told(event), 1)
        self.assertEqual(os.pread(memory, 64, 0x2000), b"trestle!" * 8)

    def test_messages_of_dma(self):
        """Where the client's memory is not shared it is asked for it, a piece at a time."""
        self.serve_model("edu")
        client = self.client()
        client.agree(b'{"capabilities":{"max_data_xfer_size":100}}\0')
        event = os.eventfd(0)
        self.addCleanup(os.close, event)
        client.map(0, 0x200000)
        client.write(CONFIG, 4, 2, 6)
        client.set_irqs(MSIX, 0, 1, fds=[event])
        ram = bytearray(random.Random(3).randbytes(1000) + bytes(1000))
        for src, dst, command, wanted in ((0, 0x40000, 5, DMA_READ), (0x40000, 1000, 7, DMA_WRITE)):
            self.start_dma(client, src, dst, 1000, command)
            for piece in range(10):
                number, asked, flags, _, payload = client.receive()
                addr, count = struct.unpack("=QQ", payload[:16])
                self.assertEqual((asked, flags, addr, count),
                                 (wanted, 0, piece * 100 + (1000 if wanted == DMA_WRITE else 0), 100))
                if wanted == DMA_WRITE:
                    ram[addr:addr + count] = payload[16:]
                data = bytes(ram[addr:addr + count]) if wanted == DMA_READ else b""
                client.socket.sendall(struct.pack("=HHIIIQQ", number, asked, 32 + len(data), REPLY, 0,
                                                  addr, count) + data)
            self.assertEqual(told(event), 1)
            client.write(0, 0x64, 4, 0x100)
        self.assertEqual(ram[:1000], ram[1000:])

    def test_intx(self):
        """A line that stays high is told of once more when it is unmasked."""
        self.serve_model("edu")
        client = self.agreed()
        event = os.eventfd(0, os.EFD_NONBLOCK)
        self.addCleanup(os.close, event)
        client.set_irqs(0, 0, 1, fds=[event])
        client.write(0, 0x60, 4, 1)
        self.assertEqual(told(event), 1)
        client.write(0, 0x60, 4, 2)
        self.assertRaises(BlockingIOError, os.eventfd_read, event)
        client.set_irqs(0, 0, 1, flags=1 | 16)
        self.assertEqual(told(event), 1)
        client.write(0, 0x64, 4, 3)
        client.set_irqs(0, 0, 1, flags=1 | 16)
        self.assertRaises(BlockingIOError, os.eventfd_read, event)

    def test_many_descriptors_in_a_message(self):
        """One for each vector, as cloud-hypervisor sends them."""
        server = self.serve_model("nvme")
        client = self.agreed()
        events = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(17)]
        for event in events:
            self.addCleanup(os.close, event)
        held = len(os.listdir(f"/proc/{server.pid}/fd"))
        for count, given in (9, 8), (8, 9), (9, 17), (0, 1):
            self.assertEqual(client.set_irqs(MSIX, 0, count, fds=events[:given]), EINVAL)
        self.assertEqual(len(os.listdir(f"/proc/{server.pid}/fd")), held)
        self.assertEqual(client.set_irqs(MSIX, 0, 9, fds=events[:9]), b"")
        for vector in range(9):
            client.set_irqs(MSIX, vector, 1, flags=1 | 32)
            self.assertEqual(told(events[vector]), 1)
            self.assertEqual([i for i, event in enumerate(events) if select.select([event], [], [], 0)[0]], [])
        self.assertEqual(client.set_irqs(MSIX, 0, 9), b"")
        self.assertEqual(len(os.listdir(f"/proc/{server.pid}/fd")), held)

    def test_power_and_reset(self):
        self.serve_model("edu")
        client = self.agreed()
        at = client.read(CONFIG, 0x34, 1)
        while client.read(CONFIG, at, 1) != 1:
            at = client.read(CONFIG, at + 1, 1)
        for end in (lambda: client.write(CONFIG, at + 4, 2, 0), lambda: client.ask(RESET)):
            client.write(0, 4, 4, 5)
            self.assertEqual(client.read(0, 4, 4), 0xfffffffa)
            client.write(CONFIG, at + 4, 2, 3)
            self.assertEqual(client.read(0, 4, 4), 0xffffffff)
            end()
            self.assertEqual(client.read(0, 4, 4), 0)

    def test_the_next_client(self):
        """Finds the device's registers as they were, and nothing of what the last one had set up."""
        self.serve_model("edu")
        client = self.agreed()
        client.write(0, 4, 4, 5)
        client.write(CONFIG, 4, 2, 6)
        client.map(0, 0x1000)
        client.socket.close()
        client = self.agreed()
        self.assertEqual(client.read(CONFIG, 4, 2), 0)
        self.assertEqual(client.read(0, 4, 4), 0xfffffffa)
        self.assertEqual(client.map(0, 0x1000), b"")


class Hostile(Case):
    """Whatever a client sends, the next one is served."""

    def tearDown(self):
        for client in self.clients:
            client.socket.close()
        client = self.agreed()
        self.assertEqual(client.read(0, 0, 4), 0x010000ed)
        super().tearDown()

    def test_messages_that_cannot_be(self):
        self.serve_model("edu")
        client = self.agreed()
        event = os.eventfd(0)
        self.addCleanup(os.close, event)
        pipe = os.pipe()
        self.addCleanup(os.close, pipe[0])
        self.addCleanup(os.close, pipe[1])
        irq = lambda *args, **more: client.set_irqs(*args, **more)
        for error, answer in (
                (EINVAL, client.agree()), (ENOTSUP, client.ask(0)), (ENOTSUP, client.ask(14)),
                (ENOTSUP, client.ask(0xffff)), (ENOTSUP, client.ask(DMA_READ, bytes(16))),
                *((EINVAL, client.ask(command, bytes(8))) for command in range(DMA_MAP, DMA_READ)),
                (EINVAL, client.ask(INFO, bytes(16))), (EINVAL, client.ask(REGION_INFO, bytes(32))),
                (EINVAL, client.ask(REGION_INFO, struct.pack("=IIIIQQ", 32, 0, 9, 0, 0, 0))),
                (EINVAL, client.ask(IRQ_INFO, struct.pack("=IIII", 16, 0, 5, 0))),
                (EINVAL, client.read(CONFIG, 256, 1)), (EINVAL, client.read(CONFIG, 255, 2)),
                (EINVAL, client.read(CONFIG, 0, 0)), (EINVAL, client.read(CONFIG, 0, 257)),
                (EINVAL, client.read(0, 0, 3)), (EINVAL, client.read(0, 0x100000, 4)),
                (EINVAL, client.read(0, 2**64 - 2, 4)), (EINVAL, client.read(1, 0, 4)),
                (EINVAL, client.read(2**32 - 1, 0, 4)), (EINVAL, client.read(6, 0, 4)),
                (EINVAL, client.ask(WRITE, struct.pack("=QII", 0, CONFIG, 4) + b"abc")),
                (EINVAL, client.map(0, 0)), (EINVAL, client.map(2**64 - 4096, 8192)),
                (EINVAL, client.map(0, 4096, flags=4)), (ENOENT, client.unmap(0, 4096)),
                (ENOTSUP, client.unmap(0, 4096, 1)),
                (EINVAL, irq(5, 0, 1)), (EINVAL, irq(MSIX, 0, 2)), (EINVAL, irq(MSIX, 2**32 - 1, 2)),
                (EINVAL, irq(MSIX, 0, 1, flags=32)), (EINVAL, irq(MSIX, 0, 1, flags=4 | 8 | 32)),
                (EINVAL, irq(MSIX, 0, 1, fds=[pipe[1]])), (EINVAL, irq(MSIX, 0, 1, flags=2 | 32)),
                (ENOTSUP, irq(MSIX, 0, 1, flags=1 | 8)), (ENOTSUP, irq(0, 0, 1, flags=4 | 8, fds=[event]))):
            self.assertEqual(answer, error)
        self.assertEqual(client.map(0x1000, 0x2000), b"")
        self.assertEqual(client.map(0x2000, 0x1000), EEXIST)
        self.assertEqual(client.unmap(0x1000, 0x1000), ENOENT)
        self.assertEqual(client.unmap(0, 0, 2), struct.pack("=IIQQ", 24, 2, 0, 0))
        maps = [client.map(0x1000 * i, 0x1000) for i in range(65)]
        self.assertEqual(maps, [b""] * 64 + [28])

    def test_beginnings_that_cannot_be(self):
        self.serve_model("edu")
        for command, payload, flags, size in (
                (INFO, bytes(16), 0, None), (VERSION, struct.pack("=HH", 1, 0), 0, None),
                (VERSION, b"", 0, None), (VERSION, bytes(4), REPLY, None), (VERSION, b"", 0, 15),
                (VERSION, b"", 0, 2000), (VERSION, b"", 0, 2**32 - 1)):
            client = self.client()
            client.send(command, payload, flags=flags, size=size)
            self.assertTrue(client.closed(), (command, payload))
        client = self.agreed()
        client.send(DMA_READ, bytes(16), flags=REPLY)
        self.assertTrue(client.closed())

    def test_memory_that_shrinks(self):
        """It is not mapped, but read and written, and the bridge lives on."""
        self.serve_model("edu")
        client = self.agreed()
        memory, event = os.memfd_create("ram"), os.eventfd(0)
        self.addCleanup(os.close, memory)
        self.addCleanup(os.close, event)
        os.ftruncate(memory, 0x3000)
        os.pwrite(memory, b"trestle!" * 8, 0x1000)
        self.assertEqual(client.map(0x100000, 0x2000, [memory], 0x1000), b"")
        client.set_irqs(MSIX, 0, 1, fds=[event])
        client.write(CONFIG, 4, 2, 6)

        def move(src, dst, command):
            for offset, value in (0x80, src), (0x88, dst), (0x90, 64), (0x98, command | 5):
                client.write(0, offset, 8, value)
            self.assertEqual(told(event), 1)
            client.write(0, 0x64, 4, 0x100)
        move(0x100000, 0x40000, 0)
        move(0x40000, 0x100fe0, 2)
        self.assertEqual(os.pread(memory, 0x2000, 0x1000)[0xfe0:0x1020], b"trestle!" * 8)
        for size in 0x2000, 0:
            os.ftruncate(memory, size)
            move(0x100fe0, 0x40000, 0)
        self.assertEqual(client.unmap(0x100000, 0x2000), struct.pack("=IIQQ", 24, 0, 0x100000, 0x2000))

    def test_noise(self):
        self.serve_model("edu")
        noise = random.Random(17)
        for _ in range(60):
            client = self.agreed()
            try:
                for _ in range(noise.randrange(40)):
                    payload = noise.randbytes(noise.randrange(40))
                    client.send(noise.randrange(16), payload, flags=noise.choice([0, 0, 0, NO_REPLY, REPLY, 7]))
            except (BrokenPipeError, ConnectionResetError):
                pass
            client.socket.close()


class Refused(Case):
    def test_configurations(self):
        device = {"model": "edu", "pci": {}, "protocol": "vfio-user"}
        for devices, machine, line in (
                ([{**device, "pci": None, "base_addr": "0x10200000"}], {}, "vfio-user is for PCI devices"),
                ([{**device, "timeout_ms": 5}], {}, "a device of vfio-user has no timeout_ms"),
                ([{**device, "process": "own"}], {}, "a device of vfio-user is in the run's own process"),
                ([{**device, "pci": {"interrupts": "msi"}}], {}, 'has no choice of "interrupts"'),
                ([device, {"model": "edu", "pci": {}}], {}, "speak vfio-user all or not at all"),
                ([device], {"icount": 0}, "vfio-user carries no time of the guest's"),
                ([{**device, "protocol": "vhost"}], {}, '"vhost" is not a version of the protocol')):
            with self.subTest(line=line):
                path = self.dir / "c.json"
                devices = [{key: value for key, value in d.items() if value is not None} for d in devices]
                path.write_text(json.dumps({"machine": {"arch": "x86_64", **machine}, "devices": devices}))
                result = common.run([common.TRESTLE, "check", path])
                self.assertEqual(result.code, 2, result)
                self.assertEqual(len(result.err.splitlines()), 1, result)
                self.assertIn(line, result.err)


class Guests(common.TestCase):
    """With QEMU's own client."""

    def setUp(self):
        super().setUp()
        qemu = common.qemu("x86_64")
        known = subprocess.run([qemu, "-device", "vfio-user-pci,help"], capture_output=True, text=True).stdout
        if "vfio-user-pci options" not in known:
            raise unittest.SkipTest("QEMU has no vfio-user-pci before 10.1 (tools/other-qemu gets one)")

    def run_config(self, config, **more):
        path = self.dir / "vfio.json"
        path.write_text(json.dumps(config))
        return common.run([common.TRESTLE, "run", "-v", path], timeout=300)

    def test_edu(self):
        for way in "msix", "msi":
            with self.subTest(way=way):
                result = self.run_config({
                    "machine": {"arch": "x86_64", "qemu": shutil.which(common.qemu("x86_64")),
                                "kernel": str(common.guest("edu", "x86_64")),
                                "args": [*test_guests.ARCHES["x86_64"][1], "-append",
                                         f"irq={way} conventional=1"]},
                    "devices": [{"model": "edu", "pci": {"addr": "04.0"}, "protocol": "vfio-user"}],
                    "stop_at": "60s"})
                # What QEMU does with a BAR in D3 is not what the plugin does.
                self.assertRegex(result.out, r"edu: \d\d passed, 2 failed")
                for line in ("interrupt: 100 of 100 that were raised", "dma: 20 of 20 rounds",
                             "mastering: and has written nothing", "resets: the model, by D3"):
                    self.assertIn(f"PASS {line}\n", result.out.replace("\r", ""))
                self.assertRegex(result.err, r"guest memory of 0x\w+ bytes at 0x0 is shared")

    def test_nvme(self):
        """Debian's Linux drives it."""
        example = common.SOURCE / "examples/12-pci"
        guest = test_linux.linux_guest("x86_64", example / "disk.sh")
        disk = self.dir / "disk.img"
        first = b"Trestle\n" + random.Random(1).randbytes((1 << 20) - 8)
        disk.write_bytes(first + bytes(15 << 20))
        config = json.loads((example / "linux-x86_64.json").read_text())
        config["machine"].update(kernel=str(guest / "kernel"), initrd=str(guest / "initrd-disk"),
                                 qemu=shutil.which(common.qemu("x86_64")))
        config["devices"][0]["params"]["file"] = str(disk)
        config["devices"][0]["protocol"] = "vfio-user"
        result = self.run_config(config)
        self.assertEqual(result.code, 0, result)
        for line in ("driver: nvme", "begins with: Trestle", "copied: 1048576 bytes, and back",
                     "read by four at once", "no complaint"):
            self.assertIn(line + "\n", result.out.replace("\r", ""), result)
        self.assertRegex(result.out, r"PCI-MSIX-0000:00:04.0 2-edge nvme0q2")
        self.assertEqual(disk.read_bytes(), first + bytes(3 << 20) + first + bytes(11 << 20))


if __name__ == "__main__":
    common.main()
