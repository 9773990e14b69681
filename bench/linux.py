#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: bench/linux.py BUILD boot|disk|devmem [ROUNDS [BUSY]]

What Linux on riscv64 sees; from a release build, on a quiet machine. It takes the guest that
tools/linux-guest has made in ~/.cache/trestle/linux/riscv64 ($TRESTLE_LINUX/riscv64).

boot: seconds from the start of QEMU to its end, alone and with seven devices behind Trestle, by turns.
disk: MB per second of a sequential read of 128 MiB, and reads of 4 KiB per second, past the cache, of
QEMU's own virtio-blk and of Trestle's, with direct_dma and without, in one guest, by turns.
devmem: nanoseconds of a read through /dev/mem, on average.
BUSY: so many other processes compute for ever meanwhile; 0 if it is not said.
"""
import base64
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[1]
GUEST = pathlib.Path(os.environ.get("TRESTLE_LINUX", pathlib.Path.home() / ".cache/trestle/linux")) / "riscv64"
SEVEN = "near", "disk", "clock", "i2c", "eeprom", "around-tmp102", "gpio"
ALONE = ["qemu-system-riscv64", "-M", "virt", "-m", "512M", "-bios", "default", "-nographic"]
DISK = """
disk() { for d in /sys/block/vd*; do [ "$(cat $d/serial)" = $1 ] && echo /dev/${d##*/}; done; }
own=$(disk own)
ours=$(disk ours)
now() { cut -d " " -f 1 /proc/uptime; } # hundredths of a second
speed() {
    begin=$(now)
    dd if=$2 of=/dev/null iflag=direct bs=$3 count=$4 2>/dev/null
    echo "$1 $begin $(now)"
}
for round in $(seq ROUNDS); do
    for which in own ours; do
        eval speed $which.sequential \\$$which 1M 128
        eval speed $which.small \\$$which 4k 2000
    done
done
"""


def initrd(directory, script):
    (directory / "bench.sh").write_text(script)
    subprocess.run([SOURCE / "tools/linux-guest", "--cached", "riscv64", GUEST, directory / "bench.sh"],
                   check=True)
    return str(GUEST / "initrd-bench")


def trestle(build, directory, devices, links=(), **machine):
    """What a guest says."""
    config = directory / "bench.json"
    config.write_text(json.dumps({
        "machine": {"arch": "riscv64", "memory": "512M", "kernel": str(GUEST / "kernel"),
                    "initrd": str(GUEST / "initrd-bench"), "append": "console=ttyS0 quiet", **machine},
        "devices": devices, "links": list(links)}))
    return subprocess.run([build / "trestle", "run", config], check=True, capture_output=True,
                          stdin=subprocess.DEVNULL, text=True).stdout


def seconds(run):
    begin = time.monotonic()
    run()
    return time.monotonic() - begin


def boot(build, directory, rounds):
    (directory / "disk.img").write_bytes(bytes(8 << 20))
    made = initrd(directory, "true\n")
    example = json.loads((SOURCE / "examples/08-linux/linux-riscv64.json").read_text())
    devices = [d for d in example["devices"] if d["name"] in SEVEN]
    links = [l for l in example["links"]
             if all(l[end].split(".")[0] in SEVEN for end in ("from", "to"))]
    sides = {"QEMU alone": lambda: subprocess.run(
        [*ALONE, "-kernel", GUEST / "kernel", "-initrd", made, "-append", "console=ttyS0 quiet"],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL),
             f"{len(devices)} devices": lambda: trestle(build, directory, devices, links)}
    taken = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            taken[name].append(seconds(run))
    alone, ours = (statistics.median(times) for times in taken.values())
    for name, times in taken.items():
        print(f"{name:12}{statistics.median(times):7.2f} s  ({' '.join(f'{t:.2f}' for t in times)})")
    print(f"ratio {ours / alone:.3f}")


def disk(build, directory, rounds):
    for name in "own", "ours":
        (directory / name).write_bytes(bytes(128 << 20))
    initrd(directory, DISK.replace("ROUNDS", str(rounds)))
    for direct in True, False:
        said = trestle(build, directory, [
            {"name": "ours", "model": "virtio-blk", "base_addr": "0x10200000", "irq": 40,
             "params": {"file": str(directory / "ours")}}], direct_dma=direct,
            args=["-drive", f"if=none,id=own,format=raw,file={directory / 'own'}",
                  "-device", "virtio-blk-device,drive=own,serial=own"])
        print("direct_dma" if direct else "messages")
        for what, amount, unit in ("sequential", 134.217728, "MB/s"), ("small", 2000, "reads/s"):
            own, ours = (statistics.median(
                amount / (float(end) - float(begin))
                for begin, end in re.findall(rf"{side}\.{what} ([0-9.]+) ([0-9.]+)", said))
                for side in ("own", "ours"))
            print(f"  {what:12}QEMU's {own:8.0f}  Trestle's {ours:8.0f} {unit}  ratio {ours / own:.2f}")


def devmem(build, directory, rounds):
    program = directory / "devmem"
    subprocess.run(["clang", "--target=riscv64-linux-gnu", "-O2", "-nostdlib", "-static", "-fuse-ld=lld",
                    SOURCE / "bench/devmem.c", "-o", program], check=True)
    text = base64.encodebytes(program.read_bytes()).decode()
    initrd(directory, f"base64 -d >/tmp/devmem <<E\n{text}E\nchmod +x /tmp/devmem\n" +
           "/tmp/devmem\n" * rounds)
    said = trestle(build, directory, [{"name": "echo", "model": "echo", "base_addr": "0x10201000"}])
    times = [int(t) for t in re.findall(r"devmem: (\d+) ns", said)]
    print(f"{statistics.median(times):.0f} ns  ({' '.join(map(str, times))})")


@contextlib.contextmanager
def neighbours(count):
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main():
    measures = {"boot": boot, "disk": disk, "devmem": devmem}
    if len(sys.argv) not in (3, 4, 5) or sys.argv[2] not in measures:
        sys.exit(__doc__)
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    busy = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    with tempfile.TemporaryDirectory() as directory, neighbours(busy):
        measures[sys.argv[2]](pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(directory), rounds)


if __name__ == "__main__":
    main()
