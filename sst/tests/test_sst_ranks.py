# SPDX-License-Identifier: MIT
"""Simulations of several processes, threads and QEMUs. What repeats on one rank ends the same on
any number of them."""
import os
import signal
import subprocess

from sst_case import SELF, TESTS, TWO_DEVICES, SSTCase, common, end_time


class Devices(SSTCase):
    def same_end(self, config, last, runs, **env):
        """Runs of (ranks, arguments and environment) under icount end at the same simulated time."""
        ends = {}
        for ranks, more in runs:
            result = self.sst(config, ranks=ranks, args=SELF if more else (), timeout=200,
                              TRESTLE_ICOUNT="0", **env, **more)
            self.assertEqual(result.code, 0, result)
            self.assertRegex(result.out, last)
            ends.setdefault(end_time(result), []).append((ranks, more))
        self.assertEqual(len(ends), 1, ends)
        self.assertNotIn(None, ends)

    def test_runs_repeat(self):
        """With icount every run ends at the same simulated time, on any number of ranks."""
        self.same_end(TWO_DEVICES, r"two_devices: \d\d passed, 0 failed",
                      [(1, {}), (1, {}), (2, {}), (4, {})])

    def test_example_of_several_hosts(self):
        """docs/sst/several_hosts.py, on one."""
        ends = set()
        for ranks in 1, 2:
            result = self.sst(common.SOURCE / "docs" / "sst" / "several_hosts.py", ranks, SELF)
            self.assertEqual(result.code, 0, result)
            self.assertRegex(result.out, r"two_devices: \d\d passed, 0 failed")
            ends.add(end_time(result))
        self.assertEqual(len(ends), 1, ends)

    def test_interrupts_and_dma_across_ranks(self):
        self.same_end(TESTS / "dma.py", r"dma: \d\d passed, 0 failed",
                      [(1, {}), (2, {"TRESTLE_RANK": "1"})])


class Machines(SSTCase):
    def exchange(self, ranks=1, threads=1, icount="0"):
        consoles = self.dir / f"consoles{ranks}{threads}{icount}"
        consoles.mkdir()
        args = SELF if ranks > 1 else [*SELF, "-n", threads] if threads > 1 else []
        result = self.sst(TESTS / "two_qemus.py", ranks=ranks, args=args, timeout=200,
                          TRESTLE_ICOUNT=icount, TRESTLE_RANKS=str(ranks),
                          TRESTLE_THREADS=str(threads), TRESTLE_CONSOLES=str(consoles))
        self.assertEqual(result.code, 0, result)
        for number, other in (0, 0x2000), (1, 0x1000):
            console = (consoles / f"console{number}").read_text()
            self.assertIn("exchange: 20 of 20 rounds", console)
            self.assertIn(f"exchange: with {hex(other)}", console)
            self.assertIn("exchange: 2 passed, 0 failed", console)
        return end_time(result)

    def test_two_qemus(self):
        """On one rank they take turns; on two, or in two threads, each has its own."""
        ends = {self.exchange(ranks, threads) for ranks, threads in ((1, 1), (2, 1), (4, 1), (1, 2))}
        self.assertEqual(len(ends), 1, ends)

    def test_two_qemus_on_the_hosts_clock(self):
        for ranks in 1, 2:
            with self.subTest(ranks=ranks):
                self.exchange(ranks, icount="-1")


SILENT = """
silent = sst.Component("silent", "trestletest.Silent")
silent.addParams({"answers": 3, "end": "%s", "tick": "10kHz"})
host["access_timeout"] = "1000s"  # which would take minutes, since something ticks
qemu.addParams({**host, "verbose": 2})
qemu.setRank(0)
compute.setRank(0)
silent.setRank(1)
link("a", qemu, "device_port_0", silent, "cpu_port")
link("b", qemu, "device_port_1", compute, "cpu_port")
"""


class Ends(SSTCase):
    """However it ends on one rank, nothing is left on any."""

    def test_fatal_on_another_rank(self):
        for ranks in 2, 4:
            self.fails(SILENT % "fatal", "a fatal error while the guest waits", ranks=ranks,
                       args=SELF)

    def test_qemu_dies_while_a_device_of_another_rank_is_asked(self):
        for ranks in 2, 4:
            with self.subTest(ranks=ranks):
                command = self.command(self.config(SILENT % "nothing"), ranks, SELF)
                process = self.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     text=True, env={**os.environ, **self.environment()})
                self.addCleanup(process.stdout.close)
                self.wait_for_line(process, "silent: asked")
                qemu, = self.qemus()
                os.kill(qemu, signal.SIGKILL)
                out = process.stdout.read()
                self.assertNotEqual(process.wait(20), 0, out)
                self.assertIn("QEMU ended with exit code 137 (killed by a signal)", out)
                self.check_clean(out)


if __name__ == "__main__":
    common.main()
