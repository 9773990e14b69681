# SPDX-License-Identifier: MIT
"""usage: soak.py [--seconds N] [--seed S]

Sixteen devices under random accesses of all widths, each compared with a model in the guest
(firmware/soak.c): eight in one process over shared memory, two of them with posted writes, and
eight in processes of their own, over shared memory and over sockets. Prints the memory that each
process has at the start and at the end.
"""
import argparse
import json
import os
import pathlib
import random
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
import time

import common

BASE, STRIDE = 0x10200000, 0x1000
WARM_UP_LINES = 2  # seconds, of which the guest prints a line each
GROWTH_MAX = 1024  # KiB, of a process with devices


class Failure(Exception):
    pass


def device(i):
    more = {} if i < 8 else {"process": "own", "carrier": "shm" if i < 12 else "socket"}
    return {"name": f"d{i}", "model": "id", "base_addr": hex(BASE + i * STRIDE), "size": STRIDE,
            "posted_writes": i % 4 == 3, **more}


def memory(pid):
    """KiB, of each process of a run, by its name; None once one of them has ended."""
    found = {}
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for process in [str(pid), *children]:
        words = pathlib.Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
        name = next((word[7:] for word in words if word.startswith("--name=")),
                    "trestle run" if process == str(pid) else "QEMU")
        status = pathlib.Path(f"/proc/{process}/status").read_text()
        size = re.search(r"VmRSS:\s+(\d+)", status)
        if not size:
            return None
        found[name] = int(size[1])
    return found


class Soak:
    def __init__(self, seconds, seed):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="trestle-", dir="/tmp"))
        config = self.dir / "soak.json"
        config.write_text(json.dumps({
            "machine": {"arch": "riscv32", "qemu": common.qemu("riscv32"),
                        "kernel": str(common.guest("soak")),
                        "args": ["-append", f"n=16 seconds={seconds} seed={seed}"]},
            "devices": [device(i) for i in range(16)]}))
        self.log = open(self.dir / "log", "w+b")
        self.process = subprocess.Popen(
            [common.TRESTLE, "run", config], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.log, start_new_session=True, preexec_fn=common.die_with_parent,
            env={**os.environ, "XDG_RUNTIME_DIR": str(self.dir)})
        self.deadline = time.monotonic() + seconds + 60

    def fail(self, what):
        self.log.seek(0)
        raise Failure(f"{what}\n{self.log.read().decode(errors='replace')[-3000:]}")

    def lines(self):
        """The guest's, as they come."""
        text = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0, self.deadline - time.monotonic())):
                    self.fail("the guest says nothing more")
                chunk = self.process.stdout.read1()
                if not chunk:
                    return
                *whole, text = (text + chunk).split(b"\n")
                yield from (line.decode().strip() for line in whole)

    def run(self):
        """The number of accesses; memory at the start and at the end."""
        count = said = 0
        start, end = {}, {}
        for line in self.lines():
            if "FAIL" in line:
                self.fail(line)
            found = re.match(r"(?:soak: (\d+) accesses|PASS (\d+) accesses)", line)
            if found and found[1]:
                said += 1
                end = memory(self.process.pid) or end
                start = end if said <= WARM_UP_LINES else start
            elif found:
                count = int(found[2])
        if self.process.wait(60) != 0 or count == 0:
            self.fail(f"the run ended with {self.process.returncode} after {count} accesses")
        return count, start, end

    def close(self):
        common.end_group(self.process)
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def soak(seconds, seed):
    """As Soak.run(). Raises Failure."""
    run = Soak(seconds, seed)
    try:
        return run.run()
    finally:
        run.close()


def main():
    parser = argparse.ArgumentParser(description="A soak test")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"{options.seconds} s with the seed {options.seed}", flush=True)
    try:
        count, start, end = soak(options.seconds, options.seed)
    except Failure as failure:
        sys.exit(f"FAIL {failure}")
    print(f"{count} accesses, all as they should be")
    print(f"resident memory: {sum(start.values())} KiB at the start, {sum(end.values())} KiB at the "
          "end")
    for name, kib in end.items():
        print(f"  {name}: {start[name]} KiB, {kib} KiB")
    if any(kib > start[name] + GROWTH_MAX for name, kib in end.items() if name != "QEMU"):
        sys.exit("FAIL memory grows")


if __name__ == "__main__":
    main()
