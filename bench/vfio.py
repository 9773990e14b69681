#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: bench/vfio.py BUILD [ROUNDS]

What a read of a BAR costs over vfio-user, and what the same read costs through the plugin: one model
and one guest, by turns, in the qemu-system-x86_64 of PATH. That has to have vfio-user-pci, as from 10.1
on (tools/other-qemu gets one). From a release build, on a quiet machine.
"""
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

WAYS = {"shared memory": {}, "socket": {"carrier": "socket"}, "vfio-user": {"protocol": "vfio-user"}}


def measure(build, device):
    """Nanoseconds for a read."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"machine": {"arch": "x86_64", "qemu": shutil.which("qemu-system-x86_64"),
                               "kernel": str(build / "firmware/bar_bench-x86_64.elf"),
                               "args": ["-device", "isa-debug-exit,iobase=0xf4,iosize=1",
                                        "-append", "rounds=20 reads=1024"]},
                   "devices": [{"model": "id", "pci": {}, **device}]}, file)
        file.flush()
        run = subprocess.run([build / "trestle", "run", file.name], capture_output=True, text=True)
    found = re.search(r"a read of the BAR (\d+) ns", run.stdout)
    if run.returncode != 0 or not found:
        sys.exit(run.stdout + run.stderr)
    return int(found[1])


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).absolute()
    times = {way: [] for way in WAYS}
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 5):
        for way, device in WAYS.items():
            times[way].append(measure(build, device))
    for way, measured in times.items():
        ratios = [ns / plugin for ns, plugin in zip(measured, times["shared memory"])]
        print(f"{way:14} {statistics.median(measured):8.0f} ns ({min(measured)} to {max(measured)}), "
              f"{statistics.median(ratios):6.1f} times shared memory")


if __name__ == "__main__":
    main()
