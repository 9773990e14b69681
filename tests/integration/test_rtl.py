# SPDX-License-Identifier: MIT
"""Cores in Verilog as devices: what docs/rtl.md promises, with Verilator and the real QEMU."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import cli_case
import common

EXAMPLE = common.SOURCE / "examples" / "11-rtl"
CORES = common.SOURCE / "tests" / "rtl"


def setUpModule():
    RTLCase.kept = pathlib.Path(tempfile.mkdtemp(prefix="trestle-", dir="/tmp"))
    unittest.addModuleCleanup(shutil.rmtree, RTLCase.kept)
    # CXX has no way to say a path with a blank.
    (RTLCase.kept / "g++").symlink_to(common.SOURCE / "tests" / "integration" / "compile_once")


def read_headers():
    """Has the compiler read Verilator's headers once for all cores, which is half of what a core takes it.
    Returns the options for that; with options of another kind it reads the headers again by itself."""
    headers = RTLCase.kept / "headers.h"
    if not headers.exists():
        root = subprocess.run(["verilator", "--getenv", "VERILATOR_ROOT"], check=True, capture_output=True,
                              text=True).stdout.strip()
        headers.write_text('#include <deque>\n#include <memory>\n#include <stdexcept>\n#include "verilated.h"\n')
        subprocess.run(["g++", "-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-w", RTLCase.flags,
                        "-isystem", f"{root}/include", "-x", "c++-header", headers], check=True)
    return f"-include {headers}"


@unittest.skipUnless(shutil.which("verilator") and shutil.which("g++"),
                     "verilator or g++ is not installed (tools/deps installs them)")
class RTLCase(cli_case.Case):
    def setUp(self):
        super().setUp()
        self.env.update(TMPDIR=str(self.dir), CXX=str(self.kept / "g++"),
                        CXXFLAGS=f"{self.flags} {read_headers()}" if self.flags else "")

    def build_core(self, path, *args, **kwargs):
        return self.trestle("rtl", "build", path, *args, timeout=240, **kwargs)

    flags = "-O0"  # most of the time here goes to the compiler
    beside, links = [], []  # of the core
    built = {}  # what was made already, and said: a build takes seconds

    def assert_built(self, path, *args, output):
        key = path, args
        if key not in RTLCase.built or path.parent == self.dir:
            result = self.build_core(path, *args, "-o", output)
            self.assertEqual((result.code, result.err), (0, ""), result)
            self.assertEqual([p.name for p in self.dir.glob("trestle-rtl-*")], [])
            made = output, output.replace(".so", ".ports.json")
            RTLCase.built[key] = result.out, [(self.dir / path).read_bytes() for path in made]
        said, files = RTLCase.built[key]
        (self.dir / output).write_bytes(files[0])
        (self.dir / output).with_suffix(".ports.json").write_bytes(files[1])
        return said

    def poke(self, commands, model, **params):
        config = self.config({"devices": [{"name": "core", "model": f"./{model}.so",
                                           "base_addr": "0x10200000", "params": params}] + self.beside,
                              "links": self.links})
        script = self.dir / "script"
        script.write_text(commands)
        result = self.trestle("poke", config, script)
        # On a busy host: what a core computes does not take as long.
        result.err = re.sub(r"trestle: warning: core: its \w+\(\) takes longer than 100 ms .*\n", "", result.err)
        return result

    def check_oracle(self, model, offsets, steps=200, others=(), seen_once=("0=1", "0=0"), only=None, **params):
        """Random accesses and pauses: running ahead gives what ticking every cycle gives."""
        chance = random.Random(7)
        lines = []
        for _ in range(steps):
            kind = chance.random()
            offset = chance.choice(offsets)
            if kind < 0.6 and (only == "reads" or kind < 0.4 and only != "writes"):
                lines.append(f"read core+{offset}")
            elif kind < 0.6:
                _, _, size = str(offset).partition(":")
                value = chance.choice([0, 1, 3, 40, 700, 0xabcd1234])
                lines.append(f"write core+{offset} {value & ((1 << 8 * int(size or 4)) - 1)}")
            elif kind < 0.63:
                lines.append("reset core")
            elif others and kind < 0.8:
                lines.append(chance.choice(others))
            else:
                lines.append(f"run {chance.choice([1, 9, 10, 15, 90, 333, 5000, 70000])}ns")
            lines += ["irqs", "time"]
        script = "\n".join(lines) + "\n"
        seen = [self.poke(script, model, ticking=ticking, **params) for ticking in ("ahead", "every")]
        self.assertEqual([r.code for r in seen], [0, 0], seen[0])
        self.assertEqual(seen[0].out, seen[1].out)
        self.assertEqual(seen[0].err, seen[1].err)
        for text in seen_once:
            self.assertIn(text, seen[0].out)


class Oracle(unittest.TestCase):
    """Ticking every cycle is what all else is held against."""
    LATE = {"dice"}  # which cannot run ahead

    def test_every_core_is_held_against_it(self):
        tests = pathlib.Path(__file__).read_text()
        held = set(re.findall(r'check_(?:master_)?oracle\("(\w+)"', tests))
        texts = [path.read_text() for path in sorted(CORES.glob("*.*v")) + [EXAMPLE / "ticker.v"]]
        modules = {name for text in texts for name in re.findall(r"(?m)^module (\w+)", text)}
        inner = {name for name in modules for text in texts if re.search(rf"(?m)^ +{name} #?\(", text)}
        self.assertLess({"ticker", "axi4_copy", "strobe_gate"}, modules)
        self.assertEqual(modules - inner - held - self.LATE, set())


class AXI(RTLCase):
    flags = ""  # as users have it

    def test_the_example(self):
        common.qemu("riscv64")
        out = self.assert_built(EXAMPLE / "ticker.v", output="ticker.so")
        self.assertRegex(out, r"(?m)^bus: AXI4-Lite\n  input   1  s_axi_aclk +clock\n"
                              r"  input   1  s_axi_aresetn +reset, active low$")
        self.assertRegex(out, r"(?m)^  output  1  irq +irq$")
        ports = json.loads((self.dir / "ticker.ports.json").read_text())
        self.assertEqual((ports["bus"], len(ports["ports"])), ("AXI4-Lite", 20))
        text = (EXAMPLE / "ticker.json").read_text()
        text = text.replace("../../build/", f"{common.BUILD}/")
        runs = [self.trestle("run", self.config(text.replace('"clock"', f'"ticking": "{t}", "clock"')))
                for t in ("ahead", "ahead", "every")]
        hashes = set()
        for run in runs:
            self.assertEqual(run.code, 0, run)
            self.assertIn("ticker: 22 passed, 0 failed", run.out)
            hashes.add(re.search(r"run hash (\w+); repeatable", run.err)[1])
        self.assertEqual(len(hashes), 1)
        self.check_oracle("ticker", [0, 4, 8])
        # Edge 1 takes the write, and 1000 edges later the counter is down: not one earlier.
        result = self.poke("write core+0 1000\nrun 9980ns\nirqs\nrun 10ns\nirqs\n", "ticker")
        self.assertEqual(result.out, "core: 0=0\ncore: 0=1\n", result)

    def test_without_icount(self):
        """It is told, and does not time out."""
        common.qemu("riscv64")
        text = (EXAMPLE / "ticker.json").read_text()
        text = re.sub(r',\s*"icount": 0', "", text.replace("../../build/", f"{common.BUILD}/"))
        self.assertNotIn("icount", text)
        self.assert_built(EXAMPLE / "ticker.v", output="ticker.so")
        result = self.trestle("run", self.config(text))
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertRegex(result.err, r'^/.*: devices\[0\].model: ticker only works in the guest\'s exact '
                                     r'time; add "icount": 0 to "machine"\n$')
        self.assert_built(EXAMPLE / "ticker.v", "--without-icount", output="ticker.so")
        result = self.trestle("check", self.config(text))
        self.assertEqual(result.code, 0, result)

    def test_parameters_of_the_model(self):
        self.assert_built(EXAMPLE / "ticker.v", output="ticker.so")
        result = self.poke("time\n", "ticker", ticking="never")
        self.assertEqual(result.code, 2, result)
        self.assertIn("ticking", result.err)


class Others(RTLCase):
    def test_apb(self):
        out = self.assert_built(CORES / "apb_blink.v", "--top", "apb_blink", "-G", "BITS=7", "--tie",
                                "spare=1", output="apb_blink.so")
        self.assertIn("bus: APB\n", out)
        self.assertRegex(out, r"(?m)^  input   1  spare +tied to 1$")
        result = self.poke("write core+4 0x11223344\nwrite core+5:1 0xff\nread core+4\nread core+6:2\n"
                           "expect error read core+0x10\nexpect irq core.1 0\n", "apb_blink")
        self.assertEqual((result.code, result.out),
                         (0, "core+4 = 0x1122ff44\ncore+6:2 = 0x1122\n"), result)
        self.check_oracle("apb_blink", [0, 4])

    def test_wishbone(self):
        out = self.assert_built(CORES / "wb_fade.v", output="wb_fade.so")
        self.assertIn("bus: Wishbone\n", out)
        result = self.poke("write core+0 50\nread core+0\nexpect error read core+4\nexpect irq core 1\n"
                           "run 1us\nexpect irq core 0\n", "wb_fade")
        self.assertEqual(result.code, 0, result)
        result = self.poke("read core+4\n", "wb_fade")
        self.assertEqual(result.code, 1, result)
        self.assertIn("refused: the device answered with an error\n", result.err)
        self.assertIn("read of core+0x4: bus error: it answered with an error\n", result.err)
        self.check_oracle("wb_fade", [0])

    def test_wishbone_cycles_are_single(self):
        """Between two of them stb is low for a cycle, however close accesses are."""
        self.assert_built(CORES / "wb_edge.v", output="wb_edge.so")
        result = self.poke("time\nwrite core+0 1\ntime\nwrite core+0 2\ntime\nread core+0\nrun 10ns\ntime\n"
                           "write core+0 3\ntime\nread core+0\n", "wb_edge")
        self.assertEqual((result.code, result.out),
                         (0, "0 ps\n20 ns\n50 ns\ncore+0 = 0x2\n90 ns\n110 ns\ncore+0 = 0x3\n"), result)
        self.check_oracle("wb_edge", [0])

    def test_axi4(self):
        out = self.assert_built(CORES / "axi4_words.v", output="axi4_words.so")
        self.assertIn("bus: AXI4\n", out)
        self.assertRegex(out, r"(?m)^  input   4  awcache +bus$")
        # 8 bytes are a burst of two words.
        result = self.poke("write core+8:8 0x1122334455667788\nread core+8\nread core+12\n"
                           "write core+13:1 0xab\nread core+8:8\nread core+14:2\n"
                           "expect error read core+0x20\nexpect error write core+0x20 1\n"
                           "expect error read core+0x20:8\nwrite core+0 50\nexpect irq core 1\n"
                           "run 1us\nexpect irq core 0\n", "axi4_words")
        self.assertEqual((result.code, result.out),
                         (0, "core+8 = 0x55667788\ncore+12 = 0x11223344\ncore+8:8 = 0x1122ab4455667788\n"
                             "core+14:2 = 0x1122\n"), result)
        self.check_oracle("axi4_words", [0, 4, "8:8", "13:1"])
        for bad, command, sentence in (
                (1, "write core+4 1", "a response has another id than its write"),
                (2, "read core+4", "rlast comes with another word than the last")):
            result = self.poke(f"write core+0x1c {bad}\n{command}\n", "axi4_words")
            self.assertEqual(result.code, 1, result)
            self.assertRegex(result.err, rf"the bus is broken in cycle \d: {sentence}")

    def test_half_of_axi(self):
        """Only the channels for reads, or only those for writes: the other direction is a bus error."""
        out = self.assert_built(CORES / "half.v", "--top", "axil_look", output="axil_look.so")
        self.assertIn("bus: AXI4-Lite reads\n", out)
        result = self.poke("read core+0\nexpect error write core+0 1\nread core+0\nread core+4\nirqs\nrun 600ns\n"
                           "irqs\n", "axil_look")
        self.assertEqual((result.code, result.out), (0, "core+0 = 0x0\ncore+0 = 0x1\ncore+4 = 0x4\ncore: 0=0\ncore: 0=1\n"),
                         result)
        self.check_oracle("axil_look", [0, 4], only="reads")
        out = self.assert_built(CORES / "half.v", "--top", "axi4_post", output="axi4_post.so")
        self.assertIn("bus: AXI4 writes\n", out)
        result = self.poke("write core+0 2\nwrite core+8:8 0x100000003\nirqs\nexpect error read core+0\n"
                           "expect error write core+16 1\nexpect irq core.0 1\n", "axi4_post")
        self.assertEqual((result.code, result.out), (0, "core: 0=0 1=1 2=1 3=0 4=0 5=0 6=0 7=0\n"), result)
        self.check_oracle("axi4_post", [0, 4, "8:8"], only="writes")

    def test_tilelink(self):
        out = self.assert_built(CORES / "tl_words.v", output="tl_words.so")
        self.assertIn("bus: TileLink-UL\n", out)
        result = self.poke("write core+8:8 0x1122334455667788\nread core+12\nwrite core+10:2 0xabcd\n"
                           "write core+15:1 0xee\nread core+8:8\nread core+9:1\n"
                           "expect error read core+0x20\nwrite core+0 50\nexpect irq core 1\n"
                           "run 1us\nexpect irq core 0\n", "tl_words")
        self.assertEqual((result.code, result.out),
                         (0, "core+12 = 0x11223344\ncore+8:8 = 0xee223344abcd7788\n"
                             "core+9:1 = 0x77\n"), result)
        self.check_oracle("tl_words", [0, 4, "8:8", "13:1"])

    def test_what_starts_the_logic(self):
        """Where that is the rising edge alone, a cycle is one call. All else must be noticed."""
        for kind, is_quick in enumerate((True, False, False, False, False)):
            out = self.assert_built(CORES / "clock_kinds.v", "-G", f"KIND={kind}", output="clock_kinds.so")
            line = "it runs ahead quickly: only the rising edge of clk starts its logic\n"
            self.assertEqual(out.endswith(line), is_quick, (kind, out))
            result = self.poke("write core+0 5\nread core+0\nrun 1us\nread core+0\n", "clock_kinds")
            before, after = [int(word, 16) for word in re.findall(r"= (\w+)", result.out)]
            cycles = 50 if kind == 2 else 100  # and those of the accesses
            self.assertIn(after - before, range(cycles, cycles + 6), (kind, result))
            self.check_oracle("clock_kinds", [0], steps=100)

    def test_packed_structs(self):
        """Their fields are ports; what of them nobody knows is 0."""
        files = CORES / "packed.sv", CORES / "tl_words.v", CORES / "axi4_copy.v"
        out = self.assert_built(*files, "--top", "packed_words", output="packed_words.so")
        self.assertRegex(out, r"(?m)^bus: TileLink-UL\n(.*\n)*  input   3  tl_i.a_opcode +bus\n(.*\n)*"
                              r"  input   4  tl_i.a_user.kind +tied to 0\n(.*\n)*  output  1  intr_o +irq$")
        result = self.poke("write core+8:8 0x1122334455667788\nread core+12\nread core+8:8\nread core+9:1\n"
                           "expect error read core+0x20\nwrite core+0 50\nexpect irq core 1\n", "packed_words")
        self.assertEqual((result.code, result.out),
                         (0, "core+12 = 0x11223344\ncore+8:8 = 0x1122334455667788\ncore+9:1 = 0x77\n"), result)
        self.check_oracle("packed_words", [0, 4, "8:8", "13:1"])
        self.assert_built(*files, "--top", "packed_checked", output="packed_checked.so")
        result = self.poke("write core+0 0x12345679\nread core+0\nexpect irq core 1\nexpect error read core+4\n",
                           "packed_checked")
        self.assertEqual((result.code, result.out), (0, "core+0 = 0x12345679\n"), result)
        self.check_oracle("packed_checked", [0])

    def test_plain_registers(self):
        out = self.assert_built(CORES / "reg_gate.v", "--top", "reg_gate", output="reg_gate.so")
        self.assertIn("bus: registers\n", out)
        result = self.poke("write core+0:2 0x1234\nwrite core+1:1 0\nread core+1:1\nexpect irq core 1\n"
                           "run 1us\nexpect irq core 0\nexpect error read core+2:2\n", "reg_gate")
        self.assertEqual((result.code, result.out), (0, "core+1:1 = 0x0\n"), result)
        self.check_oracle("reg_gate", ["0:2", "0:1"])
        out = self.assert_built(CORES / "reg_gate.v", "--top", "strobe_gate", output="strobe_gate.so")
        self.assertIn("bus: register strobes\n", out)
        # Each access is one strobe, of one cycle.
        result = self.poke("read core+1:1\nread core+1:1\nwrite core+0:1 9\nread core+1:1\n",
                           "strobe_gate")
        self.assertEqual(result.out, "core+1:1 = 0x0\ncore+1:1 = 0x1\ncore+1:1 = 0x2\n", result)
        self.check_oracle("strobe_gate", ["0:1", "1:1"])


class Wires(RTLCase):
    """Pins that are joined to other devices."""
    beside = [{"name": "panel", "model": "panel", "base_addr": "0x10201000"}]
    links = [{"from": "panel.pin0", "to": "core.spare", "latency": "10ns"},
             {"from": "core.interrupt_o1", "to": "panel.pin1", "latency": "10ns"},
             {"from": "core.interrupt_o0", "to": "panel.pin2", "latency": "10ns"}]

    def test_wires(self):
        ports = self.dir / "wires.json"
        ports.write_text(json.dumps({"ports": [{"name": "spare", "use": "wire"},
                                               {"name": "interrupt_o", "use": "wire"}]}))
        out = self.assert_built(CORES / "apb_blink.v", "--ports", ports, output="wired.so")
        self.assertRegex(out, r"(?m)^  input   1  spare +wire$")
        # 10 ns to the core, which has it with its next edge, and 10 ns back.
        result = self.poke("write core+4 1\nrun 1us\nread panel.LAMPS\nwrite panel.CONNECTED 1\n"
                           "write panel.SWITCHES 1\nrun 20ns\nread panel.LAMPS\nrun 10ns\n"
                           "read panel.LAMPS\nreset core\nrun 30ns\nread panel.LAMPS\nwrite core+4 1\n"
                           "run 40ns\nread panel.LAMPS\nwrite panel.SWITCHES 0\nrun 30ns\n"
                           "read panel.LAMPS\n", "wired")
        self.assertEqual((result.code, result.out),
                         (0, "".join(f"panel.LAMPS = {n}\n" for n in
                                     ("0x0", "0x0", "0x2", "0x0", "0x2", "0x0"))), result)
        self.check_oracle("wired", [0, 4], 300, seen_once=("LAMPS = 0x2", "LAMPS = 0x0"), others=[
            "write panel.CONNECTED 1", "write panel.CONNECTED 0", "write panel.SWITCHES 1",
            "write panel.SWITCHES 0", "read panel.LAMPS", "read panel.LAMPS", "write core+4 1"])

    def test_too_many(self):
        path = self.dir / "wide.v"
        path.write_text("module wide (input clk, input psel, input penable, input pwrite, input [7:0] "
                        "paddr, input [31:0] pwdata, output [31:0] prdata, output [32:0] much);\n"
                        "assign prdata = 0; assign much = 0; endmodule\n")
        ports = self.dir / "wide.json"
        ports.write_text(json.dumps({"ports": [{"name": "much", "use": "wire"}]}))
        result = self.build_core(path, "--ports", ports)
        self.assertEqual(result.code, 2, result)
        self.assertEqual(result.err, "trestle: the core has 33 wires, and may have 32\n")


class Serial(RTLCase):
    """The wires of a serial port, with the host at their ends."""
    beside = [{"name": "line", "model": "serial-line", "base_addr": "0x10201000", "params": {"baud": 1000000}}]
    links = [{"from": "core.txd", "to": "line.rx", "latency": "10ns"},
             {"from": "line.tx", "to": "core.rxd", "latency": "10ns"}]

    def test_both_ways(self):
        ports = self.dir / "uart.json"
        ports.write_text(json.dumps({"ports": [{"name": "txd", "use": "wire"},
                                               {"name": "rxd", "use": "wire", "tie": 1}]}))
        out = self.assert_built(CORES / "uart.v", "-G", "DIVISOR=100", "--ports", ports, output="uart.so")
        self.assertRegex(out, r"(?m)^  output  1  txd +wire$")
        # The middle of the stop bit is 9500 ns behind the start, which comes 10 ns after the edge.
        result = self.poke('run 1us\nwrite core+0:1 0x55\nexpect core+4:1 1\nrun 9490ns\nread line.RECEIVED\n'
                           'run 10ns\nread line.RECEIVED\nrun 1us\nexpect core+4:1 0\nwrite core+0:1 0xa0\n'
                           'run 20us\nread line.RECEIVED\nread line.FRAMING\n'
                           'input line "x"\nrun 20us\nexpect irq core 1\nexpect core+0:1 0x78\n'
                           'expect irq core 0\ninput line "yz"\nrun 11us\nexpect core+0:1 0x79\nrun 11us\n'
                           'expect core+0:1 0x7a\nread line.SENT\n', "uart")
        self.assertEqual((result.code, result.out),
                         (0, "line.RECEIVED = 0x0\nline.RECEIVED = 0x1\nline.RECEIVED = 0x2\n"
                             "line.FRAMING = 0x0\nline.SENT = 0x3\n"), result)
        self.check_oracle("uart", ["0:1", "4:1"], 300, others=[
            'input line "ab"', "read line.SENT", "read line.RECEIVED", "write core+0:1 0x5a", "run 11us"])


RAM = 0x80000000


class Masters(RTLCase):
    """Cores that read and write guest memory by themselves."""
    LETTERS = "0123456789abcdefghijklmnopqrstuv"

    def check(self, model, script, out="", **params):
        result = self.poke(script, model, **params)
        self.assertEqual((result.code, result.out, result.err), (0, out, ""), result)

    def check_master_oracle(self, model, start, steps=300, offsets=(0, 4, 8, 12), **more):
        lines = [f"mem {RAM:#x} 64", f"write core+0 {RAM + 64 :#x}", f"write core+4 {RAM + 8:#x}",
                 f'mem {RAM + 64:#x} = "{self.LETTERS}"', "write core+0 0x10", f"read core+{offsets[-1]}"]
        self.check_oracle(model, offsets, steps, others=lines + [start] * 4, **more)

    def test_axi4(self):
        out = self.assert_built(CORES / "axi4_copy.v", output="axi4_copy.so")
        self.assertIn("bus: registers\nmaster: AXI4\n", out)
        self.assertRegex(out, r"(?m)^  output  3  m_axi_awprot +master$")
        self.assertIn("\nit runs ahead quickly: ", out)
        go = ("write core+0xc 1\nrun 1us\nexpect irq core 1\nexpect core+0xc 0\nexpect irq core 0\n"
              "write core+0xc 2\nrun 1us\nexpect irq core 1\nexpect core+0xc 0\n")
        first = (f'mem {RAM:#x} = "{self.LETTERS}"\nwrite core+0 {RAM:#x}\n'
                 f"write core+4 {RAM + 0x1000:#x}\n")
        copied = f"expect mem {RAM + 0x1000:#x} = "
        wrapped = self.LETTERS[16:] + self.LETTERS[:16]
        for shape, source, target, seen in (
                (0xffff0133, 0, 0, self.LETTERS),           # four words of 8 bytes
                (0xffff0933, 0, 0, self.LETTERS),           # to a core that is not always ready
                (0xffff0233, 16, 16, self.LETTERS),         # that wrap
                (0xffff0130, 8, 8, "\0" * 8 + "89abcdef"),
                (0xffff0033, 8, 0, "89abcdef" + "\0" * 8),  # all at one address
                (0xffff0113, 4, 4, "\0" * 4 + "456789ab" + "\0" * 4),  # of 2 bytes
                (0x00f00133, 0, 0, "\0\0\0\0" + "4567" + "\0\0\0\0" + "cdef")):
            with self.subTest(shape=hex(shape)):
                data = " ".join(f'"{c}"' if c != "\0" else "0" for c in seen)
                self.check("axi4_copy", first + f"write core+0 {RAM + source:#x}\nwrite core+4 "
                           f"{RAM + 0x1000 + target:#x}\nwrite core+8 {shape:#x}\n" + go + copied + data)
        # What has wrapped is in the order in which it came.
        self.check("axi4_copy", first + f"write core+0 {RAM + 16:#x}\nwrite core+8 0xffff0233\n"
                   "write core+0xc 1\nrun 1us\nwrite core+8 0xffff0133\nwrite core+0xc 2\nrun 1us\n" +
                   copied + f'"{wrapped}"')

    def test_axi4_cycle_by_cycle(self):
        """A request is taken with one edge, and answered from the next but one on."""
        self.assert_built(CORES / "axi4_copy.v", output="axi4_copy.so")
        script = (f"write core+0 {RAM:#x}\nwrite core+4 {RAM + 0x1000:#x}\nwrite core+8 0xffff0133\n"
                  "time\nwrite core+0xc 1\ntime\n" + "run 10ns\nirqs\n" * 8 + "read core+0x10\n")
        for ticking in "ahead", "every":
            result = self.poke(script, "axi4_copy", ticking=ticking)
            # Taken at 50 ns, its first word at 70 ns, and its fourth at 100 ns.
            self.assertEqual((result.code, result.out),
                             (0, "30 ns\n40 ns\n" + "core: 0=0\n" * 5 + "core: 0=1\n" * 3 + "core+0x10 = 0x6\n"),
                             result)
        result = self.poke(script, "axi4_copy", memory_latency=4)
        self.assertIn("core: 0=0\n" * 7 + "core: 0=1\ncore+0x10 = 0x8\n", result.out)

    def test_axi4_errors(self):
        self.assert_built(CORES / "axi4_copy.v", output="axi4_copy.so")
        for source, shape, go, status, line in (
                (0x10, 0xffff0133, 1, 0xc, "the master reads 32 bytes at 0x10 in cycle 5: that is not guest "
                                           "memory"),
                (0x10, 0xffff0133, 2, 0x30, "the master writes 32 bytes at 0x10 in cycle 9: that is not "
                                            "guest memory"),
                (RAM + 0xff8, 0xffff0133, 1, 8, "the master is wrong in cycle 5: a burst crosses a boundary "
                                                "of 4096 bytes"),
                (RAM, 0xffff0143, 1, 8, "the words of a burst are wider than the bus"),
                (RAM, 0xffff0333, 1, 8, "a burst is of a reserved kind"),
                (RAM, 0xffff0232, 1, 8, "a burst that wraps has not 2, 4, 8 or 16 words, or begins inside "
                                        "of one"),
                (RAM, 0xffff0533, 2, 0x20, "wlast comes with another word than the last")):
            with self.subTest(line=line):
                result = self.poke(f"write core+0 {source:#x}\nwrite core+4 {source:#x}\nwrite core+8 "
                                   f"{shape:#x}\nwrite core+0xc {go}\nrun 1us\nexpect core+0xc {status}\n"
                                   "expect mem 0x80000000 = 0 0 0 0\n", "axi4_copy")
                self.assertEqual(result.code, 0, result)
                self.assertEqual(len(result.err.splitlines()), 1, result)
                self.assertIn(line, result.err)

    def test_axi4_wide(self):
        """Words of 32 bytes."""
        self.assert_built(CORES / "axi4_copy.v", "-G", "WIDTH=256", output="wide.so")
        self.check_master_oracle("wide", "write core+0xc 3")
        self.check("wide", f'mem {RAM:#x} = "{self.LETTERS}" "{self.LETTERS}"\nwrite core+0 {RAM:#x}\n'
                   f"write core+4 {RAM + 0x1000:#x}\nwrite core+8 0xffff0151\nwrite core+0xc 1\nrun 1us\n"
                   f"write core+0xc 2\nrun 1us\nexpect mem {RAM + 0x1000:#x} = \"{self.LETTERS}\" "
                   f'"{self.LETTERS}"')

    def test_axi4_in_structs(self):
        out = self.assert_built(CORES / "packed.sv", CORES / "tl_words.v", CORES / "axi4_copy.v", "--top",
                                "packed_copy", output="packed_copy.so")
        self.assertIn("bus: registers\nmaster: AXI4\n", out)
        self.check("packed_copy", f'mem {RAM:#x} = "{self.LETTERS}" "{self.LETTERS}"\nwrite core+0 {RAM:#x}\n'
                   f"write core+4 {RAM + 0x1000:#x}\nwrite core+8 0xffff0151\nwrite core+0xc 1\nrun 1us\n"
                   f"write core+0xc 2\nrun 1us\nexpect mem {RAM + 0x1000:#x} = \"{self.LETTERS}\" "
                   f'"{self.LETTERS}"')
        self.check_master_oracle("packed_copy", "write core+0xc 3")

    def test_axi4_oracle(self):
        self.assert_built(CORES / "axi4_copy.v", output="axi4_copy.so")
        self.check_master_oracle("axi4_copy", "write core+0xc 3", seen_once=("0=1", "0=0"))
        self.check_master_oracle("axi4_copy", "write core+0x14 77", seen_once=("0=1", "0=0"))

    def test_axil(self):
        out = self.assert_built(CORES / "axil_copy.v", output="axil_copy.so")
        self.assertIn("bus: AXI4-Lite\nmaster: AXI4-Lite\n", out)
        # The read of LEFT is answered when the copy is over: both sides of the core are at work.
        self.check("axil_copy", f'mem {RAM:#x} = "{self.LETTERS}"\nwrite core+0 {RAM:#x}\n'
                   f"write core+4 {RAM + 0x1000:#x}\nwrite core+8 8\nexpect core+8 0\n"
                   f'expect mem {RAM + 0x1000:#x} = "{self.LETTERS}"\nexpect irq core 1\n'
                   f"expect core+0 {RAM + 32:#x}\nexpect core+0xc 0\n")
        self.check_master_oracle("axil_copy", "write core+8 9", bus_timeout=100000)

    def test_guest(self):
        """With the real QEMU, over the bridge: the same in each run, and with ticking every cycle."""
        common.qemu("riscv64")
        self.assert_built(CORES / "axil_copy.v", output="axil_copy.so")
        hashes = set()
        for ticking, direct in ("ahead", False), ("ahead", False), ("every", False), ("ahead", True):
            result = self.trestle("run", self.config(
                {"machine": {"arch": "riscv64", "kernel": str(common.guest("copier", "riscv64")), "icount": 0,
                             "direct_dma": direct},
                 "devices": [{"name": "core", "model": "./axil_copy.so", "base_addr": "0x10200000", "irq": 40,
                              "params": {"ticking": ticking}}]}))
            self.assertEqual(result.code, 0, result)
            self.assertRegex(result.out, r"copier: \d+ passed, 0 failed")
            self.assertIn("the master writes 4 bytes at 0x10200000 in cycle", result.err)
            hashes.add(re.search(r"run hash (\w+); repeatable", result.err)[1])
        self.assertEqual(len(hashes), 1)

    def test_wishbone(self):
        out = self.assert_built(CORES / "wb_copy.v", "--top", "wb_copy", output="wb_copy.so")
        self.assertIn("bus: Wishbone\nmaster: Wishbone\n", out)
        self.check("wb_copy", f'mem {RAM:#x} = "{self.LETTERS}"\nwrite core+0 {RAM:#x}\n'
                   f"write core+4 {RAM + 0x1000:#x}\nwrite core+8 8\nrun 2us\nexpect irq core 1\n"
                   f'expect core+8 0\nexpect mem {RAM + 0x1000:#x} = "{self.LETTERS}"\n')
        result = self.poke("write core+0 0x10\nwrite core+8 1\nrun 1us\nexpect core+0xc 1", "wb_copy")
        self.assertEqual(result.code, 0, result)
        self.check_master_oracle("wb_copy", "write core+8 9")
        out = self.assert_built(CORES / "wb_copy.v", "--top", "wb_stream", "--master-word-addresses",
                                output="wb_stream.so")
        self.check("wb_stream", f'mem {RAM:#x} = "{self.LETTERS}"\nwrite core+0 {RAM:#x}\n'
                   f"write core+4 {RAM + 0x1000:#x}\nwrite core+8 4\nrun 2us\nexpect irq core 1\n"
                   f'expect core+8 0\nexpect mem {RAM + 0x1000:#x} = "{self.LETTERS}"\n')
        self.check_master_oracle("wb_stream", "write core+8 9")

    def test_one_direction(self):
        out = self.assert_built(CORES / "one_way.v", "--top", "axi4_sum", output="axi4_sum.so")
        self.assertIn("bus: registers\nmaster: AXI4 reads\n", out)
        self.check("axi4_sum", f"mem {RAM:#x} = 1 0 0 0 2 0 0 0 3 0 0 0 0 1 0 0\nwrite core+0 {RAM:#x}\n"
                   "expect irq core 1\nrun 1us\nexpect irq core 0\nexpect core+4 0x106\n")
        self.check_master_oracle("axi4_sum", f"write core+0 {RAM + 64:#x}", offsets=(0, 4))
        out = self.assert_built(CORES / "one_way.v", "--top", "axil_fill", output="axil_fill.so")
        self.assertIn("bus: registers\nmaster: AXI4-Lite writes\n", out)
        self.check("axil_fill", f"write core+0 {RAM:#x}\nwrite core+4 3\nrun 1us\nexpect irq core 0\n"
                   f"expect mem {RAM:#x} = 3 0 0 0 2 0 0 0 1 0 0 0 0 0 0 0\nexpect core+0 {RAM + 12:#x}\n")
        self.check_master_oracle("axil_fill", "write core+4 9", offsets=(0, 4))

    def test_one_direction_of_wishbone(self):
        out = self.assert_built(CORES / "one_way.v", "--top", "wb_sum", output="wb_sum.so")
        self.assertIn("bus: registers\nmaster: Wishbone reads\n", out)
        self.check("wb_sum", f"mem {RAM:#x} = 1 0 0 0 2 0 0 0 3 0 0 0 0 1 0 0\nwrite core+0 {RAM:#x}\n"
                   f"expect irq core 1\nrun 1us\nexpect irq core 0\nexpect core+4 0x106\nexpect core+0 {RAM + 16:#x}\n")
        self.check_master_oracle("wb_sum", f"write core+0 {RAM + 64:#x}", offsets=(0, 4))
        out = self.assert_built(CORES / "one_way.v", "--top", "wb_fill", output="wb_fill.so")
        self.assertIn("bus: registers\nmaster: Wishbone writes\n", out)
        self.check("wb_fill", f"write core+0 {RAM:#x}\nwrite core+4 3\nrun 1us\nexpect irq core 0\n"
                   f"expect mem {RAM:#x} = 3 0 0 0 2 0 0 0 1 0 0 0 0 0 0 0\nexpect core+0 {RAM + 12:#x}\n")
        self.check_master_oracle("wb_fill", "write core+4 9", offsets=(0, 4))

    def test_two_masters(self):
        text = (CORES / "one_way.v").read_text()
        signals = ("output more_arvalid, input more_arready, output [31:0] more_araddr, output [7:0] more_arlen,"
                   "input more_rvalid, output more_rready, input [31:0] more_rdata, input [1:0] more_rresp,"
                   "input more_rlast, ")
        path = self.dir / "two.v"
        path.write_text(text.replace("axi4_sum (", "axi4_sum (" + signals, 1))
        result = self.build_core(path, "--top", "axi4_sum")
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertEqual(result.err, "trestle: there are two masters, AXI4 reads (more_arvalid ...) and AXI4 reads "
                                     "(m_axi_arvalid ...); tie the inputs of one of them\n")
        ties = [word for name in ("arready", "rvalid", "rdata", "rresp", "rlast")
                for word in ("--tie", f"more_{name}=0")]
        out = self.assert_built(path, "--top", "axi4_sum", *ties, output="two.so")
        self.assertRegex(out, r"(?m)^  output  1  more_arvalid +not connected\n(.*\n)*.* m_axi_arvalid +master$")

    def test_what_is_no_master(self):
        text = (CORES / "axil_copy.v").read_text()
        path = self.dir / "odd.v"
        path.write_text(text.replace("m_axi_wstrb", "m_axi_which"))
        result = self.build_core(path, "--top", "axil_copy")
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertRegex(result.err, r"^trestle: the build does not know what these inputs are for: m_axi_awready "
                         r"\(1 bit\), .* \(m_axi_awvalid looks like AXI4-Lite of a master, but "
                         r"\"m_axi_wstrb\" is missing; if another port is it, add --use PORT=master:wstrb\); "
                         r"give each a value with --tie")
        ports = self.dir / "odd.json"
        ports.write_text(json.dumps({"ports": [{"name": "m_axi_which", "use": "master",
                                                "signal": "wstrb"}]}))
        out = self.assert_built(path, "--top", "axil_copy", "--ports", ports, output="odd.so")
        self.assertIn("master: AXI4-Lite\n", out)
        result = self.poke("time\n", "odd", memory_latency=1)
        self.assertEqual(result.code, 2, result)
        self.assertIn("2 cycles or more", result.err)


class Clocks(RTLCase):
    """More than one, each with its period."""
    def test_two(self):
        ports = self.dir / "two.json"
        ports.write_text(json.dumps({"ports": [{"name": "tick_clk", "use": "clock", "period": "7ns"},
                                               {"name": "rst", "use": "reset"},
                                               {"name": "tick_rst_n", "use": "reset, active low"}]}))
        result = self.build_core(CORES / "two_clocks.v")
        self.assertEqual(result.code, 2, result)
        self.assertIn("what these inputs are for: tick_clk (1 bit; another clock?), tick_rst_n (1 bit; another "
                      "reset?)", result.err)
        out = self.assert_built(CORES / "two_clocks.v", "--ports", ports, output="two_clocks.so")
        self.assertRegex(out, r"(?m)^  input   1  tick_clk +clock of 7ns$")
        ports = json.loads((self.dir / "two_clocks.ports.json").read_text())["ports"]
        self.assertEqual([p.get("period") for p in ports if p["use"] == "clock"], [None, "7ns"])
        # Edge n is at n periods, and a read has what is there before its edge.
        script = ("read core+0\nrun 990ns\ntime\nread core+0\nrun 1us\nread core+0\n"
                  "reset core\nrun 80ns\ntime\nread core+0\n")
        result = self.poke(script, "two_clocks")
        counts = [f"core+0 = {(10, 1010, 2020)[n] // 7:#x}\n" for n in range(3)]
        self.assertEqual((result.code, result.out), (0, counts[0] + "1 us\n" + counts[1] + counts[2] + "2100 ns\ncore+0 = 0xd\n"),
                         result)
        for clocks in {}, {"clock_tick_clk": "13ns"}, {"clock_tick_clk": "1.7ns"}, {"clock": "33ns"}:
            self.check_oracle("two_clocks", [0, 4], others=["write core+4 9", "write core+4 200"], **clocks)

    def test_bad_periods(self):
        for first, second, sentence in (
                ({"use": "clock"}, {"use": "clock"}, 'clk and tick_clk are both clocks without a "period"; '
                                                     "give one of them a period"),
                ({"use": "clock"}, {"use": "clock", "period": "fast"},
                 'the "period" of tick_clk is "fast"; write for example "10ns", and only for a clock'),
                ({"use": "clock"}, {"use": "tied", "tie": 1, "period": "7ns"},
                 'the "period" of tick_clk is "7ns"; write for example "10ns", and only for a clock')):
            with self.subTest(sentence=sentence):
                ports = self.dir / "bad.json"
                ports.write_text(json.dumps({"ports": [{"name": "clk", **first},
                                                       {"name": "tick_clk", **second}]}))
                result = self.build_core(CORES / "two_clocks.v", "--ports", ports)
                self.assertEqual((result.code, result.out), (2, ""), result)
                self.assertEqual(len(result.err.splitlines()), 1, result)
                self.assertIn(sentence, result.err)


class Talking(RTLCase):
    """What a core says is in the log, once, and when the guest's time has come to it."""
    def test_lines(self):
        self.assert_built(CORES / "talker.v", output="talker.so")
        script = ("run 1us\nwrite core+0 7\nrun 500ns\nread core+0\nrun 1us\nread core+0\nreset core\nread "
                  "core+0\nrun 600ns\nwrite core+0 8\n")
        said = {}
        for ticking in "ahead", "every":
            config = self.config({"devices": [{"name": "core", "model": "./talker.so", "base_addr": "0x10200000",
                                               "params": {"ticking": ticking}}]})
            (self.dir / "script").write_text(script)
            result = self.trestle("poke", config, self.dir / "script", "-v")
            self.assertEqual(result.code, 0, result)
            said[ticking] = [line for line in result.err.splitlines() if "core: " in line]
        self.assertEqual(said["ahead"], said["every"])
        self.assertEqual([line.partition("core: ")[2] for line in said["every"]],
                         ["at 64", "TOP.talker: written: 7", "at 128", "at 192", "TOP.talker: written: 8"])
        self.check_oracle("talker", [0, 4])


