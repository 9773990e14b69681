# SPDX-License-Identifier: MIT
"""What a run must bear: models with faults, and what it inherits from whoever starts it."""
import json
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import time

import common
from cli_case import Case, Guest, failing, read_until, without_asan

FAULTY = str(common.BUILD / "tests" / "integration" / "faulty_model.so")
LINES = str(common.BUILD / "tests" / "integration" / "lines_model.so")
ID = {"name": "other", "model": "id", "base_addr": "0x10300000"}


class Faulty(Case):
    def faulty(self, process="shared", others=(), more=None, **params):
        """A configuration with the model, which misbehaves at a write to 10200000."""
        device = {"name": "dut", "model": FAULTY, "base_addr": "0x10200000", "process": process,
                  "params": params}
        return self.config({"machine": {"kernel": str(common.guest("probe"))},
                            "devices": [device, ID, *others], **(more or {})})


class Own(Faulty):
    def test_parameters_are_checked_as_by_its_process(self):
        config = self.faulty("own", number="abc")
        line = (f"{config}:12: devices[0].params.number: parameter 'number': 'abc' is not a whole "
                f"number of 64 bits (decimal or 0x hexadecimal)")
        self.assert_refused(line, "check", config)
        self.assert_refused(line, "run", config)

    def test_refusal_without_a_parameter(self):
        """A parameter's name in the sentence is not blamed for what is no parameter's fault."""
        config = self.faulty("own", init="fail", dut="1")
        result = self.trestle("check", config)
        self.assertEqual(result.code, 2, result)
        self.assertNotIn("params.dut", result.err)

    def test_what_it_prints(self):
        """To people, and its statistics stay right."""
        guest = Guest(self, "--stats", "s.json", config=self.faulty("own", fault="print"))
        self.assertEqual(guest.ask("w 4 10200000 1"), "=")
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 0, log)
        self.assertIn("printed by the model\n", log)
        device = json.loads((self.dir / "s.json").read_text())["devices"][0]
        self.assertEqual((device["writes"], device["restarts"]), (1, 0))


