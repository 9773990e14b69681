# SPDX-License-Identifier: MIT
"""What the shared library exports is what lib/exports.map lists, and each of that is declared in a
public header."""
import os
import pathlib
import re
import subprocess
import unittest

BUILD = pathlib.Path(os.environ["TRESTLE_BUILD"])
SOURCE = pathlib.Path(os.environ["TRESTLE_SOURCE"])


def defined(path, *options):
    lines = subprocess.run(["nm", "--defined-only", "--format=posix", *options, path], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return {line.split(" ")[0].split("@")[0] for line in lines if " A " not in line}


class Exports(unittest.TestCase):
    def setUp(self):
        text = (SOURCE / "lib/exports.map").read_text()
        self.listed = set(re.findall(r"^ {8}(\w+);$", text, re.M))

    def test_are_listed(self):
        exported = defined(BUILD / "lib/libtrestle.so", "--dynamic")
        self.assertEqual(sorted(exported - self.listed), [], "exported, but not in lib/exports.map")
        self.assertEqual(sorted(self.listed - exported), [], "in lib/exports.map, but not exported")

    def test_are_few(self):
        self.assertLess(len(self.listed), 80, "each is to be kept the same for ever; may two be one?")

    def test_are_declared(self):
        headers = "".join(path.read_text() for path in (SOURCE / "include/trestle").glob("*.h"))
        declared = set(re.findall(r"TRESTLE_API[^;{]*?\b(trestle_\w+)[(\[]", headers))
        self.assertEqual(sorted(self.listed - declared), [])
        self.assertEqual(sorted(declared - self.listed), [])


if __name__ == "__main__":
    unittest.main()
