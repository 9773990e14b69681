# SPDX-License-Identifier: MIT
"""trestle run --control and those who attach to it: the devices of a guest that runs."""
import os
import pty
import pathlib
import re
import select
import shutil
import signal
import socket
import stat
import time

import cli_case
import common

MODELS = common.BUILD / "tests"
TIMER = {"name": "timer", "model": "timer", "base_addr": "0x10500000", "irq": 40,
         "params": {"clock": "1MHz"}}


class ControlCase(cli_case.Case):
    def setUp(self):
        super().setUp()
        self.path = self.dir / "ctl"

    def guest(self, *args, devices=None, **machine):
        config = self.config({
            "machine": {"kernel": str(common.guest("probe")), **machine},
            "devices": devices or [cli_case.ECHO, TIMER]})
        return cli_case.Guest(self, "--control", self.path, *args, config=config)

    def poke(self, commands, **kwargs):
        return self.trestle("poke", "--attach", self.path, "-c", commands, **kwargs)

    def assert_fine(self, commands, out):
        result = self.poke(commands)
        self.assertEqual((result.code, result.out, result.err), (0, out, ""), result)

    def assert_fails(self, code, sentence, commands):
        result = self.poke(commands)
        self.assertEqual((result.code, result.err), (code, f"trestle: -c: {sentence}\n"), result)

    def until(self, holds):
        """Until it holds: the guest, or QEMU, has come as far."""
        deadline = time.monotonic() + 30
        while not holds():
            self.assertLess(time.monotonic(), deadline)

    def end(self, guest, code=0):
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        ended, log = guest.end()
        self.assertEqual(ended, code, log)
        self.assertFalse(self.path.exists())
        self.assertEqual(list(self.dir.glob("*.lock")), [])
        return log

    def connect(self):
        peer = socket.socket(socket.AF_UNIX)
        self.addCleanup(peer.close)
        peer.settimeout(30)
        peer.connect(str(self.path))
        return peer

    def ask(self, peer, line):
        peer.sendall(line.encode() + b"\n")
        return self.receive(peer)

    def receive(self, peer):
        head = b""
        while not head.endswith(b"\n"):
            head += peer.recv(1)
        status, out, error = head.decode().split()
        rest = b""
        while len(rest) < int(out) + int(error):
            rest += peer.recv(int(out) + int(error) - len(rest))
        return status, rest[:int(out)].decode(), rest[int(out):].decode()


