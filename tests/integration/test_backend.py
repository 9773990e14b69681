#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where the output of devices goes, and where their input comes from: a guest that shouts back."""
import os
import pathlib
import re
import signal
import socket

import common
from cli_case import Case, Guest, failing, read_until


class BackendCase(Case):
    def uart(self, backend=None, guest="shout", machine=None, **more):
        uart = {"name": "uart", "model": "ns16550", "base_addr": "0x10200000", "irq": 40, **more}
        if uart.get("protocol") == 1:
            del uart["irq"]
        if backend is not None:
            uart["backend"] = backend
        return self.config({"machine": {"kernel": str(common.guest(guest)), **(machine or {})},
                            "devices": [uart]})

    def shout(self, *args, text, stdin=None, **kwargs):
        """A run to whose device the text comes; what the log says."""
        common.qemu("riscv32")
        result = self.trestle("run", self.uart(**kwargs), *args, stdin=text if stdin is None else stdin)
        self.assertEqual(result.code, 0, result)
        return result


class Output(BackendCase):
    def send(self, backend):
        common.qemu("riscv32")
        text = "".join(f"w 1 10200000 {ord(c):x}\n" for c in "said\n")
        config = self.uart(backend, "probe")
        result = self.trestle("run", config, stdin=f"r 1 10200005\n{text}q 0\n")
        self.assertEqual(result.code, 0, result)
        self.assertIn("= 60\n", result.out.replace("\r", ""))
        return result

    def test_a_file_beside_the_configuration(self):
        (self.dir / "out.txt").write_text("of an older run, and longer\n")
        self.assertNotIn("said", self.send("file:out.txt").out)
        self.assertEqual((self.dir / "out.txt").read_text(), "said\n")

    def test_nowhere(self):
        for backend in "null", None:
            with self.subTest(backend=backend):
                result = self.send(backend)
                self.assertNotIn("lost", result.err)


