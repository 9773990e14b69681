#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: bench/guests.py BUILD dma|timers [ROUNDS]

What a guest sees that no single access shows; from a release build, on a quiet machine, or before
the work of others: chrt -f 20 bench/guests.py ...

dma: MiB per second of copies of 1 MiB by the model dma, over each carrier, by messages and directly.
timers: under icount 0, how much longer a guest takes that computes and has 10,000 interrupts in a
second of its time, when they come from the timers of four devices and not from the board's own.
"""
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

BASE, INPUT = 0x10200000, 40


def run(build, config):
    """Runs a guest; returns what it printed, and the seconds between its lines start and end."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        process = subprocess.Popen([build / "trestle", "run", file.name], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said, at = "", {}
        for line in process.stdout:
            said += line
            at[line.strip()] = time.monotonic()
        if process.wait() != 0:
            sys.exit(said + process.stderr.read())
    return said, at["end"] - at["start"] if "start" in at else None


def config_of(build, guest, append, devices, args=(), **machine):
    return {"machine": {"arch": "riscv64", "args": ["-append", append, *args], **machine,
                        "kernel": str(build / "firmware" / f"{guest}-riscv64.elf")},
            "devices": [{"base_addr": hex(BASE + 0x1000 * i), "size": 4096, "irq": INPUT + i, **d}
                        for i, d in enumerate(devices)]}


def dma(build, rounds, copies=300):
    for direct in False, True:
        for carrier in "shm", "socket":
            config = config_of(build, "dma", f"bench={copies}",
                               [{"model": "dma", "params": {"default_latency": 0}}],
                               ["-global", f"sst-device.carrier={carrier}"], direct_dma=direct)
            rates = []
            for _ in range(rounds):
                said, _ = run(build, config)
                mib, ns = map(int, re.search(r"bench (\d+) MiB (\d+) ns", said).groups())
                rates.append(mib / ns * 1e9)
            print(f"{'direct' if direct else 'messages':10}{carrier:8}"
                  f"{statistics.median(rates):8.0f} MiB/s")


def timers(build, rounds, count=10000):
    devices, ratios = [{"model": "timer"}] * 4, []
    for _ in range(rounds):
        own, theirs = (run(build, config_of(build, "timer_bench", f"devices={n} count={count}",
                                            devices, icount=0))[1] for n in (0, 4))
        ratios.append(theirs / own)
        print(f"board's timer {own:6.3f} s, devices {theirs:6.3f} s, ratio {theirs / own:.3f}")
    print(f"median ratio {statistics.median(ratios):.3f}")


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[2] not in ("dma", "timers"):
        sys.exit(__doc__)
    measure = {"dma": dma, "timers": timers}[sys.argv[2]]
    measure(pathlib.Path(sys.argv[1]).absolute(), int(sys.argv[3]) if len(sys.argv) > 3 else 5)


if __name__ == "__main__":
    main()
