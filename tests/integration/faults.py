# SPDX-License-Identifier: MIT
"""usage: faults.py [--faults N] [--seed S] [--timeout-ms N] [--per-run N]

The fault campaign. A guest goes round four devices, each in a process of its own, two over shared
memory and two over sockets (examples/06-failures/failures.c). At random points one of them is killed, stopped,
cut off, delayed, or has bytes of its rings or messages changed. All the while the other three have
to answer as they should; afterwards the victim has to be back. At the end of each run nothing may
be left: no process, no socket, no descriptor, no shared memory.

The seed repeats the choice of faults and of their moments, though not what each of them meets.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import common
import faulty

BASE, STRIDE, DEVICES = 0x10200000, 0x1000, 4
SHARED_MEMORY = 2  # the first so many devices have it as their carrier
KINDS = "kill", "stop", "disconnect", "delay", "corrupt"
PATIENCE = 60  # seconds: what takes longer is a hang
SETTLED_ROUNDS = 20  # of the guest after a fault, without anything to tell

EVENT = re.compile(r"device (\d+) (lost: (.*)|back after (\d+) ns)$")
ROUND = re.compile(r"round (\d+) good ([0-9a-f]+)$")
LATENCY = re.compile(r"while (none|one) was lost: (\d+) accesses, median ([\d.]+) us, "
                     r"p99 ([\d.]+) us$")


class Failure(Exception):
    pass


class Run:
    """One QEMU with its devices."""

    def __init__(self, seed, timeout_ms):
        self.random = random.Random(seed)
        self.timeout_ms = timeout_ms
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="trestle-", dir="/tmp"))
        self.loop = faulty.Loop()
        self.own_descriptors = len(common.descriptors())
        self.proxies = [faulty.Proxy(self.loop, self.dir / f"q{i}", self.dir / f"d{i}", self.random)
                        for i in range(DEVICES)]
        self.victim = self.kind = None
        self.rounds = []
        self.text, self.log, self.latencies = b"", b"", {}
        self.start()

    # --- the run ---

    def start(self):
        qemu = self.dir / "qemu-system-riscv32"
        qemu.write_text("#!/bin/bash\n# QEMU, but for the sockets that it connects to.\n"
                        f"from=socket={self.dir}/d to=socket={self.dir}/q\n"
                        f'exec {common.qemu("riscv32")} "${{@/$from/$to}}"\n')
        qemu.chmod(0o755)
        config = self.dir / "faults.json"
        config.write_text(json.dumps({
            "machine": {"arch": "riscv32", "qemu": str(qemu),
                        "kernel": str(common.guest("failures")),
                        "args": ["-append", f"n={DEVICES} timed={SHARED_MEMORY}"]},
            "devices": [{"name": f"d{i}", "model": "id", "base_addr": hex(BASE + i * STRIDE),
                         "size": STRIDE, "process": "own", "socket": str(self.dir / f"d{i}"),
                         "timeout_ms": self.timeout_ms,
                         "carrier": "shm" if i < SHARED_MEMORY else "socket"}
                        for i in range(DEVICES)]}))
        self.process = subprocess.Popen(
            [common.TRESTLE, "run", config], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, preexec_fn=common.die_with_parent,
            env={**os.environ, "XDG_RUNTIME_DIR": str(self.dir)})
        self.loop.add(self.process.stdout, self.hear_guest)
        self.loop.add(self.process.stderr, self.hear_log)
        self.settle()
        self.before = self.holdings()

    def children(self):
        """The pids of the run's children, by the device's name, or "qemu"."""
        pid = self.process.pid
        found = {}
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                words = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            name = [word[7:] for word in words if word.startswith("--name=")]
            found[name[0] if name else "qemu"] = int(child)
        return found

    def holdings(self):
        """What each process has: descriptors, and mappings of shared memory."""
        pids = {"trestle": self.process.pid, **self.children()}
        found = {name: len(common.descriptors(pid)) for name, pid in pids.items()}
        maps = pathlib.Path(f"/proc/{pids['qemu']}/maps").read_text()
        found["shared memory"] = sum("memfd:trestle" in line for line in maps.splitlines())
        return found

    def hear_log(self):
        chunk = os.read(self.process.stderr.fileno(), 65536)
        self.log += chunk
        if not chunk:
            self.loop.remove(self.process.stderr)

    def hear_guest(self):
        chunk = os.read(self.process.stdout.fileno(), 65536)
        if not chunk:
            self.loop.remove(self.process.stdout)
            return
        *lines, self.text = (self.text + chunk).split(b"\n")
        for line in lines:
            self.hear_line(line.decode(errors="replace").strip("\r"))

    def hear_line(self, line):
        event, answer, latency = EVENT.match(line), ROUND.match(line), LATENCY.match(line)
        if event:
            self.hear_event(int(event[1]), event[3])
        elif answer:
            self.rounds.append((int(answer[1]), int(answer[2], 16)))
        elif latency:
            self.latencies[latency[1]] = (int(latency[2]), float(latency[3]), float(latency[4]))
        elif "FAIL" in line:
            self.fail(f"the guest says: {line}")

    def hear_event(self, device, why):
        if device != self.victim:
            self.fail(f"device {device} {why or 'is back'}, and nobody had done it any harm")
        if why == "a wrong answer" and self.kind != "corrupt":
            self.fail(f"device {device} gave a wrong answer")

    def fail(self, what):
        raise Failure(f"{what} (fault: {self.kind} of device {self.victim})\n"
                      f"{self.log.decode(errors='replace')[-3000:]}")

    def wait(self, is_over, what):
        deadline = time.monotonic() + PATIENCE
        while not is_over():
            if time.monotonic() > deadline:
                self.fail(f"{what}: not within {PATIENCE} s")
            if self.process.poll() is not None:
                self.fail(f"the run ended with {self.process.returncode}")
            self.loop.run(min(deadline, time.monotonic() + 1))

    def ask_round(self):
        """The guest's next round, and who was there in it."""
        self.rounds.clear()
        self.process.stdin.write(b"p")
        self.process.stdin.flush()
        self.wait(lambda: self.rounds, "a round of the guest")
        return self.rounds[0]

    def wait_for_answer(self, device):
        deadline = time.monotonic() + PATIENCE
        while not self.ask_round()[1] >> device & 1:
            if time.monotonic() > deadline:
                self.fail(f"it did not come back within {PATIENCE} s")

    def settle(self):
        """Until all have answered for a while."""
        since = None
        deadline = time.monotonic() + PATIENCE
        while True:
            number, good = self.ask_round()
            if good != (1 << DEVICES) - 1:
                since = None
            elif since is None:
                since = number
            elif number >= since + SETTLED_ROUNDS:
                return
            if time.monotonic() > deadline:
                self.fail(f"not all devices came back within {PATIENCE} s: {good:x}")

    def pause(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.loop.run(until)

    # --- faults ---

    def inflict(self, kind, victim):
        """Does it, and waits until all is well. Returns the seconds that took, for a kill."""
        self.kind, self.victim = kind, victim
        proxy = self.proxies[victim]
        pid = self.children()[f"d{victim}"]
        long_or_short = self.random.uniform(0.001, 0.0015 * self.timeout_ms)
        start = time.monotonic()
        seconds = None
        if kind == "kill":
            os.kill(pid, signal.SIGKILL)
            self.wait_for_answer(victim)
            seconds = time.monotonic() - start
        elif kind == "stop":
            os.kill(pid, signal.SIGSTOP)
            self.pause(long_or_short)
            os.kill(pid, signal.SIGCONT)
        elif kind == "disconnect":
            proxy.disconnect()
        elif kind == "delay":
            proxy.hold(long_or_short)
            self.pause(long_or_short)
            proxy.let_go()
        else:
            proxy.corrupt()
        self.settle()
        if proxy.to_change:
            self.fail("a message was to be changed, and none came")
        self.kind = self.victim = None
        return seconds

    def run(self, faults, report):
        for _ in range(faults):
            self.pause(self.random.uniform(0, 0.02))
            kind = self.random.choice(KINDS)
            # What goes through shared memory cannot be held back on the way.
            first = SHARED_MEMORY if kind == "delay" else 0
            victim = self.random.randrange(first, DEVICES)
            seconds = self.inflict(kind, victim)
            report.faults[kind] += 1
            if seconds is not None:
                report.recoveries.append(seconds)

    def end(self, report):
        """Everything that the faults have touched is as it was, and nothing is left."""
        after = self.holdings()
        if after != self.before:
            self.fail(f"a leak: {self.before} before, {after} after")
        self.process.stdin.write(b"q")
        self.process.stdin.flush()
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None or len(self.latencies) < 2:
            if time.monotonic() > deadline:
                self.fail("the run does not end")
            self.loop.run(time.monotonic() + 0.05)
        if self.process.returncode != 0:
            self.fail(f"the run ended with {self.process.returncode}")
        left = common.processes(session=self.process.pid)
        if left:
            self.fail(f"processes are left: {left}")
        for proxy in self.proxies:
            proxy.close()
        files = common.files(self.dir) - {"q0=", "q1=", "q2=", "q3=", "faults.json",
                                          "qemu-system-riscv32"}
        if files:
            self.fail(f"files are left: {files}")
        report.latencies.append(self.latencies)

    def close(self):
        common.end_group(self.process)
        for proxy in self.proxies:
            if proxy.listener.fileno() >= 0:
                proxy.close()
        for pipe in self.process.stdin, self.process.stdout, self.process.stderr:
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        self.loop.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Report:
    def __init__(self):
        self.faults = collections.Counter()
        self.recoveries, self.latencies = [], []

    def __str__(self):
        lines = [f"{self.faults.total()} faults: " +
                 ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items())),
                 "0 hangs, 0 wrong answers, 0 leaks"]
        if self.recoveries:
            ms = sorted(1000 * seconds for seconds in self.recoveries)
            lines.append(f"from the kill of a device's process to its next good answer: median "
                         f"{statistics.median(ms):.1f} ms, longest {ms[-1]:.1f} ms")
        for key, when in ("none", "while no device was lost"), ("one", "while one was lost"):
            those = [each[key] for each in self.latencies]
            lines.append(f"answers over shared memory {when}: "
                         f"{sum(count for count, _, _ in those)}, "
                         f"median {statistics.median(p50 for _, p50, _ in those):.1f} us, "
                         f"p99 {statistics.median(p99 for _, _, p99 in those):.1f} us")
        return "\n".join(lines)


def campaign(faults, seed, timeout_ms, per_run):
    """Raises Failure."""
    report = Report()
    descriptors = len(common.descriptors())
    for number, start in enumerate(range(0, faults, per_run)):
        run = Run(f"{seed}.{number}", timeout_ms)
        try:
            run.run(min(per_run, faults - start), report)
            run.end(report)
        finally:
            run.close()
        if len(common.descriptors()) != descriptors:
            raise Failure(f"descriptors of this program are left: {common.descriptors()}")
    return report


def main():
    parser = argparse.ArgumentParser(description="The fault campaign")
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--timeout-ms", type=int, default=400)
    parser.add_argument("--per-run", type=int, default=250)
    options = parser.parse_args()
    print(f"{options.faults} faults with the seed {options.seed}", flush=True)
    try:
        print(campaign(options.faults, options.seed, options.timeout_ms, options.per_run))
    except Failure as failure:
        sys.exit(f"FAIL {failure}")


if __name__ == "__main__":
    main()