class Poke(ControlCase):
    def test_both_see_what_the_other_wrote(self):
        guest = self.guest()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(guest.ask("w 4 10200000 cafe"), "=")
        self.assert_fine("wait echo_device.STATUS.ready 1us; read echo_device.DATA_OUT",
                         "echo_device.DATA_OUT = 0xcafe\n")
        self.assert_fine("write echo_device.DATA_IN 0x1234 # a line's end ends it\n run 1us", "")
        self.assertEqual(guest.ask("r 4 10200004"), "= 1234")
        self.assert_fine("devices", "echo_device: echo at 0x10200000, 4096 bytes\n"
                                    "timer: timer at 0x10500000, 24 bytes\n")
        result = self.poke("stats")
        self.assertRegex(result.out, r"echo_device +0x10200000 +1 +1 +8 +0 ")
        self.end(guest)

    def test_an_interrupt_reaches_a_guest_that_does_not_look(self):
        """It halts: only what it is told lets the engine's time go on."""
        guest = self.guest()
        guest.ask("h")
        self.assert_fine("expect irq timer 0; write timer+8:8 20; write timer+0x10 1", "")
        self.until(lambda: self.poke("expect irq timer 1").code == 0)
        guest.process.send_signal(signal.SIGINT)
        self.assertEqual(guest.end()[0], 128 + signal.SIGINT)
        self.assertFalse(self.path.exists())

    def test_failures(self):
        guest = self.guest()
        self.assert_fails(1, "expected echo_device.STATUS to be 0x3, and it is 0x0",
                          "expect echo_device.STATUS 3; time")
        for sentence, commands in (
                ('there is no command "raed"; did you mean "read"?', "raed x"),
                ('there is no device "echo_devise"; did you mean "echo_device"?', "read echo_devise+0"),
                ("1s is too long: the guest waits meanwhile, for 100 ms at most", "run 1s"),
                ("a line has at most 4096 bytes, this one has 5004", "x" * 5000)):
            with self.subTest(commands=commands):
                self.assert_fails(2, sentence, commands)
        self.end(guest)

    def test_a_script_and_the_end_of_the_run(self):
        guest = self.guest()
        script = self.dir / "a.poke"
        script.write_text("write echo_device.DATA_IN 5  # a comment\nrun 1us\n"
                          "expect echo_device.DATA_OUT 6\ntime\n")
        result = self.trestle("poke", "--attach", self.path, script)
        self.assertEqual((result.code, result.err), (1, f"trestle: {script}:3: expected "
                         "echo_device.DATA_OUT to be 0x6, and it is 0x5\n"), result)
        result = self.trestle("poke", "--attach", self.path, stdin="quit\nnonsense\n")
        self.assertEqual((result.code, result.err), (0, ""), result)
        peer = self.start_trestle("poke", "--attach", self.path, stdin=-1)
        peer.stdin.write(b"irqs\n")
        peer.stdin.flush()
        cli_case.read_until(peer.stdout, rb"timer: 0=0\n")
        self.end(guest)
        peer.stdin.write(b"irqs\n")
        peer.stdin.close()
        self.assertEqual(peer.wait(30), 1)
        self.assertEqual(peer.stderr.read(), b"trestle: standard input:2: the run has ended\n")

    def test_it_is_in_the_trace_and_the_run_is_no_longer_repeatable(self):
        for commands, why in (("devices; irqs; stats; registers echo_device; time; nonsense", None),
                              ("write echo_device.DATA_IN 0xabc",
                               "somebody acted on its devices from outside")):
            with self.subTest(commands=commands):
                guest = self.guest("--trace", "t", icount=0)
                self.poke(commands)
                log = self.end(guest)
                self.assertEqual(re.findall("not repeatable: (.*)\n", log), [why] if why else [], log)
                trace = self.trestle("trace", "t").out
                self.assertEqual("0xabc" in trace, why is not None, trace)

    def test_before_the_guest_is_there(self):
        """Such an access has no guest time. That is not why the run cannot be repeated."""
        program = self.dir / "qemu"
        program.write_text("#!/bin/sh\ncase $* in *--version*) echo QEMU emulator version 7.2.22;; *) read x;; esac\n")
        program.chmod(0o755)
        run = self.start_trestle("run", self.config({
            "machine": {"kernel": str(common.guest("probe")), "icount": 0, "qemu": str(program)},
            "devices": [cli_case.ECHO]}), "--control", self.path, stdin=-1)
        self.until(self.path.exists)
        self.assert_fine("read echo_device+0x0", "echo_device+0x0 = 0x0\n")
        _, log = run.communicate(b"end\n", timeout=30)
        self.assertEqual(run.returncode, 0, log)
        self.assertIn(b"; not repeatable: somebody acted on its devices from outside\n", log)

    def test_completion(self):
        guest = self.guest()
        self.terminal, other = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        process = self.start([common.TRESTLE, "poke", "--attach", self.path], stdin=other,
                             stdout=other, stderr=other, env={**self.env, "TERM": "vt100"})
        os.close(other)
        seen, deadline = "", time.monotonic() + 30
        os.write(self.terminal, b"read echo_device.STA\t\n")
        while "echo_device.STATUS = 0x0" not in seen:
            self.assertTrue(select.select([self.terminal], [], [], deadline - time.monotonic())[0],
                            seen)
            seen += os.read(self.terminal, 4096).decode()
        process.terminate()
        process.wait()
        self.end(guest)

    def test_a_guest_that_is_busy_with_the_device(self):
        guest = self.guest(devices=[dict(cli_case.ECHO, timeout_ms=0), TIMER])
        peer = self.connect()
        guest.process.stdin.write(b"n 40000 10200008\n")
        guest.process.stdin.flush()
        for _ in range(20):
            self.assertEqual(self.ask(peer, "do read echo_device.STATUS")[0], "ok")
        cli_case.read_until(guest.process.stdout, rb"= 0\n")
        self.end(guest)

    def test_a_device_that_hangs_or_dies(self):
        guest = self.guest(devices=[dict(cli_case.ECHO, timeout_ms=200), TIMER])
        self.assertEqual(guest.ask("w 4 10200000 7"), "=")
        for command, answer in ("hang", r"! 5"), ("resume", "= 7"), ("kill", "! 5"), ("resume", "= 0"):
            with self.subTest(command=command):
                self.assert_fine(f"{command} echo_device", "")
                # After a time-out the plugin waits a little before it connects again.
                self.until(lambda: guest.ask("r 4 10200004") == answer)
                self.assertEqual(guest.ask("r 4 10500010"), "= 0")
        for sentence, commands in (
                ('there is no device "echo_devise"; did you mean "echo_device"?', "kill echo_devise"),
                ("write hang DEVICE", "hang")):
            with self.subTest(commands=commands):
                self.assert_fails(2, sentence, commands)
        self.end(guest)

    def test_an_own_process_that_hangs_or_dies(self):
        far = {"name": "far", "model": "echo", "base_addr": "0x10200000", "process": "own",
               "timeout_ms": 200}
        guest = self.guest(devices=[far, TIMER])
        self.assertEqual(guest.ask("w 4 10200000 7"), "=")
        self.assert_fine("hang far", "")
        self.assertRegex(guest.ask("r 4 10200004"), "! ")
        self.assert_fine("resume far", "")
        self.until(lambda: guest.ask("r 4 10200004") == "= 7")
        self.assert_fine("kill far", "")
        guest.wait_for_log(rb"ended with signal 9; another one is started\n")
        self.until(lambda: guest.ask("r 4 10200004") == "= 0")
        self.end(guest)

    def test_reload(self):
        """Another model is written over the file of one that runs: it goes on until it is reloaded."""
        file = self.dir / "model.so"
        shutil.copyfile(MODELS / "never.so", file)  # 7 is what it reads
        far = {"name": "far", "model": str(file), "base_addr": "0x10200000", "process": "own"}
        guest = self.guest("--trace", "t", devices=[far, TIMER], icount=0)
        self.assertEqual(guest.ask("r 4 10200004"), "= 7")
        shutil.copyfile(MODELS / "good.so", file)  # the time
        self.assertEqual(guest.ask("r 4 10200004"), "= 7")
        self.assertEqual(self.ask(self.connect(), "complete reload f"), ("ok", "far\n", ""))
        result = self.poke("reload far")
        self.assertEqual((result.code, result.err), (0, ""), result)
        pid = re.fullmatch(r"far: its process is (\d+) now\n", result.out)[1]
        self.assertIn(b"--name=far", pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
        self.until(lambda: re.match("= [1-9a-f][0-9a-f]{3}", guest.ask("r 4 10200004")))
        file.write_text("nonsense")
        result = self.poke("reload far")
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.err, r"\Atrestle: -c: far goes on as it was: .*model.so: it is "
                                     r"not a shared object\n\Z")
        self.assertRegex(guest.ask("r 4 10200004"), "^= ")
        self.assertEqual(guest.ask("r 4 10500010"), "= 0")  # the other one has noticed nothing
        log = self.end(guest)
        self.assertIn(f"far: reloaded; its process is {pid} now\n", log)
        self.assertIn("not repeatable: somebody acted on its devices from outside", log)
        self.assertNotIn("ended", log)
        for trace, answers in ("t.far", {"0x7"}), ("t.far.1", None):
            result = self.trestle("trace", trace)
            self.assertEqual((result.code, result.err), (0, ""), result)
            found = set(re.findall(r"read  4  0x04  (\w+)", result.out))
            self.assertEqual(found, answers or found - {"0x7"}, result.out)
            self.assertTrue(found)

    def test_reload_what_has_died(self):
        soc = {"process": {"name": "soc"}, "restart": "never"}
        guest = self.guest(devices=[{**cli_case.ECHO, **soc}, {**cli_case.COMPUTE, **soc}])
        self.assertEqual(guest.ask("w 4 10200000 7"), "=")
        self.assert_fine("kill echo_device", "")
        guest.wait_for_log(rb"ended with signal 9; it is not started again\n")
        self.assert_fails(2, "echo_device has no process any more; reload gives it one", "hang echo_device")
        self.assertRegex(self.poke("reload compute_device").out, "compute_device: its process is ")
        self.until(lambda: guest.ask("r 4 10200004") == "= 0")
        self.end(guest)

    def test_what_cannot_be_reloaded(self):
        inline = {**cli_case.ECHO, "process": "inline"}
        guest = self.guest(devices=[inline, TIMER])
        for sentence, commands in (
                ("timer is in the run's process, which goes on; only a device with a process of its "
                 'own can be reloaded ("process": "own")', "reload timer"),
                ("echo_device is in QEMU's process, which goes on; only a device with a process of "
                 'its own can be reloaded ("process": "own")', "reload echo_device"),
                ("echo_device runs in QEMU's process, and nothing can reach it there", "kill echo_device"),
                ('there is no device "tiner"; did you mean "timer"?', "reload tiner"),
                ("write reload DEVICE", "reload")):
            with self.subTest(commands=commands):
                self.assert_fails(2, sentence, commands)
        self.end(guest)

    def test_interrupts(self):
        guest = self.guest()
        self.assert_fine("irq timer 1; irqs; expect irq timer.0 1; irq timer 0; irqs",
                         "timer: 0=1\ntimer: 0=0\n")
        self.assert_fails(2, '"timer.1" names no interrupt line; timer has 1', "irq timer.1 1")
        self.end(guest)

    def test_the_lines_of_the_socket(self):
        guest = self.guest()
        peer = self.connect()
        self.assertEqual(self.ask(peer, "do read timer+0x10"), ("ok", "timer+0x10 = 0x0\n", ""))
        self.assertEqual(self.ask(peer, "do expect error read timer+0x100"), ("ok", "", ""))
        self.assertEqual(self.ask(peer, "complete read echo_device.DATA_O"),
                         ("ok", "echo_device.DATA_OUT\necho_device.DATA_OUT64\n", ""))
        self.assertEqual(self.ask(peer, "complete read echo_device.status."),
                         ("ok", "echo_device.STATUS.busy\necho_device.STATUS.ready\n", ""))
        self.assertEqual(self.ask(peer, "nonsense"),
                         ("wrong", "", "a line begins with do or complete, or is view or places"))
        self.assertEqual(self.ask(peer, "do quit"), ("quit", "", ""))
        peer.sendall(b"do irqs\ndo irqs\ndo ir")  # several at once, and a piece
        self.assertEqual(self.receive(peer), self.receive(peer))
        peer.sendall(b"qs\n")
        self.assertEqual(self.receive(peer), ("ok", "timer: 0=0\n", ""))
        self.end(guest)

    def test_peers_that_do_no_good(self):
        guest = self.guest()
        endless = self.connect()
        endless.sendall(b"x" * 4096)
        self.assertEqual(endless.recv(1), b"")
        deaf = self.connect()  # asks, and takes no answer: it is not listened to, and holds up nobody
        deaf.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            for _ in range(100000):
                deaf.sendall(b"do help\n" * 100)
        self.assertEqual(guest.ask("r 4 10200008"), "= 0")
        self.assert_fine("irqs", "timer: 0=0\n")
        several = [self.connect() for _ in range(7)]
        self.assertEqual(self.ask(several[-1], "do irqs")[0], "ok")
        ninth = self.connect()
        self.assertIn(b"8 others are attached already", ninth.recv(4096))
        gone = several.pop()
        gone.sendall(b"do help\n" * 50)
        gone.close()
        self.assertEqual(self.ask(several[0], "do irqs")[0], "ok")
        self.end(guest)


