# SPDX-License-Identifier: MIT
"""SystemC models as devices: what trestle/systemc.h promises, with the real QEMU."""
import json
import os
import pathlib
import re
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import cli_case  # noqa: E402
import common  # noqa: E402

MODELS = common.BUILD / "tests" / "systemc"
EXAMPLE = common.SOURCE / "examples" / "13-systemc"
BASE = 0x10200000
RAM = 0x80400000
(SCRATCH, THROW, INCOMPLETE, ADDRESS_ERROR, WAIT, ENABLES, STREAM, METHOD, METHOD_STATUS, STOP, FAIL,
 WARN, NOW, RESETS, READ_MEMORY, PULSE, DMI, DEBUG, ANNOTATE, THROW_INT, IGNORE,
 RING, REPORT_ERROR, REPORT_INFO, FORGOTTEN, WAIT_NS, REPORT_FATAL, FATAL_LATER, ANNOTATE_MAX,
 WAIT_MAX) = range(0, 0x78, 4)
SIZE = 0x78


class SystemCCase(cli_case.Case):
    def moody(self, model="moody", icount=None, **device):
        machine = {"kernel": str(common.guest("probe")), "args": ["-m", "64M"]}
        if icount is not None:
            machine["icount"] = icount
        return self.config({"machine": machine, "devices": [
            {"name": "moody", "model": str(MODELS / f"{model}.so"), "base_addr": hex(BASE),
             **device}]})

    def guest(self, *args, **kwargs):
        return cli_case.Guest(self, "-v", *args, config=self.moody(**kwargs))

    def read(self, guest, register):
        answer = guest.ask(f"r 4 {BASE + register:x}")
        return int(answer[2:], 16) if answer.startswith("= ") else answer

    def write(self, guest, register, value=0):
        return guest.ask(f"w 4 {BASE + register:x} {value:x}")

    def children(self, guest, program=""):
        """The processes that the run has started, or those of a program."""
        pid = guest.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children
                if program in pathlib.Path(f"/proc/{child}/cmdline").read_text()]

    def quit(self, guest):
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 0, log)
        return log


class Example(SystemCCase):
    def test_stopwatch_is_exact_and_repeatable_in_any_process(self):
        document = json.loads((EXAMPLE / "stopwatch.json").read_text())
        document["machine"]["kernel"] = str(common.guest("stopwatch", "riscv64"))
        document["devices"][0]["model"] = str(MODELS / "stopwatch.so")
        hashes = set()
        for process in "shared", "shared", "own", "inline":
            document["devices"][0]["process"] = process
            run = self.trestle("run", self.config(document), "--trace", "run.trace")
            self.assertEqual(run.code, 0, run)
            self.assertIn("stopwatch: 20 passed, 0 failed", run.out)
            hashes.add(re.search(r"run hash (\w+).*; repeatable", run.err)[1])
        self.assertEqual(len(hashes), 1, hashes)
        self.assertIn("watch", self.trestle("trace", "run.trace").out)

    def test_a_simulator_with_a_main_of_its_own_does_the_same(self):
        hashes = set()
        for name, built in ("stopwatch", "stopwatch.so"), ("soc", "soc"), ("soc", "soc"):
            text = (EXAMPLE / f"{name}.json").read_text()
            text = text.replace(f"./{built}", str(MODELS / built))
            text = text.replace("../../build/", f"{common.BUILD}/")
            run = self.trestle("run", self.config(text), "--trace", "run.trace")
            self.assertEqual(run.code, 0, run)
            self.assertIn("stopwatch: 20 passed, 0 failed", run.out)
            hashes.add(re.search(r"run hash (\w+)", run.err)[1])
        self.assertEqual(len(hashes), 1, hashes)
        self.assertIn("of the process soc; repeatable", run.err)
        self.assertEqual(self.trestle("trace", "--hash", "run.trace.soc").out.strip(), *hashes)

    def test_the_commands_of_its_readme(self):
        readme = (EXAMPLE / "README.md").read_text()
        before, block = "\n".join(re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)).split("\n", 1)
        self.assertEqual(before, "make build")  # what these tests need of it is there
        tree = self.dir / "tree"
        tree.mkdir()
        for path in common.SOURCE.iterdir():
            if not path.name.startswith(("build", ".git")):
                (tree / path.name).symlink_to(path)
        (tree / "build").symlink_to(common.BUILD)
        result = common.run(["bash", "-c", "set -eux\n" + block], cwd=tree, timeout=200,
                            env={**self.env, "MAKEFLAGS": "", "MESON_ARGS": ""})
        self.assertEqual(result.code, 0, result)
        self.assertEqual(result.out.count("stopwatch: 20 passed, 0 failed"), 2, result)