class Late(RTLCase):
    """A core whose state cannot be copied back."""
    def test_random_numbers(self):
        out = self.assert_built(CORES / "dice.v", output="dice.so")
        self.assertRegex(out, r"\nit ticks late: its state is not only plain bytes \((random numbers|the time)\)\n$")
        # Exact with ticking every cycle, and otherwise so late as it says, but not in what it counts.
        script = ("write core+0 50\nrun 490ns\nirqs\nrun 10ns\nirqs\nrun 480ns\nirqs\nrun 20ns\nirqs\n"
                  "read core+8\nread core+4\nread core+4\nrun 1us\nread core+4\n")
        seen = {}
        for params, irqs in (({"ticking": "every"}, (0, 1, 1, 1)), ({}, (0, 0, 0, 1)),
                             ({"late_cycles": 40}, (0, 0, 1, 1))):
            result = self.poke(script, "dice", **params)
            self.assertEqual((result.code, result.err), (0, ""), result)
            lines = result.out.splitlines()
            self.assertEqual(lines[:4], [f"core: 0={n}" for n in irqs], params)
            self.assertEqual(lines[4], "core+8 = 0x1fe")
            seen[str(params)] = lines[5:]
        self.assertEqual(len(set(map(str, seen.values()))), 1, seen)
        rolled = list(seen.values())[0]
        self.assertEqual(len(set(rolled)), 2, rolled)

    def test_parameters(self):
        self.assert_built(CORES / "dice.v", output="dice.so")
        for params, sentence in (({"ticking": "ahead"}, "late or every: its state is not plain bytes"),
                                 ({"late_cycles": 0}, "1 or more")):
            result = self.poke("time\n", "dice", **params)
            self.assertEqual(result.code, 2, result)
            self.assertIn(sentence, result.err)

    BUS = "input clk, input req, input we, input [7:0] addr, input [31:0] wdata, output [31:0] rdata"

    def test_state_of_all_kinds(self):
        bus = self.BUS
        for text, why in (
                (f"package p; int unsigned n; endpackage\nmodule m ({bus}); always @(posedge clk) "
                 "p::n <= p::n + 1; assign rdata = p::n; endmodule\n", "state of a package or class"),
                (f"module m ({bus}); int q[$]; always @(posedge clk) if (req & we) q.push_back(wdata); "
                 "assign rdata = q.size(); endmodule\n", "queues or dynamic arrays"),
                (f"module m ({bus}); int d[]; always @(posedge clk) if (req & we) d = new[wdata[7:0]];"
                 "assign rdata = d.size(); endmodule\n", "queues or dynamic arrays"),
                (f"module m ({bus}); int a[int]; always @(posedge clk) if (req & we) a[wdata] = 1;"
                 "assign rdata = a.num(); endmodule\n", "associative arrays"),
                (f'module m ({bus}); string s; always @(posedge clk) if (req & we) s = {{s, "a"}};'
                 "assign rdata = s.len(); endmodule\n", "strings"),
                ("class C; int n; function void more(); n++; endfunction endclass\n"
                 f"module m ({bus}); C c; int n; initial c = new; always @(posedge clk) if (req & we) begin "
                 "c.more(); n = c.n; end assign rdata = n; endmodule\n", "objects of classes"),
                (f'module m ({bus}); integer f; int n; initial f = $fopen("out.txt", "w"); always @(posedge clk) '
                 'if (req & we) begin $fdisplay(f, "%x", wdata); n++; end assign rdata = n; endmodule\n', "files")):
            with self.subTest(why=why):
                path = self.dir / "m.sv"
                path.write_text(text)
                out = self.assert_built(path, output="m.so")
                self.assertIn(f"it ticks late: its state is not only plain bytes ({why})", out)
                result = self.poke("write core+0 1\nread core+0\nreset\nread core+0\n", "m")
                self.assertEqual(result.code, 0, result)
        self.assertEqual((self.dir / "out.txt").read_text(), "00000001\n")

    def test_functions_in_c(self):
        """A core may import them (DPI); without their file there is no model."""
        path = self.dir / "roll.sv"
        path.write_text('import "DPI-C" function int roll(int n);\n'
                        f"module roll ({self.BUS}); reg [31:0] v; always @(posedge clk) if (req & we) "
                        "v <= roll(wdata); assign rdata = v; endmodule\n")
        result = self.build_core(path, "--top", "roll")
        self.assertEqual((result.code, result.out, result.err),
                         (2, "", "trestle: the core calls roll(), but none of its files has that function; add a "
                                 "file in C or C++ that has it (DPI)\n"), result)
        self.assertFalse((self.dir / "roll.so").exists())
        # A build that fails leaves the model of the one before alone.
        (self.dir / "roll.so").write_text("older")
        before = common.files(self.dir)
        self.assertEqual(self.build_core(path, "--top", "roll").code, 2)
        self.assertEqual((self.dir / "roll.so").read_text(), "older")
        self.assertEqual(common.files(self.dir), before)
        for name, text in (("roll.c", "int roll(int n) { static int new; return n + ++new; }\n"),
                           ("roll.cpp", '#include "Vcore__Dpi.h"\n'
                                        "int roll(int n) { static int times; return n + ++times; }\n")):
            (self.dir / name).write_text(text)
            out = self.assert_built(path, self.dir / name, "--top", "roll", output="roll.so")
            self.assertIn("it ticks late: its state is not only plain bytes (functions in C (DPI))", out)
            result = self.poke("write core+0 5\nexpect core+0 6\nwrite core+0 5\nexpect core+0 7\n", "roll")
            self.assertEqual(result.code, 0, result)
        self.assertIn("cannot read none.c: No such file or directory; check the path",
                      self.build_core(path, "none.c").err)

    def test_what_comes_from_outside(self):
        """A file for $readmemh that is not there is no memory of zeroes; there are no plusargs."""
        path = self.dir / "rom.v"
        path.write_text(f"module rom ({self.BUS}); reg [31:0] words [0:3]; integer n;\ninitial begin "
                        '$readmemh("words.hex", words); if (!$value$plusargs("n=%d", n)) n = 7; end\n'
                        "assign rdata = addr[4] ? n : words[addr[3:2]]; endmodule\n")
        self.assert_built(path, output="rom.so")
        result = self.poke("time\n", "rom")
        self.assertEqual(result.code, 2, result)
        self.assertEqual(len(result.err.splitlines()), 1, result)
        self.assertIn("words.hex: $readmem file not found", result.err)
        (self.dir / "words.hex").write_text("11 22 33 44\n")
        result = self.poke("expect core+8 0x33\nexpect core+16 7\n", "rom")
        self.assertEqual((result.code, result.err), (0, ""), result)


