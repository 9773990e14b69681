# SPDX-License-Identifier: MIT
"""The guests on a QEMU without any device: every access is a bus error, which they must survive,
report, and turn into their exit code."""
import json
import re
import subprocess

import common

MACHINES = {
    "riscv32": ["-M", "virt", "-bios", "none"],
    "riscv64": ["-M", "virt", "-bios", "none"],
    "arm": ["-M", "virt", "-cpu", "cortex-a15", "-semihosting"],
    "aarch64": ["-M", "virt", "-cpu", "cortex-a57", "-semihosting"],
    "x86_64": ["-M", "q35", "-nic", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=1"],
}
# Where the guests expect their devices, and free RAM, as hexadecimal digits.
BASES = {"riscv32": "10200000", "riscv64": "10200000", "arm": "b200000", "aarch64": "b200000"}
RAM = {"riscv32": "0x80100000", "riscv64": "0x80100000", "arm": "0x40200000",
       "aarch64": "0x40200000", "x86_64": "0x200000"}


class Clock(common.TestCase):
    def test_it_is_guest_time(self):
        """In runs whose time counts instructions, so that the load of the host does not matter. Where
        a guest waits under sleep=off, QEMU 7.2 passes over the first interrupt of a SysTick."""
        boards = [(arch, None) for arch in MACHINES] + [("cortex-m", "mps2-an385"), ("cortex-m", "microbit")]
        for arch, board in boards:
            with self.subTest(arch=arch, board=board):
                machine = {"arch": arch, "icount": 0, "kernel": str(common.guest("clock", arch)),
                           "args": ["-semihosting"]}
                if board:
                    machine.update(arch="arm", board=board)
                    machine["args"] += ["-icount", "shift=0"]
                    del machine["icount"]
                base = {"riscv": "0x10200000", "x86_6": "0xd0200000", "corte": "0xa0000000"}
                config = {"machine": machine, "devices": [
                    {"model": "timer", "base_addr": base.get(arch[:5], "0xb200000")}]}
                if arch == "x86_64":
                    del machine["args"]
                (self.dir / "clock.json").write_text(json.dumps(config))
                common.qemu(machine["arch"])
                result = common.run([common.TRESTLE, "run", self.dir / "clock.json"])
                self.assertEqual(result.code, 0, result)
                self.assertIn("clock: 9 passed, 0 failed", result.out)


class NoDevices(common.TestCase):
    def run_guest(self, name, arch, *args):
        return common.run([common.qemu(arch), *MACHINES[arch], "-nographic", "-kernel",
                           common.guest(name, arch), *args], timeout=30)

    def test_every_access_fails(self):
        for arch in BASES:
            with self.subTest(arch=arch):
                result = self.run_guest("two_devices", arch)
                self.assertEqual(result.code, 1, result)
                self.assertIn(f"FAIL echo: write: bus error, 4-byte write at 0x{BASES[arch]}\n",
                              result.out)
                self.assertRegex(result.out, r"two_devices: 0 passed, \d+ failed")
                self.assertNotIn("PASS", result.out)

    def test_no_bus_errors_on_x86(self):
        result = self.run_guest("two_devices", "x86_64")
        self.assertEqual(result.code, 3, result)  # isa-debug-exit makes 2 * 1 + 1 of it
        self.assertIn("FAIL echo: ready", result.out)

    def test_arm_without_semihosting(self):
        """It cannot end QEMU: it says so, once, and stands still."""
        for arch in "arm", "aarch64":
            with self.subTest(arch=arch):
                machine = [arg for arg in MACHINES[arch] if arg != "-semihosting"]
                qemu = self.start([common.qemu(arch), *machine, "-nographic", "-kernel",
                                   common.guest("two_devices", arch)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True)
                for line in qemu.stdout:
                    if line.endswith("failed\n"):
                        break
                self.assertEqual(qemu.stdout.readline(),
                                 "FAIL cannot end QEMU: start it with -semihosting\n")
                qemu.terminate()
                with qemu.stdout as rest:
                    self.assertEqual(rest.read(), "")

    def test_four_devices(self):
        for arch in "riscv32", "riscv64":
            with self.subTest(arch=arch):
                result = self.run_guest("four_devices", arch)
                self.assertEqual(result.code, 1, result)
                self.assertIn("four_devices: 0 passed, 4 failed", result.out)

    def test_number_of_devices(self):
        for arch in MACHINES:
            with self.subTest(arch=arch):
                result = self.run_guest("many_devices", arch)
                self.assertEqual(result.code, 3 if arch == "x86_64" else 1, result)
                self.assertIn("FAIL 0 devices were there", result.out)

    def test_command_line(self):
        for arch in BASES:
            with self.subTest(arch=arch):
                result = self.run_guest("many_devices", arch, "-append",
                                        "xn=9 n=3 base=0xb300000 stride=8192 rounds=1")
                self.assertEqual(result.code, 1, result)
                self.assertIn("many_devices: 3 from 0xb300000, 0x2000 apart", result.out)
                self.assertIn("FAIL identity: bus error, 8-byte read at 0xb302000", result.out)

    def test_bench(self):
        """RAM stands in for the devices; the numbers mean nothing, their form does."""
        for arch, args in (("riscv32", "n=3 size=8 op=mixed order=random"),
                           ("riscv64", "n=2 stride=64"),
                           ("aarch64", "size=2"), ("arm", "size=8"), ("x86_64", "size=8 n=2"),
                           ("riscv32", "op=write batch=8 n=1000 stride=8")):
            with self.subTest(arch=arch, args=args):
                result = self.run_guest("mmio_bench", arch, "-append",
                                        f"base={RAM[arch]} count=16000 {args}")
                self.assertEqual(result.code, 0, result)
                text = result.out[result.out.index("bench 1 "):]  # the PC's BIOS talks first
                lines = [line.split() for line in text.splitlines()]
                batch = 8 if "batch=8" in args else 16
                self.assertEqual(lines[0], ["bench", "1", "16000", str(batch)])
                self.assertEqual(lines[1][0], "total")
                self.assertGreater(int(lines[1][1]), 0)
                self.assertEqual(lines[-1], ["end"])
                times = {name: sum(int(line[2]) for line in lines if line[0] == name)
                         for name in ("overhead", "latency")}
                self.assertEqual(times, {"overhead": 16000, "latency": 16000 // batch})

    def test_bench_second_processor(self):
        """It works while the first one measures, on devices of its own."""
        for arch in "riscv32", "riscv64":
            with self.subTest(arch=arch):
                base = int(RAM[arch], 16)
                result = self.run_guest("mmio_bench", arch, "-smp", "2", "-append",
                                        f"base={base:#x} n=2 harts=2 op=write size=4 count=8000000")
                self.assertEqual(result.code, 0, result)
                others = re.search(r"^others (\d+)", result.out, re.MULTILINE)
                self.assertGreater(int(others[1]), 0)
        result = self.run_guest("mmio_bench", "riscv32", "-append",
                                f"base={RAM['riscv32']} n=2 harts=2")
        self.assertEqual(result.code, 1, result)
        self.assertIn("FAIL no second processor", result.out)

    def test_bench_refuses(self):
        for args in "size=3", "n=0", "harts=3 n=3", "harts=2", "base=0x10200000", "base=0x80100000 clock=0x10200000":
            with self.subTest(args=args):
                result = self.run_guest("mmio_bench", "riscv32", "-append", args)
                self.assertEqual(result.code, 1, result)
                self.assertRegex(result.out, "^FAIL ")


if __name__ == "__main__":
    common.main()
