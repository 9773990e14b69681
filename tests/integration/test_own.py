# SPDX-License-Identifier: MIT
"""Devices in processes of their own, in one QEMU with shared ones."""
import json
import os
import pathlib
import re
import select
import shutil
import signal
import time

import common
from cli_case import Case, Guest

BASE = 0x10200000


def device(name, index, **more):
    return {"name": name, "model": "echo", "base_addr": hex(BASE + index * 0x100000), **more}


class Own(Case):
    def guest(self, *devices, args=("-v",), **machine):
        config = self.config({"machine": {"kernel": str(common.guest("probe")), **machine},
                              "devices": list(devices)})
        return Guest(self, *args, config=config)

    def write_and_read(self, guest, index, value):
        """Echo: what is written at 00 comes back at 04."""
        base = BASE + index * 0x100000
        self.assertEqual(guest.ask(f"w 4 {base:x} {value:x}"), "=")
        self.assertEqual(guest.ask(f"r 4 {base + 4:x}"), f"= {value:x}")

    def children(self, guest):
        """The pids of the run's `trestle device` processes, by device."""
        found = {}
        for pid in common.processes():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                parent = re.search(r"PPid:\s+(\d+)", status).group(1)
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == guest.process.pid and words[1:2] == ["device"]:
                found[next(w[7:] for w in words if w.startswith("--name="))] = pid
        return found

    def test_beside_a_shared_one(self):
        guest = self.guest(device("a", 0), device("b", 1, process="own"),
                           device("c", 2, process="own", posted_writes=True),
                           args=("-v", "--stats", "stats.json"))
        for index in range(3):
            self.write_and_read(guest, index, 0x100 + index)
        children = self.children(guest)
        self.assertEqual(set(children), {"b", "c"})
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, _ = guest.end()
        self.assertEqual(code, 0)
        document = json.loads((self.dir / "stats.json").read_text())
        for entry in document["devices"]:
            self.assertEqual((entry["reads"], entry["writes"], entry["errors"]), (1, 1, 0), entry)
            self.assertEqual(entry.get("restarts"), None if entry["name"] == "a" else 0)
        self.assertEqual(document["totals"]["reads"], 3)
        for pid in children.values():
            self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())

    def test_several_devices_in_one_process(self):
        """A link reaches what is in the same process; hash and statistics carry its name."""
        soc = {"process": {"name": "soc"}}
        compute = {**device("b", 1), "model": "compute", **soc}
        config = self.config({
            "machine": {"kernel": str(common.guest("two_devices")), "icount": 0},
            "devices": [device("echo_device", 0, **soc), {**compute, "name": "compute_device"}],
            "links": [{"from": "compute_device.peer", "to": "echo_device.peer", "latency": "1ns"}]})
        result = self.trestle("run", config, "--stats", "stats.json", "--trace", "run.trace")
        self.assertEqual(result.code, 0, result)
        found = re.search(r"run hash (\w{16}) of the process soc; repeatable\n", result.err)
        self.assertTrue(found, result.err)
        for entry in json.loads((self.dir / "stats.json").read_text())["devices"]:
            self.assertEqual((entry["process"], entry["restarts"], entry["run_hash"]),
                             ("soc", 0, found[1]))
            self.assertGreater(entry["reads"], 0)
        shown = self.trestle("trace", "--hash", "run.trace.soc")
        self.assertEqual(shown.out.strip(), found[1])

    def test_a_process_of_several_is_started_again_as_a_whole(self):
        soc = {"process": {"name": "soc"}}
        guest = self.guest(device("a", 0, **soc), device("b", 1, **soc), device("c", 2))
        for index in range(3):
            self.write_and_read(guest, index, 0x100 + index)
        children = self.children(guest)
        self.assertEqual(set(children), {"soc"})
        os.kill(children["soc"], signal.SIGKILL)
        guest.wait_for_log(rb"soc: its process %d ended with signal 9; another one is started\n"
                           % children["soc"])
        for index in range(2):
            while guest.ask(f"w 4 {BASE + index * 0x100000:x} 4") != "=":
                pass
            self.write_and_read(guest, index, 7)
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        self.assertEqual(guest.end()[0], 0)

    def test_what_cannot_be_one_process(self):
        def refuse(why, *devices):
            config = self.config({"devices": list(devices)})
            result = self.trestle("check", config)
            self.assertEqual(result.code, 2, result)
            self.assertIn(why, result.err)
            self.assertEqual(len(result.err.splitlines()), 1, result)
        program = {"name": "a", "base_addr": hex(BASE), "size": 4096}
        refuse("\"name\" is missing", {**program, "process": {"command": ["./sim"]}})
        refuse("is not a list of words",
               {**program, "process": {"name": "soc", "command": []}})
        (self.dir / "plain").write_text("no program\n")
        for command, why in ("nowhere", "No such file or directory"), ("plain", "Permission denied"), \
                (".", "Is a directory"):
            refuse(f"devices[0].process: cannot run {self.dir}/./{command}: {why}; build it, or name another",
                   {**program, "process": {"name": "soc", "command": [f"./{command}"]}})
        refuse("devices[0].process: cannot run nowhere-in-the-path: No such file or directory; build it, or name "
               "another", {**program, "process": {"name": "soc", "command": ["nowhere-in-the-path"]}})
        refuse("no device of soc has the command", {**program, "process": {"name": "soc"}})
        refuse("the command of soc serves this device; remove the key",
               {**program, "model": "echo", "process": {"name": "soc", "command": ["true"]}})
        refuse("\"size\" or \"model\" is missing",
               {"base_addr": hex(BASE), "process": {"name": "soc", "command": ["true"]}})
        refuse("soc has another command already",
               {**program, "process": {"name": "soc", "command": ["true"]}},
               {**program, "name": "b", "base_addr": hex(BASE + 4096),
                "process": {"name": "soc", "command": ["false"]}})
        refuse("another device of soc says \"never\"",
               device("a", 0, process={"name": "soc"}, restart="never"),
               device("b", 1, process={"name": "soc"}, restart="always"))
        refuse("a is the name of two processes",
               device("a", 0, process="own"), device("b", 1, process={"name": "a"}))
        refuse("did you mean \"own\"?", device("a", 0, process="onw"))

    def test_a_command_that_does_not_serve(self):
        broken = self.dir / "broken"
        broken.write_bytes(b"\x7fELF of nothing")
        broken.chmod(0o755)
        ended = ("devices[0]: its process ended with exit code 3 before it served; it has to call trestle::serve(), or "
                 "trestle_process_serve() of trestle/process.h")
        for command, line in (
                (["sh", "-c", "exit 3"], ended),
                # What it leaves behind has its pipe to the run still open.
                (["sh", "-c", "sleep 600 & echo $! > pid; exit 3"], ended),
                ([str(broken)], f"devices[0].process: cannot run {broken}: Exec format error; build it, or name "
                 "another")):
            config = self.config({
                "machine": {"kernel": str(common.guest("probe"))},
                "devices": [{"name": "a", "base_addr": hex(BASE), "size": 4096,
                             "process": {"name": "soc", "command": command}}]})
            result = self.trestle("run", config)
            self.assertEqual((result.code, result.out), (2, ""), result)
            self.assertRegex(result.err, rf"\A{re.escape(str(config))}:\d+: {re.escape(line)}\n\Z")
        helper = pathlib.Path(f"/proc/{(self.dir / 'pid').read_text().strip()}")
        self.assertFalse(helper.exists() and helper.joinpath("cmdline").read_bytes(), "it has outlived the run")

    def test_killed_and_started_again(self):
        guest = self.guest(device("a", 0), device("b", 1, process="own"),
                           args=("-v", "--stats", "stats.json"))
        self.write_and_read(guest, 0, 1)
        self.write_and_read(guest, 1, 2)
        victim = self.children(guest)["b"]
        os.kill(victim, signal.SIGKILL)
        guest.wait_for_log(rb"b: its process %d ended with signal 9; another one is started\n"
                           % victim)
        self.write_and_read(guest, 0, 3)  # the other one has noticed nothing
        while guest.ask(f"w 4 {BASE + 0x100000:x} 4") != "=":
            pass  # a bus error until it is back
        self.write_and_read(guest, 1, 5)
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 0, log)
        entry = json.loads((self.dir / "stats.json").read_text())["devices"][1]
        self.assertEqual(entry["restarts"], 1)

    def test_never_started_again(self):
        guest = self.guest(device("b", 0, process="own", restart="never"),
                           args=("-v", "--stats", "stats.json"), icount=0)
        self.write_and_read(guest, 0, 2)
        os.kill(self.children(guest)["b"], signal.SIGKILL)
        guest.wait_for_log(rb"signal 9; it is not started again\n")
        self.assertRegex(guest.ask(f"r 4 {BASE:x}"), "^! ")
        guest.process.stdin.write(b"q 7\n")
        guest.process.stdin.flush()
        self.assertEqual(guest.end()[0], 7)
        stats = json.loads((self.dir / "stats.json").read_text())
        self.assertIs(stats["repeatable"], False)
        self.assertIsNone(stats["devices"][0]["run_hash"])

    def test_a_model_that_cannot_be_loaded_any_more(self):
        model = self.dir / "model.so"
        shutil.copyfile(common.BUILD / "tests" / "never.so", model)
        guest = self.guest(device("b", 0, process="own", model=str(model)))
        self.assertEqual(guest.ask(f"r 4 {BASE + 4:x}"), "= 7")
        model.write_text("nonsense")
        os.kill(self.children(guest)["b"], signal.SIGKILL)
        guest.wait_for_log(rb"ended with exit code 2 \([^\n]*it is not a shared object\); another "
                           rb"one is started\n")
        guest.wait_for_log(rb"not a shared object\); it is not started again\n")
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        self.assertEqual(guest.end()[0], 0)

    def kill_again(self, guest):
        """Once it answers; true when another one is started."""
        while guest.ask(f"w 4 {BASE:x} 4") != "=":
            pass
        os.kill(self.children(guest)["b"], signal.SIGKILL)
        seen = guest.log
        log = guest.wait_for_log(rb"ended with signal 9; [^\n]*\n")[len(seen):]
        return "another one is started" in log

    def test_given_up_when_it_dies_again_and_again(self):
        guest = self.guest(device("b", 0, process="own"))
        for _ in range(10):
            self.assertTrue(self.kill_again(guest))
        born = time.monotonic()
        while time.monotonic() < born + 1.1:
            guest.ask(f"w 4 {BASE:x} 4")
        self.assertTrue(self.kill_again(guest))  # one that served for a second is another matter
        restarts = 0
        while self.kill_again(guest):
            restarts += 1
        self.assertGreaterEqual(restarts, 10)
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        self.assertEqual(guest.end()[0], 0)

    def test_a_killed_run_takes_them_along(self):
        guest = self.guest(device("b", 0, process="own"))
        self.write_and_read(guest, 0, 2)
        children = self.children(guest)
        qemu = guest.qemu_pid()
        descriptors = [os.pidfd_open(pid) for pid in [*children.values(), qemu]]
        guest.process.kill()
        for descriptor in descriptors:
            ready, _, _ = select.select([descriptor], [], [], 30)
            self.assertTrue(ready)
            os.close(descriptor)
        for path in self.runtime.rglob("*"):  # SIGKILL leaves the sockets
            if not path.is_dir():
                path.unlink()
        for path in list(self.runtime.iterdir()):
            path.rmdir()

    def test_links_do_not_reach_it(self):
        config = self.config({"devices": [device("a", 0), device("b", 1, process="own")],
                              "links": [{"from": "a.peer", "to": "b.peer", "latency": "1ns"}]})
        result = self.trestle("serve", config)
        self.assertEqual(result.code, 2, result)
        self.assertIn("b runs in a process of its own, and no link can reach it", result.err)

    def test_bad_listen_fd(self):
        self.assert_refused("trestle: --listen-fd 1 is not a descriptor; write the number of an "
                            "open listening socket, 3 or more",
                            "device", "echo", "--listen-fd", "1", "--base", "0x10200000")
        result = self.trestle("device", "echo", "--listen-fd", "9", "--base", "0x10200000")
        self.assertEqual(result.code, 2, result)
        self.assertIn("descriptor 9 is not a listening socket", result.err)

    def test_model_that_never_answers(self):
        """The time-out applies, the others go on, and the device is of use again once it has been
        reset. The same in the process of the run."""
        for more in {}, {"carrier": "socket"}, {"protocol": 1}, {"process": "own"}:
            with self.subTest(**more):
                never = {**device("never", 0, timeout_ms=200, **more),
                         "model": str(common.BUILD / "tests" / "never.so")}
                guest = self.guest(never, device("other", 1))
                self.assertEqual(guest.ask(f"r 4 {BASE:x}"), "! 5")
                log = guest.wait_for_log(rb"no answer within 200 ms [^\n]*\n")
                self.assertIn(f"trestle-qemu: device never at {BASE:#x}: no answer", log)
                self.write_and_read(guest, 1, 0x55)
                while guest.ask(f"r 4 {BASE + 4:x}") != "= 7":
                    pass
                guest.wait_for_log(rb"answers again")
                self.write_and_read(guest, 1, 0x66)
                guest.process.stdin.write(b"q 0\n")
                guest.process.stdin.flush()
                self.assertEqual(guest.end()[0], 0)


if __name__ == "__main__":
    common.main()