class Waves(RTLCase):
    """FST files, read by the reader that Verilator ships with its writer."""
    def setUp(self):
        super().setUp()
        self.assert_built(EXAMPLE / "ticker.v", "--wave", output="ticker.so")

    def read(self, path):
        """(signals: names by their marks, [(time, mark, value)])"""
        names, changes, now, scopes = {}, [], 0, []
        result = common.run([self.reader(), self.dir / path])
        self.assertEqual(result.code, 0, result)
        self.assertIn("$timescale\n\t1ps\n", result.out)
        for line in result.out.splitlines():
            words = line.split()
            if line.startswith("$scope"):
                scopes.append(words[2])
            elif line.startswith("$upscope"):
                scopes.pop()
            elif line.startswith("$var"):
                names.setdefault(words[3], ".".join(scopes + [words[4]]))
            elif line.startswith("#"):
                now = int(line[1:])
            elif line[:1] in ("0", "1", "b") and names:
                value, mark = words if line[0] == "b" else (line[0], line[1:])
                changes.append((now, names[mark], int(value.lstrip("b"), 2)))
        return names, changes

    def reader(self):
        path = self.dir / "read_fst"
        if not path.exists():
            root = common.run(["verilator", "--getenv", "VERILATOR_ROOT"]).out.strip() + "/include"
            result = common.run(["gcc", "-w", "-I", root, "-DFST_CONFIG_INCLUDE=\"gtkwave/fst_config.h\"",
                                 "-o", path, CORES / "read_fst.c"] +
                                [f"{root}/gtkwave/{name}.c" for name in ("fstapi", "lz4", "fastlz")] +
                                ["-lz"], timeout=120)
            self.assertEqual(result.code, 0, result)
        return path

    def test_what_has_happened_and_nothing_else(self):
        """The same as of a core that never runs ahead, but for the clock, which stands at rest."""
        chance, lines = random.Random(3), []
        for _ in range(120):
            offset = chance.choice([0, 4, 8])
            lines.append(chance.choice([f"read core+{offset}", f"write core+{offset} {chance.randrange(90)}",
                                        f"run {chance.choice([1, 9, 10, 15, 90, 333, 5000])}ns"]))
        script = "\n".join(lines) + "\n"
        plain = self.poke(script, "ticker")
        seen = {}
        for ticking in "ahead", "every":
            result = self.poke(script, "ticker", ticking=ticking, wave=f"{ticking}.fst")
            self.assertEqual((result.code, result.out, result.err), (0, plain.out, ""), result)
            seen[ticking] = [change for change in self.read(f"{ticking}.fst")[1]
                             if change[1] != "TOP.s_axi_aclk"]
        self.assertEqual(seen["ahead"], seen["every"])
        self.assertGreater(len(seen["every"]), 500)

    def test_times(self):
        """Edge n is at n periods of the run's time."""
        script = "run 1us\nwrite core+0 5\nrun 1us\n"
        result = self.poke(script, "ticker", wave="all.fst")
        self.assertEqual(result.code, 0, result)
        names, changes = self.read("all.fst")
        self.assertIn("TOP.ticker.count", names.values())
        # Taken with the edge at 1010 ns, down five edges later.
        self.assertEqual([c for c in changes if c[1] == "TOP.irq"],
                         [(5000, "TOP.irq", 0), (1060000, "TOP.irq", 1)])
        result = self.poke(script, "ticker", wave="some.fst", wave_from="1015ns", wave_to="1045ns",
                           wave_scope="TOP.ticker")
        names, changes = self.read("some.fst")
        self.assertEqual({name.rpartition(".")[0] for name in names.values()}, {"TOP.ticker"})
        self.assertEqual([(c[0], c[2]) for c in changes if c[1] == "TOP.ticker.count"],
                         [(1015000, 5), (1020000, 4), (1030000, 3), (1040000, 2)])

    def test_what_cannot_be_written(self):
        for path, sentence in (("none/a.fst", "cannot write the wave none/a.fst: No such file or directory; "
                                              "check the path"),
                               (".", "cannot write the wave .: Is a directory; check the path"),
                               ("/dev/full", "parameter 'wave': '/dev/full' is not the path of a file")):
            self.refused(sentence, wave=path)
        self.assert_built(EXAMPLE / "ticker.v", output="ticker.so")
        self.refused("it has no waves: make it with trestle rtl build --wave", wave="a.fst")

    def test_what_cannot_be_recorded(self):
        """Nothing is left of the file."""
        for scope in "TOP.nothing", "ticker", "":
            self.refused(f"parameter 'wave_scope': '{scope}' is not the path of a module: TOP, TOP.ticker\n",
                         wave="a.fst", wave_scope=scope)
        self.refused("parameter 'wave_from': '3ms' is not a time before wave_to", wave="a.fst",
                     wave_from="3ms", wave_to="2ms")
        self.assertFalse((self.dir / "a.fst").exists())
        self.assertEqual(list(self.dir.glob("*.part*")), [])
        self.beside = [{"name": "other", "model": "./ticker.so", "base_addr": "0x10300000",
                        "params": {"wave": f"../{self.dir.name}/a.fst"}}]
        self.refused("is not a file of its own: another device writes to it", wave="a.fst")

    def test_many_modules(self):
        path = self.dir / "many.v"
        path.write_text("module cell_of(input clk, output reg q); always @(posedge clk) q <= !q; endmodule\n"
                        "module many (input clk, input psel, input penable, input pwrite, input [7:0] paddr, input [31:0] "
                        "pwdata, output [31:0] prdata, output [19:0] q);\nassign prdata = 0; genvar i; generate\n"
                        "for (i = 0; i < 20; i = i + 1) begin : row cell_of part(clk, q[i]); end endgenerate endmodule\n")
        self.assert_built(path, "--wave", output="many.so")
        result = self.poke("time\n", "many", wave="a.fst", wave_scope="row")
        self.assertEqual((result.code, len(result.err.splitlines())), (2, 1), result)
        self.assertRegex(result.err, r"'row' is not the path of a module: TOP, TOP\.many, TOP\.many\.row\S+, .* and \d+ "
                                     r"more\n\Z")
        self.assertEqual(result.err.count("TOP"), 16)

    def test_a_run_that_is_killed(self):
        """What it leaves can be read, up to some time. The next run puts both files in order."""
        self.poke("write core+0 60000\nrun 1ms\nread core+4\n", "ticker", wave="whole.fst")
        self.assertFalse((self.dir / "whole.fst.hier").exists())
        self.poke("time\n", "ticker", wave="a.fst")  # writes the configuration
        run = self.start_trestle("poke", "two.json", stdin=-1)
        run.stdin.write(b"write core+0 60000\nrun 1ms\nread core+4\n")
        run.stdin.flush()
        cli_case.read_until(run.stdout, rb"core\+4 = 0x0\n", 60)
        run.kill()
        run.wait(30)
        run.stdin.close()
        self.assertTrue((self.dir / "a.fst.hier").exists())
        (names, left), (whole_names, whole) = self.read("a.fst"), self.read("whole.fst")
        self.assertEqual(names, whole_names)
        self.assertGreater(left[-1][0], 100e6)
        self.assertEqual(left, whole[:len(left)])
        self.poke("run 1us\n", "ticker", wave="a.fst")
        self.assertEqual(self.read("a.fst")[1][-1][0], 1000000)
        self.assertFalse((self.dir / "a.fst.hier").exists())

    def test_a_wave_that_is_replaced(self):
        """Somebody puts another file there meanwhile, which is theirs."""
        self.poke("time\n", "ticker", wave="a.fst")  # writes the configuration
        run = self.start_trestle("poke", "two.json", stdin=-1)
        run.stdin.write(b"run 1us\nread core+4\n")
        run.stdin.flush()
        cli_case.read_until(run.stdout, rb"core\+4 = ", 60)
        (self.dir / "other").write_text("precious\n")
        (self.dir / "other").rename(self.dir / "a.fst")
        run.stdin.close()
        self.assertEqual(run.wait(30), 0)
        self.assertIn(b"another file has replaced the wave a.fst\n", run.stderr.read())
        self.assertEqual((self.dir / "a.fst").read_text(), "precious\n")
        self.assertTrue((self.dir / "a.fst.hier").exists())

    def test_an_older_wave_stays_until_the_run_begins(self):
        wave = self.dir / "a.fst"
        wave.write_text("precious\n")
        self.poke("", "ticker", wave="a.fst", wave_scope="TOP.nothing")
        self.poke("", "ticker", wave="a.fst")
        for process in "shared", "own", "inline":
            result = self.trestle("check", self.run_in(process, "a.fst"))
            self.assertEqual(result.code, 0, result)
        self.assertEqual(wave.read_text(), "precious\n")
        self.assertEqual(list(self.dir.glob("*.part*")), [])
        self.poke("run 1us\n", "ticker", wave="a.fst")
        self.assertEqual(self.read("a.fst")[1][-1][0], 1000000)
        self.assertEqual(list(self.dir.glob("*.part*")), [])

    def refused(self, sentence, **params):
        result = self.poke("time\n", "ticker", **params)
        self.assertEqual((result.code, result.out, len(result.err.splitlines())), (2, "", 1), result)
        self.assertIn(sentence, result.err)

    CUT_OFF = "the wave {} is cut off: {}; make room for it, or record less with wave_from, wave_to and wave_scope\n"

    def test_a_file_of_limited_size(self):
        self.poke("time\n", "ticker", wave="full.fst")
        script = self.dir / "script"
        script.write_text("write core+0 70000\nrun 1ms\nread core+4\n")
        for blocks in 0, 1, 8, 32:
            result = common.run(["sh", "-c", 'ulimit -f $0; exec "$@"', str(blocks), common.TRESTLE, "poke",
                                 "two.json", script], cwd=self.dir, env=self.env)
            said = re.sub(r"trestle: warning: .* longer than 100 ms .*\n", "", result.err)
            self.assertEqual((result.code, result.out, said), (
                1, "core+4 = 0x0\n", "trestle: core: " + self.CUT_OFF.format("full.fst", "File too large")), result)

    def with_disk(self, where, size, *command):
        """Runs a command with a small disk, as only its processes see it. What was built stays where it is."""
        if common.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).code != 0:
            self.skipTest("no mounts of its own are allowed here")
        return common.run(["unshare", "-rm", "sh", "-c", f"mount --rbind \"$0\" /mnt; mount -t tmpfs -o size={size} none {where}; "
                           '[ -e "$0" ] || { mkdir -p "$0" && mount --rbind /mnt "$0"; }; exec "$@"',
                           common.BUILD, common.TRESTLE, *command], cwd=self.dir, env=self.env, timeout=100)

    def run_in(self, process, wave):
        document = json.loads((EXAMPLE / "ticker.json").read_text())
        document["machine"]["kernel"] = str(common.guest("ticker", "riscv64"))
        document["devices"][0].update(process=process, params={"wave": wave})
        return self.config(document)

    def test_a_full_disk(self):
        """One line says so, and what else the run has is there."""
        common.qemu("riscv64")
        small = self.dir / "small"
        small.mkdir()
        for process in "shared", "own", "inline":
            with self.subTest(process=process):
                config = self.run_in(process, "small/a.fst")
                result = self.with_disk(small, "8k", "run", config, "--stats", "s.json")
                self.assertEqual(result.code, 1, result)
                self.assertIn("ticker: 22 passed, 0 failed", result.out)
                line = "trestle: error: ticker: " + self.CUT_OFF.format("small/a.fst", "No space left on device")
                self.assertEqual(result.err.count(line), 1, result)
                self.assertRegex(result.err, r"run hash \w+[^;\n]*; repeatable")
                self.assertGreater(json.loads((self.dir / "s.json").read_text())["devices"][0]["reads"], 0)

    def test_a_full_disk_for_temporary_files(self):
        """They do not matter."""
        self.poke("time\n", "ticker", wave="a.fst")
        script = self.dir / "script"
        script.write_text("write core+0 70000\nrun 1ms\nread core+4\n")
        result = self.with_disk("/tmp", "4k", "poke", "two.json", "script")
        self.assertEqual((result.code, result.out), (0, "core+4 = 0x0\n"), result)
        self.assertEqual(self.read("a.fst")[1][-1][0], 1000040000)

    def test_in_any_process(self):
        common.qemu("riscv64")
        waves = []
        for process in "shared", "own", "inline":
            result = self.trestle("run", self.run_in(process, f"{process}.fst"))
            self.assertEqual(result.code, 0, result)
            self.assertRegex(result.err, r"run hash \w+[^;\n]*; repeatable")
            waves.append(self.read(f"{process}.fst"))
        self.assertEqual(waves[0], waves[1])
        self.assertEqual(waves[0], waves[2])


