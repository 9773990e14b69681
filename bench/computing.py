#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does a guest that computes and touches no device become slower with Trestle's devices beside it?

Runs the guest "busy" by turns in QEMU alone and in QEMU with the plugin and connected devices, and
compares the processor time of QEMU. The order within a pair changes from pair to pair."""
import argparse
import json
import os
import pathlib
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile


def processor_seconds(argv):
    """QEMU's; ends this program when QEMU fails."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    output = child.stdout.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    if status or not output.startswith("busy: "):
        sys.exit(f"{shlex.join(argv)}: status {status}, and it said: {output}")
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", nargs="?", default="build", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--devices", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2000)
    args = parser.parse_args()
    guest = args.build / "firmware/busy-riscv32.elf"
    more = ["-append", f"rounds={args.rounds}"]
    alone = ["qemu-system-riscv32", "-M", "virt", "-bios", "none", "-nographic", "-no-reboot",
             "-kernel", str(guest), *more]
    with tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory, "config.json")
        config.write_text(json.dumps({
            "machine": {"kernel": str(guest.absolute())},
            "devices": [{"model": "echo", "base_addr": hex(0x10200000 + 0x1000 * i), "size": 4096}
                        for i in range(args.devices)]}))
        trestle = [str(args.build / "trestle"), "serve", str(config), "--socket-dir", directory]
        joined = shlex.split(subprocess.run([trestle[0], "qemu-args", *trestle[2:]], check=True,
                                            stdout=subprocess.PIPE).stdout.decode()) + more
        server = subprocess.Popen(trestle, stdout=subprocess.PIPE)
        try:
            while b"start QEMU with" not in server.stdout.readline():
                pass
            ratios = []
            for pair in range(-1, args.pairs):
                sides = [alone, joined]
                seconds = {id(side): processor_seconds(side)
                           for side in (sides if pair % 2 else reversed(sides))}
                if pair < 0:
                    continue # everything is in the host's caches from then on
                ratios.append(seconds[id(joined)] / seconds[id(alone)])
                print(f"alone {seconds[id(alone)]:.3f} s, joined {seconds[id(joined)]:.3f} s: "
                      f"{ratios[-1]:.4f}", flush=True)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    print(f"with {args.devices} devices the guest takes {statistics.median(ratios):.4f} times the "
          f"processor time (median of {args.pairs} pairs, {min(ratios):.4f} to {max(ratios):.4f})")


main()