class Watchdog(Faulty):
    """A model's fault has a name."""

    WRITE = "dut: its write() of 4 bytes at offset 0x0"

    def provoke(self, fault, *options, more=None, others=(), end=True, **kwargs):
        """The exit code and the log of a run in which the fault is provoked."""
        config = self.faulty(fault=fault, more=more, others=others, **kwargs)
        guest = Guest(self, *options, config=config)
        guest.process.stdin.write(b"w 4 10200000 1\nq 0\n" if end else b"w 4 10200000 1\n")
        guest.process.stdin.flush()
        return guest

    def test_a_callback_that_does_not_return(self):
        """It is named, and the run ends as it would."""
        for number, fault in (None, "stuck"), (signal.SIGTERM, "loop"), (signal.SIGINT, "stuck"):
            with self.subTest(signal=number):
                guest = self.provoke(fault, more={"watchdog_ms": 300, "stop_at": "5s" if number is None
                                                  else "600s"})
                guest.wait_for_log(rf"{self.WRITE} has not returned for \d+\.\d s; gdb -p "
                                   rf"{guest.process.pid} shows where it is\n"
                                   .replace("(", "\\(").replace(")", "\\)").encode())
                if number:
                    guest.process.send_signal(number)
                code, log = guest.end()
                self.assertEqual(code, 128 + number if number else 124, log)
                self.assertRegex(log, r"trestle: (stop_at|Terminated|Interrupt) ends the run\n")
                self.assertRegex(log, r"\ndut +0x10200000 ")

    def test_one_that_does_not_begin(self):
        """Before there is a guest: the run ends as it would."""
        for where, process in ("init", "shared"), ("init", "own"), ("start", "shared"), ("start", "own"):
            for end in "stop_at", "--timeout":
                with self.subTest(where=where, process=process, end=end):
                    self.check_one_that_does_not_begin(where, process, end)

    def check_one_that_does_not_begin(self, where, process, end):
        name = rf"dut: its {where}\(\) has not returned for \d+\.\d s; gdb "
        for seconds in 0.1, 1, 10:
            more, options = {"watchdog_ms": 300}, ()
            if end == "stop_at":
                more["stop_at"] = f"{seconds * 1000:.0f}ms"
            else:
                options = "--timeout", seconds
            result = self.trestle("run", self.faulty(process, more=more, **{where: "stuck"}), *options)
            self.assertEqual((result.code, result.out), (124, ""), result)
            self.assertNotIn("its guest waits", result.err)
            self.assertIn(f"trestle: {end} ends the run\n", result.err)
            self.assertEqual(common.files(self.runtime), set())
            if re.search(name, result.err):
                return  # a host that is busy may end the run before the model hangs
        self.assertRegex(result.err, name)

    def test_an_engine_that_does_not_come_to_rest(self):
        link = {"links": [{"from": "dut.peer", "to": "two.peer", "latency": "0ns"}]}
        two = {"name": "two", "model": FAULTY, "base_addr": "0x10400000",
               "params": {"fault": "ping"}}
        for fault, names in (("picoseconds", r"wake\(\) of dut"),
                             ("ping", r"message\(\) of (dut|two), message\(\) of (dut|two)")):
            with self.subTest(fault=fault):
                guest = self.provoke(fault, more={"watchdog_ms": 300, **link}, others=[two], end=False)
                guest.process.stdin.write(b"r 4 10200004\n")  # the engine goes on to its time
                guest.process.stdin.flush()
                guest.wait_for_log(b"the engine has not come to rest")
                guest.process.terminate()
                code, log = guest.end()
                self.assertEqual(code, 128 + signal.SIGTERM, log)
                self.assertRegex(log, r"trestle: error: the engine has not come to rest for \d\.\d s "
                                      rf"and is at \d+\.\d+ us of simulated time: {names}, again")

    def test_poke_without_a_guest(self):
        """It names a fault as a run does."""
        config = self.faulty(fault="loop", more={"watchdog_ms": 300})
        process = self.start_trestle("poke", config, "-c", "write dut+0 1")
        read_until(process.stderr, rb"trestle: error: dut: its write\(\) of 4 bytes at offset 0x0 has not "
                                   rb"returned for \d+\.\d s; gdb -p \d+ shows where it is\n")
        process.terminate()
        self.assertEqual(process.wait(30), -signal.SIGTERM)
        for where in {"fault": "exit"}, {"init": "exit"}, {"fini": "exit"}:
            with self.subTest(where=where):
                result = self.trestle("poke", self.faulty(**where), "-c", "write dut+0 1")
                self.assertEqual(result.code, 1, result)
                callback = next(iter(where)).replace("fault", "write")
                self.assertRegex(result.err, rf"\Atrestle: error: dut: its {callback}\(\).* calls exit\(0\); "
                                             rf"poke ends with it\n\Z")

    @without_asan
    def test_poke_names_a_crash(self):
        for where in {"fault": "null"}, {"init": "null"}, {"fini": "null"}:
            with self.subTest(where=where):
                result = self.trestle("poke", self.faulty(**where), "-c", "read dut+4; write dut+0 1")
                self.assertEqual(result.code, -signal.SIGSEGV, result)
                callback = next(iter(where)).replace("fault", "write")
                self.assertRegex(result.err, rf"\Atrestle: error: dut: its {callback}\(\).* ends in SIGSEGV .*; "
                                             rf"poke ends with it\n(trestle:   .*\n)+\Z")

    def test_nobody_is_in_a_hurry_under_a_debugger(self):
        """In none of the processes."""
        for process in "shared", "own", "inline":
            with self.subTest(process=process):
                code, log = self.provoke("slow", "--debug", "dut", process=process,
                                         more={"watchdog_ms": 60}).end()
                self.assertEqual(code, 0, log)
                self.assertNotIn("has not returned", log)
        guest = self.provoke("waits", more={"watchdog_ms": 60})
        guest.wait_for_log(b"has not returned")  # otherwise this test could not fail
        (self.dir / "go").touch()
        self.assertEqual(guest.end()[0], 0)

    @without_asan
    def test_crashes(self):
        for fault, number, why in (("null", signal.SIGSEGV, "Segmentation fault"),
                                   ("bus", signal.SIGBUS, "Bus error"),
                                   ("abort", signal.SIGABRT, "abort.., a failed assertion, or")):
            with self.subTest(fault=fault):
                code, log = self.provoke(fault).end()
                self.assertEqual(code, -number, log)
                self.assertRegex(log, rf"trestle: error: dut: its write.. of 4 bytes at offset 0x0 ends "
                                      rf"in {number.name} \({why}")
                self.assertRegex(log, r"trestle:   .*faulty_model.so")  # the backtrace
                self.assertRegex(log, r"\ndut +0x10200000 ")
                self.assertEqual(common.files(self.runtime), set())

    @without_asan
    def test_what_is_overwritten_may_be_all(self):
        """A line says so, and QEMU is ended, by what is left."""
        for process in "shared", "own":
            with self.subTest(process=process):
                guest = self.provoke("trample", process=process, end=False)
                guest.wait_for_log(rb"error: [^\n]*written beyond its (memory|state)")
                guest.process.stdin.write(b"q 0\n")
                try:
                    guest.process.stdin.flush()
                except BrokenPipeError:
                    pass
                guest.end()
                shutil.rmtree(self.runtime)  # of this it may know nothing any more
                self.runtime.mkdir()

    @without_asan
    def test_a_crash_in_a_process_of_its_own(self):
        code, log = self.provoke("null", process="own").end()
        self.assertEqual(code, 0, log)
        self.assertIn(f"trestle: error: {self.WRITE} ends in SIGSEGV", log)
        self.assertIn("ended with signal 11; another one is started", log)

    def test_exit(self):
        """Of the process, in whatever way: it is named, and nothing is left."""
        for fault, line in (("exit", f"{self.WRITE} calls exit(0)"),
                            ("leave", f"{self.WRITE} calls _exit(0)"),
                            ("thread exit", "a thread of a model's own calls exit(5)")):
            with self.subTest(fault=fault):
                code, log = self.provoke(fault).end()
                self.assertEqual(code, 1, log)
                self.assertIn(f"trestle: error: {line}; the run ends with it\n", log)
                self.assertRegex(log, r"\ndut +0x10200000 ")
                self.assertEqual(common.files(self.runtime), set())

    def test_exit_of_a_process_of_its_own(self):
        code, log = self.provoke("exit", process="own").end()
        self.assertEqual(code, 0, log)
        self.assertIn(f"trestle: error: {self.WRITE} calls exit(0); the process of dut ends with it\n",
                      log)
        self.assertIn("ended with exit code 1; another one is started", log)

    def test_exit_of_a_child(self):
        """A model may fork: what its child does is not the run's end."""
        code, log = self.provoke("fork").end()
        self.assertEqual(code, 0, log)
        self.assertNotIn("calls exit", log)
        self.assertEqual(log.count("\ndut "), 1, log)

    def test_closed_descriptors(self):
        """The model whose callback was the last is named."""
        line = ("cannot serve the devices: a model has closed descriptors that are not its own; the "
                "last was dut, in its write()")
        code, log = self.provoke("close", end=False).end()
        self.assertEqual(code, 1, log)
        self.assertEqual(log.count("cannot serve the devices"), 1, log)
        self.assertIn(f"trestle: error: {line}\n", log)
        self.assertNotIn("did not end within", log)
        self.assertEqual(common.files(self.runtime), set())
        code, log = self.provoke("close", process="own").end()
        self.assertEqual(code, 0, log)
        self.assertIn("trestle: warning: the run does not know what was served: Bad file "
                      "descriptor\n", log)
        self.assertNotIn("{", log)

    def test_fini(self):
        """It is watched, too; sockets are gone before."""
        for fault, code, line in (("exit", 1, "calls exit(0); the run ends with it"),
                                  ("loop", 1, "has not returned for ")):
            with self.subTest(fault=fault):
                got, log = self.provoke("", fini=fault, more={"watchdog_ms": 300}).end()
                self.assertEqual(got, code, log)
                self.assertIn(f"trestle: error: dut: its fini() {line}", log)
                self.assertEqual(log.count("\ndut "), 1, log)
                self.assertEqual(common.files(self.runtime), set())

    def test_fini_in_a_process_of_its_own(self):
        """Its end is the run's failure, too. A fini() that fails at once is found before there is a guest."""
        for fault, line in (("exit", "calls exit(0); the process of dut ends with it"),
                            ("loop", "has not returned for ")):
            with self.subTest(fault=fault):
                code, log = self.provoke("arm", process="own", fini=fault, more={"watchdog_ms": 300}).end()
                self.assertEqual(code, 1, log)
                self.assertIn(f"trestle: error: dut: its fini() {line}", log)
                self.assertRegex(log, r"\ndut +0x10200000 +0 +1 ")
                self.assertEqual(common.files(self.runtime), set())

    def test_a_fini_that_takes_long(self):
        """It may have much to write, and is left in peace."""
        for process in "shared", "own", "inline":
            with self.subTest(process=process):
                guest = self.provoke("arm", fini="long", process=process, end=False)
                read_until(guest.process.stdout, rb"=\n")
                guest.process.terminate()
                code, log = guest.end()
                self.assertEqual(code, 128 + signal.SIGTERM, log)
                (self.dir / "whole").unlink()

    def test_failure_in_fini(self):
        """What the user has asked for is not there: one line, and the exit code says so."""
        for process in "shared", "own", "inline":
            with self.subTest(process=process):
                code, log = self.provoke("", fini="lose", process=process).end()
                self.assertEqual(code, 1, log)
                self.assertEqual(log.count("what you asked for is lost"), 1, log)
                self.assertIn("trestle: error: dut: what you asked for is lost\n", log)
                self.assertEqual(log.count("\ndut "), 1, log)

    def test_static_objects_outlive_the_model(self):
        for process in "shared", "own", "inline":
            with self.subTest(process=process):
                code, log = self.provoke("", init="objects", process=process).end()
                self.assertEqual(code, 0, log)
                self.assertNotIn("its objects have gone before it", log)

    def test_a_thread_of_a_model_takes_no_signal(self):
        """Not the one that ends its process, nor the one that ends the run: what was served is said."""
        code, log = self.provoke("", init="thread stays", process="own").end()
        self.assertEqual(code, 0, log)
        self.assertRegex(log, r"(?m)^dut +0x10200000 +0 +1 ")
        guest = self.provoke("", init="thread stays", end=False)
        guest.process.terminate()
        code, log = guest.end()
        self.assertEqual(code, 128 + signal.SIGTERM, log)
        self.assertRegex(log, r"(?m)^dut +0x10200000 ")
        self.assertEqual(common.files(self.runtime), set())

    @without_asan
    def test_crash_in_fini(self):
        code, log = self.provoke("", fini="null").end()
        self.assertEqual(code, -signal.SIGSEGV, log)
        self.assertIn("trestle: error: dut: its fini() ends in SIGSEGV", log)
        code, log = self.provoke("arm", fini="null", process="own").end()
        self.assertEqual(code, 1, log)
        self.assertIn("trestle: error: dut: its fini() ends in SIGSEGV", log)
        self.assertEqual(common.files(self.runtime), set())

    @without_asan
    def test_signals_that_end(self):
        """Sent by a model, by its thread's mistake, by somebody else."""
        for fault, number, line in (
                ("signal", signal.SIGUSR1, f"{self.WRITE} ends in SIGUSR1 (User defined signal 1)"),
                ("thread null", signal.SIGSEGV, "SIGSEGV (Segmentation fault) in a thread of a "
                 "model's own")):
            with self.subTest(fault=fault):
                code, log = self.provoke(fault).end()
                self.assertEqual(code, -number, log)
                self.assertIn(f"trestle: error: {line}; the run ends with it\n", log)
                self.assertEqual(common.files(self.runtime), set())
        guest = Guest(self, config=self.faulty())
        guest.process.send_signal(signal.SIGQUIT)
        code, log = guest.end()
        self.assertEqual(code, -signal.SIGQUIT, log)
        self.assertIn(f"trestle: error: SIGQUIT (Quit) from process {os.getpid()} ends the run\n", log)
        self.assertEqual(common.files(self.runtime), set())

    def test_smaller_faults(self):
        for fault, line in (("keep", "warning: dut: its write() has put off the access at offset "
                                     "0x0, and nothing is scheduled to answer it"),
                            ("thread", "error: dut: model 'faulty' calls trestle_device_irq() from a "
                                       "thread of its own"),
                            ("overflow", "error: dut: model 'faulty' has written beyond its state")):
            with self.subTest(fault=fault):
                code, log = self.provoke(fault).end()
                self.assertEqual(code, 0, log)
                self.assertIn(f"trestle: {line}", log)

    def test_a_slow_callback(self):
        """How soon that is said depends on how busy the host is: the model waits for it."""
        guest = self.provoke("waits")
        guest.wait_for_log(re.escape(f"trestle: warning: {self.WRITE} takes longer than 100 ms of the host's "
                                     "time").encode())
        (self.dir / "go").touch()
        code, log = guest.end()
        self.assertEqual(code, 0, log)

    @without_asan
    def test_init(self):
        """Before anything has started."""
        result = self.trestle("check", self.faulty(init="null"))
        self.assertEqual(result.code, -signal.SIGSEGV, result)
        self.assertIn("trestle: error: dut: its init() ends in SIGSEGV", result.err)
        config = self.faulty(init="loop", more={"watchdog_ms": 200})
        check = self.start_trestle("check", config)
        read_until(check.stderr, rb"dut: its init\(\) has not returned for \d+\.\d s[^\n]*\n")
        check.terminate()
        self.assertEqual(check.wait(30), 128 + signal.SIGTERM)
        self.assertEqual(check.stderr.read(), b"trestle: Terminated ends the run\n")


