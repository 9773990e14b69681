#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads of the models nvme and virtio-blk on PCI, beside QEMU's own devices, in one Linux guest.

One guest has both disks, and reads them by turns, one request at a time past its caches. The host has
their files in memory. It takes a host that is x86_64 with a static C library, and the guest that
tools/linux-guest has left in the cache (TRESTLE_LINUX, by default ~/.cache/trestle/linux)."""
import argparse
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("TRESTLE_LINUX", pathlib.Path.home() / ".cache/trestle/linux"))
OWN = {"nvme": "nvme,drive=own,serial=qemu", "virtio-blk": "virtio-blk-pci,drive=own,serial=qemu"}
KINDS = ("random", 4096), ("sequential", 4096), ("sequential", 131072)


def tool():
    """tools/linux-guest as a module, for its archives."""
    loader = importlib.machinery.SourceFileLoader("linux_guest", str(SOURCE / "tools/linux-guest"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("linux_guest", loader))
    loader.exec_module(module)
    return module


def script(rounds, bytes_each):
    lines = ["for round in $(seq %d); do" % rounds]
    for kind, size in KINDS:
        lines.append(f"""
    disks=$(ls -d /sys/block/nvme*n1 /sys/block/vd* 2>/dev/null)
    [ $((round % 2)) = 0 ] && disks=$(echo $disks | tr ' ' '\\n' | tac)
    for disk in $disks; do
        case $(cat $disk/serial $disk/device/serial 2>/dev/null) in
            qemu*) side=own ;;
            *) side=trestle ;;
        esac
        echo "measured $side $(disk_reader /dev/$(basename $disk) {kind} {size} {bytes_each // size})"
    done""")
    return "\n".join([*lines, "done\n"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", nargs="?", default="build", type=pathlib.Path)
    parser.add_argument("--model", choices=OWN, default="nvme")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--mib", type=int, default=8, help="that are read each time")
    parser.add_argument("--messages", action="store_true", help="without direct_dma")
    parser.add_argument("--process", help="\"own\" or \"inline\"")
    args = parser.parse_args()
    guest = CACHE / "x86_64"
    if not (guest / "kernel").exists():
        sys.exit(f"no {guest}/kernel; tools/linux-guest x86_64 {guest} fetches it")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        reader = directory / "disk_reader"
        subprocess.run(["cc", "-O2", "-static", SOURCE / "bench/disk_reader.c", "-o", reader], check=True)
        archive = tool()
        (directory / "initrd").write_bytes((guest / "initrd").read_bytes() + archive.cpio([
            archive.cpio_entry("bin/disk_reader", 0o100755, reader.read_bytes()),
            archive.cpio_entry("script", 0o100644, script(args.rounds, args.mib << 20).encode())]))
        for disk in "ours.img", "own.img":
            (directory / disk).write_bytes(os.urandom(64 << 20))
        params = {"latency": "0ns"} if args.model == "nvme" else {}
        device = {"name": "disk", "model": args.model, "pci": {}, "timeout_ms": 0,
                  "params": {"file": "ours.img", **params}}
        if args.process:
            device["process"] = args.process
        (directory / "config.json").write_text(json.dumps({
            "machine": {"arch": "x86_64", "memory": "512M", "direct_dma": not args.messages,
                        "kernel": str(guest / "kernel"),
                        "initrd": "initrd", "append": "console=ttyS0 quiet",
                        "args": ["-drive", f"if=none,id=own,format=raw,file={directory / 'own.img'}",
                                 "-device", OWN[args.model]]},
            "devices": [device]}))
        run = subprocess.run([args.build / "trestle", "run", directory / "config.json"],
                             stdout=subprocess.PIPE, text=True, check=True)
    rates = {}
    for line in run.stdout.splitlines():
        words = line.split()
        if words[:1] == ["measured"]:
            rates.setdefault((words[2], int(words[3]), words[1]), []).append(float(words[4]))
    if not rates:
        sys.exit(run.stdout)
    for kind, size in KINDS:
        ours, own = (rates[kind, size, side] for side in ("trestle", "own"))
        ratios = sorted(a / b for a, b in zip(ours, own))
        print(f"{kind} {size}: at best {max(ours):.0f} a second, QEMU's own {max(own):.0f}; pairs "
              f"{ratios[0]:.2f} to {ratios[-1]:.2f} of it, median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
