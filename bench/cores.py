#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a core in Verilog costs: a guest that computes beside it, an access to it, and its build.

Runs the guest "busy" beside a model in C that does nothing, and beside cores of 100 MHz: one at rest, one
that never is, and one with 763 interrupts in a second. They take turns. Times are the processor's, of QEMU
and of Trestle together, since those two wait for each other under icount, and those on the wall: where a
processor is free, who waits looks on it, and that is in the former. The least of all turns counts, and what a
run takes that does nothing is taken off. Reads of a register are measured with the clock on the wall."""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).parent.parent
BLINK = SOURCE / "tests/rtl/apb_blink.v"
CORES = {"at rest": (SOURCE / "examples/11-rtl/ticker.v",),
         "never at rest": (BLINK, "-G", "BITS=32", "--tie", "spare=0"),
         "763 Hz": (BLINK, "-G", "BITS=17", "--tie", "spare=0")}


def seconds(argv, directory):
    """Of the processors, and on the wall."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    result = subprocess.run(argv, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode:
        sys.exit(f"{argv}: {result.stdout[-500:]}{result.stderr[-500:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", nargs="?", default="build", type=pathlib.Path)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--reads", type=int, default=500000)
    args = parser.parse_args()
    trestle = str((args.build / "trestle").absolute())
    with tempfile.TemporaryDirectory() as directory:
        models = {"a model in C": "id"}
        for name, words in CORES.items():
            model = f"./core{len(models)}.so"
            spent = seconds([trestle, "rtl", "build", *map(str, words), "-o", model], directory)
            print(f"{name}: built in {spent[0]:.1f} s of the processors", flush=True)
            models[name] = model

        def run(model, guest, append):
            config = pathlib.Path(directory, "config.json")
            config.write_text(json.dumps({
                "machine": {"kernel": os.path.abspath(args.build / f"firmware/{guest}-riscv32.elf"), "icount": 0,
                            "append": append},
                "devices": [{"model": model, "base_addr": "0x10200000"}]}))
            return seconds([trestle, "run", str(config)], directory)

        turns = {name: [] for name in models}
        for turn in range(args.turns):
            for name in list(models)[::1 if turn % 2 else -1]:
                nothing = run(models[name], "busy", "rounds=1")
                whole = run(models[name], "busy", f"rounds={args.rounds}")
                turns[name].append([b - a for a, b in zip(nothing, whole)])
        least = {name: [min(turn[i] for turn in turns[name]) for i in range(2)] for name in models}
        for name in CORES:
            ratios = [of_core / of_c for of_core, of_c in zip(least[name], least["a model in C"])]
            print(f"{name}: the guest takes {ratios[0]:.2f} times as long, and {ratios[1]:.2f} on the wall")
        for name in "a model in C", "at rest":
            append = "op=read read_offset=4 base=0x10200000 count="
            nothing = min(run(models[name], "mmio_bench", append + "1")[1] for _ in range(args.turns))
            reads = min(run(models[name], "mmio_bench", append + str(args.reads))[1] for _ in range(args.turns))
            print(f"{name}: a read takes {(reads - nothing) / (2 * args.reads) * 1e6:.2f} us")


main()