class Unrepeatable(Case):
    """What makes a run with icount unlike any other is known."""

    def end(self, guest):
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 0, log)
        return log

    def config_of(self, **device):
        return self.config({"machine": {"kernel": str(common.guest("probe")), "icount": 0},
                            "devices": [{"name": "echo", "model": "echo", "timeout_ms": 200,
                                         "base_addr": "0x10200000", **device}]})

    def test_an_access_that_was_given_up(self):
        for process in "own", "shared":
            with self.subTest(process=process):
                guest = Guest(self, "-v", config=self.config_of(process=process))
                self.assertEqual(guest.ask("w 4 10200000 1"), "=")
                victim = guest.process.pid
                if process == "own":
                    victim = next(pid for pid in common.processes(session=guest.process.pid)
                                  if "--name=echo" in pathlib.Path(f"/proc/{pid}/cmdline")
                                  .read_text())
                os.kill(victim, signal.SIGSTOP)
                self.assertRegex(guest.ask("w 4 10200000 2"), "^!")
                os.kill(victim, signal.SIGCONT)
                while guest.ask("w 4 10200000 3") != "=":
                    pass
                self.assertIn("; not repeatable: QEMU did not wait for an answer any longer\n",
                              self.end(guest))

    def test_a_line_that_was_high_meanwhile(self):
        """The PLIC has forgotten it, since the guest claimed it and could not reach the device."""
        for more in {}, {"carrier": "socket"}, {"process": "own"}:
            with self.subTest(**more):
                guest = Guest(self, config=self.config_of(model=LINES, irq=40, **more))
                for command in ("w 4 c0000a0 1", "w 4 c002004 100", "w 4 10200000 0"):
                    self.assertEqual(guest.ask(command), "=")
                self.assertEqual(guest.ask("r 4 c200004"), "= 28")
                victim = next((pid for pid in common.processes(session=guest.process.pid)
                               if "--name=echo" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()),
                              guest.process.pid)
                os.kill(victim, signal.SIGSTOP)
                self.assertRegex(guest.ask("w 4 10200004 1"), "^!")
                self.assertEqual(guest.ask("w 4 c200004 28"), "=")
                self.assertEqual(guest.ask("r 4 c200004"), "= 0")
                os.kill(victim, signal.SIGCONT)
                end = time.monotonic() + 30
                while guest.ask("r 4 c200004") != "= 28":  # without another access to the device
                    self.assertLess(time.monotonic(), end)
                self.end(guest)

    def test_a_debugger(self):
        """It sees registers of 4 bytes through accesses of 1 and of 8."""
        run = self.start_trestle("run", "--gdb", self.config_of(model=FAULTY), stdin=subprocess.PIPE)
        self.addCleanup(run.stdin.close)
        port = int(re.search(rb"target remote :(\d+)", read_until(run.stderr, rb"halted; [^\n]*\n"))[1])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as gdb:
            for text, answer in (("m10200004,4", b"78563412"),
                                 ("m10200005,1", b"56"), ("m10200000,10", rb"[0-9a-f]{8}78563412")):
                gdb.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 255))
                reply = b""
                while not re.search(rb"\$[^#]*#..", reply):
                    reply += gdb.recv(256)
                gdb.sendall(b"+")
                self.assertRegex(reply, rb"\$" + answer)
            gdb.sendall(b"$c#63")
            run.stdin.write(b"q 0\n")
            run.stdin.flush()
            self.assertEqual(run.wait(30), 0)
        self.assertIn(b"; not repeatable: a debugger has looked at its devices\n", run.stderr.read())


