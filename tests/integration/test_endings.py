# SPDX-License-Identifier: MIT
"""How runs end, and in what state they leave the terminal."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time

import common
from cli_case import COMPUTE, ECHO, Case, Guest, read_until


def connect(host, port, seconds=30):
    """Nothing tells when a server has begun to listen."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection((host, port), timeout=seconds)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)

class Endings(Case):
    GRACE_IS_OVER = "trestle: warning: QEMU did not end within 3 s of SIGTERM; Trestle kills it\n"

    def test_the_guest_ends(self):
        guest = Guest(self)
        self.assertEqual(guest.ask("r 4 10200008"), "= 0")
        self.assertEqual(guest.ask("w 4 10200000 cafe"), "=")
        guest.process.stdin.write(b"q 2a\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 0x2A, log)
        guest = Guest(self)
        guest.process.stdin.write(b"q 89\n")  # as if by SIGKILL, but it was the guest's will
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 137, log)
        self.assertNotIn("signal", log)

    def test_signals(self):
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            with self.subTest(signal=number.name):
                guest = Guest(self, "-v")
                self.assertEqual(guest.ask("r 4 10200008"), "= 0")
                self.assertNotEqual(common.files(self.runtime), set())
                guest.process.send_signal(number)
                code, log = guest.end()
                self.assertEqual(code, 128 + number, log)
                self.assertRegex(log, r"\necho_device +0x10200000 +1 +0 +4 +0 ")
                self.assertEqual(common.files(self.runtime), set())

    def test_killed_qemu(self):
        guest = Guest(self, "-v", "--stats", "s.json")
        self.assertEqual(guest.ask("r 4 10200008"), "= 0")
        os.kill(guest.qemu_pid(), signal.SIGKILL)
        code, log = guest.end()
        self.assertEqual(code, 128 + signal.SIGKILL, log)
        self.assertIn("trestle: warning: QEMU was ended by signal 9 (Killed)\n", log)
        self.assertEqual(json.loads((self.dir / "s.json").read_text())["qemu"]["exit_code"], 137)

    def test_killed_trestle_takes_qemu_along(self):
        guest = Guest(self, "-v")
        self.assertEqual(guest.ask("r 4 10200008"), "= 0")
        end_of_qemu = os.pidfd_open(guest.qemu_pid())
        self.addCleanup(os.close, end_of_qemu)
        guest.process.kill()
        guest.process.wait(30)
        ready, _, _ = select.select([end_of_qemu], [], [], 30)
        self.assertTrue(ready, "QEMU lives on")
        self.assertEqual(len(list(self.runtime.iterdir())), 1)  # nobody was there to remove it
        again = Guest(self)  # which removes it, and is killed as well
        again.process.kill()
        again.process.wait(30)
        self.assertEqual(len(list(self.runtime.iterdir())), 1)
        result = self.trestle("run", self.two("probe"), stdin="q 0\n")
        self.assertEqual((result.code, list(self.runtime.iterdir())), (0, []))

    def fake_qemu(self, body):
        path = self.dir / "fake-qemu"
        path.write_text(f"#!{sys.executable}\n{body}")
        path.chmod(0o755)
        return path

    def start_with_a_stubborn_qemu(self):
        qemu = self.fake_qemu("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                              "print('up', flush=True)\nwhile True: signal.pause()\n")
        process = self.start_trestle("run", self.two("probe"), "-v", "--qemu", qemu)
        read_until(process.stdout, b"up")
        process.terminate()
        return process

    def test_second_signal_ends_at_once(self):
        process = self.start_with_a_stubborn_qemu()
        read_until(process.stderr, b"Stopping QEMU")
        process.terminate()
        self.assertEqual(process.wait(30), 143)
        self.assertNotIn(self.GRACE_IS_OVER, process.stderr.read().decode())
        self.assertEqual(common.processes(session=process.pid), set())

    def test_qemu_that_does_not_want_to_end(self):
        process = self.start_with_a_stubborn_qemu()
        self.assertEqual(process.wait(30), 143)
        self.assertIn(self.GRACE_IS_OVER, process.stderr.read().decode())
        self.assertEqual(common.processes(session=process.pid), set())

    def test_idle(self):
        guest = Guest(self, "--exit-on-idle")
        self.assertEqual(guest.ask("h"), "=")
        code, log = guest.end()
        self.assertEqual(code, 125, log)
        self.assertEqual(log.count("the guest waits for ever"), 1, log)
        guest = Guest(self)
        self.assertEqual(guest.ask("h"), "=")
        guest.wait_for_log(rb"the guest waits for ever.*\n")
        self.assertIsNone(guest.process.poll())
        guest.process.terminate()
        self.assertEqual(guest.end()[0], 143)

    def test_two_runs_side_by_side(self):
        config = self.two("probe")
        guests = [Guest(self, config=config) for _ in range(2)]
        for i, guest in enumerate(guests):
            self.assertEqual(guest.ask(f"w 4 10300000 {i + 7:x}"), "=")
        for i, guest in enumerate(guests):
            self.assertEqual(guest.ask("r 4 10300000"), f"= {i + 7:x}")
        for guest in guests:
            guest.process.stdin.write(b"q 0\n")
            guest.process.stdin.flush()
            self.assertEqual(guest.end()[0], 0)

    def test_qemu_inherits_nothing(self):
        guest = Guest(self, "-v")
        self.assertEqual(guest.ask("r 4 10200008"), "= 0")

        def sockets(pid):
            return {target for fd, target in common.descriptors(pid).items()
                    if fd > 2 and target.startswith("socket:")}
        qemu = sockets(guest.qemu_pid())
        self.assertEqual(len(qemu), 3)  # the devices', and its end of the doorbell
        self.assertEqual(qemu & sockets(guest.process.pid), set())
        guest.process.terminate()
        self.assertEqual(guest.end()[0], 143)

    def test_qemu_with_a_device_of_its_own(self):
        """A client of the older protocol in QEMU's place, told where to connect as it is used
        to."""
        qemu = self.fake_qemu("""if True:
            import os, socket, struct, sys
            assert os.environ["SST_NUM_DEVICES"] == "2"
            assert "-plugin" not in sys.argv
            for i, base in enumerate((0x10200000, 0x10300000)):
                assert int(os.environ[f"SST_DEVICE{i}_BASE"], 16) == base
                path = os.environ[f"SST_DEVICE{i}_SOCKET"]
                assert f"sst-device,socket={path},base_address={base:#x}" in sys.argv
                client = socket.socket(socket.AF_UNIX)
                client.connect(path)
                for kind, data in (1, 0x1234), (0, 0):
                    client.sendall(struct.pack("<BBHQQ", kind, 4, 0, base, data))
                    reply = client.recv(16, socket.MSG_WAITALL)
                    assert reply[:8] == bytes([1] + 7 * [0]), reply
            sys.exit(7)
            """)
        result = self.trestle("run", self.two("probe"), "--qemu", qemu, "--plugin", "none")
        self.assertEqual(result.code, 7, result)
        self.assertRegex(result.err, r"\necho_device +0x10200000 +1 +1 +8 +0 ")
        self.assertRegex(result.err, r"\ntotal +2 +2 +16 +0 ")

    def test_gdb(self):
        common.qemu("riscv32")
        process = self.start_trestle("run", self.two("two_devices", stop_at="100ms"), "-v",
                                     "--gdb")
        log = read_until(process.stderr, rb"QEMU PID: \d+\n").decode()
        pid = int(re.search(r"QEMU PID: (\d+)", log).group(1))
        read_until(process.stderr, rb"compute_device connected\n")
        cmdline = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        self.assertEqual(cmdline.count("timeout_ms=0"), 2)
        port = int(re.search(rb"gdb-multiarch .* -ex 'target remote :(\d+)'\n", read_until(
            process.stderr, rb"the guest is halted; [^\n]*\n"))[1])
        with connect("127.0.0.1", port) as gdb:
            gdb.sendall(b"+$?#3f")
            answer = b""
            while b"#" not in answer:
                answer += gdb.recv(256)
            self.assertRegex(answer, rb"\$T05")  # halted
            self.assertEqual(select.select([process.stdout], [], [], 0)[0], [])
            gdb.sendall(b"+$c#63")
            self.assertIn(b"PASS", read_until(process.stdout, rb"passed, 0 failed"))
        self.assertEqual(process.wait(30), 0)

    def test_gdb_ports(self):
        """Two runs have two ports; one that was asked for and is taken is refused."""
        common.qemu("riscv32")
        ports, runs = [], []
        for _ in range(2):
            process = self.start_trestle("run", self.two("two_devices"), "--gdb")
            ports.append(re.search(rb"target remote :(\d+)'", read_until(
                process.stderr, rb"the guest is halted; [^\n]*\n"))[1].decode())
            runs.append(process)
        self.assertNotEqual(*ports)
        self.assert_refused(f"trestle: --gdb={ports[1]}: that port cannot be used: Address already in "
                            "use; name another, or none to have a free one",
                            "run", self.two("two_devices"), f"--gdb={ports[1]}")
        for run in runs:
            run.terminate()
            self.assertEqual(run.wait(30), 128 + signal.SIGTERM)

    def test_debug(self):
        self.assert_refused('trestle: --debug ehco: there is no such device; the devices are '
                            "echo_device, compute_device",
                            "run", self.two("two_devices"), "--debug", "ehco")
        config = self.two("probe", devices=[ECHO, {**COMPUTE, "process": "own"}], links=[],
                          stop_at="1ms")
        for name, own in ("echo_device", False), ("compute_device", True):
            guest = Guest(self, "--debug", name, "-v", config=config)
            self.assertEqual(guest.ask("r 4 10200008"), "= 0")  # stop_at is off
            log = guest.wait_for_log(rb"is served by process [^\n]*\n")
            pid = int(re.search(rf"trestle: {name} is served by process (\d+) and has no time-out; "
                                rf"gdb -p \1\n", log)[1])
            self.assertEqual(pid != guest.process.pid, own)
            os.kill(pid, 0)
            guest.process.send_signal(signal.SIGTERM)
            guest.end()


class Terminal(Case):
    """The guest's console on a terminal, and the terminal afterwards."""

    def setUp(self):
        super().setUp()
        common.qemu("riscv32")
        self.ours, self.theirs = pty.openpty()
        self.addCleanup(os.close, self.ours)
        self.addCleanup(os.close, self.theirs)
        self.before = self.state()

        def take_terminal():
            fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)
        self.process = self.start_trestle("run", self.two("probe"), "-v", stdin=self.theirs,
                                          stdout=self.theirs, stderr=subprocess.PIPE,
                                          preexec_fn=take_terminal)
        self.ask(b"r 4 10200008", rb"= 0\r\n")
        # Otherwise this test could not fail.
        self.assertFalse(termios.tcgetattr(self.theirs)[3] & termios.ISIG)

    def state(self):
        return (termios.tcgetattr(self.theirs),
                fcntl.fcntl(self.theirs, fcntl.F_GETFL))

    def ask(self, line, pattern):
        os.write(self.ours, line + b"\n")
        return read_until(open(self.ours, "rb", closefd=False), pattern)

    def end(self):
        code = self.process.wait(30)
        self.assertEqual(common.processes(session=self.process.pid), set())
        self.assertEqual(self.state(), self.before)
        return code

    def test_control_c_is_the_guests(self):
        self.ask(b"\x03", rb"\?\r\n")
        self.ask(b"r 4 10200008", rb"= 0\r\n")
        os.write(self.ours, b"q 0\n")
        self.assertEqual(self.end(), 0)

    def test_control_a_x_ends(self):
        os.write(self.ours, b"\x01x")
        self.assertEqual(self.end(), 0)

    def test_killed_qemu(self):
        log = read_until(self.process.stderr, rb"QEMU PID: \d+\n").decode()
        os.kill(int(re.search(r"QEMU PID: (\d+)", log).group(1)), signal.SIGKILL)
        self.assertEqual(self.end(), 137)

    def test_signal(self):
        self.process.terminate()
        self.assertEqual(self.end(), 143)


if __name__ == "__main__":
    common.main()
