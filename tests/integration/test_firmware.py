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
                self.assertIn("FAIL identity: bus error, 4-byte read at 0x10302004", result.out)

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