class Objects(Case):
    """Models in files that are none, or not whole."""

    def refused(self, data, sentence):
        (self.dir / "m.so").write_bytes(data)
        config = self.config({"devices": [{"model": "./m.so", "base_addr": "0x10200000"}]})
        result = self.trestle("check", config)
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertRegex(result.err, rf"\A{config}:4: devices\[0\].model: [^\n]*{sentence}\n\Z")

    def test_not_whole(self):
        whole = pathlib.Path(FAULTY).read_bytes()
        self.refused(b"", "it is empty")
        self.refused(b"#!/bin/sh\n" * 100, "it is not a shared object")
        for size in 20, 100, 5000, len(whole) // 2, len(whole) - 1:
            self.refused(whole[:size], "it is cut off( or damaged)?")

    def test_no_file(self):
        os.mkfifo(self.dir / "fifo.so")
        os.mkfifo(self.dir / "fifo.py")
        (self.dir / "folder.py").mkdir()
        for model in "./fifo.so", "./fifo.py", "./folder.py", "/dev/zero":
            config = self.config({"devices": [{"model": model, "base_addr": "0x10200000"}]})
            self.assert_refused_like(rf"{config}:4: devices\[0\].model: \S*: it is not a file", "check", config)

    def test_for_another_machine(self):
        whole = pathlib.Path(FAULTY).read_bytes()
        for machine, bits, name in (243, 2, "riscv64"), (40, 1, "arm with 32 bits"), (
                3, 1, "x86_64 with 32 bits"), (21, 2, "another machine"):
            other = bytearray(whole)
            other[4], other[18] = bits, machine
            self.refused(bytes(other), f"it is for {name}, and this is \\w+")

    def test_rights_to_memory_of_others(self):
        """A part that is to be read-only and is larger than what was loaded."""
        whole = bytearray(pathlib.Path(FAULTY).read_bytes())
        for header in range(int.from_bytes(whole[32:40], "little"), len(whole), 56):
            if whole[header:header + 4] == (0x6474e552).to_bytes(4, "little"):
                break
        whole[header + 40:header + 48] = (1 << 30).to_bytes(8, "little")
        self.refused(bytes(whole), "it is cut off or damaged")

    def test_damaged(self):
        """What it says depends on what was hit; the loader's crash is not ours."""
        whole = pathlib.Path(FAULTY).read_bytes()
        for i in range(64, 64 + 56 * 9, 8):  # the program headers, a field after the other
            other = bytearray(whole)
            other[i:i + 8] = b"\xa5" * 8
            (self.dir / "m.so").write_bytes(bytes(other))
            config = self.config({"devices": [{"model": "./m.so", "base_addr": "0x10200000"}]})
            result = self.trestle("check", config, env={
                **self.env, "ASAN_OPTIONS": "handle_segv=0:handle_sigbus=0:handle_sigfpe=0"})
            self.assertIn(result.code, (0, 2), (i, str(result)))


