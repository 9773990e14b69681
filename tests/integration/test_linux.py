#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Linux, as Debian packages it, with its own drivers on devices behind Trestle.

Takes the guests that tools/linux-guest has left in the cache. TRESTLE_NETWORK=1, as CI sets it,
fetches them; without, and without guests, the tests are skipped.
"""
import json
import os
import pathlib
import re
import subprocess
import unittest

import common
from cli_case import Case

EXAMPLE = common.SOURCE / "examples/08-linux"
CACHE = pathlib.Path(os.environ.get("TRESTLE_LINUX", pathlib.Path.home() / ".cache/trestle/linux"))
BOOT_SECONDS = 200


def linux_guest(arch, script):
    """A directory with kernel and initrd-NAME, or the test is skipped."""
    common.qemu(arch)
    directory = CACHE / arch
    if not (directory / "initrd").exists() and not os.environ.get("TRESTLE_NETWORK"):
        raise unittest.SkipTest(f"no {directory}; tools/linux-guest {arch} {directory} fetches it, "
                                "and so do the tests with TRESTLE_NETWORK=1")
    subprocess.run([common.SOURCE / "tools/linux-guest", arch, directory, script], check=True)
    return directory


class Linux(Case):
    def boot(self, arch, *args, script=EXAMPLE / "demo.sh", **machine):
        guest = linux_guest(arch, script)
        model = self.dir / "uart.so"
        if not model.exists():
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-I", common.SOURCE / "include",
                            EXAMPLE / "uart.c", "-o", model], check=True)
        config = json.loads((EXAMPLE / f"linux-{arch}.json").read_text())
        config["machine"].update(kernel=str(guest / "kernel"),
                                 initrd=str(guest / f"initrd-{script.stem}"), **machine)
        result = self.trestle("run", "-v", self.config(config), "--", *args, timeout=BOOT_SECONDS)
        self.assertEqual(result.code, 0, result)
        return result

    def check_demo(self, result):
        out = result.out.replace("\r", "")
        self.assertIn("driver: of_serial, for ns16550a \n", out)
        self.assertIn("heard: hello, model/and again/\n", out)
        self.assertRegex(out, r"interrupts: \d+: [1-9].* ttyS\d\n")
        self.assertRegex(out, r"id: 0x[0-9A-F]{8} at 0x\w+\n")
        self.assertIn("serial: sent: hello, model\n", result.err)
        return out

    def test_riscv64(self):
        self.check_demo(self.boot("riscv64", cpus=2))

    def test_riscv64_aplic(self):
        self.check_demo(self.boot("riscv64", "-M", "aia=aplic"))

    def test_aarch64(self):
        self.check_demo(self.boot("aarch64"))

    def test_three_boots_are_one(self):
        """Under icount, console and hash are equal to the byte."""
        boots = set()
        for _ in range(3):
            result = self.boot("riscv64", icount=1)
            run_hash = re.search(r"run hash (\w+)", result.err)
            self.assertTrue(run_hash, result.err)
            boots.add((self.check_demo(result), run_hash.group(1)))
        self.assertEqual(len(boots), 1, boots)


if __name__ == "__main__":
    common.main()