class Answers(SystemCCase):
    def test_registers(self):
        guest = self.guest()
        self.assertEqual(self.write(guest, SCRATCH, 0xabc), "=")
        self.assertEqual(self.read(guest, SCRATCH), 0xabc)
        self.quit(guest)

    def test_what_the_constructor_forgets_is_0(self):
        self.env["MALLOC_PERTURB_"] = "165"
        guest = self.guest()
        self.assertEqual(self.read(guest, FORGOTTEN), 0)
        self.quit(guest)

    def test_a_width_that_the_model_does_not_understand(self):
        guest = self.guest()
        self.assertIn("!", guest.ask(f"w 2 {BASE:x} 7"))
        self.assertEqual(guest.ask(f"w 1 {BASE:x} 7"), "=")
        self.assertIn("write of 2 bytes at offset 0x0", self.quit(guest))

    def test_an_exception_is_a_bus_error_that_names_it(self):
        guest = self.guest()
        self.assertIn("!", self.read(guest, THROW))
        self.assertEqual(self.read(guest, SCRATCH), 0)  # and the model lives on
        self.assertIn("moody: the model threw a fit of temper\n", self.quit(guest))

    def test_what_is_thrown_may_be_anything(self):
        guest = self.guest()
        self.assertIn("!", self.read(guest, THROW_INT))
        self.assertEqual(self.read(guest, SCRATCH), 0)
        self.assertIn("moody: something was thrown that is no std::exception\n", self.quit(guest))

    def test_no_response_status_counts_as_ok_with_one_warning(self):
        guest = self.guest()
        self.assertEqual(self.read(guest, INCOMPLETE), 0x1234)
        self.assertEqual(self.read(guest, INCOMPLETE), 0x1234)
        self.assertEqual(self.quit(guest).count("sets no response status"), 1)

    def test_an_error_response_is_a_bus_error(self):
        guest = self.guest()
        self.assertIn("!", self.read(guest, ADDRESS_ERROR))
        self.assertIn("read of 4 bytes at offset 0xc refused: the device has nothing at this address",
                      self.quit(guest))

    def test_reports_go_to_the_log(self):
        guest = self.guest()
        self.assertEqual(self.read(guest, WARN), 0)
        self.assertEqual(self.read(guest, REPORT_INFO), 0)
        self.assertIn("!", self.read(guest, REPORT_ERROR))
        self.assertEqual(self.read(guest, SCRATCH), 0)  # and the model lives on
        log = self.quit(guest)
        self.assertIn("trestle: warning: moody: moody: something is odd\n", log)
        self.assertRegex(log, r"(?m)^moody: moody: all is well$")
        self.assertRegex(log, r"moody: the model threw Error: moody: nothing is right")