class Limits(Faulty):
    def test_nobody_to_watch(self):
        config = self.faulty()
        self.assert_refused("trestle: cannot watch over the run: Resource temporarily unavailable", "run",
                            config, env=failing(self.env, "pthread_create:EAGAIN"))

    def test_too_many_devices(self):
        config = self.config({"devices": [{"model": "id", "base_addr": hex(0x10200000 + 0x1000 * i)}
                                          for i in range(5000)]})
        self.assert_refused(f"{config}:2: devices: 5000 devices, but a machine takes at most 3072; use fewer",
                            "run", config)

    def without_memfd(self, *args):
        """memfd_create fails there, as in a sandbox."""
        return self.trestle(*args, env=failing(self.env, "memfd_create:EPERM"))

    def test_no_shared_memory(self):
        """One line says so, however many processes there are."""
        config = self.config({"machine": {"kernel": str(common.guest("soak")), "args": [
            "-append", "n=3 seconds=1"]}, "devices": [
                {"model": "id", "base_addr": hex(0x10200000 + 0x1000 * i), **process}
                for i, process in enumerate(({}, {"process": "own"}, {"process": "own"}))]})
        result = self.without_memfd("run", config)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(result.err.count("trestle: warning: there is no shared memory (memfd_create: "
                                          "Operation not permitted); messages go over sockets"), 1)

    def test_guest_memory_that_cannot_be_shared(self):
        """DMA goes by messages; if the configuration wants it to be direct, the run is refused."""
        common.qemu("riscv64")
        def no_large_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
        for why, how in (("memfd_create: Operation not permitted",
                          {"env": failing(self.env, "memfd_create:EPERM")}),
                         ("the limit for the size of files: File too large", {"preexec_fn": no_large_files})):
            for example, guest, line, code in (
                    ("05-dma/direct", "dma", r"\S+: machine\.direct_dma: the guest's memory cannot be shared here "
                     rf"\({why}\); leave the key out\n\Z", 2),
                    ("12-pci/virt", "edu", rf"trestle: warning: the guest's memory cannot be shared \({why}\); DMA "
                     r"goes by messages, which is slower\n", 0)):
                with self.subTest(why=why, example=example):
                    document = json.loads((common.SOURCE / "examples" / f"{example}.json").read_text())
                    document["machine"]["kernel"] = str(common.guest(guest, "riscv64"))
                    result = self.trestle("run", self.config(document), **how)
                    self.assertEqual(result.code, code, result)
                    self.assertRegex(result.err, r"\A" + line)

    def test_no_shared_memory_where_nothing_else_will_do(self):
        config = self.config({"machine": {"kernel": str(common.guest("probe"))}, "devices": [
            {"model": "id", "base_addr": "0x10200000", "carrier": "shm"}]})
        result = self.without_memfd("run", config)
        self.assertEqual((result.code, result.err), (
            2, f"{config}:9: devices[0].carrier: there is no shared memory here (memfd_create: "
               "Operation not permitted); use \"auto\"\n"))

    def test_calls_that_are_forbidden(self):
        """One line has the system's reason, and not one of ours that has the same number."""
        for call in "accept4", "getsockopt":
            run = self.start_trestle("run", self.faulty(), env=failing(self.env, f"{call}:EPERM"))
            read_until(run.stderr, rb"warning: dut: a client must wait: Operation not permitted\n")
            run.terminate()
            self.assertEqual(run.wait(30), 128 + signal.SIGTERM)
            self.assertNotIn(b"a client must wait", run.stderr.read())
        result = self.trestle("run", self.faulty("own"), env=failing(self.env, "getsockopt:EPERM"))
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, r"dut: cannot listen at descriptor \d+: Operation not permitted\n")
        run = self.start_trestle("run", self.faulty(), env=failing(
            self.env, "send:EPERM", FAILING_PROGRAM="qemu-system-riscv32"))
        read_until(run.stderr, rb"device dut at 0x10200000: cannot connect to \S+: Operation not permitted;")
        run.terminate()
        self.assertEqual(run.wait(30), 128 + signal.SIGTERM)

    def test_nobody_may_be_killed(self):
        """The run ends all the same, and what it has started ends with it."""
        result = self.trestle("run", self.faulty("own"), "--timeout", "0.3",
                              env=failing(self.env, "kill:EPERM"))
        self.assertEqual(result.code, 124, result)

    def test_descriptors_run_out(self):
        """A line that says so, whichever of them is the last, and nothing is left."""
        config = self.faulty("own", others=[{**ID, "name": "more", "base_addr": "0x10400000"}])
        for limit in range(5, 30):
            result = self.trestle("run", config, "--timeout", "0.3",
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                                        (limit, limit)))
            self.assertIn(result.code, (2, 124), (limit, result))
            if result.code == 2:
                self.assertRegex(result.err, "(?i)too many open files")
                self.assertNotIn("another path", result.err)
            self.assertEqual(common.files(self.runtime), set(), limit)

    def test_descriptors_run_out_on_request(self):
        """For what is asked for on top: the words are the same."""
        config = self.config({"machine": {"kernel": str(common.guest("probe"))}, "devices": [
            {"name": "u", "model": "ns16550", "base_addr": "0x10200000", "backend": "unix:u.sock"}]})
        for limit in range(6, 16):
            result = self.trestle("run", config, "--control", "c.sock", "--timeout", "0.1",
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                                        (limit, limit)))
            self.assertEqual(result.code, 2, (limit, str(result)))
            self.assertRegex(result.err, "too many open files; raise the limit with ulimit -n\n\\Z")
            self.assertEqual([path.name for path in self.dir.glob("*.sock*")], [])