class Registers(RTLCase):
    """A table that is laid over a core, so that its registers have names."""
    SVD = """<?xml version="1.0"?>
<device><name>CHIP</name><peripherals><peripheral><name>TICKER</name><baseAddress>0</baseAddress><registers>
<register><name>LOAD</name><addressOffset>0</addressOffset><size>32</size></register>
<register><name>COUNT</name><addressOffset>4</addressOffset><size>32</size><access>read-only</access></register>
<register><name>STATUS</name><addressOffset>8</addressOffset><size>32</size><description>a "flag"</description>
<fields><field><name>over</name><bitRange>[0:0]</bitRange><enumeratedValues><enumeratedValue><name>yes</name>
<value>1</value></enumeratedValue></enumeratedValues></field></fields></register>
</registers></peripheral></peripherals></device>"""

    def test_names(self):
        (self.dir / "chip.svd").write_text(self.SVD)
        self.assert_built(EXAMPLE / "ticker.v", "--svd", "chip.svd", output="ticker.so")
        # The core answers all the same: bytes of registers, and an error where it has none.
        result = self.poke("write core.LOAD 5\nrun 1us\nread core.STATUS\nread core+0:1\n"
                           "expect error read core+0xc\nwrite core.count 1\n", "ticker")
        self.assertEqual((result.code, result.out),
                         (0, "core.STATUS = 0x1 {over=yes}\ncore+0:1 = 0x5\n"), result)
        self.assertNotIn("COUNT", result.err)
        result = self.trestle("models", "./ticker.so")
        self.assertRegex(result.out, r'0x0008  STATUS +32  RW +0x0  a "flag"')
        self.assert_built(EXAMPLE / "ticker.v", "--registers", "./ticker.so", output="again.so")
        again = self.trestle("models", "./again.so")
        self.assertEqual(again.out, result.out)

    def test_bad_tables(self):
        core = EXAMPLE / "ticker.v"
        (self.dir / "chip.svd").write_text(self.SVD)
        (self.dir / "two.svd").write_text(self.SVD.replace(
            "</peripherals>", '<peripheral derivedFrom="TICKER"><name>OTHER</name><baseAddress>4096</baseAddress>'
            "</peripheral></peripherals>"))
        for args, sentence in (
                (("--peripheral", "TICKER"), "--peripheral names a part of an SVD file; add --svd FILE"),
                (("--svd", "two.svd"), "two.svd has 2 peripherals; name one with --peripheral, such as TICKER "
                 "or OTHER"),
                (("--svd", "none.svd", "--peripheral", "X"), "none.svd: No such file or directory"),
                (("--svd", "chip.svd", "--peripheral", "X"), 'TICKER'),
                (("--registers", "nobody"), "there is no model nobody; trestle models lists all models, and one "
                 "in a file needs a path such as ./nobody.so"),
                (("--registers", "./none.so"), "none.so"),
                (("--svd", "chip.svd", "--peripheral", "TICKER", "--registers", "timer"),
                 "--svd and --registers are two tables; leave one of them out")):
            with self.subTest(args=args):
                result = self.build_core(core, *args)
                self.assertEqual((result.code, result.out), (2, ""), result)
                self.assertEqual(len(result.err.splitlines()), 1, result)
                self.assertIn(sentence, result.err)