class Time(SystemCCase):
    def test_waiting_in_b_transport_takes_guest_time(self):
        guest = self.guest(icount=0)
        self.write(guest, SCRATCH, 500)  # us
        before = self.read(guest, NOW)
        self.assertEqual(self.read(guest, WAIT), 7)
        self.assertGreaterEqual(self.read(guest, NOW) - before, 500000)
        self.assertIn("repeatable", self.quit(guest))

    def test_an_annotated_delay_takes_guest_time(self):
        guest = self.guest(icount=0)
        self.write(guest, SCRATCH, 500)  # us
        before = self.read(guest, NOW)
        self.assertEqual(self.read(guest, ANNOTATE), 9)
        self.assertGreaterEqual(self.read(guest, NOW) - before, 500000)
        self.quit(guest)

    def test_what_is_beyond_the_end_of_time(self):
        guest = self.guest(icount=0)
        self.assertIn("!", self.write(guest, ANNOTATE_MAX))
        self.write(guest, SCRATCH, 1)
        self.assertEqual(self.read(guest, WAIT), 7)
        self.assertEqual(self.write(guest, WAIT_MAX), "=")  # SystemC's time has no room for it
        log = self.quit(guest)
        self.assertIn("moody: the model annotates a delay beyond the end of SystemC's time\n", log)
        self.assertNotIn("again and again", log)

    def test_other_resolutions(self):
        """Of a model with 64 bits, whose registers are not at 0 for it: a nanosecond, and a femtosecond."""
        for more in {}, {"MOODY_FS": "1"}:
            self.env.update(more)
            guest = self.guest(model="moody_ns", icount=0)
            self.write(guest, SCRATCH, 500)
            before = self.read(guest, NOW)
            self.assertEqual(self.read(guest, WAIT), 7)
            self.assertGreaterEqual(self.read(guest, NOW) - before, 500000)
            self.quit(guest)
        self.assertEqual(self.after(True, RING, 777, model="moody_ns"), [(777000, "irq 1 up")])

    def test_a_clock_that_runs_freely_is_named_with_its_remedy(self):
        guest = self.guest(icount=0, params={"clock_ns": 10}, timeout_ms=0)
        guest.ask("s 64")  # 100 us: 20,000 events, each of which QEMU hears of
        self.assertIn("set the parameter quantum", self.quit(guest))

    def test_quantum(self):
        guest = self.guest(icount=0, params={"clock_ns": 10, "quantum": "10us"})
        guest.ask("s 7d0")
        before = self.read(guest, NOW)
        self.write(guest, SCRATCH, 500)
        self.read(guest, WAIT)
        self.assertGreaterEqual(self.read(guest, NOW) - before, 500000)
        self.assertNotIn("quantum", self.quit(guest))


    def after(self, write, register, value=0, **device):
        """What happens after an access, in ps from its time on."""
        guest = self.guest("--trace", "t", icount=0, **device)
        guest.ask("s 64")
        (self.write(guest, register, value) if write else self.read(guest, register))
        guest.ask("s 64")
        self.assertIn("repeatable", self.quit(guest))
        lines = [(int(ns) * 1000 + int(ps), what) for ns, ps, what in re.findall(
            r"(?m)^ *(\d+)\.(\d{3}) .* moody  +(.*)$", self.trestle("trace", "t").out)]
        first = next(i for i, (_, what) in enumerate(lines) if re.match("read|write", what))
        return [(time - lines[first][0], what) for time, what in lines[first + 1:]]

    def test_interrupts_by_a_call_are_exact(self):
        self.assertEqual(self.after(True, RING, 777), [(777000, "irq 1 up")])
        self.assertEqual(self.after(True, PULSE, 1)[:2], [(0, "irq 1 up"), (0, "irq 1 down")])

    def test_interrupts_are_a_quantum_late_at_most(self):
        (late, what), = self.after(True, RING, 777, params={"quantum": "10us"})
        self.assertEqual(what, "irq 1 up")
        self.assertTrue(777000 < late <= 10000000, late)


    def test_a_quantum_does_not_delay_an_answer(self):
        for quantum in "0ns", "10us":
            (took, what), = self.after(False, WAIT_NS, params={"clock_ns": 10, "quantum": quantum})
            self.assertEqual((took, what), (300000, "answered read  4  0x64  0x7"))