class Orphans(Case):
    """machine.qemu is a script that starts QEMU as its child: QEMU outlives no end of the run."""

    WRAPPERS = {
        "waits": "#!/bin/sh\nqemu-system-riscv32 \"$@\"\nexit $?\n",
        "ignores signals": "#!/bin/sh\ntrap '' TERM INT HUP\nqemu-system-riscv32 \"$@\"\nsleep 600\n",
        "leaves a helper": "#!/bin/sh\ncd \"${0%/*}\"\nsh -c 'sleep 600; :' \"$PWD/guest.elf\" &\n"
                           "exec qemu-system-riscv32 \"$@\"\n",
        "is another session": "#!/usr/bin/env python3\nimport subprocess, sys\nsys.exit(subprocess.run("
                              "['qemu-system-riscv32', *sys.argv[1:]], start_new_session=True)"
                              ".returncode)\n",
    }

    def setUp(self):
        super().setUp()
        self.kernels = []

    def start(self, *argv, **kwargs):
        process = super().start(*argv, **kwargs)
        self.addCleanup(self.end_qemu)
        return process

    def family(self, kernel=None):
        """Whatever runs with this kernel, or one of this test's."""
        kernels = [str(k).encode() for k in ([kernel] if kernel else self.kernels)]
        found = []
        for pid in common.processes():
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if any(k in words for k in kernels):
                found.append((pid, words[0]))
        return found

    def end_qemu(self):
        for pid, _ in self.family():
            os.kill(pid, signal.SIGKILL)

    def begin(self, wrapper, *options):
        """A run with that wrapper, in a folder of its own, and descriptors of all its processes."""
        folder = self.dir / wrapper.replace(" ", "-")
        folder.mkdir(exist_ok=True)
        (folder / "wrapper").write_text(self.WRAPPERS[wrapper])
        (folder / "wrapper").chmod(0o755)
        kernel = folder / "guest.elf"
        shutil.copy(common.guest("probe"), kernel)
        self.kernels.append(kernel)
        config = self.config({"machine": {"arch": "riscv32", "qemu": "./wrapper",
                                          "kernel": "guest.elf"}, "devices": [ID]}, f"{folder.name}/two.json")
        guest = Guest(self, *options, config=config)
        deadline = time.monotonic() + 30
        while len(self.family(kernel)) < 2:  # the script's other half takes its time
            self.assertLess(time.monotonic(), deadline)
        return guest, [os.pidfd_open(pid) for pid, name in self.family(kernel)]

    def check_end(self, guest, ends, code, patience=0):
        self.assertEqual(guest.process.wait(30), code)
        for fd in ends:
            ready, _, _ = select.select([fd], [], [], patience)
            os.close(fd)
            self.assertTrue(ready, "QEMU outlives the run")

    def test_what_a_model_starts(self):
        """The simulator behind a model, for one."""
        kernel = self.dir / "guest.elf"
        shutil.copy(common.guest("probe"), kernel)
        self.kernels.append(kernel)
        for process in "shared", "own", "inline":
            with self.subTest(process=process):
                device = {"name": "dut", "model": FAULTY, "base_addr": "0x10200000",
                          "process": process, "params": {"fault": "helper"}}
                guest = Guest(self, config=self.config({
                    "machine": {"kernel": "guest.elf"}, "devices": [device]}))
                self.assertEqual(guest.ask("w 4 10200000 1"), "=")
                helper = os.pidfd_open(self.helper(guest))
                guest.process.kill()
                ready, _, _ = select.select([helper], [], [], 30)
                os.close(helper)
                self.assertTrue(ready, "it outlives the run")
                shutil.rmtree(self.runtime)
                self.runtime.mkdir()

    def helper(self, guest):
        """Once it is another program."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for pid in common.processes(session=guest.process.pid):
                if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x00600\x00":
                    return pid
        raise AssertionError("there is none")

    def test_timeout(self):
        runs = [self.begin(wrapper, "--timeout", "4") for wrapper in self.WRAPPERS]
        for wrapper, run in zip(self.WRAPPERS, runs):
            with self.subTest(wrapper=wrapper):
                self.check_end(*run, 124)

    def test_signals(self):
        for wrapper in self.WRAPPERS:
            for number in signal.SIGTERM, signal.SIGKILL:
                with self.subTest(wrapper=wrapper, number=number):
                    guest, ends = self.begin(wrapper)
                    guest.process.send_signal(number)
                    if number == signal.SIGTERM:
                        self.check_end(guest, ends, 128 + number)
                        continue
                    self.check_end(guest, ends, -number, 30)
                    shutil.rmtree(self.runtime)  # nobody was there to remove what is in it
                    self.runtime.mkdir()


class Inherited(Faulty):
    def test_runtime_directories(self):
        """Where sockets cannot be made, they are made elsewhere, and one line says so."""
        config = self.faulty("own")  # whose process has nothing to say about it
        long = self.dir / ("d" * 90)
        long.mkdir()
        (self.dir / "tmp").mkdir()
        for value, why in ((long, "its path is too long for sockets"),
                           ("/nowhere", "No such file or directory"), (config, "it is not a directory"),
                           *([] if os.geteuid() else [("/proc/1", "belongs|denied|.")])):
            result = self.trestle("run", "-v", "--timeout", "0.3", config, env={
                **self.env, "XDG_RUNTIME_DIR": str(value), "TMPDIR": str(self.dir / "tmp")})
            self.assertEqual(result.code, 124, result)
            self.assertEqual(len(re.findall(rf"trestle: warning: XDG_RUNTIME_DIR={value} is not used: "
                                            rf"({why})", result.err)), 1, result)
            self.assertIn(f"listening at {self.dir}/tmp/trestle-", result.err)
            self.assertEqual(list((self.dir / "tmp").iterdir()), [])

    def test_ignored_signals_stay_ignored(self):
        def nohup():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            common.die_with_parent()
        guest = Guest(self, config=self.faulty(), preexec_fn=nohup)
        guest.process.send_signal(signal.SIGHUP)
        self.assertEqual(guest.ask("w 4 10300008 1"), "=")
        guest.process.send_signal(signal.SIGTERM)
        self.assertEqual(guest.end()[0], 128 + signal.SIGTERM)

    def test_closed_standard_descriptors(self):
        """Nothing else is taken for them: not a socket, not the configuration."""
        config = self.faulty()
        for closed in "0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-":
            with self.subTest(closed=closed):
                result = subprocess.run(
                    ["sh", "-c", f'exec "$@" {closed}', "sh", common.TRESTLE, "run", "--timeout",
                     "0.3", config],
                    stdin=subprocess.DEVNULL, capture_output=True, env=self.env, timeout=60)
                self.assertEqual(result.returncode, 124, result)

    def test_files_of_limited_size(self):
        """A trace that grows too large ends as on a full disk."""
        config = self.faulty()
        result = subprocess.run(
            ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", common.TRESTLE, "run", "--trace",
             "t.trace", "--timeout", "0.3", config], stdin=subprocess.DEVNULL, capture_output=True, env=self.env, timeout=60,
            cwd=self.dir)
        self.assertEqual(result.returncode, 124, result)
        self.assertIn(b"File too large", result.stderr)


if __name__ == "__main__":
    common.main()
