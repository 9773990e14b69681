# SPDX-License-Identifier: MIT
"""trestle new: what it makes builds and passes at once, with what is installed and nothing else."""
import json
import os
import re
import shutil
import subprocess

import common

CHIP = common.SOURCE / "examples/15-vendor-chip/chip.svd"


class New(common.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = common.fresh_directory(cls)
        subprocess.run(["meson", "install", "-C", common.BUILD, "--no-rebuild", "--destdir",
                        cls.stage], check=True, capture_output=True)
        cls.trestle = next(cls.stage.rglob("bin/trestle"))
        pkgconfig = next(cls.stage.rglob("pkgconfig"))
        cls.env = {"PKG_CONFIG_PATH": str(pkgconfig), "PKG_CONFIG_SYSROOT_DIR": str(cls.stage),
                   "TRESTLE": str(cls.trestle), "LD_LIBRARY_PATH": ""}

    def new(self, *args):
        return common.run([self.trestle, "new", *args], cwd=self.dir, env=self.env)

    def passes(self, *args, checks):
        result = self.new("mine", *args)
        self.assertEqual((result.code, result.err), (0, ""), result)
        common.guest("probe")
        common.qemu("riscv32")
        sanitize = common.build_option("b_sanitize")
        flags = [f"CFLAGS=-O1 -fsanitize={sanitize}"] if sanitize != "none" else []
        built = common.run(["make", "-C", self.dir / "mine", *flags], env=self.env,
                           timeout=120)
        self.assertEqual((built.code, built.err), (0, ""), built)
        # As "make check" does; with sanitizers the model's have to be there before trestle's.
        if (self.dir / "mine/test_mine").exists():
            tested = common.run([self.dir / "mine/test_mine"], cwd=self.dir / "mine")
            self.assertEqual((tested.code, tested.out, tested.err), (0, "", ""), tested)
        if (self.dir / "mine/test.poke").exists():
            result = common.run([self.trestle, "poke", "mine.json", "test.poke"],
                                cwd=self.dir / "mine", env=self.env)
            self.assertEqual((result.code, result.out, result.err), (0, "", ""), result)
        result = common.run([self.trestle, "run", "mine.json"], cwd=self.dir / "mine", env=self.env)
        self.assertEqual(result.code, 0, result)
        self.assertIn(f"mine: {checks} passed, 0 failed", result.out)
        return result

    def assert_filled(self):
        """Nothing of the templates' words is left."""
        for part in (self.dir / "mine").iterdir():
            if part.suffix not in (".so", ".elf") and part.name != "test_mine":
                self.assertNotRegex(part.read_text(), r"@\w+@", part)

    def test_c(self):
        self.passes(checks=5)
        self.assert_filled()
        self.assertEqual(sorted(os.listdir(self.dir / "mine")),
                         ["Makefile", "README.md", "guest.c", "guest.elf", "mine.c", "mine.json",
                          "mine.so", "test_mine", "test_mine.c"])

    def test_python(self):
        if not list(self.stage.rglob("*python*.so")):
            self.skipTest("this build has no models in Python (tools/deps installs libpython3-dev)")
        self.passes("--lang", "python", checks=5)
        self.assert_filled()

    def test_python_and_c_are_one_device(self):
        """The same table and the same behaviour give the same run, to the picosecond."""
        if not list(self.stage.rglob("*python*.so")):
            self.skipTest("this build has no models in Python (tools/deps installs libpython3-dev)")
        common.guest("probe")
        common.qemu("riscv32")
        hashes = []
        for language in "c", "python":
            folder = self.dir / language / "mine"
            folder.parent.mkdir()
            self.assertEqual(self.new(folder, "--lang", language).code, 0)
            if language == "c":
                built = common.run(["make", "-C", folder, "mine.so", "guest.elf"], env=self.env)
                self.assertEqual((built.code, built.err), (0, ""), built)
            config = json.loads((folder / "mine.json").read_text())
            config["machine"].update(icount=0, kernel=str(self.dir / "c/mine/guest.elf"))
            (folder / "mine.json").write_text(json.dumps(config))
            result = common.run([self.trestle, "run", folder / "mine.json", "--trace",
                                 self.dir / f"{language}.trace"], env=self.env)
            self.assertEqual(result.code, 0, result)
            hashes.append(re.search(r"run hash \w+; repeatable", result.err)[0])
        self.assertEqual(*hashes)
        result = common.run([self.trestle, "replay", self.dir / "c.trace", "--device", "mine",
                             "--model", self.dir / "python/mine/mine.py"], env=self.env)
        self.assertEqual((result.code, result.err), (0, ""), result)

    def test_cxx(self):
        if subprocess.run(["pkg-config", "--exists", "systemc"]).returncode:
            self.skipTest("there is no SystemC (tools/deps installs libsystemc-dev)")
        if common.build_option("b_sanitize") != "none":
            self.skipTest("the sanitizers do not know the stacks of SystemC's threads")
        self.passes("--lang", "cxx", checks=5)
        self.assert_filled()
        self.assert_names()

    def test_verilog(self):
        if not shutil.which("verilator") or not shutil.which("g++"):
            self.skipTest("verilator or g++ is not installed (tools/deps installs them)")
        result = self.passes("--lang", "verilog", checks=5)
        self.assert_filled()
        self.assertRegex(result.err, r"run hash \w+; repeatable")
        self.assert_names()

    def assert_names(self):
        """Traces and poke know the registers, as those of the model in C."""
        folder = self.dir / "mine"
        result = common.run([self.trestle, "poke", "mine.json", "-c", "write mine.ENABLE.done 1; read mine.ENABLE"],
                            cwd=folder, env=self.env)
        self.assertEqual((result.code, result.out), (0, "mine.ENABLE = 0x1 {done}\n"), result)
        self.assertEqual(common.run([self.trestle, "run", "mine.json", "--trace", "t"], cwd=folder,
                                    env=self.env).code, 0)
        trace = common.run([self.trestle, "trace", "t"], cwd=folder, env=self.env).out
        self.assertRegex(trace, r"write 4  0x00 DELAY  0x3e8\n(.*\n)*.*read  4  0x0c ROUNDS  0x1\n")

    def test_svd(self):
        for peripheral, checks in ("UART0", 3), ("TIMER", 5), ("CLOCK", 5):
            with self.subTest(peripheral):
                shutil.rmtree(self.dir / "mine", ignore_errors=True)
                self.passes("--svd", CHIP, "--peripheral", peripheral, checks=checks)
        text = (self.dir / "mine/mine.c").read_text()
        self.assertIn('{"CTRL", 0x00, TRESTLE_AT(struct mine, ctrl)', text)
        self.assertIn('{"SOURCE", 0x30,', text)
        self.assertIn('{"pll", 2}', text)

    def test_svd_in_python(self):
        if not list(self.stage.rglob("*python*.so")):
            self.skipTest("this build has no models in Python (tools/deps installs libpython3-dev)")
        for peripheral, checks in ("UART0", 3), ("TIMER", 5), ("CLOCK", 5):
            with self.subTest(peripheral):
                shutil.rmtree(self.dir / "mine", ignore_errors=True)
                self.passes("--lang", "python", "--svd", CHIP, "--peripheral", peripheral, checks=checks)
                self.assert_filled()
        text = (self.dir / "mine/mine.py").read_text()
        self.assertIn("ctrl = trestle.Register(0x00,", text)
        self.assertIn('"values": {"rc": 0, "xtal": 1, "pll": 2}', text)
        self.assertEqual(self.tables("mine.py"), self.tables("mine.so", "--svd", CHIP, "--peripheral",
                                                             "CLOCK"))

    def test_names_that_python_has_for_itself(self):
        """And those that a model has."""
        if not list(self.stage.rglob("*python*.so")):
            self.skipTest("this build has no models in Python (tools/deps installs libpython3-dev)")
        (self.dir / "names.py").write_text(
            "import trestle, keyword\nprint(*keyword.kwlist, *dir(trestle.Model))\n"
            "class A(trestle.Model):\n    region_size = 4\n")
        result = common.run([self.trestle, "models", "./names.py"], cwd=self.dir, env=self.env)
        names = sorted({name.lower() for name in result.err.split() if name[0] != "_"} | {
            "init", "fini", "start", "reset", "read", "write", "wake", "message", "input", "dma_done",
            "dma_failed", "region_size", "irqs", "ports", "timers", "holes", "compatible"})
        self.assertIn("wake_after", names)
        registers = "".join(
            f"<register><name>{name}</name><addressOffset>{4 * i}</addressOffset></register>"
            for i, name in enumerate(names))
        (self.dir / "names.svd").write_text(
            "<device><name>d</name><size>32</size><peripherals><peripheral><name>P</name>"
            "<baseAddress>0</baseAddress><addressBlock><offset>0</offset><size>0x1000</size>"
            f"<usage>registers</usage></addressBlock><registers>{registers}</registers></peripheral>"
            "</peripherals></device>")
        result = self.new("mine", "--lang", "python", "--svd", "names.svd", "--peripheral", "P")
        self.assertEqual((result.code, result.err), (0, ""), result)
        said = common.run([self.trestle, "models", "mine/mine.py", "--json"], cwd=self.dir,
                          env=self.env)
        self.assertEqual((said.code, said.err), (0, ""), said)
        self.assertEqual([row["name"] for row in json.loads(said.out)[0]["regions"][0]["registers"]],
                         names)

    def tables(self, model, *more):
        """What a model says of its registers; with more, one that is made for that."""
        if more:
            shutil.rmtree(self.dir / "mine")
            self.new("mine", *more)
            common.run(["make", "-C", self.dir / "mine", model], env=self.env)
        said = common.run([self.trestle, "models", f"mine/{model}", "--json"], cwd=self.dir,
                          env=self.env)
        return json.loads(said.out)[0]["regions"]

    def test_refused(self):
        (self.dir / "there").mkdir()
        (self.dir / "hostile.svd").write_text(
            "<device><peripherals><peripheral><name>P</name></peripheral></peripherals></device>")
        for args, line in (
                (["there"], "there exists already; choose another name, or remove it"),
                (["a-b"], '"a-b" is not a name for a device; begin with a letter, use at most 40 letters, '
                          "digits and _, and no keyword of C"),
                (["int"], '"int" is not a name for a device; begin with a letter, use at most 40 letters, '
                          "digits and _, and no keyword of C"),
                (["a", "--lang", "rust"], "--lang rust is not a language here; write c, cxx, "
                                           "python or verilog"),
                (["a", "--lang", "cxx", "--svd", CHIP, "--peripheral", "UART0"],
                 "--svd makes a table in C or in Python; write --lang c or python"),
                (["a", "--lang", "verilog", "--svd", CHIP, "--peripheral", "UART0"],
                 "--svd makes a table in C or in Python; for a core of yours, trestle rtl build has --svd as "
                 "well"),
                (["guest"], "guest.c is the guest's program; choose another name for the device"),
                (["a", "--svd", CHIP], "--svd and --peripheral belong together; add --peripheral "
                                       "NAME"),
                (["a", "--svd", CHIP, "--peripheral", "UART"],
                 f"--peripheral: {CHIP} has no peripheral \"UART\"; did you mean \"UART0\"?"),
                (["a", "--svd", "hostile.svd", "--peripheral", "P"],
                 "--peripheral: hostile.svd:1: peripheral \"P\" has no register, and no addresses")):
            with self.subTest(line):
                result = self.new(*args)
                self.assertEqual((result.code, result.out, result.err),
                                 (2, "", f"trestle: {line}\n"), result)
        self.assertEqual(sorted(os.listdir(self.dir)), ["hostile.svd", "there"])

    def test_what_a_vendor_writes_stays_text(self):
        """Quotes, comments and newlines in descriptions and names are no C."""
        text = CHIP.read_text().replace("<description>A serial port<",
                                        "<description>a */ \"b\\ %s @name@<")
        text = text.replace("<name>BAUD<", "<name>int<").replace("<name>FLAGS<", "<name>a*/b\"<")
        (self.dir / "odd.svd").write_text(text)
        self.passes("--svd", "odd.svd", "--peripheral", "UART0", checks=3)
        if list(self.stage.rglob("*python*.so")):
            text = text.replace("<name>TX<", "<name>reset<")
            (self.dir / "odd.svd").write_text(text)
            shutil.rmtree(self.dir / "mine")
            self.passes("--svd", "odd.svd", "--peripheral", "UART0", "--lang", "python", checks=3)


if __name__ == "__main__":
    common.main()