class Memory(SystemCCase):
    def word(self, guest, addr):
        return int(guest.ask(f"r 4 {addr:x}")[2:], 16)

    def test_byte_enables(self):
        guest = self.guest()
        for offset in 0, 4:
            guest.ask(f"w 4 {RAM + offset:x} ffffffff")
        self.assertEqual(self.write(guest, ENABLES, RAM), "=")
        self.assertEqual(self.word(guest, RAM), 0x04ffff01)
        self.assertEqual(self.word(guest, RAM + 4), 0x08ffff05)
        self.quit(guest)

    def test_streaming_width(self):
        guest = self.guest()
        guest.ask(f"w 4 {RAM + 4:x} ffffffff")
        self.assertEqual(self.write(guest, STREAM, RAM), "=")
        self.assertEqual(self.word(guest, RAM), 0x08070605)
        self.assertEqual(self.word(guest, RAM + 4), 0xffffffff)
        self.quit(guest)

    def test_reading_without_a_streaming_width(self):
        guest = self.guest()
        guest.ask(f"w 4 {RAM:x} 12345678")
        self.write(guest, SCRATCH, RAM)
        self.assertEqual(self.read(guest, READ_MEMORY), 0x12345678)
        self.assertIn("streaming width of 0", self.quit(guest))

    def test_an_address_without_memory_is_an_address_error(self):
        guest = self.guest()
        self.assertIn("!", self.write(guest, STREAM, 0x10))
        self.quit(guest)

    def test_a_method_does_not_wait_for_memory(self):
        guest = self.guest()
        guest.ask(f"w 4 {RAM:x} ffffffff")
        self.assertEqual(self.write(guest, METHOD, RAM), "=")
        self.assertEqual(self.read(guest, METHOD_STATUS), 0xffffffff)  # TLM_OK_RESPONSE
        self.assertEqual(self.word(guest, RAM), 0xffffff00)
        self.write(guest, METHOD, 0x10)
        self.assertEqual(self.read(guest, METHOD_STATUS), 2)  # TLM_ADDRESS_ERROR_RESPONSE
        self.quit(guest)

    def test_transport_dbg(self):
        """Of guest memory, in no time; elsewhere there is nothing."""
        guest = self.guest()
        guest.ask(f"w 4 {RAM:x} 12345678")
        self.write(guest, SCRATCH, RAM)
        self.assertEqual(self.read(guest, DEBUG), 0x12345678)
        self.write(guest, SCRATCH, 0x10)
        self.assertEqual(self.read(guest, DEBUG), 0xffffffff)
        self.quit(guest)

    def test_no_dmi(self):
        guest = self.guest()
        self.assertEqual(self.read(guest, DMI), 0)
        self.assertEqual(self.read(guest, SCRATCH), 0)
        self.quit(guest)

    def test_a_transfer_that_is_none(self):
        guest = self.guest()
        self.assertEqual(self.write(guest, IGNORE), "=")
        self.quit(guest)


