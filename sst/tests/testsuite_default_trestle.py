# SPDX-License-Identifier: MIT
"""The guests under SST's own test framework:

    sst-test-core -p sst/tests          (-r 2 or -t 2: on so many ranks or threads)
    sst-test-elements -w "*trestle*"    after make sst-install

TRESTLE_BUILD is the build directory, with the guests and the library.
"""
import os
import re

from sst_unittest import *  # noqa: F403
from sst_unittest_support import *  # noqa: F403

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("TRESTLE_BUILD", os.path.join(HERE, "..", "..", "build")))
os.environ["TRESTLE_BUILD"] = BUILD


class testcase_trestle(SSTTestCase):  # noqa: F405
    def run_guest(self, config, last, **env):
        name = f"{config}_{'_'.join(env.values())}"
        directory = self.get_test_output_run_dir()
        out, err = f"{directory}/{name}.out", f"{directory}/{name}.err"
        before = dict(os.environ)
        os.environ.update(TRESTLE_ICOUNT="0", **env)
        try:
            self.run_sst(f"{HERE}/{config}.py", out, err, timeout_sec=120,
                         other_args=f"--add-lib-path={BUILD}/sst")
        finally:
            os.environ.clear()
            os.environ.update(before)
        with open(out, encoding="utf-8", errors="replace") as file:
            text = file.read()
        self.assertRegex(text, last)
        return re.search("Simulation is complete, simulated time: (.*)", text)[1]

    def test_one_device(self):
        self.run_guest("many_devices", "many_devices: 7 passed, 0 failed", TRESTLE_DEVICES="1")

    def test_2device_integration(self):
        end = self.run_guest("test_2device_integration", r"two_devices: \d\d passed, 0 failed")
        again = self.run_guest("test_2device_integration", r"two_devices: \d\d passed, 0 failed")
        self.assertEqual(end, again)

    def test_4devices(self):
        self.run_guest("qemu_4device_test", "four_devices: 265 passed, 0 failed")

    def test_64_devices(self):
        self.run_guest("many_devices", "many_devices: 385 passed, 0 failed", TRESTLE_DEVICES="64")

    def test_interrupts(self):
        self.run_guest("interrupts", r"interrupts: \d\d passed, 0 failed")

    def test_dma(self):
        self.run_guest("dma", r"dma: \d\d passed, 0 failed")
