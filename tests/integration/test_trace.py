# SPDX-License-Identifier: MIT
"""Traces and hashes of runs of a real guest, and what can be made of them."""
import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import common

EXAMPLES = common.SOURCE / "examples"


def trestle(*args, **kwargs):
    return common.run([common.TRESTLE, *args], **kwargs)


class Recorded(common.TestCase):
    def run_traced(self, config, **changes):
        """Runs a configuration with --trace; returns the trace's path and the statistics."""
        config = json.loads(config.read_text())
        config["machine"].update(changes)
        kernel = EXAMPLES / "x" / config["machine"]["kernel"].split("/")[-1]
        config["machine"]["kernel"] = str(common.BUILD / "firmware" / kernel.name)
        path = self.dir / "config.json"
        path.write_text(json.dumps(config))
        trace, stats = self.dir / "run.trace", self.dir / "stats.json"
        self.result = trestle("run", path, "--trace", trace, "--stats", stats, "--timeout", 60)
        self.assertEqual(self.result.code, 0, self.result)
        return trace, json.loads(stats.read_text())


class Traces(Recorded):
    def test_repeatable_runs(self):
        """Two give one hash, the trace gives it too, and so does a run without one."""
        common.guest("interrupts", "riscv64")
        exact = EXAMPLES / "04-interrupts" / "exact.json"
        hashes = set()
        for _ in range(2):
            trace, stats = self.run_traced(exact)
            self.assertIs(stats["repeatable"], True)
            self.assertIn(f"\nrun hash {stats['run_hash']}; repeatable\n", self.result.err)
            self.assertIs(stats["trace"]["whole"], True)
            self.assertEqual(stats["trace"]["bytes"], trace.stat().st_size)
            hashes |= {stats["run_hash"], trestle("trace", trace, "--hash").out.strip()}
        alone = self.dir / "alone.json"
        result = trestle("run", self.dir / "config.json", "--stats", alone, "--timeout", 60)
        self.assertEqual(result.code, 0, result)
        hashes.add(json.loads(alone.read_text())["run_hash"])
        self.assertEqual(len(hashes), 1, hashes)
        _, stats = self.run_traced(exact, icount=1, args=["-append", "icount=1"])
        self.assertNotIn(stats["run_hash"], hashes)

    def test_interrupts_after_the_last_access(self):
        """They count, up to the guest's end. QEMU runs on for a while that the host chooses, and what
        would come then does not."""
        def run(period):
            config = self.dir / "restless.json"
            config.write_text(json.dumps({
                "machine": {"arch": "riscv64", "icount": 0,
                            "kernel": str(common.guest("two_devices", "riscv64"))},
                "devices": [{"model": "echo", "base_addr": "0x10200000"},
                            {"model": "compute", "base_addr": "0x10300000"},
                            {"model": str(common.BUILD / "tests" / "restless.so"), "irq": 40,
                             "base_addr": "0x10400000", "params": {"period": period}}],
                "links": [{"from": "device0.peer", "to": "device1.peer", "latency": "1ns"}]}))
            result = trestle("run", config, "--trace", self.dir / "restless.trace", "--timeout", 60)
            self.assertEqual(result.code, 0, result)
            return re.search(r"run hash (\w+); repeatable", result.err)[1]

        hashes = [run("130ns") for _ in range(4)]
        self.assertEqual(len(set(hashes)), 1, hashes)
        self.assertEqual(trestle("trace", "--hash", self.dir / "restless.trace").out.strip(),
                         hashes[0])
        self.assertRegex(trestle("trace", self.dir / "restless.trace").out, r"device2  irq .*\n\Z")
        self.assertNotEqual(run("131ns"), hashes[0])

    def test_a_model_that_needs_icount(self):
        config = self.dir / "restless.json"
        config.write_text(json.dumps({
            "machine": {"arch": "riscv64", "kernel": str(common.guest("probe", "riscv64"))},
            "devices": [{"model": str(common.BUILD / "tests" / "restless.so"),
                         "base_addr": "0x10200000"}]}))
        for command in "check", "run", "qemu-args":
            result = trestle(command, config)
            self.assertEqual(result.code, 2, result)
            self.assertRegex(result.err, r'\A.*devices\[0\].model: restless only works in the guest.s '
                             r'exact time; add "icount": 0 to "machine"\n\Z')

    def test_four_devices_at_once(self):
        """Interrupts, DMA, a link: several runs side by side give one hash."""
        self.check_repeats(EXAMPLES / "07-repeatable" / "repeatable.json", "mixed", 3)

    def test_repeats_while_the_main_loop_is_busy(self):
        """QEMU's monitor is read in the loop that also lets guest time leap over a sleep: each key
        is a chance for it to do so too early (plugin/qemu/warp.c)."""
        self.check_repeats(EXAMPLES / "04-interrupts" / "exact.json", "interrupts", 66,
                           "-append", "icount=0 repeat=4", press_keys=True)

    def check_repeats(self, config, guest, checks, *args, press_keys=False):
        """A host that has no time for a device for a second would have the guest go on without it."""
        kernel, hashes = common.guest(guest, "riscv64"), set()
        patient = json.loads(config.read_text())
        for device in patient["devices"]:
            device["timeout_ms"] = 0
        config = self.dir / "patient.json"
        config.write_text(json.dumps(patient))
        stats = [self.dir / f"stats{i}" for i in range(8)]
        runs = []
        for path in stats:
            monitor = ["-monitor", f"unix:{self.monitor_with_keys()}"] if press_keys else []
            runs.append(self.start([common.TRESTLE, "run", "--stats", path, "--timeout", 120,
                                    "--kernel", kernel, config, "--", *args, *monitor],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        for run in runs:
            out, err = run.communicate(timeout=140)
            self.assertIn(f"{guest}: {checks} passed, 0 failed".encode(), out)
            self.assertEqual(run.returncode, 0)
            hashes.add(re.search(r"^run hash .*$", err.decode(), re.M)[0])
        self.assertEqual(len(hashes), 1, hashes)

    def monitor_with_keys(self):
        """A socket for QEMU's monitor, which is told to print a prompt as soon as it has."""
        path = self.dir / f"monitor{len(list(self.dir.glob('monitor*')))}"
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        listener.listen(1)

        def press_return():
            monitor, _ = listener.accept()
            with monitor, contextlib.suppress(OSError):
                while monitor.recv(4096):
                    monitor.sendall(b"\n")

        threading.Thread(target=press_return, daemon=True).start()
        return path

    def test_free_running(self):
        """Says that it does not repeat. Its trace has what the statistics count."""
        common.guest("two_devices")
        trace, stats = self.run_traced(EXAMPLES / "01-two-devices" / "two_devices.json")
        self.assertIs(stats["repeatable"], False)
        self.assertRegex(self.result.err, r"\nrun hash [0-9a-f]{16}; not repeatable: without "
                                          r"machine\.icount the guest's time follows .*\n")
        self.assertEqual(stats["run_hash"], trestle("trace", "--hash", trace).out.strip())
        lines = trestle("trace", trace).out.splitlines()
        for device in stats["devices"]:
            own = trestle("trace", trace, "--device", device["name"]).out.splitlines()
            self.assertEqual(own[1:], [line for line in lines if f" {device['name']} " in line])
            accesses = [line for line in own if " read " in line or " write " in line]
            failed = [line for line in accesses if " error " in line]
            self.assertEqual(len(failed), device["errors"])
            self.assertEqual(len([line for line in accesses if " read " in line
                                  and line not in failed]), device["reads"])
        self.assertRegex("\n".join(lines), r"(?m)^ +\d+\.000 +\d+\.000  echo_device     write 4  "
                                           r"0x00 DATA_IN  0xcafebabe$")
        result = trestle("run", self.dir / "config.json", "--timeout", 60)
        self.assertIn("\nno run hash; not repeatable: without machine.icount ", result.err)

    def test_protocol_1(self):
        """Carries no time: the guest's is not known, and icount does not make it repeatable."""
        common.guest("two_devices")
        config = json.loads((EXAMPLES / "01-two-devices" / "two_devices.json").read_text())
        for device in config["devices"]:
            device["protocol"] = 1
        path = self.dir / "v1.json"
        path.write_text(json.dumps(config))
        trace, stats = self.run_traced(path)
        self.assertIs(stats["repeatable"], False)
        first = trestle("trace", trace).out.splitlines()[1]
        self.assertRegex(first, r"^ +\d+\.\d{3} +-  echo_device ")

    def test_interrupts_are_exact(self):
        """The trace has each at the nanosecond for which it was asked, on both clocks; by its cycle
        counter the guest takes it there, or at the first instruction after that."""
        common.guest("interrupts", "riscv64")
        for shift in 0, 4:
            with self.subTest(shift=shift):
                trace, _ = self.run_traced(EXAMPLES / "04-interrupts" / "exact.json", icount=shift,
                                           args=["-append", f"icount={shift}"])
                taken = re.findall(r"(?m)^taken (\d+) ns after (\d+)$", self.result.out)
                self.assertEqual(len(taken), 50)
                self.assertEqual([late for late, _ in taken if int(late) >= 1 << shift], [])
                raised = re.findall(r"(?m)^ +(\d+)\.000 +\1\.000  alone      irq 0 up$",
                                    trestle("trace", trace).out)
                self.assertEqual(raised[-50:], [when for _, when in taken])

    def test_stall(self):
        """Each answer that comes 500 ns later puts the engine as far ahead of the guest, whose time
        stands meanwhile: on each carrier, in the process of the run and in one of its own."""
        common.guest("four_devices")
        for more in {}, {"carrier": "socket"}, {"process": "own"}, \
                {"process": "own", "carrier": "socket"}:
            with self.subTest(**more):
                self.check_stall(more)

    def check_stall(self, more):
        path = self.dir / "slow.json"
        config = json.loads((EXAMPLES / "02-four-devices" / "four_devices.json").read_text())
        config["devices"][0].update(more, params={"access_latency": 500})
        path.write_text(json.dumps(config))
        trace, stats = self.run_traced(path, icount=0)
        if "process" in more:
            trace = f"{trace}.echo0"
        times = re.compile(r" *(\d+)\.000 +(\d+)\.000  echo0 +(read|write|answered) .*")
        stall, answers, previous = 0, 0, None
        for line in trestle("trace", trace, "--device", "echo0").out.splitlines():
            match = times.fullmatch(line)
            if not match:
                continue
            engine, guest, is_answer = int(match[1]), int(match[2]), match[3] == "answered"
            if is_answer:
                stall += 500
                answers += 1
                self.assertEqual((engine, guest), (previous[0] + 500, previous[1]), line)
            self.assertEqual(engine - guest, stall, line)
            previous = engine, guest
        echo = stats["devices"][0]
        self.assertEqual(answers, echo["reads"] + echo["writes"])
        self.assertGreater(answers, 0)
        self.assertIs(stats["repeatable"], True)

    def test_dma(self):
        """Its bytes are in the trace."""
        common.guest("dma")
        trace, _ = self.run_traced(EXAMPLES / "05-dma" / "dma.json")
        out = trestle("trace", trace).out
        self.assertRegex(out, r"(?m)dma 0 reads  0x[0-9a-f]+  7 bytes\n.* moves  7 bytes:"
                              r"(?P<data>( [0-9a-f]{2}){7})\n.* dma 0 done\n.* dma 0 writes  "
                              r"0x[0-9a-f]+  7 bytes\n.* moves  7 bytes:(?P=data)\n.* done\n"
                              r".* irq 0 up$")

    def test_full_disk(self):
        """One line, and the run goes on to its end."""
        result = trestle("run", EXAMPLES / "01-two-devices" / "two_devices.json", "--kernel",
                         common.guest("two_devices"), "--trace", "/dev/full", "--timeout", 60)
        self.assertIn("two_devices: 39 passed, 0 failed", result.out)
        self.assertEqual(result.code, 1, result)
        self.assertEqual([line for line in result.err.splitlines() if "cannot write" in line],
                         ["trestle: error: cannot write the trace /dev/full: No space left on "
                          "device; it is cut off there, and the run goes on"])
        self.assertIn("\ntrace /dev/full: 0 records, 0 bytes; cut off by an error\n", result.err)

    def wait_until_it_waits(self, run):
        """For a thread of its own, and not for a moment only."""
        looks = 0
        while run.poll() is None and looks < 5:
            looks = looks + 1 if self.waits_for_a_thread(run.pid) else 0
            time.sleep(0.01)
        self.assertIsNone(run.poll())

    def test_nobody_reads_and_the_run_is_to_end(self):
        """While it waits for its trace; and by itself, with the last of it."""
        config, fifo = self.dir / "config.json", self.dir / "fifo"
        os.mkfifo(fifo)
        dma = {"machine": {"arch": "riscv64", "kernel": str(common.guest("dma", "riscv64")),
                           "args": ["-append", "bench=50"]},
               "devices": [{"model": "dma", "base_addr": "0x10200000", "irq": 40, "timeout_ms": 0}]}
        # Its trace fits into what Trestle keeps, and not into the pipe.
        four = json.loads((common.SOURCE / "examples/02-four-devices/four_devices.json").read_text())
        four["machine"] = {"kernel": str(common.guest("four_devices"))}
        for document, args, number, code in ((dma, (), signal.SIGTERM, 143),
                                             (dma, ("--timeout", "4"), 0, 124), (four, (), 0, 1)):
            with self.subTest(args=args, number=number):
                config.write_text(json.dumps(document))
                run = self.start([common.TRESTLE, "run", config, "--trace", fifo, *args],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
                with open(fifo, "rb") as reader:
                    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
                    reader.read(1)
                    if number:
                        self.wait_until_it_waits(run)
                        run.send_signal(number)
                    out, err = run.communicate(timeout=60)
                self.assertEqual(run.returncode, code, err)
                self.assertIn(f"trestle: error: cannot write the trace {fifo}: nobody reads it, and "
                              "the run is over; it is cut off there\n", err)
                self.assertNotIn("has not returned", err)

    def test_nobody_reads_for_a_while(self):
        """The run waits, loses nothing, and says so."""
        config, stats = self.dir / "config.json", self.dir / "stats.json"
        fifo, trace = self.dir / "fifo", self.dir / "run.trace"
        os.mkfifo(fifo)
        config.write_text(json.dumps({
            "machine": {"arch": "riscv64", "kernel": str(common.guest("dma", "riscv64")),
                        "args": ["-append", "bench=50"]},
            "devices": [{"model": "dma", "base_addr": "0x10200000", "irq": 40, "timeout_ms": 0}]}))
        run = self.start([common.TRESTLE, "run", config, "--trace", fifo, "--stats", stats,
                          "--timeout", 60], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
        self.assertEqual(run.stderr.readline(), f"trestle: the run waits until somebody reads {fifo}\n")
        with open(fifo, "rb") as reader, open(trace, "wb") as file:
            self.wait_until_it_waits(run)
            shutil.copyfileobj(reader, file)
        out, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0, err)
        self.assertIn("1 passed, 0 failed", out)
        self.assertRegex(err, rf"\ntrace {fifo}: \d+ records, \d+ bytes; the run waited [\d.]+ ms "
                              r"for it\n\Z")
        said = json.loads(stats.read_text())
        self.assertGreater(said["trace"]["waited_ns"], 0)
        self.assertEqual(said["trace"]["bytes"], trace.stat().st_size)
        self.assertEqual(said["run_hash"], trestle("trace", "--hash", trace).out.strip())

    def test_live(self):
        """Whoever reads a FIFO sees what the guest has done while it waits for more input."""
        config, fifo = self.dir / "config.json", self.dir / "fifo"
        os.mkfifo(fifo)
        config.write_text(json.dumps({
            "machine": {"kernel": str(common.guest("probe"))},
            "devices": [{"name": "id", "model": "id", "base_addr": "0x10200000"}]}))
        common.qemu("riscv32")
        viewer = self.start([common.TRESTLE, "trace", fifo], stdout=subprocess.PIPE, text=True)
        run = self.start([common.TRESTLE, "run", config, "--trace", fifo, "--timeout", "60"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for word in "12", "34":
            run.stdin.write(f"w 4 10200008 {word}\n")
            run.stdin.flush()
            for line in viewer.stdout:  # for ever, if it is not live
                if line.endswith(f"SCRATCH  0x{word}\n"):
                    break
            else:
                self.fail("the viewer has ended")
        out, err = run.communicate("q 0\n", timeout=60)
        self.assertEqual(run.returncode, 0, err)
        viewer.communicate(timeout=60)
        self.assertEqual(viewer.returncode, 0)

    def waits_for_a_thread(self, pid):
        """futex(2), by its numbers on x86-64 and aarch64."""
        return pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[0] in ("202", "98")

    def test_device_and_serve(self):
        """They trace as well; whether it repeats, only who starts QEMU knows."""
        config, stats = self.dir / "config.json", self.dir / "stats.json"
        config.write_text('{"devices": [{"model": "id", "base_addr": "0x10200000", "socket": '
                          '"%s/socket"}]}' % self.dir)
        for args in (["device", "id", "--base", "0x10200000", "--socket", self.dir / "socket"],
                     ["serve", config]):
            trace = self.dir / (args[0] + ".trace")
            server = self.start([common.TRESTLE, *args, "--trace", trace, "--stats", stats],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            server.stdout.readline()  # once it listens
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(str(self.dir / "socket"))
                client.sendall(struct.pack("<BBHQQ", 0, 8, 0, 0x10200000, 0))
                reply = client.recv(16, socket.MSG_WAITALL)
                self.assertEqual(struct.unpack("<B7xQ", reply), (1, 0x10200000))
            server.send_signal(signal.SIGTERM)
            err = server.communicate(timeout=30)[1]
            said = json.loads(stats.read_text())
            self.assertIsNone(said["repeatable"])
            self.assertIn(f"run hash {said['run_hash']}\ntrace {trace}: 2 records, ", err)
            self.assertRegex(trestle("trace", trace).out,
                             r"\n +\d+\.\d{3} +-  device0  read  8  0x00 ID  0x10200000\n\Z")

    def run_own(self, **more):
        """The four devices, the first in a process of its own; the trace and the statistics."""
        common.guest("four_devices")
        config = json.loads((EXAMPLES / "02-four-devices" / "four_devices.json").read_text())
        config["devices"][0].update(more, process="own")
        path = self.dir / "own.json"
        path.write_text(json.dumps(config))
        return self.run_traced(path, icount=0)

    def test_own_process(self):
        """It has a trace of its own, in addition to that of the run, and a hash of its own."""
        trace, stats = self.run_own()
        self.assertNotIn(" echo0 ", trestle("trace", trace).out)
        own = trestle("trace", f"{trace}.echo0")
        self.assertEqual((own.code, own.err), (0, ""))
        served = stats["devices"][0]
        self.assertEqual(len([x for x in own.out.splitlines()
                              if " read " in x and " error " not in x]), served["reads"])
        result = trestle("replay", f"{trace}.echo0")
        self.assertEqual(result.code, 0, result)
        result = trestle("replay", trace, "--device", "echo0")
        self.assertEqual((result.code, result.err),
                         (2, f"trestle: {trace} has no records of echo0, which ran in a process of its "
                             f"own; replay its own trace, {trace}.echo0\n"))
        self.assertIn(f"run hash {stats['run_hash']}; repeatable\n"
                      f"run hash {served['run_hash']} of echo0 in its own process\n",
                      self.result.err)
        self.assertEqual(served["run_hash"], trestle("trace", "--hash", f"{trace}.echo0").out.strip())
        self.assertNotIn("run_hash", stats["devices"][1])
        result = trestle("run", self.dir / "config.json", "--trace", "/dev/null", "--stats",
                         self.dir / "again.json", "--timeout", 60)
        self.assertIn("trestle: warning: /dev/null is not a file: there is no trace of devices in "
                      "processes of their own\n", result.err)
        again = json.loads((self.dir / "again.json").read_text())
        self.assertEqual(again["devices"][0]["run_hash"], served["run_hash"])
        _, changed = self.run_own(params={"access_latency": 1})
        self.assertNotEqual(changed["devices"][0]["run_hash"], served["run_hash"])
        self.assertEqual(changed["run_hash"], stats["run_hash"])

    def test_own_process_over_protocol_1(self):
        _, stats = self.run_own(protocol=1)
        self.assertIs(stats["repeatable"], False)
        self.assertIn("; not repeatable: protocol 1 carries no guest time\n", self.result.err)


def read_vcd(text):
    """A list of (time, "scope.variable", value): value changes, in their order."""
    head, changes = text.split("$enddefinitions $end\n")
    scopes, names, kinds = [], {}, {}
    for words in (line.split() for line in head.splitlines()):
        if words[0] == "$scope":
            scopes.append(words[2])
        elif words[0] == "$upscope":
            scopes.pop()
        elif words[0] == "$var":
            _, kind, bits, identifier, name, end = words
            assert end == "$end" and identifier not in names, words
            names[identifier], kinds[identifier] = ".".join([*scopes, name]), (kind, int(bits))
    assert scopes == []
    found, time, is_start = [], None, False
    for line in changes.splitlines():
        if line.startswith("#"):
            assert time is None or int(line[1:]) > time, line
            time = int(line[1:])
        elif line in ("$dumpvars", "$end"):
            is_start = line == "$dumpvars"
        elif line.startswith("b"):
            value, identifier = line[1:].split()
            assert kinds[identifier][0] == "reg" and len(value) <= kinds[identifier][1], line
            found.append((time, names[identifier], "x" if value == "x" else int(value, 2)))
        else:
            value, identifier = line[0], line[1:]
            assert kinds[identifier][0] in ("wire", "event") and value in "01", line
            assert not (is_start and kinds[identifier][0] == "event"), line
            found.append((time, names[identifier], int(value)))
    return found


class Conversions(Recorded):
    def setUp(self):
        super().setUp()
        common.guest("dma")
        self.trace, self.stats = self.run_traced(EXAMPLES / "05-dma" / "dma.json")
        self.lines = trestle("trace", self.trace).out.splitlines()[1:]

    def test_perfetto(self):
        path = self.dir / "trace.json"
        result = trestle("trace", self.trace, "--perfetto", path)
        self.assertEqual((result.code, result.out, result.err), (0, "", ""))
        events = json.loads(path.read_text())["traceEvents"]
        threads = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
        self.assertEqual(list(threads.values()), ["dma", "bystander"])
        for tid, name in threads.items():
            stats = next(device for device in self.stats["devices"] if device["name"] == name)
            slices = [e for e in events if e["ph"] == "X" and e["tid"] == tid]
            for kind in "read", "write":
                self.assertEqual(len([e for e in slices if e["name"].startswith(kind)
                                      and "error" not in e["args"]]), stats[kind + "s"])
        counters = [e["args"]["level"] for e in events if e["ph"] == "C"]
        self.assertEqual(counters, [1, 0] * (len(counters) // 2))
        self.assertEqual(len(counters), len([x for x in self.lines if " irq 0 " in x]))
        for phase, text in ("b", " dma 0 (reads|writes) "), ("e", " dma 0 done"):
            transfers = [e["name"] for e in events if e["ph"] == phase]
            self.assertEqual(set(transfers), {"dma dma 0"})
            self.assertEqual(len(transfers), len([x for x in self.lines if re.search(text, x)]))
        # The first access, with its times in picoseconds.
        first = re.match(r" *(\d+)\.(\d{3}) .* write 4  0x0c INT_ENABLE  0x3 {done error}$", self.lines[2])
        self.assertIn(f'"ts":{int(first[1]) // 1000}.{int(first[1]) % 1000:03}{first[2]},"dur"',
                      path.read_text())

    def test_registers(self):
        result = trestle("trace", self.trace, "--registers")
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertRegex(result.out, r"(?m)^dma +0x000c +INT_ENABLE +0x3 {done error} +written +[\d.]+$")
        begin = trestle("trace", self.trace, "--registers", "--at", "1ps").out
        self.assertEqual(len(begin.splitlines()), 1)
        for args, line in ((("--at", "1us"), "--at belongs to --registers; add --registers"),
                           (("--registers", "--at", "x"),
                            "--at x is not a time; write for example --at 10us")):
            result = trestle("trace", self.trace, *args)
            self.assertEqual((result.code, result.out, result.err), (2, "", f"trestle: {line}\n"))

    def test_vcd_has_registers(self):
        path = self.dir / "trace.vcd"
        trestle("trace", self.trace, "--vcd", path)
        changes = read_vcd(path.read_text())
        values = [value for _, name, value in changes if name == "trestle.dma.INT_ENABLE"]
        self.assertEqual(values[-1], 3)

    def test_vcd(self):
        path = self.dir / "trace.vcd"
        result = trestle("trace", self.trace, "--vcd", path)
        self.assertEqual((result.code, result.out, result.err), (0, "", ""))
        changes = read_vcd(path.read_text())
        irqs = [(time, value) for time, name, value in changes if name == "trestle.dma.irq0"]
        shown = [re.match(r" *(\d+)\.(\d{3}) .* irq 0 (up|down)$", line) for line in self.lines]
        self.assertEqual(irqs, [(0, 0)] + [(int(m[1] + m[2]), int(m[3] == "up"))
                                           for m in shown if m])
        for device in self.stats["devices"]:
            for kind in "read", "write":
                self.assertEqual(len([0 for _, name, _ in changes
                                      if name == f"trestle.{device['name']}.{kind}"]),
                                 device[kind + "s"])
        transfers = [value for _, name, value in changes if name == "trestle.dma.dma"]
        self.assertEqual(transfers, [0] + [1, 0] * (len(transfers) // 2))
        self.assertIn((0, "trestle.stall", 0), changes)

    def test_one_device(self):
        text = trestle("trace", self.trace, "--vcd", "-", "--device", "bystander").out
        self.assertEqual({name.split(".")[1] for _, name, _ in read_vcd(text)},
                         {"stall", "bystander"})

    def test_damaged(self):
        """What is there is converted, and is whole."""
        self.trace.write_bytes(self.trace.read_bytes()[:100000])
        for option, read in ("--perfetto", json.loads), ("--vcd", read_vcd):
            result = trestle("trace", self.trace, option, "-")
            self.assertEqual(result.code, 2, result.err)
            self.assertIn("byte 100000: the trace is cut off", result.err)
            self.assertGreater(len(read(result.out)), 1)

    def test_full_disk(self):
        for option in "--perfetto", "--vcd":
            result = trestle("trace", self.trace, option, "/dev/full")
            self.assertEqual(result.code, 1, result)
            self.assertEqual(result.err, f"trestle: cannot write {option} /dev/full: No space left "
                                         "on device\n")
        words = common.TRESTLE, self.trace
        result = common.run(["sh", "-c", '"$0" trace "$1" > /dev/full', *words])
        self.assertEqual(result.code, 1, result)
        result = common.run(["bash", "-c", 'set -o pipefail; "$0" trace "$1" | head -n 1', *words])
        self.assertEqual((result.code, result.err), (0, ""))


class Replays(Recorded):
    def replay(self, trace, *args):
        return trestle("replay", trace, *args)

    def test_every_bundled_model_does_it_again(self):
        """Accesses, timers, interrupts, messages between peers, transfers with their bytes."""
        for name, guest in ("01-two-devices/two_devices", "two_devices"), \
                ("04-interrupts/interrupts", "interrupts"), ("05-dma/dma", "dma"):
            common.guest(guest)
            trace, stats = self.run_traced(EXAMPLES / (name + ".json"))
            for device in stats["devices"]:
                with self.subTest(example=name, device=device["name"]):
                    result = self.replay(trace, "--device", device["name"])
                    self.assertEqual(result.code, 0, result)
                    self.assertEqual(result.err, "")
                    count = re.fullmatch(rf"{trace}: {device['name']}: (\d+) records, no "
                                         r"difference\n", result.out)
                    self.assertGreaterEqual(int(count[1]),
                                            2 * (device["reads"] + device["writes"]))

    def test_differences(self):
        common.guest("two_devices")
        trace, _ = self.run_traced(EXAMPLES / "01-two-devices" / "two_devices.json")
        for args, pattern in (
                # Busy for too long when the guest looks.
                (["--model", "compute", "--param", "compute_latency=1000000000"],
                 r"record \d+ at [\d.]+ ns: read  4  0x10 STATUS: expected answer 0x2, got answer 0x1"),
                # Another model, which has no use for compute's parameters.
                (["--device", "compute_device", "--model", "echo"],
                 r"record \d+ at [\d.]+ ns: write 4  0x14 CONTROL  0x1 .reset.: expected answer 0x0, got answer error "
                 r"22 \(.*\)")):
            with self.subTest(args=args):
                result = self.replay(trace, *args)
                self.assertEqual(result.code, 1, result)
                self.assertRegex(result.out, rf"\A{trace}: compute_device: {pattern}\n\Z")
        result = self.replay(trace, "--device", "compute_device", "--model", "dma")
        self.assertEqual(result.code, 2, result)
        self.assertEqual(result.err, "trestle: the model cannot be linked as the trace has it: it "
                                     "has no such port\n")

    def test_interrupt_that_is_missing_or_late(self):
        common.guest("interrupts")
        trace, _ = self.run_traced(EXAMPLES / "04-interrupts" / "interrupts.json")
        result = self.replay(trace, "--device", "alone", "--param", "clock=999MHz")
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.out, r"expected .*, got ")

    def test_cut_off(self):
        """What is there is replayed, then one line says what is missing."""
        common.guest("dma")
        trace, _ = self.run_traced(EXAMPLES / "05-dma" / "dma.json")
        trace.write_bytes(trace.read_bytes()[:100000])
        result = self.replay(trace, "--device", "dma")
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.out, r"\A.*: dma: \d+ records, no difference\n\Z")
        self.assertRegex(result.err, r"\Atrestle: .*: byte 100000: the trace is cut off .*\n\Z")


    def test_model_from_a_file(self):
        """The trace knows where it came from."""
        config, model = self.dir / "good.json", self.dir / "good.so"
        shutil.copy(common.BUILD / "tests" / "good.so", model)
        config.write_text(json.dumps({
            "machine": {"kernel": str(common.guest("probe")), "icount": 0},
            "devices": [{"model": "./good.so", "base_addr": "0x10200000"}]}))
        trace = self.dir / "good.trace"
        result = trestle("run", config, "--trace", trace, stdin="r 4 10200000\nq 0\n")
        self.assertEqual(result.code, 0, result)
        self.assertEqual(self.replay(trace).code, 0)
        moved = model.rename(self.dir / "moved.so")
        self.assertEqual(self.replay(trace, "--model", moved).code, 0)
        result = self.replay(trace)
        self.assertEqual((result.code, result.err),
                         (2, f"trestle: the model of device0 was loaded from {model}, which cannot be "
                             "read: No such file or directory; name its file with --model\n"))


    def test_a_link_with_a_bandwidth(self):
        """What came late is given late, and the run repeats."""
        config, trace = self.dir / "config.json", self.dir / "run.trace"
        document = json.loads((EXAMPLES / "01-two-devices" / "two_devices.json").read_text())
        document["links"][0]["bandwidth"] = "100Mbit/s"
        document["machine"].update(kernel=str(common.guest("two_devices")), icount=0)
        config.write_text(json.dumps(document))
        common.qemu("riscv32")
        hashes = set()
        for _ in range(2):
            result = trestle("run", config, "--trace", trace)
            self.assertIn("two_devices: 39 passed, 0 failed", result.out)
            hashes.add(re.search(r"run hash (\w+); repeatable", result.err)[1])
        self.assertEqual(len(hashes), 1)
        lines = trestle("trace", trace).out.splitlines()
        at = [float(line.split()[0]) for line in lines if "echo_device" in line and "receive" in line]
        sent = [float(line.split()[0]) for line in lines if "compute_device" in line and "send" in line]
        self.assertAlmostEqual(at[0] - sent[0], 16 * 80 + 1)
        # A replay sends over the link that the trace has, which knows no bandwidth.
        result = self.replay(trace, "--device", "echo_device")
        self.assertEqual(result.code, 1, result)
        self.assertIn(f" at {at[0] - 16 * 80:.3f} ns", result.out)


class BadInput(common.TestCase):
    """One line that says what is wrong, and 2."""

    def refused(self, pattern, *args, **kwargs):
        result = trestle(*args, **kwargs)
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, rf"\Atrestle: {pattern}\n\Z")
        return result

    def documented(self):
        """The example in the documentation."""
        text = (common.SOURCE / "docs" / "trace.md").read_text().split("### An example")[1]
        text = text.split("```text\n")[1].split("```")[0]
        return bytes.fromhex("".join(line.split("#")[0] for line in text.splitlines()))

    def test_places_that_cannot_be_written(self):
        config = EXAMPLES / "01-two-devices" / "two_devices.json"
        kernel = common.guest("two_devices")
        for path, why in (self.dir, "Is a directory"), (self.dir / "a/b", "No such file or .*"):
            self.refused(rf"cannot write the trace {path}: {why}; name a file that can be written",
                         "run", config, "--kernel", kernel, "--trace", path)

    def test_damaged(self):
        whole = self.documented()
        path = self.dir / "bad.trace"
        path.write_bytes(whole)
        lines = trestle("trace", path).out.splitlines()
        self.assertEqual(len(lines), 18)
        for data, records, why in (
                (whole[:-1], 18, r"byte 298: the trace is cut off inside a record, after 19 "
                                 "records"),
                (whole[:-12], 18, r"byte 287: the trace is cut off before its last record, after "
                                  "19 records"),
                (whole[:-16], 17, r"byte 283: the trace is cut off inside a record, after 18 "
                                  "records"),
                (whole[:40], 0, "byte 40: the trace is cut off in its header, after 0 records"),
                (b"", 0, "byte 0: .*"), (b"ELF", 0, "not a trace"),
                (whole[:-2] + b"x\2", 18, "byte 287: .* hash .*")):
            path.write_bytes(data)
            with self.subTest(why=why):
                result = self.refused(f"{path}: {why}", "trace", path)
                self.assertEqual(result.out.splitlines(), lines[:records])
                self.assertEqual(self.refused(f"{path}: {why}", "trace", path, "--hash").out, "")

    def test_command_line(self):
        path = self.dir / "a.trace"
        path.write_bytes(self.documented())
        self.refused("trace needs a trace; usage: .*", "trace")
        self.refused(r"cannot read the trace no\.trace: No such file.*", "trace", "no.trace")
        self.refused(rf'{path} has no device "c"; .*', "trace", path, "--device", "c")
        self.refused(r'there is no model "comput"; did you mean "compute"\?',
                     "replay", path, "--model", "comput")
        self.refused(f"{path} has several devices of that model; name one with --device: a, b",
                     "replay", path)
        self.refused(f"{path} has no device of that model; name one with --device: a, b",
                     "replay", path, "--model", "id")
        self.refused("--param x is not a parameter; .*", "replay", path, "--param", "x")
        self.refused(r"device 'a': unknown parameter 'x'; known: .*",
                     "replay", path, "--device", "a", "--param", "x=1")
        for args in ("--device", "a"), ("--vcd", "x"), ("--perfetto", "x"):
            self.refused("--hash is about the whole run, and prints nothing else; leave the other "
                         "options out", "trace", path, "--hash", *args)
        self.refused("--perfetto and --vcd cannot both write -; name two files",
                     "trace", path, "--perfetto", "-", "--vcd", "-")
        self.refused(r"cannot write --vcd a/b: No such file .*", "trace", path, "--vcd", "a/b")


if __name__ == "__main__":
    common.main()
