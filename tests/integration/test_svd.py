# SPDX-License-Identifier: MIT
"""Vendors' SVD files as devices: firmware against stubs in QEMU, whole chips, and what is refused."""
import json
import re
import shutil
from xml.etree import ElementTree

import common

EXAMPLE = common.SOURCE / "examples/15-vendor-chip"


class SvdTest(common.TestCase):
    def setUp(self):
        super().setUp()
        shutil.copy(EXAMPLE / "chip.svd", self.dir)

    def config(self, *devices, name="c.json", **machine):
        path = self.dir / name
        path.write_text(json.dumps({"machine": {"arch": "riscv32", **machine},
                                    "devices": list(devices)}))
        return path

    def stub(self, peripheral, base=None, **params):
        device = {"model": "svd",
                  "params": {"file": "chip.svd", "peripheral": peripheral, **params}}
        return {**device, "base_addr": base} if base else device

    def probe(self, config, commands):
        common.qemu("riscv32")
        result = common.run([common.TRESTLE, "run", "--kernel", common.guest("probe"), config],
                            stdin=commands + "q 0\n")
        self.assertEqual(result.code, 0, result)
        return result.out.splitlines()[1:], result

    def refused(self, config, line):
        result = common.run([common.TRESTLE, "check", config], cwd=self.dir)
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertEqual(result.err, line + "\n")


class Guests(SvdTest):
    def test_firmware_that_configures_a_chip(self):
        """Once with the stubs in one process, once with one of them in its own."""
        common.qemu("riscv32")
        for own in {}, {"process": "own"}:
            with self.subTest(**own):
                config = self.config({**self.stub("CLOCK", **{"STATUS.READY": 1}), **own},
                                     {"svd": "chip.svd", "all": True},
                                     kernel=str(common.guest("vendor_chip")))
                result = common.run([common.TRESTLE, "run", config])
                self.assertEqual(result.code, 0, result)
                self.assertRegex(result.out, r"chip: \d+ passed, 0 failed\n")

    def test_presets(self):
        out, _ = self.probe(self.config(self.stub("CLOCK", CTRL="0x11", **{
            "STATUS.READY": 1, "CTRL.SOURCE": "pll"})), "r 4 10200000\nr 4 10200004\n")
        self.assertEqual(out, ["= 21", "= 1"])

    def test_elsewhere(self):
        """At another address than the chip's, and larger than the registers."""
        out, result = self.probe(self.config({**self.stub("TIMER", "0x10800000"), "size": 0x2000}),
                                 "r 8 10800000\nr 4 10801000\nr 4 10203000\n")
        self.assertEqual(out[:2], ["= 100000000", "= 0"])
        self.assertRegex(out[2], "^! ")
        self.assertIn("TIMER: read of 4 bytes at offset 0x1000, where there is no register", result.err)

    def test_all_leaves_the_board_and_others_alone(self):
        """QEMU's own UART stays in front of a stub at its place, and a model's device in its."""
        text = (self.dir / "chip.svd").read_text()
        (self.dir / "chip.svd").write_text(text.replace("0x10202000", "0x10000000"))
        out, _ = self.probe(self.config({"model": "id", "base_addr": "0x10201000"},
                                        {"svd": "chip.svd", "all": True, "except": ["CLOCK"]}),
                            "r 1 10000005\nr 2 10000204\nr 2 10201004\nr 4 10200000\n")
        self.assertEqual(int(out[0].split()[1], 16) & 0x60, 0x60)  # a 16550 that has sent all
        self.assertEqual(out[1], "= 0")  # a hole behind its registers, in the stub
        self.assertNotEqual(out[2], "= 1a1")
        self.assertRegex(out[3], "^! ")

    def test_trace_and_replay(self):
        config, trace = self.config(self.stub("UART0")), self.dir / "t.trace"
        common.qemu("riscv32")
        result = common.run([common.TRESTLE, "run", "--trace", trace, "--kernel",
                             common.guest("probe"), config],
                            stdin="w 2 10201004 1234\nr 4 10201004\nq 0\n")
        self.assertEqual(result.code, 0, result)
        result = common.run([common.TRESTLE, "replay", trace])
        self.assertEqual(result.code, 0, result)


class Tables(SvdTest):
    def test_check_lists_all(self):
        result = common.run([common.TRESTLE, "check",
                             self.config({"svd": "chip.svd", "all": True, "except": ["UART1"]})])
        self.assertEqual(result.code, 0, result)
        rows = [line.split()[:4] for line in result.out.splitlines()[1:5]]
        self.assertEqual(rows, [["CLOCK", "svd", "0x10200000", "0x10200fff"],
                                ["UART0", "svd", "0x10201000", "0x10201fff"],
                                ["TIMER", "svd", "0x10203000", "0x102030ff"]])

    def test_models(self):
        result = common.run([common.TRESTLE, "models"])
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"(?m)^svd +")

    def test_sst(self):
        result = common.run([common.TRESTLE, "sst-config", self.config(self.stub("UART0"))])
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertIn("SST has no stubs of SVD files", result.err)


