# SPDX-License-Identifier: MIT
"""The examples' folders, each by itself in another place, with an installed Trestle: "make run" builds what is in
them and runs it."""
import shutil
import subprocess

import common

EXAMPLES = common.SOURCE / "examples"
# Folder: what it needs, and the last lines of its runs.
RUN = {
    "01-two-devices": ("riscv32", "two_devices: 39 passed, 0 failed"),
    "02-four-devices": ("riscv32", r"four_devices: \d+ passed, 0 failed"),
    "03-your-own-model": ("riscv32", r"adler32: \d+ passed, 0 failed"),
    "04-interrupts": ("riscv32", r"interrupts: \d+ passed, 0 failed"),
    "05-dma": ("riscv32", r"dma: \d+ passed, 0 failed"),
    "06-failures": ("riscv32", r"failures: \d+ passed, 0 failed"),
    "07-repeatable": ("riscv64", r"mixed: \d+ passed, 0 failed"),
    "10-cortex-m": ("arm", r"[\w-]+: \d+ passed, 0 failed"),
    "12-pci": ("x86_64", r"edu: \d+ passed, 0 failed"),
    "14-python": ("riscv64", r"thermo: \d+ passed, 0 failed"),
    "15-vendor-chip": ("riscv32", r"[\w-]+: \d+ passed, 0 failed"),
}
# Their models have tests of their own, which take longer.
GUEST_ONLY = {"11-rtl": "ticker.elf", "13-systemc": "stopwatch.elf"}
# Without a guest of their own.
OTHERS = {"08-linux", "09-u-boot"}


class Examples(common.TestCase):
    @classmethod
    def setUpClass(cls):
        common.guest("probe")
        stage = common.fresh_directory(cls)
        subprocess.run(["meson", "install", "-C", common.BUILD, "--no-rebuild", "--destdir", stage], check=True,
                       capture_output=True)
        prefix = stage / common.build_option("prefix").lstrip("/")
        cls.env = {"PKG_CONFIG_PATH": str(prefix / common.build_option("libdir") / "pkgconfig"),
                   "PKG_CONFIG_SYSROOT_DIR": str(stage), "LD_LIBRARY_PATH": "", "MAKEFLAGS": "",
                   "TRESTLE_PLUGIN": ""}

    def test_all_of_them_are_here(self):
        found = {path.parent.name for path in EXAMPLES.glob("*/README.md")}
        self.assertEqual(found, {*RUN, *GUEST_ONLY, *OTHERS})

    def copy(self, name):
        """What git has of it."""
        folder = self.dir / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns(
            "*.so", "*.elf", "*_registers.h", "stats.json", "soc", "__pycache__", "*.ports.json"))
        return folder

    def make(self, *args):
        result = common.run(["make", *args], env=self.env, timeout=60)
        self.assertEqual(result.code, 0, result)
        return result.out

    def test_they_build_and_run(self):
        for name, (arch, last) in RUN.items():
            with self.subTest(name):
                if name == "14-python" and not list(common.BUILD.glob("**/trestle-python.so")):
                    continue
                common.qemu(arch)
                folder = self.copy(name)
                before = common.files(folder)
                self.assertRegex(self.make("-C", folder, "run"), rf"(?m)^{last}$")
                self.make("-C", folder, "clean")
                self.assertEqual(common.files(folder), before)

    def test_their_guests_build(self):
        for name, guest in GUEST_ONLY.items():
            with self.subTest(name):
                self.make("-C", self.copy(name), guest)

    def test_another_architecture(self):
        common.qemu("aarch64")
        out = self.make("-C", self.copy("05-dma"), "run", "TRESTLE_ARCH=aarch64", "CONFIG=aarch64.json")
        self.assertRegex(out, r"(?m)^dma: \d+ passed, 0 failed$")


if __name__ == "__main__":
    common.main()