class Ends(SystemCCase):
    def check_dead(self, register, why):
        guest = self.guest()
        self.write(guest, register)
        for _ in range(3):
            self.assertIn("!", self.read(guest, SCRATCH))
        log = self.quit(guest)
        self.assertEqual(log.count("the SystemC kernel has stopped: " + why), 1, log)

    def test_sc_stop(self):
        self.check_dead(STOP, "the model called sc_stop()")

    def test_an_error_of_a_thread(self):
        self.check_dead(FAIL, "Error: moody: a thread of its own gave up")

    def test_an_error_while_the_guest_waits(self):
        """It is not left to wait."""
        guest = self.guest(icount=0)
        self.write(guest, SCRATCH, 500)
        self.write(guest, FAIL, 100000)  # ns
        self.assertIn("!", self.read(guest, WAIT))
        log = self.quit(guest)
        self.assertNotIn("no answer within", log)
        self.assertIn("repeatable", log)

    def test_end_of_simulation(self):
        for process in "shared", "own", "inline":
            with self.subTest(process=process):
                guest = self.guest(process=process)
                self.assertRegex(self.quit(guest), r"(?m)^moody: moody: good bye$")
                guest = self.guest(process=process, params={"clock_ns": 16, "quantum": "1ms"})
                guest.process.stdin.write(b"q 0\n")
                guest.process.stdin.flush()
                code, log = guest.end()
                self.assertEqual(code, 1, log)
                self.assertRegex(log, "trestle: error: moody: the end of the simulation has failed: Error: moody: the "
                                      r"results are wrong \(\S*moody.cc:\d+\)\n")

    def test_what_is_fatal_ends_the_run(self):
        """As an abort() does, and the log has the model's words."""
        for process in "shared", "inline":
            for register, callback, words in (
                    (REPORT_FATAL, "write", r"the end of the world \(\S*moody.cc:\d+, in moody.guest.serve\)"),
                    (FATAL_LATER, "wake", r"the end of its thread \(\S*moody.cc:\d+, in moody.fail\)")):
                with self.subTest(process=process, callback=callback):
                    guest = self.guest(process=process, icount=0)
                    children = self.children(guest)
                    self.assertNotEqual(children, [])
                    guest.process.stdin.write(f"w 4 {BASE + register:x} 64\ns 64\n".encode())
                    guest.process.stdin.flush()
                    code, log = guest.end()
                    self.assertEqual(code, -signal.SIGABRT if process == "shared" else 128 + signal.SIGABRT, log)
                    self.assertEqual(len(re.findall("trestle: error: moody: the model reports a fatal error: moody: "
                                                    f"{words}\n", log)), 1, log)
                    self.assertIn(f"trestle: error: moody: its {callback}()", log)
                    self.assertRegex(log, r"(?m)^moody +0x10200000 ")
                    self.assertEqual([pid for pid in children if pathlib.Path(f"/proc/{pid}").exists()], [])

    def test_a_module_that_cannot_be_made(self):
        for clock_ns, why in ((13, "13 ns are unlucky"), (14, "something was thrown that is no std::exception"),
                              (15, r"Fatal: moody: 15 ns are forbidden \(\S*moody.cc:\d+\)"),
                              (18, r"moody.guest.irq has (\d) lines, and no line \1; "
                                   "set irqs in its trestle::device_options")):
            result = self.trestle("run", self.moody(params={"clock_ns": clock_ns}))
            self.assertEqual((result.code, result.out), (2, ""), result)
            self.assertRegex(result.err, r"\A\S+: devices\[0\]: model 'moody' did not start: the SystemC module "
                                         rf"cannot be made: {why}\n\Z")

    def test_a_port_that_is_not_bound(self):
        result = self.trestle("run", self.moody(params={"clock_ns": 17}))
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, r"device 'moody': model 'moody' did not start: .*not bound.*"
                                     r"moody.unbound")
        self.assertEqual(len(result.err.splitlines()), 1, result)

    def test_a_reset_of_the_guest_ends_an_access_and_pulses_reset(self):
        monitor_path = self.dir / "monitor"
        guest = cli_case.Guest(self, "-v", "--", "-qmp", f"unix:{monitor_path},server=on,wait=off",
                               config=self.moody())
        self.assertEqual(self.read(guest, RESETS), 1)  # the one at the start
        monitor = common.Monitor(monitor_path)
        monitor.command("system_reset")
        monitor.close()
        cli_case.read_until(guest.process.stdout, rb"probe\n")
        self.assertEqual(self.read(guest, RESETS), 2)
        self.quit(guest)