class Ports(RTLCase):
    """A file that says what ports are for."""
    def odd_core(self):
        text = (CORES / "apb_blink.v").read_text()
        for old, new in (("pclk", "tick"), ("presetn", "go"), ("psel", "chosen"), ("prdata", "answer"),
                         ("interrupt_o", "ring")):
            text = re.sub(rf"\b{old}\b", new, text)
        path = self.dir / "odd.v"
        path.write_text(text)
        return path

    def write_ports(self, ports):
        path = self.dir / "odd.json"
        path.write_text(json.dumps(ports))
        return path

    def test_a_core_with_other_names(self):
        core = self.odd_core()
        args = ("--top", "apb_blink")
        result = self.trestle("rtl", "ports", core, *args)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(result.err, 'trestle: before rtl build: penable looks like APB, but "psel" is missing; '
                                     "if another port is it, add --use PORT=bus:psel\n")
        self.assertFalse((self.dir / "odd.so").exists())
        ports = json.loads(result.out)
        uses = {"tick": "clock", "go": "reset, active low", "chosen": "psel", "answer": "prdata",
                "ring": "pulse"}
        changed = [{"name": p["name"], "use": uses[p["name"]]} for p in ports["ports"]
                   if p["name"] in uses]
        for port in changed:
            if port["name"] in ("chosen", "answer"):
                port["use"], port["signal"] = "bus", port["use"]
        changed.append({"name": "spare", "use": "tied", "tie": 1})
        out = self.assert_built(core, *args, "--ports", self.write_ports({"ports": changed}),
                                output="odd.so")
        self.assertRegex(out, r"(?m)^  input   1  tick +clock$")
        self.assertRegex(out, r"(?m)^  input   1  chosen +bus$")
        self.assertRegex(out, r"(?m)^  output  2  ring +pulse$")
        result = self.poke("write core+4 0x11223345\nread core+6:2\nirqs\n", "odd")
        self.assertEqual((result.code, result.out), (0, "core+6:2 = 0x1122\ncore: 0=0 1=1\n"), result)
        # What a build has written says all of it.
        written = (self.dir / "odd.ports.json").read_text()
        result = self.trestle("rtl", "ports", core, *args, "--ports", "odd.ports.json")
        self.assertEqual((result.code, result.out, result.err), (0, written, ""), result)
        # A pulse, an output of one cycle, holds its line until the next access.
        result = self.poke("read core+4\nirqs\nrun 10us\nirqs\nread core+4\nirqs\nrun 1us\nirqs\n", "odd")
        self.assertEqual(result.out, "core+4 = 0x0\ncore: 0=0 1=0\ncore: 0=1 1=0\ncore+4 = 0x0\n"
                                     "core: 0=0 1=0\ncore: 0=1 1=0\n", result)
        # Bit 0 of the word is a level that rises once.
        result = self.poke("write core+4 1\nirqs\nrun 10ns\nread core+4\nirqs\n", "odd")
        self.assertEqual(result.out, "core: 0=0 1=1\ncore+4 = 0x1\ncore: 0=0 1=0\n", result)
        self.check_oracle("odd", [0, 4])

    def test_uses_on_the_command_line(self):
        core = self.odd_core()
        args = ["--top", "apb_blink"]
        for use in ("tick=clock", "go=reset, active low", "chosen=bus:psel", "answer=bus:prdata", "ri*=pulse",
                    "spare=tied:1"):
            args += ["--use", use]
        out = self.assert_built(core, *args, output="odd.so")
        self.assertRegex(out, r"(?m)^  input   1  go +reset, active low\n(.*\n)*  input   1  spare +tied to 1$")
        self.assertRegex(out, r"(?m)^  output  2  ring +pulse$")
        # It is the last to say so, behind a file.
        result = self.trestle("rtl", "ports", core, "--top", "apb_blink", "--ports", "odd.ports.json", "--use",
                              "ring=wire", "--use", "spare=wire:1")
        self.assertEqual((result.code, result.err), (0, ""), result)
        ports = {p["name"]: p for p in json.loads(result.out)["ports"]}
        self.assertEqual([ports[name]["use"] for name in ("tick", "ring", "spare")], ["clock", "wire", "wire"])
        self.assertEqual(ports["spare"]["tie"], 1)
        for use, sentence in (("tick", "write PORT=USE"), ("=clock", "write PORT=USE"),
                              ("none=irq", "the core has no such port"),
                              ("ring=bell", 'the use of ring is "bell"; write one of "unknown", "bus"'),
                              ("go=irq", 'go cannot be "irq": it is an input of 1 bit'),
                              ("tick=clock:soon", 'the "period" of tick is "soon"; write for example "10ns"'),
                              ("chosen=bus", 'chosen belongs to the bus, but its "signal" is missing'),
                              ("spare=tied:x", 'spare is tied: its "tie" must be a number')):
            with self.subTest(use=use):
                result = self.build_core(core, "--top", "apb_blink", "--use", use)
                self.assertEqual((result.code, result.out), (2, ""), result)
                self.assertTrue(result.err.startswith(f"trestle: --use {use}: {sentence}"), result)
                self.assertEqual(len(result.err.splitlines()), 1, result)

    def test_files_beside_and_macros(self):
        rtl = self.dir / "parts"
        rtl.mkdir()
        (rtl / "sizes.vh").write_text("`define WIDTH 32\n")
        (rtl / "part.v").write_text("module part (input clk, output reg q); always @(posedge clk) q <= "
                                    "#1 !q; endmodule\n")
        (self.dir / "extra").mkdir()
        (self.dir / "extra" / "other.v").write_text("module other (output q); assign q = 1; endmodule\n")
        (rtl / "whole.v").write_text(
            "`include \"sizes.vh\"\nmodule whole (input clk, input psel, input penable, input pwrite, input "
            "[`BITS:0] paddr, input [`WIDTH-1:0] pwdata, output [`WIDTH-1:0] prdata, output a, output b);\n"
            "part one (.clk(clk), .q(a)); other two (.q(b)); assign prdata = 0; endmodule\n")
        result = self.trestle("rtl", "ports", "parts/whole.v", "-I", "extra", "-D", "BITS=5")
        self.assertEqual((result.code, result.err), (0, ""), result)
        self.assertEqual([p["bits"] for p in json.loads(result.out)["ports"] if p["name"] == "paddr"], [6])
        result = self.trestle("rtl", "ports", "parts/whole.v", "-D", "BITS=5")
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, r"^trestle: verilator: %Error[^:]*: .*: Cannot find .*'other'\n$")

    def test_names_of_resets(self):
        core = self.odd_core()
        text = core.read_text()
        for name, use in (("rst_ni", "reset, active low"), ("i_axi_reset_n", "reset, active low"),
                          ("ARESETN", "reset, active low"), ("nrst", "reset, active low"),
                          ("sys_rst_b", "reset, active low"), ("wb_rst_i", "reset"), ("HRESET", "reset"),
                          ("n_rst", "reset, active low"), ("resetb", "reset, active low"), ("rst_async_n", "reset, active low"),
                          ("first", "unknown"), ("rest_n", "unknown"), ("n", "unknown"), ("preset_value", "unknown")):
            core.write_text(re.sub(r"\bgo\b", name, text))
            result = self.trestle("rtl", "ports", core, "--top", "apb_blink")
            self.assertEqual(result.code, 0, result)
            found = {p["name"]: p["use"] for p in json.loads(result.out)["ports"]}
            self.assertEqual(found[name], use, name)

    def test_edges(self):
        """What the core looks at says what its clock is, and its reset, and whether that is low."""
        core = self.dir / "edges.v"
        for always, test, uses in (
                ("posedge tick", "0", ["clock", "unknown"]),
                ("posedge clk or negedge go", "!go", ["clock", "reset, active low"]),
                ("posedge clk or posedge go", "go", ["clock", "reset"]),
                ("posedge clk or negedge rst", "!rst", ["clock", "reset, active low"]),
                ("posedge clk or posedge resetn", "resetn", ["clock", "reset"]),
                ("posedge clk", "!rst_n", ["clock", "reset, active low"])):
            clock, *rest = re.findall(r"edge (\w+)", always) + ["rst_n" if "rst_n" in test else "go"]
            core.write_text(f"module edges (input {clock}, input {rest[0]}, input psel, input penable, input pwrite, "
                            "input [7:0] paddr, input [31:0] pwdata, output reg [31:0] prdata);\n"
                            f"always @({always}) if ({test}) prdata <= 0; else if (psel & penable & pwrite) "
                            "prdata <= pwdata; endmodule\n")
            with self.subTest(always=always):
                result = self.trestle("rtl", "ports", core)
                self.assertEqual(result.code, 0, result)
                found = {p["name"]: p["use"] for p in json.loads(result.out)["ports"]}
                self.assertEqual([found[clock], found[rest[0]]], uses)

    def ports_of(self, inputs, outputs, *args):
        """What a module with ports of these names (and bits, if not 1) is taken for."""
        def declare(way, text):
            for word in text.split():
                name, _, bits = word.partition(":")
                yield f"{way} [{int(bits) - 1}:0] {name}" if bits else f"{way} {name}"
        path = self.dir / "m.v"
        path.write_text("module m (" + ", ".join([*declare("input", inputs), *declare("output", outputs)]) +
                        "); " + " ".join(f"assign {word.partition(':')[0]} = 0;" for word in outputs.split()) +
                        " endmodule\n")
        result = self.trestle("rtl", "ports", path, *args)
        self.assertEqual(result.code, 0, result)
        ports = json.loads(result.out)
        return ports, {p["name"]: p["use"] for p in ports["ports"]}, result.err

    def test_the_order_is_the_cores(self):
        """Not Verilator's, which has the narrow ports first. This core is Verilog, where "do" is a name."""
        for name in "middle", "do":
            _, uses, _ = self.ports_of(f"clk pwdata:32 psel penable {name}:40 pwrite paddr:8", "prdata:32 irq_b irq_a:2")
            self.assertEqual(list(uses), ["clk", "pwdata", "psel", "penable", name, "pwrite", "paddr", "prdata",
                                          "irq_b", "irq_a"])

    def test_conventions(self):
        """Names that generators and families of cores give to their buses."""
        def axi(form, lite=True):
            def names(*signals):
                return " ".join(form(c, s) + b for c, s, b in (x.split("-") for x in signals))
            ins = names("aw-valid-", "aw-addr-:8", "w-valid-", "w-data-:32", "b-ready-", "ar-valid-", "ar-addr-:8",
                        "r-ready-")
            outs = names("aw-ready-", "w-ready-", "b-valid-", "ar-ready-", "r-valid-", "r-data-:32")
            if not lite:
                ins += " " + names("w-last-", "aw-len-:8", "ar-len-:8", "aw-atop-:6", "w-id-:4")
                outs += " " + names("r-last-")
            return ins, outs
        for bus, (inputs, outputs) in (
                ("AXI4-Lite", axi(lambda c, s: f"io_axi_{c}_payload_{s}" if s in ("addr", "data") else f"io_axi_{c}_{s}")),
                ("AXI4-Lite", axi(lambda c, s: f"io_{c}_bits_{s}" if s in ("addr", "data") else f"io_{c}_{s}")),
                ("AXI4-Lite", axi(lambda c, s: f"S00_AXI_{c}{s}".upper())),
                ("AXI4", axi(lambda c, s: f"s_axi_{c}{s}", lite=False)),
                ("APB", ("io_apb_PSEL:1 io_apb_PENABLE io_apb_PWRITE io_apb_PADDR:8 io_apb_PWDATA:32",
                         "io_apb_PREADY io_apb_PRDATA:32 io_apb_PSLVERROR")),
                ("Wishbone", ("wb_stb wb_cyc wb_we wb_adr:30 wb_dat_w:32 wb_sel:4", "wb_ack wb_dat_r:32")),
                ("Wishbone", ("io_wb_STB io_wb_CYC io_wb_WE io_wb_ADR:8 io_wb_DAT_MOSI:32", "io_wb_ACK io_wb_DAT_MISO:32")),
                ("Wishbone", ("i_wb_stb i_wb_we i_wb_data:32", "o_wb_ack o_wb_stall o_wb_data:32")),
                ("registers", ("cs we address:8 write_data:32", "read_data:32 error")),
                ("register strobes", ("address:4 read write writedata:32 byteenable:4",
                                      "readdata:32 waitrequest readdatavalid"))):
            with self.subTest(bus=bus, inputs=inputs):
                ports, uses, err = self.ports_of("clk " + inputs, outputs)
                self.assertEqual((ports["bus"], err), (bus, ""))
                self.assertEqual({use for name, use in uses.items() if name != "clk"}, {"bus"}, uses)

    def test_the_clock_of_the_bus(self):
        apb = "penable pwrite paddr:8 pwdata:32"
        for names, psel, clock in (("clk_i HCLK", "psel", "HCLK"), ("sys_clk s_apb_clk", "s_apb_psel", "s_apb_clk"),
                                   ("scan clk_100", "psel", "clk_100"), ("sysclk", "psel", "sysclk"),
                                   ("clk2 clk", "psel", "clk")):
            prefix = psel[:-len("psel")]
            bus = " ".join(f"{prefix}{name}" for name in apb.split())
            uses = self.ports_of(f"{names} {psel} {bus}", f"{prefix}prdata:32")[1]
            self.assertEqual([name for name, use in uses.items() if use == "clock"], [clock])
        _, uses, err = self.ports_of(f"tick_clk PCLK arst PRESETN psel {apb}", "prdata:32")
        self.assertEqual((uses["PCLK"], uses["arst"]), ("clock", "reset"))
        self.assertIn("these inputs are for: tick_clk (1 bit; another clock?), PRESETN (1 bit; another reset?); give", err)

    def test_names_of_interrupts(self):
        outputs = {"wb_inta_o": 1, "intr_timer_expired_0_0_o": 1, "o_uart_rx_int": 1, "irq_rx": 1, "ip2intc_irpt": 1,
                   "interrupts": 1, "irq_id_o": 0, "interrupt_enable": 0, "print": 0, "events_o": 0}
        uses = self.ports_of("clk psel penable pwrite paddr:8 pwdata:32", "prdata:32 " + " ".join(outputs))[1]
        self.assertEqual({name: uses[name] == "irq" for name in outputs},
                         {name: bool(is_irq) for name, is_irq in outputs.items()})

    def test_words_of_other_languages(self):
        """A port may be called as a word of C++, and Verilog of old may use words of SystemVerilog."""
        path = self.dir / "old.v"
        path.write_text("`include \"timescale.v\"\nmodule old (input clk, input psel, input penable, input pwrite, "
                        "input [7:0] paddr, input [31:0] pwdata, output [31:0] prdata, output interrupt, "
                        "output a__int);\nreg [31:0] int; assign a__int = int[1]; assign interrupt = int[0];"
                        "always @(posedge clk) if (psel & penable & pwrite) int <= pwdata;"
                        "assign prdata = int; endmodule\n")
        out = self.assert_built(path, output="old.so")
        self.assertRegex(out, r"(?m)^  output  1  interrupt +irq\n  output  1  a__int +irq$")
        result = self.poke("write core+0 3\nirqs\n", "old", unknown="0")
        self.assertEqual((result.code, result.out), (0, "core: 0=1 1=1\n"), result)

    def test_ties_of_many(self):
        inputs = "clk psel penable pwrite paddr:8 pwdata:32 pad_a:4 pad_b pad_c other"
        _, uses, err = self.ports_of(inputs, "prdata:32", "--tie", "pad_*=1", "--tie", "pad_b=0")
        self.assertEqual((uses["pad_a"], uses["pad_b"], uses["other"]), ("tied", "tied", "unknown"))
        self.assertIn("the build does not know what these inputs are for: other (1 bit); give", err)
        ports, uses, err = self.ports_of(inputs, "prdata:32", "--tie", "*=0", "--tie", "pad_b=1")
        self.assertEqual((uses["clk"], uses["psel"], uses["other"], err), ("clock", "bus", "tied", ""))
        self.assertEqual([p["tie"] for p in ports["ports"] if p["name"] in ("pad_a", "pad_b", "other")], [0, 1, 0])
        self.assertIn("--tie none_*=0: the core has no such input",
                      self.ports_of(inputs, "prdata:32", "--tie", "none_*=0")[2])

    def test_bad_files(self):
        core = self.odd_core()
        for ports, sentence in (
                ([], "odd.json: it has no list \"ports\"; trestle rtl ports prints one"),
                ({"bus": "PCI", "ports": []}, "odd.json: there is no bus \"PCI\""),
                ({"ports": [{"use": "irq"}]}, 'odd.json: a port has no "name"'),
                ({"ports": [{"name": "x", "use": "irq"}]}, "odd.json: the core has no port x"),
                ({"ports": [{"name": "go"}]}, 'odd.json: go has no "use"'),
                ({"ports": [{"name": "go", "use": "irk"}]},
                 'odd.json: the use of go is "irk"; write one of "unknown", "bus", "master", "clock"'),
                ({"ports": [{"name": "go", "use": "irq"}]},
                 'odd.json: go cannot be "irq": it is an input of 1 bit'),
                ({"ports": [{"name": "go", "use": "bus"}]},
                 'odd.json: go belongs to the bus, but its "signal" is missing'),
                ({"ports": [{"name": "go", "use": "tied"}]}, 'odd.json: go is tied: its "tie" must be a number'),
                ({"ports": [{"name": "go", "use": "tied", "tie": 2}]}, "odd.json: go has 1 bit: the largest value is 1"),
                ({"ports": [{"name": "go", "use": "tied", "tie": -1}]}, "odd.json: go has 1 bit: the largest value"),
                ({"ports": [{"name": "ring", "use": "wire", "tie": 1}]},
                 "odd.json: ring is an output, and has its own value"),
                ({"ports": [{"name": "go", "use": "tied", "tei": 0}]},
                 'odd.json: go has an unknown key "tei"; did you mean "tie"?'),
                ({"ports": [], "bsu": "APB"}, 'odd.json: it has an unknown key "bsu"; did you mean "bus"?'),
                ({"ports": [], "bus": 7}, 'odd.json: its "bus" is not a text'),
                ({"ports": [], "bus": "Wishbone"}, "the core has no Wishbone, but the file of ports says so"),
                ({"ports": [{"name": "go", "use": "tied", "tie": 0}, {"name": "go", "use": "wire"}]},
                 "odd.json: go is there twice; remove one of the two"),
                ({"ports": [{"name": "go", "use": "clock"}, {"name": "tick", "use": "clock"}]},
                 'tick and go are both clocks without a "period"; give one of them a period'),
                ({"ports": [{"name": "chosen", "use": "bus", "signal": "psel"},
                            {"name": "answer", "use": "bus", "signal": "prdata"},
                            {"name": "tick", "use": "bus", "signal": "stall"}]},
                 "tick cannot be stall: APB has no such input, or another port is stall already")):
            with self.subTest(sentence=sentence):
                result = self.build_core(core, "--top", "apb_blink", "--ports", self.write_ports(ports))
                self.assertEqual((result.code, result.out), (2, ""), result)
                self.assertEqual(len(result.err.splitlines()), 1, result)
                self.assertIn(sentence, result.err)
        (self.dir / "odd.json").write_text("{")
        for path, sentence in (("odd.json", "odd.json:1: "), (".", "cannot read .: Is a directory; check the path"),
                               ("none.json", "cannot read none.json: No "
                                                              "such file or directory; check the path")):
            result = self.build_core(core, "--ports", path, "--top", "apb_blink")
            self.assertEqual(result.code, 2, result)
            self.assertIn(sentence, result.err)