class OwnProcesses(ControlCase):
    """Their devices take commands as well, at sockets of their own next to the run's."""
    SOC = {"process": {"name": "soc"}}

    def everywhere(self, *args, **machine):
        """One device in the run's process, one in its own, two in one."""
        return self.guest(*args, devices=[
            TIMER, {"name": "far", "model": "echo", "base_addr": "0x10600000", "process": "own"},
            {**cli_case.ECHO, **self.SOC}, {**TIMER, "name": "late", "base_addr": "0x10700000", "irq": 41,
                                            **self.SOC}], **machine)

    def test_one_line_reaches_all_of_them(self):
        guest = self.everywhere()
        self.assertEqual(sorted(self.dir.glob("ctl.*")), [self.dir / name for name in (
            "ctl.far", "ctl.far.lock", "ctl.lock", "ctl.soc", "ctl.soc.lock")])
        self.assertEqual(stat.S_IMODE((self.dir / "ctl.far").stat().st_mode), 0o600)
        self.assert_fine("write far.DATA_IN 0x77; write echo_device.DATA_IN 5; write timer+8:8 9; run 1us; "
                         "expect far.DATA_OUT 0x77; read echo_device.DATA_OUT; read timer+8:8",
                         "echo_device.DATA_OUT = 0x5\ntimer+8:8 = 0x9\n")
        self.assertEqual(guest.ask("r 4 10600004"), "= 77")
        self.assertEqual(guest.ask("w 4 10600000 88"), "=")
        self.assert_fine("wait far.STATUS.ready 1us; read far.DATA_OUT # and; not this",
                         "far.DATA_OUT = 0x88\n")
        self.assert_fine("devices", "timer: timer at 0x10500000, 24 bytes\n"
                                    "far: echo at 0x10600000, 32 bytes, in process far\n"
                                    "echo_device: echo at 0x10200000, 4096 bytes, in process soc\n"
                                    "late: timer at 0x10700000, 24 bytes, in process soc\n")
        self.assert_fine("irq late 1; irqs; expect irq late.0 1; expect irq timer 0; irq late 0",
                         "timer: 0=0\nlate: 0=1\n")
        self.assertIn("0x0004 DATA_OUT = 0x88\n", self.poke("registers far").out)
        self.assert_fine("reset far; read far.DATA_OUT; reset; read echo_device.DATA_OUT",
                         "far.DATA_OUT = 0x0\necho_device.DATA_OUT = 0x0\n")
        self.assert_fails(2, 'there is no register "DATA_UOT"; did you mean "DATA_OUT"?', "read far.DATA_UOT")
        self.assert_fails(2, 'there is no device "fra"; did you mean "far"?', "read fra+0")
        self.assert_fails(1, "expected far.STATUS to be 0x3, and it is 0x0", "expect far.STATUS 3; devices")
        self.assert_fine("quit; nonsense", "")
        result = self.trestle("poke", "--attach", "ctl.far", "-c", "devices; read far.STATUS")
        self.assertEqual((result.code, result.out), (0, "far: echo at 0x10600000, 32 bytes\n"
                                                        "far.STATUS = 0x0\n"), result)
        self.end(guest)
        self.assertEqual(list(self.dir.glob("ctl*")), [])

    def test_it_is_in_their_traces_and_the_run_is_no_longer_repeatable(self):
        guest = self.everywhere("--trace", "t", icount=0)
        self.assert_fine("write far.DATA_IN 0xabc", "")
        log = self.end(guest)
        self.assertIn("not repeatable: somebody acted on its devices from outside", log)
        for trace, is_there in ("t", False), ("t.far", True), ("t.soc", False):
            self.assertEqual("0xabc" in self.trestle("trace", trace).out, is_there, trace)

    def test_completion(self):
        guest = self.everywhere()
        places = self.ask(self.connect(), "places")
        self.assertEqual(places, ("ok", ":timer\nfar:far\nsoc:echo_device\nsoc:late\n", ""))
        self.terminal, other = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        process = self.start([common.TRESTLE, "poke", "--attach", self.path], stdin=other,
                             stdout=other, stderr=other, env={**self.env, "TERM": "vt100"})
        os.close(other)
        os.write(self.terminal, b"read fa\t.STA\t\n")
        cli_case.read_until(open(self.terminal, closefd=False, buffering=0, mode="rb"),
                            rb"far.STATUS = 0x0")
        process.terminate()
        process.wait()
        self.end(guest)

    def test_one_that_hangs_or_dies(self):
        far = {"name": "far", "model": "echo", "base_addr": "0x10600000", "process": "own",
               "restart": "never"}
        guest = self.guest(devices=[TIMER, far])
        peer = self.start_trestle("poke", "--attach", self.path, stdin=-1, stderr=-2)
        say = lambda line: (peer.stdin.write(line.encode() + b"\n"), peer.stdin.flush())
        say("write far.DATA_IN 1; run 1us; read far.DATA_OUT")
        cli_case.read_until(peer.stdout, rb"far.DATA_OUT = 0x1\n")
        self.assert_fine("hang far", "")
        sentence = ("the process of far does not answer: it was stopped, or a callback of a model does not "
                    "return; it obeys later if it goes on")
        self.assert_fails(1, sentence, "write far.DATA_IN 2")
        self.assert_fine("read timer+0x10", "timer+0x10 = 0x0\n")
        self.assert_fine("resume far", "")
        self.assert_fine("run 1us; read far.DATA_OUT", "far.DATA_OUT = 0x2\n")
        self.assert_fine("kill far", "")
        guest.wait_for_log(rb"it is not started again\n")
        self.assert_fails(1, "far has no process any more; reload gives it one", "read far.DATA_OUT")
        self.assertEqual(self.poke("reload far").code, 0)
        say("read far.DATA_OUT")  # on a connection that the first process had
        cli_case.read_until(peer.stdout, rb"far.DATA_OUT = 0x0\n")
        peer.stdin.close()
        self.assertEqual(peer.wait(30), 0)
        self.end(guest)
        self.assertEqual(list(self.dir.glob("ctl*")), [])

    def test_where_poke_cannot_reach(self):
        guest = self.guest(devices=[{**cli_case.ECHO, "process": "inline"}])
        for commands in "read echo_device.STATUS", "expect echo_device.STATUS 0", "irq echo_device 1":
            self.assert_fails(2, "echo_device is in QEMU's process, where poke cannot reach it", commands)
        self.assert_fails(2, "guest memory cannot be reached here: no device is in the run's process, or in "
                             "one that takes commands", "mem 0x80000000")
        self.assert_fine("devices", "echo_device: echo at 0x10200000, 4096 bytes, in process inline\n")
        self.end(guest)