# The rules of CMSIS-SVD.xsd 1.3 that concern what is printed: for each element its children, in their
# order, with how often they may be there, and what its text has to be like.
NUMBER, NAME, TEXT = r"(0x[0-9a-f]+|\d+)", r"[_A-Za-z]\w*", r"[^\x00]*\S[^\x00]*"
ARRAY_NAME = r"%s\w*|[_A-Za-z]\w*(\[%s\]|%s\w*)?"
EFFECTS = [("modifiedWriteValues", "?", "oneToClear|oneToSet|oneToToggle|zeroToClear|zeroToSet|"
                                        "zeroToToggle|clear|set|modify"),
           ("readAction", "?", "clear|set|modify|modifyExternal")]
ACCESS = ("access", "?", "read-only|write-only|read-write|writeOnce|read-writeOnce")
VALUE = [("name", "", TEXT), ("description", "?", TEXT), ("value", "", NUMBER)]
FIELD = [("name", "", ARRAY_NAME), ("description", "?", TEXT), ("bitOffset", "", NUMBER),
         ("bitWidth", "", NUMBER), ACCESS, *EFFECTS,
         ("enumeratedValues", "?", [("enumeratedValue", "+", VALUE)])]
REGISTER = [("dim", "?", NUMBER), ("dimIncrement", "?", NUMBER), ("name", "", ARRAY_NAME),
            ("description", "?", TEXT), ("addressOffset", "", NUMBER), ("size", "?", NUMBER), ACCESS,
            ("resetValue", "?", NUMBER), *EFFECTS, ("fields", "?", [("field", "+", FIELD)])]
PERIPHERAL = [("name", "", NAME), ("description", "?", TEXT), ("baseAddress", "", NUMBER),
              ("addressBlock", "+", [("offset", "", NUMBER), ("size", "", NUMBER),
                                     ("usage", "", "registers|buffer|reserved")]),
              ("interrupt", "*", [("name", "", TEXT), ("value", "", r"\d+")]),
              ("registers", "?", [("register", "+", REGISTER)])]
DEVICE = [("name", "", NAME), ("version", "", TEXT), ("description", "", TEXT),
          ("addressUnitBits", "", NUMBER), ("width", "", NUMBER), ("size", "?", NUMBER), ACCESS,
          ("resetValue", "?", NUMBER), ("peripherals", "", [("peripheral", "+", PERIPHERAL)])]


class Export(SvdTest):
    def export(self, operand):
        result = common.run([common.TRESTLE, "models", "--svd", operand], cwd=self.dir)
        self.assertEqual((result.code, result.err), (0, ""), result)
        return result.out

    def check_element(self, element, rule):
        if isinstance(rule, str):
            self.assertEqual(len(element), 0, element.tag)
            self.assertRegex(element.text or "", rf"\A({rule})\Z", element.tag)
            return
        order = "".join(f"({tag} ){many}" for tag, many, _ in rule)
        self.assertRegex("".join(child.tag + " " for child in element), rf"\A{order}\Z", element.tag)
        for child in element:
            self.check_element(child, next(r for tag, _, r in rule if tag == child.tag))

    def check_schema(self, text):
        root = ElementTree.fromstring(text)
        self.assertEqual((root.tag, root.get("schemaVersion")), ("device", "1.3"))
        self.check_element(root, DEVICE)
        for register in root.iter("register"):
            self.assertEqual(register.find("dim") is None, register.find("dimIncrement") is None)
            self.assertEqual(register.find("dim") is None, "%s" not in register.find("name").text)
        return root

    def read_again(self, text, *devices):
        """What is printed for devices of a file, which has the text."""
        (self.dir / "again.svd").write_text(text)
        return self.check_schema(self.export(self.config(*devices, name="again.json")))

    def registers(self, root, name):
        peripheral = next(p for p in root.iter("peripheral") if p.find("name").text == name)
        return ElementTree.tostring(peripheral.find("registers"), encoding="unicode")

    def test_models(self):
        """What a debugger is told of a model makes the same table as the model's."""
        without = {"at24"}  # its bytes are no registers
        for name in set(common.bundled_models()) - without:
            with self.subTest(name):
                text = self.export(name)
                root = self.check_schema(text)
                again = self.read_again(text, {
                    "name": name, "model": "svd", "base_addr": "0x1000",
                    "params": {"file": "again.svd", "peripheral": name.replace("-", "_")}})
                self.assertEqual(*(ElementTree.tostring(r.find(".//registers"), "unicode")
                                   for r in (again, root)))

    def test_machine(self):
        text = self.export(self.config(
            {"name": "a-timer", "model": "timer", "base_addr": "0x10300000", "irq": 40},
            {"svd": "chip.svd", "all": True}))
        root = self.check_schema(text)
        names = [p.find("name").text for p in root.iter("peripheral")]
        self.assertEqual(names, ["a_timer", "CLOCK", "UART0", "UART1", "TIMER"])
        self.assertEqual([[i.text for i in interrupt] for interrupt in root.iter("interrupt")],
                         [[root.find(".//interrupt/name").text, "40"]])
        bases = {p.find("name").text: p.find("baseAddress").text for p in root.iter("peripheral")}
        self.assertEqual((bases["a_timer"], bases["UART1"]), ("0x10300000", "0x10202000"))
        again = self.read_again(text, {"svd": "again.svd", "all": True})
        for name in names:
            self.assertEqual(self.registers(again, name), self.registers(root, name))

    def test_refused(self):
        for operand, line in (
                ("nope.json", "nope.json: cannot read the configuration: No such file or directory; "
                              "check the path"),
                ("svd", "trestle: the model svd needs to know what it stands for; add \"params\": "
                        "{ \"file\": \"nrf51.svd\", \"peripheral\": \"UART0\" }")):
            result = common.run([common.TRESTLE, "models", "--svd", operand], cwd=self.dir)
            self.assertEqual((result.code, result.out, result.err), (2, "", line + "\n"), result)