class Input(BackendCase):
    def test_standard_input(self):
        """All of it comes, more than a FIFO holds, though the guest is not up yet when it does."""
        text = "all of these words, and more than a FIFO holds."
        result = self.shout(text=text, backend="stdio")
        self.assertEqual(result.out, text.upper())

    def test_polled(self):
        result = self.shout(text="nobody interrupts me here, " * 4 + ".", backend="stdio",
                            machine={"args": ["-append", "mode=poll"]})
        self.assertEqual(result.out, "NOBODY INTERRUPTS ME HERE, " * 4 + ".")

    def test_a_file(self):
        (self.dir / "in.txt").write_text("from a file to a file.")
        self.shout(text="", backend="file:out.txt", input="file:in.txt")
        self.assertEqual((self.dir / "out.txt").read_text(), "FROM A FILE TO A FILE.")

    def test_protocol_1_has_no_interrupts(self):
        result = self.shout(text="by itself.", backend="stdio", protocol=1,
                            machine={"args": ["-append", "mode=poll"]})
        self.assertEqual(result.out, "BY ITSELF.")

    def test_sockets_carry_it_as_well(self):
        result = self.shout(text="over a socket.", backend="stdio", carrier="socket")
        self.assertEqual(result.out, "OVER A SOCKET.")

    def begin(self, backend, *args, **kwargs):
        common.qemu("riscv32")
        return self.start_trestle("run", *args, self.uart(backend, **kwargs))

    def connect(self, run):
        """To uart.sock, which is about to be there."""
        while True:
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            try:
                client.connect(str(self.dir / "uart.sock"))
                return client
            except (FileNotFoundError, ConnectionRefusedError):
                client.close()
                self.assertIsNone(run.poll())

    def test_in_a_process_of_its_own(self):
        (self.dir / "in.txt").write_text("from a file to a file.")
        (self.dir / "out.txt").write_text("of an older run, and longer than that is\n")
        result = self.shout("--stats", "stats.json", text="", backend="file:out.txt", input="file:in.txt",
                            process="own", machine={"icount": 1})
        self.assertEqual((self.dir / "out.txt").read_text(), "FROM A FILE TO A FILE.")
        self.assertIn("its devices had input from outside", result.err)

    def test_inside_qemu(self):
        """A guest that sleeps is woken there, too."""
        (self.dir / "in.txt").write_text("from a file to a file.")
        result = self.shout(text="", backend="file:out.txt", input="file:in.txt", process="inline",
                            machine={"icount": 1})
        self.assertEqual((self.dir / "out.txt").read_text(), "FROM A FILE TO A FILE.")
        self.assertIn("its devices had input from outside", result.err)
        run = self.begin("unix:uart.sock", process="inline")
        client = self.connect(run)
        client.sendall(b"one")
        self.assertEqual(client.recv(3, socket.MSG_WAITALL), b"ONE")
        client.sendall(b"two.")
        self.assertEqual(client.recv(4, socket.MSG_WAITALL), b"TWO.")
        self.assertEqual(run.wait(30), 0)
        self.assertFalse((self.dir / "uart.sock").exists())

    def test_a_process_that_comes_back(self):
        """It has the same socket; whoever was connected to the one before has to connect again."""
        run = self.begin("unix:uart.sock", "-v", process="own", on_error="zeros", machine={
            "args": ["-append", "mode=poll"]})
        client = self.connect(run)
        client.sendall(b"one")
        self.assertEqual(client.recv(3, socket.MSG_WAITALL), b"ONE")
        [pid] = [pid for pid in common.processes(session=run.pid)
                 if b"--name=uart" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(client.recv(1), b"")
        client = self.connect(run)
        client.sendall(b"two.")
        self.assertEqual(client.recv(4, socket.MSG_WAITALL), b"TWO.")
        self.assertEqual(run.wait(30), 0)
        self.assertFalse((self.dir / "uart.sock").exists())

    def test_a_socket(self):
        """A guest that sleeps is woken; the next client finds the device as the first left it."""
        run = self.begin("unix:uart.sock")
        path = self.dir / "uart.sock"
        client = self.connect(run)
        client.sendall(b"one")
        self.assertEqual(client.recv(3, socket.MSG_WAITALL), b"ONE")
        client.close()
        with socket.socket(socket.AF_UNIX) as second:
            second.connect(str(path))
            second.sendall(b"two.")
            self.assertEqual(second.recv(4, socket.MSG_WAITALL), b"TWO.")
        self.assertEqual(run.wait(30), 0)
        self.assertFalse(path.exists())

    def test_a_client_for_whom_no_descriptor_is_left(self):
        """It waits until one is, and one line says so."""
        common.qemu("riscv32")
        run = self.start_trestle("run", "-v", self.uart("unix:uart.sock"),
                                 env=failing(self.env, "accept4:EMFILE:2"))  # the first is QEMU
        read_until(run.stderr, b"Device uart connected\n")
        client = self.connect(run)
        client.sendall(b"one.")
        self.assertEqual(client.recv(4, socket.MSG_WAITALL), b"ONE.")
        self.assertEqual(run.wait(30), 0)
        self.assertEqual(run.stderr.read().count(
            b"trestle: warning: uart: a client must wait: too many open files; raise the limit with ulimit -n\n"), 1)

    def test_a_socket_is_its_users(self):
        """Whatever the umask; a second run does not take it away."""
        common.qemu("riscv32")
        config = self.uart("unix:uart.sock", guest="probe")
        guest = Guest(self, config=config, preexec_fn=lambda: os.umask(0))
        self.assertEqual((self.dir / "uart.sock").stat().st_mode & 0o777, 0o600)
        self.assert_refused_like(Bad.LINE % "backend" + r"cannot open \S*: Address already in use; name "
                                 "another place", "run", config.name)
        client = self.connect(guest.process)
        self.assertEqual(guest.ask("w 1 10200000 78"), "=")
        self.assertEqual(client.recv(1), b"x")
        guest.process.terminate()
        guest.end()

    def test_a_model_that_ends_the_run(self):
        """What was said before comes; the socket is removed."""
        faulty = {"name": "dut", "model": str(common.BUILD / "tests/integration/faulty_model.so"),
                  "base_addr": "0x10300000", "params": {"fault": "exit"}}
        config = self.config({"machine": {"kernel": str(common.guest("probe"))}, "devices": [
            {"name": "uart", "model": "ns16550", "base_addr": "0x10200000",
             "backend": "unix:uart.sock"}, faulty]})
        guest = Guest(self, config=config)
        client = self.connect(guest.process)
        self.assertEqual(guest.ask("w 1 10200000 78"), "=")
        guest.process.stdin.write(b"w 4 10300000 1\n")
        guest.process.stdin.flush()
        self.assertEqual(client.recv(2, socket.MSG_WAITALL), b"x")
        code, log = guest.end()
        self.assertEqual(code, 1, log)
        self.assertEqual([p.name for p in self.dir.glob("uart.sock*")], [])

    def test_a_terminal(self):
        run = self.begin("pty")
        said = read_until(run.stderr, rb"uart is at (/dev/pts/\d+)\n")
        fd = os.open(re.search(rb"/dev/pts/\d+", said).group(0), os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, fd)
        os.write(fd, b"typed")
        self.assertEqual(read_until(open(fd, "rb", 0, closefd=False), b"TYPED"), b"TYPED")
        os.write(fd, b".")
        self.assertEqual(run.wait(30), 0)

    def test_a_trace_has_it(self):
        """And a replay gives it again; a run that had any is not called repeatable."""
        result = self.shout("--trace", "a.trace", text="recorded, all of it.", backend="stdio",
                            machine={"icount": 1})
        self.assertIn("its devices had input from outside", result.err)
        shown = self.trestle("trace", "a.trace").out
        inputs = re.findall(r"uart +input +\d+ bytes: ([0-9a-f ]+)\n", shown)
        self.assertEqual(bytes.fromhex(" ".join(inputs)), b"recorded, all of it.")
        replay = self.trestle("replay", "a.trace")
        self.assertEqual(replay.code, 0, replay)
        self.assertRegex(replay.out, r"uart: \d+ records, no difference\n")


class Bad(BackendCase):
    LINE = r"two\.json:\d+: devices\[0\]\.%s: "

    def refused(self, line, command="check", key="backend"):
        self.assert_refused_like(self.LINE % key + line, command, "two.json")

    def test_places_that_cannot_be_opened(self):
        for backend, why in (("file:no/such/file", "No such file or directory"),
                             ("unix:no/such/sock", "No such file or directory"),
                             ("unix:two.json", "Address already in use"),
                             ("unix:" + "long/" * 40, "File name too long")):
            with self.subTest(backend=backend):
                self.uart(backend)
                self.refused(rf"cannot open \S*: {why}; name another place", "run")
        self.uart("null", input="file:nothing")
        self.refused(r"cannot open null and file:\S*nothing: No such file or directory; "
                     "name another place", "run")

    def test_a_tap_that_is_none(self):
        if not os.access("/dev/net/tun", os.W_OK):
            self.skipTest("no /dev/net/tun")
        self.config({"machine": {"kernel": str(common.guest("shout"))}, "devices": [
            {"name": "card", "model": "virtio-net", "base_addr": 0x10200000, "backend": "tap:lo"}]})
        self.assert_refused_like(
            r"two\.json:\d+: devices\[0\]\.backend: cannot open tap:lo: (that is not a tap|.*not permitted); name "
            "another place, or let root make it yours: ip tuntap add NAME mode tap user YOU", "run", "two.json")

    def test_what_is_no_backend(self):
        for backend in "tty", "file:", "unix:", 5, "", "tap:", "tap:" + 16 * "x", "tap:a/b":
            with self.subTest(backend=backend):
                self.uart(backend)
                self.refused('.* is not a place on the host; write for example "backend": "stdio", '
                             '"pty", "unix:uart.sock", "file:uart.txt", "tap:tap0" or "null"')
        self.uart(input="stdio")
        self.refused('"stdio" is not a file of input; write for example "input": "file:keys.txt"',
                     key="input")

    def test_devices_that_have_none(self):
        self.uart("stdio", model="echo", irq=[])
        for key in "backend", "input":
            self.config({"devices": [{"name": "a", "model": "echo", "base_addr": 0x10200000,
                                      key: "file:x"}]})
            self.refused(f"echo has no {key.replace('backend', 'output')}; remove the key", key=key)
        self.uart("stdio", process="own")
        self.refused("standard input is the run's own, and not its processes'; choose \"pty\" or "
                     '"unix:PATH"')
        self.uart("stdio", process="inline")
        self.refused("standard input is the run's own, and not its processes'; choose \"pty\" or "
                     '"unix:PATH"')
        self.uart("tap:tap0")
        self.refused('a tap carries network frames, and ns16550 has none; choose "pty" or '
                     '"unix:PATH"')

    def test_two_for_one_standard_input(self):
        uarts = [{"name": name, "model": "ns16550", "base_addr": base, "backend": "stdio"}
                 for name, base in (("a", 0x10200000), ("b", 0x10201000))]
        self.config({"devices": uarts})
        self.assert_refused_like(r"two\.json:\d+: devices\[1\]\.backend: a has standard input already; "
                                 'choose "pty" or "unix:PATH"', "check", "two.json")

    def test_nothing_is_lost_by_a_run_that_does_not_begin(self):
        (self.dir / "out.txt").write_text("kept\n")
        self.config({"machine": {"kernel": str(common.guest("shout"))}, "devices": [
            {"name": "a", "model": "ns16550", "base_addr": 0x10200000, "backend": "file:out.txt"},
            {"name": "b", "model": "echo", "base_addr": 0x10201000, "params": {"no": 1}}]})
        self.assertEqual(self.trestle("run", "two.json").code, 2)
        self.assertEqual((self.dir / "out.txt").read_text(), "kept\n")


if __name__ == "__main__":
    common.main()