class Memory(ControlCase):
    """The guest's memory while it runs."""

    def test_it_is_what_the_guest_sees(self):
        for more in {}, {"protocol": 2, "carrier": "socket"}, {"process": "own"}:
            for machine in {}, {"direct_dma": True, "memory": "128M"}:
                with self.subTest(device=more, machine=machine):
                    guest = self.guest(devices=[{**cli_case.ECHO, **more}], **machine)
                    self.assertEqual(guest.ask("w 4 80700000 12345678"), "=")
                    self.assert_fine("mem 0x80700000 4; mem 0x80700004 = 0xcafebabe \"!\"",
                                     "0x80700000: 78 56 34 12  xV4.\n")
                    self.assertEqual(guest.ask("r 4 80700004"), "= cafebabe")
                    self.assert_fine("expect mem 0x80700004 = 0xcafebabe 0x21", "")
                    self.assert_fails(1, "expected 0x00 at 0x80700004, and there is 0xbe",
                                      "expect mem 0x80700004 = 0")
                    self.assert_fails(1, "0x10000000000 and 16 bytes from there are not memory",
                                      "mem 0x10000000000")
                    self.end(guest)

    def test_it_is_in_the_trace_and_the_run_is_no_longer_repeatable(self):
        guest = self.guest("--trace", "t", icount=0)
        self.assert_fine("mem 0x80700000 = \"abc\"", "")
        self.assertEqual(guest.ask("r 4 80700000"), "= 636261")
        log = self.end(guest)
        self.assertIn("not repeatable: somebody acted on its devices from outside", log)
        self.assertRegex(self.trestle("trace", "t").out, r"echo_device +dma.*0x80700000")

    def test_a_guest_that_sleeps_or_has_not_begun(self):
        guest = self.guest()
        guest.ask("h")
        self.assert_fine("mem 0x80700000 = 1 2; mem 0x80700000 2", "0x80700000: 01 02  ..\n")
        guest.process.send_signal(signal.SIGINT)
        self.assertEqual(guest.end()[0], 128 + signal.SIGINT)
        config = self.config({"machine": {"kernel": str(common.guest("probe"))}, "devices": [TIMER]})
        run = self.start_trestle("run", config, "--control", self.path, "--", "-S")
        self.until(self.path.exists)
        self.until(lambda: self.poke("mem 0x80700000 1").out == "0x80700000: 00  .\n")
        run.send_signal(signal.SIGTERM)
        run.wait(30)

    def test_protocol_1_has_none(self):
        guest = self.guest(devices=[{**cli_case.ECHO, "protocol": 1}])
        self.assert_fails(1, "no guest is connected that gives access to its memory", "mem 0x80000000")
        self.end(guest)


class Refusals(ControlCase):
    def test_no_run(self):
        self.assert_refused("trestle: no run is at ctl: No such file or directory; start one with "
                            "trestle run --control=ctl", "poke", "--attach", "ctl", "-c", "time")
        self.assert_refused("trestle: poke takes a configuration or --attach, and then a script or -c; "
                            "see trestle poke --help", "poke", "--attach", "ctl", "a", "b")

    def test_a_socket_is_no_configuration(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path))
            self.assert_refused("ctl: is a socket; name a configuration file, or reach a run that listens "
                                "there with trestle poke --attach ctl", "poke", "ctl", "-c", "time")

    def test_a_path_that_cannot_be(self):
        guest = self.guest()
        self.assert_refused("trestle: --control ctl: another Trestle serves this socket; end it, or "
                            "choose another path", "run", "two.json", "--control", "ctl")
        self.assert_fine("irqs", "timer: 0=0\n")
        self.end(guest)
        (self.dir / "file").write_text("mine")
        self.assert_refused("trestle: --control file is not a socket, so Trestle leaves it alone; "
                            "choose another path, or remove it", "run", "two.json", "--control", "file")


if __name__ == "__main__":
    common.main()