class Simulator(SystemCCase):
    """A program with a main of its own, which serves two devices."""

    def soc(self, *arguments, names=("moody", "other"), icount=None, program="moody_soc", command=None, **more):
        machine = {"kernel": str(common.guest("probe"))}
        if icount is not None:
            machine["icount"] = icount
        process = {"name": "soc", "command": command or [str(MODELS / program), *arguments]}
        return self.config({"machine": machine, "devices": [
            {"name": name, "base_addr": hex(BASE + 0x1000 * i), "size": SIZE, "process": process,
             **more} for i, name in enumerate(names)]})

    def guest(self, *args, **kwargs):
        return cli_case.Guest(self, "-v", *args, config=self.soc(**kwargs))

    def test_both_devices(self):
        guest = self.guest()
        for device in 0, 0x1000:
            self.assertEqual(self.write(guest, device + SCRATCH, 0xabc + device), "=")
        for device in 0, 0x1000:
            self.assertEqual(self.read(guest, device + SCRATCH), 0xabc + device)
        self.read(guest, 0x1000 + WARN)
        self.assertIn("moody: something is odd\n", self.quit(guest))

    def test_beside_a_loadable_one(self):
        """Whose kernel is another one, in the run's process."""
        model = {"model": str(MODELS / "moody.so"), "size": SIZE}
        config = json.loads(self.soc(names=("moody",)).read_text())
        for i, process in (1, "shared"), (2, "own"):
            config["devices"].append({**model, "name": process, "process": process,
                                      "base_addr": hex(BASE + 0x1000 * i)})
        guest = cli_case.Guest(self, "-v", config=self.config(config))
        for i in range(3):
            self.assertEqual(self.write(guest, 0x1000 * i + SCRATCH, i), "=")
        self.write(guest, 0x2000 + STOP)
        for i in range(2):
            self.assertEqual(self.read(guest, 0x1000 * i + SCRATCH), i)
        self.assertIn("!", self.read(guest, 0x2000 + SCRATCH))
        self.quit(guest)

    def test_end_of_simulation(self):
        self.assertEqual(self.quit(self.guest()).count("moody: moody: good bye\n"), 2)

    def test_guest_memory(self):
        guest = self.guest()
        self.assertEqual(self.write(guest, STREAM, RAM), "=")
        self.assertEqual(guest.ask(f"r 4 {RAM:x}"), "= 8070605")
        self.quit(guest)

    def test_time_before_the_guest(self):
        """A simulation that has run goes on from there; the guest's time begins at 0 all the same."""
        for arguments, begun, more in ([], 0, {}), (["500"], 500000, {}), \
                ([], 0, {"params": {"quantum": "10us"}}):
            guest = cli_case.Guest(self, "-v", config=self.soc(*arguments, icount=0, **more))
            self.write(guest, SCRATCH, 500)
            before = self.read(guest, NOW)
            self.assertGreaterEqual(before, begun)
            self.assertEqual(self.read(guest, WAIT), 7)
            self.assertGreaterEqual(self.read(guest, NOW) - before, 500000)
            self.quit(guest)

    def test_what_is_fatal_ends_its_process_only(self):
        """As an abort() does; the guest goes on, with another process."""
        guest = self.guest()
        before = self.children(guest, "moody_soc")
        self.assertIn("!", self.write(guest, REPORT_FATAL))
        log = guest.wait_for_log(rb"soc: its process \d+ ended with signal 6; another one is started\n")
        self.assertEqual(len(re.findall(r"trestle: error: moody: the model reports a fatal error: moody: the end of the "
                                        r"world \(\S*moody.cc:\d+, in moody.guest.serve\)\n", log)), 1, log)
        while self.write(guest, SCRATCH, 2) != "=":
            pass
        self.assertEqual(self.read(guest, 0x1000 + SCRATCH), 0)
        self.assertTrue(set(before).isdisjoint(self.children(guest, "moody_soc")))
        after = self.children(guest)
        self.quit(guest)
        self.assertEqual([pid for pid in after if pathlib.Path(f"/proc/{pid}").exists()], [])

    def test_what_comes_after_the_run(self):
        """Of a program that fails then, or does not end."""
        for after, code, line in (("exit 9", 1, "trestle: error: soc: its process ended with exit code 9 after the run"),
                                  ("exec sleep 600", 0, "trestle: warning: soc: its process did not end within 2000 ms "
                                   "of the run, and was killed")):
            with self.subTest(after=after):
                guest = self.guest(command=["sh", "-c", f'"$0"; {after}', str(MODELS / "moody_soc")])
                guest.process.stdin.write(f"w 4 {BASE:x} 1\nq 0\n".encode())
                guest.process.stdin.flush()
                got, log = guest.end()
                self.assertEqual(got, code, log)
                self.assertEqual(log.count(line + "\n"), 1, log)
                self.assertRegex(log, r"(?m)^moody +0x10200000 +0 +1 ")

    def test_killed_and_started_again(self):
        guest = self.guest()
        self.write(guest, SCRATCH, 1)
        children = self.children(guest, "moody_soc")
        self.assertEqual(len(children), 1, children)
        os.kill(children[0], signal.SIGKILL)
        guest.wait_for_log(rb"soc: its process \d+ ended with signal 9; another one is started\n")
        while self.write(guest, SCRATCH, 2) != "=":
            pass
        self.assertEqual(self.read(guest, SCRATCH), 2)
        self.quit(guest)

    def test_reload(self):
        """Another process of the simulator, while the guest goes on; and one that never serves."""
        control, stuck = self.dir / "ctl", self.dir / "stuck"
        document = json.loads(self.soc().read_text())
        for device in document["devices"]:
            device["process"]["command"] = ["sh", "-c", 'test -e "$0" && exec sleep 1000; exec "$1"',
                                            str(stuck), str(MODELS / "moody_soc")]
        guest = cli_case.Guest(self, "-v", "--control", control, config=self.config(document))
        self.write(guest, SCRATCH, 1)
        stuck.touch()
        result = self.trestle("poke", "--attach", control, "-c", "reload other")
        self.assertEqual((result.code, result.err), (
            1, "trestle: -c: other goes on as it was: a new process did not serve within 700 ms\n"))
        self.assertEqual(self.read(guest, SCRATCH), 1)
        stuck.unlink()
        result = self.trestle("poke", "--attach", control, "-c", "reload other")
        self.assertEqual((result.code, result.err), (0, ""), result)
        while self.read(guest, SCRATCH) != 0:
            pass
        self.assertEqual(self.write(guest, 0x1000 + SCRATCH, 2), "=")
        self.assertIn("soc: reloaded; its process is ", self.quit(guest))

    def test_sc_stop(self):
        guest = self.guest()
        self.write(guest, STOP)
        for device in 0, 0x1000, 0:
            self.assertIn("!", self.read(guest, device + SCRATCH))
        log = self.quit(guest)
        self.assertEqual(log.count("the SystemC kernel has stopped: the model called sc_stop()"), 1)

    def refused(self, why, **kwargs):
        result = self.trestle("run", self.soc(**kwargs))
        self.assertEqual(result.code, 2, result)
        lines = [line for line in result.err.splitlines() if "trestle" in line or "soc" in line]
        self.assertEqual(len(lines), 1, result)
        self.assertIn(why, lines[0])

    def test_what_the_simulator_has_not(self):
        self.refused("devices[0]: the simulator has no trestle::device called a; it has moody, other",
                     names=("a",))
        self.refused("speed", names=("moody",), params={"speed": 3})

    def test_without_a_run(self):
        result = common.run([MODELS / "moody_soc"], cwd=self.dir, timeout=20, env=self.env)
        self.assertEqual(result.code, 2, result)
        self.assertIn("trestle: no run has started this program", result.err)


if __name__ == "__main__":
    common.main()
