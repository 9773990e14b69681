# SPDX-License-Identifier: MIT
"""Guests in the real QEMU whose devices are components of SST."""
import json
import os
import pathlib
import re
import shutil
import subprocess

from sst_case import LINKS, SST, TESTS, TWO_DEVICES, SSTCase, common, end_time


class Guests(SSTCase):
    def test_two_devices(self):
        result = self.sst(TWO_DEVICES)
        self.assertEqual(result.code, 0, result)
        at = 0
        for line in ("Device echo_device socket listening at ",
                     "Device compute_device socket listening at ", "QEMU PID: ",
                     "Waiting for 2 device connections...", "Device echo_device connected",
                     "Device compute_device connected",
                     "MMIO from echo_device: type=1 addr=0x0000000010200000",
                     "MMIO from compute_device: type=1 addr=0x0000000010300"):
            self.assertIn(line, result.out[at:], result)
            at += result.out[at:].index(line)
        self.assertRegex(result.out, r"two_devices: \d\d passed, 0 failed")
        self.assertIsNotNone(end_time(result), result)

    def test_suite_of_ssts_own_framework(self):
        """One device, two, four, 64, interrupts, DMA."""
        result = common.run([SST.with_name("sst-test-core"), "-p", TESTS, "-o", self.dir / "out"],
                            timeout=280, env=self.environment(), cwd=self.dir)
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out + result.err, r"Passing +(= )?6\n")
        self.check_clean(result)

    def test_a_component_of_ones_own(self):
        """The example of docs/sst.md, compiled as a user would."""
        text = (common.SOURCE / "docs" / "sst.md").read_text()
        source = self.dir / "scratch.cc"
        example = re.search(r"```cpp\n(.*?)```", text, re.DOTALL)[1]
        if re.search(r"\D15\.", common.run([SST, "--version"]).out):
            example = example.replace("Event::Handler<", "Event::Handler2<")
        source.write_text(example)
        (self.dir / "trestle").mkdir()
        (self.dir / "trestle" / "sst").symlink_to(common.SOURCE / "sst")
        say = {flag: common.run([SST.with_name("sst-config"), flag]).out.split()
               for flag in ("--CXX", "--ELEMENT_CXXFLAGS", "--ELEMENT_LDFLAGS")}
        built = common.run([*say["--CXX"], *say["--ELEMENT_CXXFLAGS"], f"-I{self.dir}", source,
                            "-o", self.dir / "libmine.so", *say["--ELEMENT_LDFLAGS"]], timeout=120)
        self.assertEqual(built.code, 0, built)
        config = self.one_device("mmio_bench", "", qemu_args=["-append", "count=100 read_offset=0"])
        config.write_text(config.read_text().replace("trestle.Device", "mine.Scratch"))
        result = self.sst(config, args=[f"--add-lib-path={self.dir}"])
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"(?m)^end$")

    def test_model_in_python(self):
        """It joins the interpreter that SST has for its configurations, and has a timer at start."""
        if not (common.BUILD / "adapters" / "python" / "trestle-python.so").exists():
            self.skipTest("models in Python were not built (libpython3-dev)")
        example = common.SOURCE / "examples" / "14-python" / "thermo.json"
        written = common.run([common.TRESTLE, "sst-config", example])
        self.assertEqual(written.code, 0, written)
        (self.dir / "thermo.py").write_text(re.sub(
            r'"binary_path", ".*"', f'"binary_path", "{common.guest("thermo", "riscv64")}"', written.out))
        result = self.sst(self.dir / "thermo.py")
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"(?m)^thermo: 10 passed, 0 failed$")

    def test_core_in_verilog(self):
        """A master, which reads and writes the guest's memory over links of any latency."""
        if not shutil.which("verilator"):
            self.skipTest("verilator is not installed (tools/deps installs it)")
        core = self.dir / "axil_copy.so"
        built = common.run([common.TRESTLE, "rtl", "build", common.SOURCE / "tests" / "rtl" / "axil_copy.v", "-o", core],
                           env={"CXXFLAGS": "-O0"}, timeout=240)
        self.assertEqual(built.code, 0, built)
        config = self.dir / "core.py"
        config.write_text(f"""
import os, sys
sys.path.insert(0, {str(TESTS)!r})
from machine import device, machine
machine("copier", [(device("core", {str(core)!r}), 40)], latency=os.environ["TRESTLE_LATENCY"],
        qemu_path="qemu-system-riscv64", binary_path={str(common.guest("copier", "riscv64"))!r})
""")
        for latency in "1ns", "70ns":
            times = set()
            for _ in range(2):
                result = self.sst(config, TRESTLE_ICOUNT="0", TRESTLE_LATENCY=latency)
                self.assertEqual(result.code, 0, result)
                self.assertRegex(result.out, r"copier: \d+ passed, 0 failed")
                self.assertIn("the master writes 4 bytes at 0x10200000 in cycle", result.out)
                times.add(end_time(result))
            self.assertEqual(len(times), 1, times)
        result = self.sst(config, TRESTLE_LATENCY="1ns")
        self.assertEqual(result.code, 1, result)
        self.assertIn("device0 only works in the guest's exact time; set icount to 0", result.out + result.err)

    def test_memory_system(self):
        """A device behind a StandardMem interface: its data, and a bus error beyond it."""
        for guest, args, last, code in (
                ("many_devices", "", "many_devices: 7 passed, 0 failed", 0),
                ("mmio_bench", "read_offset=16", "device 0: bus error, 4-byte read", 1)):
            with self.subTest(guest):
                config = self.one_device(guest, "", qemu_args=["-append", args])
                config.write_text(config.read_text().replace("trestle.Device", "trestle.Memory") + """
ram = device.setSubComponent("memory", "trestletest.Ram")
ram.addParam("base", "0x10200000")
""")
                result = self.sst(config)
                self.assertEqual(result.code, code, result)
                self.assertIn(last, result.out)

    def test_memory_hierarchy(self):
        """Memory behind a cache, and an MMIO device, of sst-elements: the guest finds there what it
        wrote, or its square."""
        for element in "memHierarchy", "merlin":
            found = common.run([SST.with_name("sst-info"), "-q", element])
            if "Component 0" not in found.out:
                self.skipTest(f"{element} is not there; sst-elements, installed next to SST-Core, "
                              "would run this")
        for noncacheable, hits in ("0", r"CacheHits.* Sum\.u64 = [1-9]"), \
                                  ("1", r"CacheHits.* Sum\.u64 = 0;"):
            times = set()
            for _ in range(2):
                result = self.sst(TESTS / "memory.py", TRESTLE_ICOUNT="0",
                                  TRESTLE_NONCACHEABLE=noncacheable)
                self.assertEqual(result.code, 0, result)
                self.assertIn("memory: 6810 passed, 0 failed", result.out)
                self.assertRegex(result.out, hits)
                times.add(end_time(result))
            self.assertEqual(len(times), 1, times)

    def test_stop_at(self):
        result = self.sst(self.one_device("mmio_bench", "echo", qemu_args="-append count=100000000"),
                          args=["--stop-at=20ms"])
        self.assertEqual(result.code, 0, result)
        self.assertEqual(end_time(result), "20 ms")

    def test_nothing_but_accesses(self):
        """An access takes no time of the host's but its own: with a wait in each, this would
        take a quarter of an hour."""
        result = self.sst(self.one_device("mmio_bench", "echo", qemu_args="-append count=10000"))
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"(?m)^end$")
        self.assertIn("20001 reads, 0 writes, 0 errors", result.out)

    def test_interrupts_and_dma(self):
        """The guest computes and waits; over both carriers; with icount all runs are the same."""
        for config, also in (("interrupts", {}), ("dma", {}),
                             ("dma", {"TRESTLE_PROPERTIES": "carrier=socket"})):
            times = set()
            for icount in "-1", "0", "0":
                with self.subTest(config=config, icount=icount, **also):
                    result = self.sst(TESTS / f"{config}.py", TRESTLE_ICOUNT=icount, **also)
                    self.assertEqual(result.code, 0, result)
                    self.assertRegex(result.out, rf"{config}: \d\d passed, 0 failed")
                    if icount == "0":
                        times.add(end_time(result))
            self.assertEqual(len(times), 1, times)

    def test_interrupts_come_in_time(self):
        """A device that says what it will do next interrupts exactly then, however long its link;
        one that does not, by the end of a quantum."""
        for last, more in (
                (0, {"TRESTLE_APPEND": "within=400"}),
                (0, {"TRESTLE_APPEND": "within=400", "TRESTLE_IRQ_LATENCY": "100ns"}),
                (0, {"TRESTLE_APPEND": "within=10400", "TRESTLE_RELAY": "1"}),
                (1, {"TRESTLE_APPEND": "within=400", "TRESTLE_RELAY": "1"}),
                (0, {"TRESTLE_APPEND": "within=1400", "TRESTLE_RELAY": "1",
                     "TRESTLE_QUANTUM": "1us"})):
            with self.subTest(**more):
                result = self.sst(TESTS / "interrupts.py", TRESTLE_ICOUNT="0", **more)
                self.assertRegex(result.out, rf"interrupts: 17 passed, {last} failed")

    def test_resets(self):
        """In the middle of interrupts: afterwards the guest finds silent devices, and passes."""
        for icount in "-1", "0":
            with self.subTest(icount=icount):
                qmp = self.dir / f"qmp{icount}"
                process = self.start(
                    self.command(TESTS / "interrupts.py"), stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, text=True, env={**os.environ, **self.environment(
                        TRESTLE_ICOUNT=icount, TRESTLE_APPEND="repeat=1000000",
                        TRESTLE_ARGS=f"-qmp unix:{qmp},server=on,wait=off")})
                self.addCleanup(process.stdout.close)
                self.wait_for_line(process, "interrupts: timers at")
                monitor = common.Monitor(qmp)
                self.addCleanup(monitor.close)
                for i in range(20):
                    for _ in range(i % 17):
                        self.assertEqual(self.wait_for_line(process, "PASS", "FAIL"), "PASS")
                    monitor.command("system_reset")
                    self.wait_for_line(process, "interrupts: timers at")
                self.wait_for_line(process, "PASS all: 600 of 600 interrupts")
                monitor.command("quit")
                process.stdout.read()
                self.assertEqual(process.wait(10), 0)
                self.check_clean("")

    def example(self, name):
        """A copy of an example's configuration, with the guest of this build and its own model."""
        source = common.SOURCE / "examples" / f"{name}.json"
        config = json.loads(source.read_text())
        kernel = pathlib.Path(config["machine"]["kernel"]).name
        if kernel == "guest.elf":  # built in the example's folder, of what is installed
            kernel = f"{source.stem}-{config['machine']['arch']}.elf"
        config["machine"]["kernel"] = str(common.BUILD / "firmware" / kernel)
        for name in {pathlib.Path(device["model"]).stem for device in config["devices"]
                     if device["model"].endswith(".so")}:
            built = common.run(["cc", "-shared", "-fPIC", f"-I{common.SOURCE}/include",
                                source.with_name(f"{name}.c"), "-o", self.dir / f"{name}.so"])
            self.assertEqual(built.code, 0, built)
        path = self.dir / source.name
        path.write_text(json.dumps(config))
        return path

    def test_written_configuration(self):
        """What trestle sst-config makes of the examples, but for one whose devices crash and one that
        compares clocks which the links' latencies set apart."""
        for example, last in (("01-two-devices/two_devices", r"two_devices: \d\d passed, 0 failed"),
                              ("02-four-devices/four_devices", "four_devices: 265 passed, 0 failed"),
                              ("03-your-own-model/adler32", r"adler32: \d+ passed, 0 failed"),
                              ("04-interrupts/interrupts", r"interrupts: \d\d passed, 0 failed"),
                              ("04-interrupts/aarch64", r"interrupts: \d\d passed, 0 failed"),
                              ("05-dma/dma", r"dma: \d\d passed, 0 failed"),
                              ("05-dma/direct", r"dma: \d\d passed, 0 failed"),
                              ("05-dma/aarch64", r"dma: \d\d passed, 0 failed"),
                              ("07-repeatable/repeatable", "mixed: 3 passed, 0 failed")):
            with self.subTest(example):
                written = common.run([common.TRESTLE, "sst-config", self.example(example)])
                self.assertEqual(written.code, 0, written)
                config = self.dir / "written.py"
                config.write_text(written.out)
                result = self.sst(config)
                self.assertEqual(result.code, 0, result)
                self.assertRegex(result.out, last)

    def test_protocol_1_and_sockets(self):
        for properties in "protocol=1", "carrier=socket":
            with self.subTest(properties):
                result = self.sst(self.config(LINKS + f"""
host.update({{"device0_properties": "{properties}", "device1_properties": "{properties}"}})
qemu.addParams(host)
link("peer", compute, "peer_port", echo, "peer_port")
"""))
                self.assertEqual(result.code, 0, result)
                self.assertRegex(result.out, r"two_devices: \d\d passed, 0 failed")


if __name__ == "__main__":
    common.main()