class Refused(RTLCase):
    def check_refused(self, text, sentence, *args):
        path = self.dir / "bad.v"
        path.write_text(text)
        before = common.files(self.dir)
        result = self.build_core(path, *args)
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertEqual(len(result.err.splitlines()), 1, result)
        self.assertIn(sentence, result.err)
        self.assertEqual(common.files(self.dir), before)

    def test_bad_input(self):
        bus = ("input psel, input penable, input pwrite, input [7:0] paddr, input [31:0] pwdata, "
               "output [31:0] prdata")
        body = "assign prdata = 0;"
        for text, sentence, *args in (
                ("module m (input clk); wire x\nendmodule\n", "verilator: %Error"),
                ("module m (input clk, output reg q); always @(posedge clk) q <= !q; endmodule\n",
                 "no bus was found; Trestle knows AXI4 (awvalid ...), AXI4-Lite (awvalid ...), "
                 "APB (psel ...), "),
                ("module m (input clk); endmodule module n (input clk); endmodule\n",
                 "verilator: %Error-MULTITOP"),
                ("module m (input clk, input psel); endmodule\n",
                 'psel looks like APB, but "penable" is missing; if another port is it, add '
                 "--use PORT=bus:penable\n"),
                ("// nothing\n", "verilator: %Error"),
                ("package p; endpackage\n", "verilator: %Error"),
                (f"module m ({bus}); {body} endmodule\n", "no clock was found among the inputs"),
                (f"module m (input clk, {bus}, input [2:0] foo, input bar); {body} endmodule\n",
                 "the build does not know what these inputs are for: foo (3 bits), bar (1 bit); give each a value "
                 "with --tie PORT=NUMBER, or say what it is for with --use PORT=USE"),
                (f"module m (input clk, {bus}, {bus.replace(' p', ' q_p')}); {body} "
                 "assign q_prdata = 0; endmodule\n",
                 "there are two buses, APB (psel ...) and APB (q_psel ...); tie the inputs of one of them"),
                (f"module m (input clk, {bus.replace('[31:0]', '[23:0]')}); {body} endmodule\n",
                 "the bus has 24 bits of data, and can have 8, 16, 32 or 64"),
                (f"module m (input clk, {bus.replace('output [31:0]', 'output [15:0]')}); {body} endmodule\n",
                 "pwdata has 32 bits of data, and prdata has 16; a bus has as many in both directions: widen the "
                 "narrower one with bits that are 0"),
                (f"module m (input clk, {bus.replace('input [31:0]', 'input [7:0]')}); {body} endmodule\n",
                 "pwdata has 8 bits of data, and prdata has 32; a bus has"),
                (f"module m (input clk, {bus}); {body} endmodule\n",
                 "--tie nobody=1: the core has no such input", "--tie", "nobody=1"),
                (f"module m (input clk, {bus}, input [3:0] a); {body} endmodule\n",
                 "--tie a=16: a has 4 bits: the largest value is 15", "--tie", "a=16"),
                (f"module m (input clk, {bus}); {body} endmodule\n",
                 "--tie prdata=1: prdata is an output, and has its own value", "--tie", "prdata=1"),
                ("module m; endmodule\n", "the top module has no ports; name another with --top"),
                ("module m; endmodule\n", "-I none: No such file or directory; check the path", "-I", "none"),
                (f"module m (input clk, {bus}); {body} endmodule\n", "-G W is not PARAMETER=VALUE", "-G", "W"),
                (f"module m (input clk, {bus.replace('psel', 'pselect')}); {body} endmodule\n",
                 'penable looks like APB, but "psel" is missing'),
                ("module m (input clk, input req, input [7:0] addr, input [31:0] wdata, output [31:0] rdata); "
                 "assign rdata = 0; endmodule\n", 'req looks like registers, but "we" is missing'),
                (f"module m (input clk, {bus}); {body} endmodule\n", "verilator: %Error", "--top",
                 "other")):
            with self.subTest(sentence=sentence, args=args):
                self.check_refused(text, sentence, *args)

    def test_a_bus_that_lacks_a_signal(self):
        """Although it could be half a bus."""
        text = (EXAMPLE / "ticker.v").read_text()
        for name in "s_axi_rready", "s_axi_arready":
            self.check_refused(text.replace(name, "s_axi_other"),
                               f'(s_axi_awvalid looks like AXI4-Lite, but "{name}" is missing; if another '
                               f"port is it, add --use PORT=bus:{name[6:]})")

    def test_no_file(self):
        self.assert_refused("trestle: cannot read .: Is a directory; check the path", "rtl", "build", ".")
        self.assert_refused("trestle: cannot read none.v: No such file or directory; check the path",
                            "rtl", "build", "none.v")
        self.assert_refused("trestle: write trestle rtl build FILE.v... or rtl ports FILE.v..., see "
                            "trestle rtl --help", "rtl")

    def test_where_no_file_can_be(self):
        for output, why in (("none/x.so", "No such file or directory"), (".", "Is a directory")):
            self.check_refused("module m (input clk); endmodule\n",
                               f"trestle: cannot write {output}: {why}; check the path\n", "-o", output)
        self.check_refused("module m (input clk); endmodule\n",
                           "trestle: -o ./bad.v would replace a file of the core; name another file\n",
                           "-o", "./bad.v")
        self.assertIn("module m", (self.dir / "bad.v").read_text())

    def test_ended_by_a_signal(self):
        """Nothing is left behind, no file and no compiler."""
        tools = self.dir / "bin"
        tools.mkdir()
        (tools / "nap").symlink_to(shutil.which("sleep"))
        (tools / "slow").write_text(f"#!/bin/sh\n{tools}/nap 1000 & touch {self.dir}/started; wait\n")
        (tools / "slow").chmod(0o755)
        before = common.files(self.dir)
        self.env["CXX"] = str(tools / "slow")
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            process = subprocess.Popen([common.TRESTLE, "rtl", "build", EXAMPLE / "ticker.v"], cwd=self.dir,
                                       env={**os.environ, **self.env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            while not (self.dir / "started").exists():
                self.assertIsNone(process.poll())
                time.sleep(0.01)
            process.send_signal(number)
            self.assertEqual(process.communicate(timeout=60), (b"", None))
            self.assertEqual(process.returncode, 128 + number)
            (self.dir / "started").unlink()
            self.assertEqual(common.files(self.dir), before)
            left = [pid for pid in common.processes() if self.works_here(pid)]
            self.assertEqual(left, [])

    def works_here(self, pid):
        try:
            return str(self.dir) in pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            return False

    def test_verilator_missing_or_old(self):
        tools = self.dir / "bin"
        tools.mkdir()
        for name in "sh", "g++":
            (tools / name).symlink_to(shutil.which(name))
        self.env["PATH"] = str(tools)
        self.check_refused("module m (input clk); endmodule\n", "verilator is not installed")
        (tools / "verilator").write_text("#!/bin/sh\necho Verilator 4.038 2020-07-11\n")
        (tools / "verilator").chmod(0o755)
        self.check_refused("module m (input clk); endmodule\n",
                           "verilator 4.038 is too old; install 5.006 or later")
        (tools / "verilator").write_text("#!/bin/sh\necho Verilator 5.050 2026-07-01\n")
        self.check_refused("module m (input clk); endmodule\n",
                           "verilator 5.050 is too new for --wave, since its writer of FST files is another one; "
                           "leave --wave out, or use a version before 5.050", "--wave")

    def test_verilator_of_another_kind(self):
        """Its header has the core's state, but not where the present ones have it."""
        tools = self.dir / "bin"
        tools.mkdir()
        (tools / "verilator").write_text(f"#!/bin/sh\n{shutil.which('verilator')} \"$@\" || exit\n"
                                         f"sed -i 's/INTERNAL VARIABLES/OTHER VARIABLES/' {self.dir}/trestle-rtl-*/*.h\n"
                                         "exit 0\n")
        (tools / "verilator").chmod(0o755)
        self.env["PATH"] = f"{tools}:{os.environ['PATH']}"
        self.check_refused((CORES / "wb_edge.v").read_text(),
                           "trestle: this Verilator's headers are unknown; use a version that was tested: 5.006, "
                           "5.032 or 5.048\n")

    def test_unknown_at_the_start(self):
        path = self.dir / "hazy.v"
        path.write_text("module hazy (input clk, input rst, input req, input we, input [7:0] addr, input [31:0] "
                        "wdata, output [31:0] rdata, output reg irq, output reg [1:0] leds);\n"
                        "assign rdata = 0; always @(posedge clk) begin if (we & req) irq <= wdata[0];"
                        "if (rst) leds[0] <= 0; else if (we & req) leds <= wdata[1:0]; end endmodule\n")
        self.assert_built(path, output="hazy.so")
        result = self.poke("time\n", "hazy")
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertEqual(len(result.err.splitlines()), 1, result)
        self.assertIn('interrupt line 0 is unknown (X) behind the reset, which leaves registers as they were; '
                      '"unknown": "0" among the parameters has them begin with 0', result.err)
        result = self.poke("irqs\n", "hazy", unknown="0")
        self.assertEqual((result.code, result.out), (0, "core: 0=0\n"), result)
        ports = self.dir / "hazy.json"
        ports.write_text(json.dumps({"ports": [{"name": "irq", "use": "not connected"},
                                               {"name": "leds", "use": "wire"}]}))
        self.assert_built(path, "--ports", ports, output="hazy.so")
        result = self.poke("time\n", "hazy")
        self.assertEqual(result.code, 2, result)
        self.assertIn("the wire leds1 is unknown (X) behind the reset", result.err)
        result = self.poke("time\n", "hazy", unknown="1")
        self.assertEqual(result.code, 2, result)
        self.assertIn("refused or 0", result.err)

    def test_a_loop_of_logic(self):
        path = self.dir / "loopy.v"
        path.write_text("module loopy (input clk, input psel, input penable, input pwrite, input [7:0] "
                        "paddr, input [31:0] pwdata, output [31:0] prdata);\n"
                        "wire a, b; assign a = !b | pwrite; assign b = a & psel;\n"
                        "assign prdata = {31'b0, a}; endmodule\n")
        self.assert_built(path, output="loopy.so")
        result = self.poke("expect error read core+0\nexpect error read core+4\nrun 1us\n", "loopy")
        self.assertEqual(result.code, 0, result)
        self.assertEqual(len(re.findall(r"the core cannot go on: .*loopy.v:1: .*did not converge",
                                        result.err.partition("\n")[0])), 1, result)
        self.assertLess(len(result.err.splitlines()), 4, result)

    def test_a_core_that_never_answers(self):
        path = self.dir / "mute.v"
        path.write_text("module mute (input clk, input psel, input penable, input pwrite, input [7:0] "
                        "paddr, input [31:0] pwdata, output [31:0] prdata, output pready);\n"
                        "assign prdata = 0; assign pready = 0; endmodule\n")
        self.assert_built(path, output="mute.so")
        result = self.poke("read core+0\n", "mute", bus_timeout=20)
        self.assertEqual(result.code, 1, result)
        self.assertIn("the bus does not answer: no response within 20 cycles, from cycle 0 on",
                      result.err)


if __name__ == "__main__":
    common.main()
