# SPDX-License-Identifier: MIT
"""The guests on a QEMU without any device: every access is a bus error, which they must survive,
report, and turn into their exit code."""
import common


class NoDevices(common.TestCase):
    def run_guest(self, name, arch, *args):
        return common.run([common.qemu(arch), "-M", "virt", "-bios", "none", "-nographic",
                           "-kernel", common.guest(name, arch), *args], timeout=30)

    def test_number_of_devices(self):
        for arch in "riscv32", "riscv64":
            with self.subTest(arch=arch):
                result = self.run_guest("many_devices", arch)
                self.assertEqual(result.code, 1, result)
                self.assertIn("FAIL 0 devices were there", result.out)
                result = self.run_guest("many_devices", arch, "-append",
                                        "xn=9 n=3 base=0x10300000 stride=8192 rounds=1")
                self.assertEqual(result.code, 1, result)
                self.assertIn("many_devices: 3 from 0x10300000, 0x2000 apart", result.out)
                self.assertIn("FAIL identity: bus error, 8-byte read at 0x10302000", result.out)

    def test_bench(self):
        """RAM stands in for the devices; the numbers mean nothing, their form does."""
        for arch, args in (("riscv32", "n=3 size=8 op=mixed order=random"),
                           ("riscv64", "n=2 stride=64"),
                           ("riscv32", "op=write batch=8 n=1000 stride=4")):
            with self.subTest(arch=arch, args=args):
                result = self.run_guest("mmio_bench", arch, "-append",
                                        f"base=0x80100000 count=16000 {args}")
                self.assertEqual(result.code, 0, result)
                lines = [line.split() for line in result.out.splitlines()]
                batch = 8 if "batch=8" in args else 16
                self.assertEqual(lines[0], ["bench", "1", "16000", str(batch)])
                self.assertEqual(lines[-1], ["end"])
                self.assertGreater(int(next(v for k, v in lines[1:2] if k == "total")), 0)
                times = {name: sum(int(line[2]) for line in lines if line[0] == name)
                         for name in ("overhead", "latency")}
                self.assertEqual(times, {"overhead": 1000, "latency": 16000 // batch})

    def test_bench_refuses(self):
        for args in "size=3", "n=0", "base=0x10200000", "base=0x80100000 clock=0x10200000":
            with self.subTest(args=args):
                result = self.run_guest("mmio_bench", "riscv32", "-append", args)
                self.assertEqual(result.code, 1, result)
                self.assertRegex(result.out, "^FAIL ")

    def test_every_access_fails(self):
        for arch in "riscv32", "riscv64":
            with self.subTest(arch=arch):
                result = self.run_guest("four_devices", arch)
                self.assertEqual(result.code, 1, result)
                self.assertIn("four_devices: 0 passed, 4 failed", result.out)
                result = self.run_guest("two_devices", arch)
                self.assertEqual(result.code, 1, result)
                self.assertIn("FAIL echo: write: bus error, 4-byte write at 0x10200000",
                              result.out)
                self.assertRegex(result.out, r"two_devices: 0 passed, \d+ failed")
                self.assertNotIn("PASS", result.out)
                self.assertNotIn("unexpected trap", result.out)


if __name__ == "__main__":
    common.main()