class Refusals(SvdTest):
    def test_lines(self):
        def stub(peripheral="UART0", **params):
            return self.stub(peripheral, **params)
        for where, device, line in (
                (".params.peripheral", stub("UART"),
                 "chip.svd has no peripheral \"UART\"; did you mean \"UART0\"?"),
                (".params.peripheral", stub("ETHERNET"),
                 "chip.svd has no peripheral \"ETHERNET\"; the peripherals are CLOCK, UART0, "
                 "UART1, TIMER"),
                (".params.BAUDS", stub(BAUDS=1),
                 "UART0 has no register \"BAUDS\"; did you mean \"BAUD\"?"),
                (".params.FLAGS.IDLY", stub(**{"FLAGS.IDLY": 1}),
                 "register FLAGS has no field \"IDLY\"; did you mean \"IDLE\"?"),
                (".params.BAUD", stub(BAUD=65536),
                 "\"65536\" is not a number from 0 to 0xffff"),
                (".size", {**stub(), "size": 8},
                 "8 bytes do not hold the registers of svd; write 16 or more"),
                (".except[0]", {"svd": "chip.svd", "all": True, "except": ["UART9"]},
                 "chip.svd has no peripheral \"UART9\"; did you mean \"UART0\"?")):
            with self.subTest(where=where):
                self.config(device)
                self.refused("c.json", f"c.json:1: devices[0]{where}: {line}")

    def test_files(self):
        """Each is one line that names the file's line as well; nothing is started."""
        whole = (self.dir / "chip.svd").read_text()
        cut = whole[:whole.index("UART1")]
        for text, line in (
                (cut, rf"a\.svd:{cut.count(chr(10)) + 1}: the file ends within <name>, which began on "
                      r"line \d+; get the whole file"),
                ("<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;&b;&b;'>]>" + whole,
                 r"a\.svd:1: the file declares an entity, which no description of registers needs; "
                 r"remove it"),
                (whole.replace("<dim>2</dim>", "<dim>10000000</dim>"),
                 r"a\.svd:\d+: <dim> makes 10000000 of \"CH\[%s\]\"; a peripheral may have 262144 "
                 r"registers in all"),
                (whole.replace("<name>UART0</name>\n      <desc", "<name>X</name>\n      <desc"),
                 r"a\.svd:\d+: peripheral \"UART1\" is derived from \"UART0\", which is not in the "
                 r"file"),
                (whole.replace("0x20</addressOffset>", "twenty</addressOffset>"),
                 r"a\.svd:\d+: <addressOffset> \"twenty\" is not a number of at most 64 bits")):
            with self.subTest(line=line):
                (self.dir / "a.svd").write_text(text)
                self.config({"svd": "a.svd", "all": True})
                result = common.run([common.TRESTLE, "run", "c.json"], cwd=self.dir)
                self.assertEqual((result.code, result.out), (2, ""), result)
                self.assertTrue(re.fullmatch(rf"c\.json:1: devices\[0\]\.svd: {line}\n", result.err),
                                result.err)


if __name__ == "__main__":
    common.main()
