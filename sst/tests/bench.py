# SPDX-License-Identifier: MIT
"""bench.py [--rounds N] [--count N] [--json FILE]: what an access costs under SST.

The guest (mmio_bench) reads one echo device and measures by its own clock, which is the host's.
The sides take turns over the rounds. Let nothing else run: two sides that spin need a processor
each, and over two ranks there are three.

TRESTLE_BUILD is the build directory, TRESTLE_SST SST's sst-config.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))
import sst_case  # noqa: E402
from sst_case import common  # noqa: E402

CONFIG = TESTS / "bench_config.py"


def sst_command(ranks=1):
    partitioner = ["--partitioner=sst.self"] if ranks > 1 else []
    return [*sst_case.mpirun(ranks), sst_case.SST, f"--add-lib-path={sst_case.LIBRARY}",
            *partitioner, CONFIG]


def total_us(out, count):
    """What the guest measured, per access."""
    match = re.search(r"(?m)^total (\d+)\r?$", out)
    if not match:
        raise SystemExit(f"the guest did not come to its end:\n{out}")
    return int(match[1]) / count / 1000


class Bench:
    def __init__(self, count, directory):
        self.count, self.directory = count, directory

    def environment(self, count, **more):
        return {**os.environ, **sst_case.MPI_ENVIRONMENT, "TRESTLE_BUILD": str(common.BUILD),
                "XDG_RUNTIME_DIR": str(self.directory), "TRESTLE_APPEND": f"count={count}", **more}

    def under_sst(self, count=0, ranks=1, **env):
        """Per access in us, and the seconds that the whole run took."""
        count = count or self.count
        start = time.monotonic()
        result = common.run(sst_command(ranks), timeout=600, env=self.environment(count, **env))
        return total_us(result.out, count), time.monotonic() - start

    def carrier(self):
        """The same guest, rings and model behind Trestle's own engine: no SST."""
        config = self.directory / "carrier.json"
        config.write_text(json.dumps({
            "machine": {"arch": "riscv32", "args": ["-append", f"count={self.count}"],
                        "kernel": str(common.guest("mmio_bench"))},
            "devices": [{"name": "echo", "model": "echo", "base_addr": "0x10200000",
                         "size": 4096}]}))
        return total_us(common.run([common.TRESTLE, "run", config], timeout=600).out, self.count)

    def polling(self):
        """A host that looks at its socket every simulated nanosecond."""
        count = max(self.count // 20, 1)
        path = self.directory / "polling.sock"
        path.unlink(missing_ok=True)
        process = subprocess.Popen([str(a) for a in sst_command()], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True,
                                   env=self.environment(count, TRESTLE_POLLING=str(path)))
        try:
            if not any("Listening" in line for line in process.stdout):
                raise SystemExit("the polling host did not start")
            result = common.run([
                "qemu-system-riscv32", "-M", "virt", "-bios", "none", "-nographic", "-kernel",
                common.guest("mmio_bench"), "-append", f"count={count}", "-plugin", common.PLUGIN,
                "-device", f"sst-device,socket={path},base_address=0x10200000,size=0x1000,"
                           "protocol=1"], timeout=600)
            return total_us(result.out, count)
        finally:
            process.kill()
            process.wait()

    def measure(self):
        """{what: us per access}, and for the latencies the seconds of the whole run."""
        few = max(self.count // 20, 1)
        found = {"carrier": self.carrier(), "one rank": self.under_sst()[0],
                 "polling": self.polling()}
        for cycles in 100, 100000:
            found[f"{cycles} cycles"], found[f"{cycles} cycles, run"] = self.under_sst(
                TRESTLE_LATENCY=str(cycles))
        for link, yields in ("1ns", "0"), ("1ns", "1"), ("1us", "0"):
            found[f"two ranks, {link}, {yields}"] = self.under_sst(
                few, 2, TRESTLE_RANK="1", TRESTLE_LINK=link, OMPI_MCA_mpi_yield_when_idle=yields)[0]
        return found


def print_table(rounds):
    def values(what):
        found = sorted(r[what] for r in rounds)
        return found[0], statistics.median(found)

    def line(what, key, unit="us"):
        best, median = values(key)
        rate = f"{1e6 / median:12.0f}" if unit == "us" else ""
        print(f"{what:48}{best:9.2f} {unit} {median:9.2f} {unit}{rate}")

    print(f"{'':48}{'best':>12} {'median':>12}  per second")
    line("carrier alone (trestle run)", "carrier")
    line("one rank, over shared memory", "one rank")
    print(f"{'  of that SST and the element':48}" + " ".join(
        f"{a - b:9.2f} us" for a, b in zip(values("one rank"), values("carrier"))))
    line("a host that polls every simulated ns", "polling")
    print(f"{'  times the cost':48}" + " ".join(
        f"{a / b:12.1f}" for a, b in zip(values("polling"), values("one rank"))))
    for cycles in 100, 100000:
        line(f"a device that takes {cycles} cycles", f"{cycles} cycles")
        line("  the whole run", f"{cycles} cycles, run", " s")
    line("device on a second rank", "two ranks, 1ns, 0")
    line("  where MPI yields while it waits", "two ranks, 1ns, 1")
    line("  with links of 1us", "two ranks, 1us, 0")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=300000, help="accesses of each measurement")
    parser.add_argument("--json", help="all that was measured, by round")
    args = parser.parse_args()
    if not sst_case.SST.exists():
        parser.error("no sst found; TRESTLE_SST=PREFIX/bin/sst-config says where it is")
    with tempfile.TemporaryDirectory(prefix="trestle-") as directory:
        bench = Bench(args.count, pathlib.Path(directory))
        rounds = [bench.measure() for _ in range(args.rounds)]
    print_table(rounds)
    print(f"{args.rounds} rounds of {args.count} reads; over two ranks of a 20th of that")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(rounds, indent=1) + "\n")


if __name__ == "__main__":
    main()
