#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nodes for devices in the tree that QEMU's board gives to its guest."""
import re
import resource
import shlex
import signal
import struct
import subprocess
import uuid

import aml
import common
from cli_case import Case, read_until
from fdt import cells, parse

DT = {"clock-frequency": 3686400, "big-endian": True, "text": "a, \"b\"", "mixed": [1, "x", "&other"],
      "wide": {"u64": "0x123456789"}, "raw": {"bytes": "00ff"}, "negative": -1,
      "#address-cells": 1, "kid@50": {"compatible": "atmel,24c02", "reg": 80}}
PHANDLE = 0x54000001
BOARDS = (("riscv32", [], "/soc", 0x10200000, 40, cells(40), cells(41, 42)),
          ("riscv64", ["-smp", "3"], "/soc", 0x10200000, 40, cells(40), cells(41, 42)),
          ("riscv64", ["-M", "aia=aplic"], "/soc", 0x10200000, 40, cells(40, 4),
           cells(41, 4, 42, 4)),
          ("arm", [], "", 0x0c000000, 200, cells(0, 200, 4), cells(0, 201, 4, 0, 202, 4)),
          ("aarch64", ["-M", "gic-version=3"], "", 0x0c000000, 200, cells(0, 200, 4),
           cells(0, 201, 4, 0, 202, 4)))


def device(base, irq, **more):
    return {"name": "uart", "model": "timer", "base_addr": hex(base), "size": 4096, "irq": irq,
            "compatible": ["ns16550a", "acme,uart"], "alias": "serial1", "dt": DT, **more}


class Nodes(Case):
    def tree(self, arch, devices, args=()):
        self.config({"machine": {"arch": arch, "kernel": str(common.guest("probe", arch))},
                     "devices": devices})
        line = self.trestle("qemu-args", "two.json", "--socket-dir", self.dir)
        self.assertEqual(line.code, 0, line)
        result = common.run([*shlex.split(line.out), *args, "-M", f"dumpdtb={self.dir}/tree"],
                            cwd=self.dir)
        self.assertTrue((self.dir / "tree").exists(), result)
        return parse((self.dir / "tree").read_bytes())

    def controller(self, tree):
        """The phandle of the controller that the board's own console interrupts."""
        console = next(node for path, node in tree.items() if "interrupts" in node and
                       path.rpartition("/")[2] in ("serial@10000000", "uart@10000000",
                                                   "pl011@9000000"))
        return console.get("interrupt-parent") or tree["/"]["interrupt-parent"]

    def test_nodes(self):
        for arch, args, parent, base, irq, interrupts, two in BOARDS:
            with self.subTest(arch=arch, args=args):
                common.qemu(arch)
                tree = self.tree(arch, [
                    device(base, irq),
                    {**device(base + 0x1000, irq), "name": "other", "alias": "serial2",
                     "compatible": "acme,two", "dt": {"parent": "&intc"}}], args)
                node = tree[f"{parent}/uart@{base:x}"]
                intc = self.controller(tree)
                self.assertEqual(tree["/aliases"]["serial1"], f"{parent}/uart@{base:x}\0".encode())
                self.assertEqual(node, {
                    "reg": cells(0, base, 0, 0x1000), "interrupts": interrupts,
                    "interrupt-parent": intc, "phandle": cells(PHANDLE),
                    "compatible": b"ns16550a\0acme,uart\0", "clock-frequency": cells(3686400),
                    "big-endian": b"", "text": b'a, "b"\0',
                    "mixed": cells(1) + b"x\0" + cells(PHANDLE + 1), "wide": cells(1, 0x23456789),
                    "raw": b"\0\xff", "negative": cells(0xffffffff), "#address-cells": cells(1)})
                self.assertEqual(tree[f"{parent}/uart@{base:x}/kid@50"],
                                 {"compatible": b"atmel,24c02\0", "reg": cells(80)})
                self.assertEqual(tree[f"{parent}/other@{base + 0x1000:x}"]["parent"], intc)
                order = [path for path in tree if path.startswith((f"{parent}/uart@{base:x}",
                                                                   f"{parent}/other@"))]
                self.assertIn("/uart@", order[0])

    def test_a_node_of_the_board(self):
        """And a line that is not the controller's."""
        common.qemu("aarch64")
        clocks = ["&{/apb-pclk}", "&{/apb-pclk}"]
        tree = self.tree("aarch64", [{"name": "dog", "model": "sp805", "base_addr": "0x0c000000",
                                      "irq": [200, "watchdog"], "dt": {"clocks": clocks}}])
        node = tree["/dog@c000000"]
        self.assertEqual(node["clocks"], 2 * tree["/apb-pclk"]["phandle"])
        self.assertEqual(node["interrupts"], cells(0, 200, 4))

    def test_no_compatible_no_node(self):
        tree = self.tree("riscv32", [{"model": "timer", "base_addr": "0x10200000"}])
        self.assertFalse([path for path in tree if "10200000" in path])

    def test_acpi_table(self):
        """As the firmware has put it into the guest's memory, byte for byte."""
        common.qemu("x86_64")
        base, size, irq = 0xfc000000, 0x1000, 20
        properties = {"compatible": ["acme,uart", "acme"], "text": "x", "none": 0, "small": 255,
                      "more": [1, 256, 65536],
                      "raw": {"bytes": "00ff"}, "on": True}
        config = self.config({
            "machine": {"arch": "x86_64", "kernel": str(common.guest("probe", "x86_64"))},
            "devices": [{"name": f"d{i}", "model": "timer", "base_addr": hex(base + i * size),
                         "size": size, "irq": irq + i, "acpi_id": "ACME0001"} for i in range(3)] + [
                {"name": "d3", "model": "timer", "base_addr": hex(base + 3 * size), "size": size,
                 "irq": irq + 3, "compatible": properties.pop("compatible"), "dt": properties}]})
        run = self.start_trestle("run", config, "--", "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off",
                                 stdin=subprocess.PIPE)
        self.addCleanup(run.stdin.close)
        read_until(run.stdout, rb"probe\s")
        monitor = common.Monitor(self.dir / "qmp")
        self.addCleanup(monitor.close)
        monitor.command("pmemsave", val=0, size=128 << 20, filename=str(self.dir / "memory"))
        memory = (self.dir / "memory").read_bytes()

        def device(i, *more):
            crs = (b"\x8a" + struct.pack("<HHB", 43, 0x0d00, 1)
                   + struct.pack("<QQQQQ", 0, base + i * size, base + (i + 1) * size - 1, 0, size)
                   + b"\x89" + struct.pack("<HHI", 6, 0x0109, irq + i) + b"\x79\0")
            hid = b"\x0dPRP0001\0" if more else b"\x0dACME0001\0"
            return b"\x5b\x82" + aml.block(
                b"T%03X" % (i + 1), b"\x08_HID", hid, b"\x08_UID", aml.number(i + 1), b"\x08_CRS\x11", aml.block(
                    b"\x0b" + struct.pack("<H", len(crs)), crs), *more)

        texts = [aml.text("acme,uart"), aml.text("acme")]
        dsd = b"\x08_DSD" + aml.package(
            b"\x11" + aml.block(aml.number(16), uuid.UUID("daffd814-6eba-4d8c-8a91-bc9bbf4aa301").bytes_le),
            aml.package(*(aml.package(aml.text(name), value) for name, value in (
                ("compatible", aml.package(*texts)), ("text", aml.text("x")), ("none", aml.number(0)),
                ("small", aml.number(255)),
                ("more", aml.package(aml.number(1), aml.number(256), aml.number(65536))),
                ("raw", aml.package(aml.number(0), aml.number(255))), ("on", aml.number(1))))))
        scope = b"\x10" + aml.block(b"\\_SB_", *(device(i) for i in range(3)), device(3, dsd))
        head = b"SSDT" + struct.pack("<I", 36 + len(scope)) + b"\x02"
        rest = b"TRSTLETRESTLE " + struct.pack("<I4sI", 1, b"TRST", 1) + scope
        check = struct.pack("B", -sum(head + rest) % 256)
        tables = [memory[at:at + 36 + len(scope)]
                  for at in (m.start() for m in re.finditer(rb"SSDT[\s\S]{6}TRSTLETRESTLE ", memory))]
        self.assertIn(head + check + rest, tables)
        run.terminate()
        self.assertEqual(run.wait(30), 128 + signal.SIGTERM)

    def test_acpi_where_no_file_can_be_written(self):
        """QEMU gets the table, and is not killed by the signal for files that are too large."""
        def no_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        alone = common.run([common.qemu("x86_64"), "-M", "q35", "-display", "none", "-S", "-monitor", "stdio"],
                           stdin="quit\n", preexec_fn=no_files)
        if alone.code == -signal.SIGXFSZ:
            self.skipTest("this QEMU is killed without any device, too: it has files in memory of its own")
        config = self.config({
            "machine": {"arch": "x86_64", "kernel": str(common.guest("probe", "x86_64"))},
            "devices": [{"model": "timer", "base_addr": "0xfc000000", "acpi_id": "ACME0001"}]})
        run = self.start_trestle("run", config, stdin=subprocess.PIPE, preexec_fn=no_files)
        self.addCleanup(run.stdin.close)
        read_until(run.stdout, rb"probe\s")


class BadNodes(Case):
    def refused(self, line, machine=None, number=0, **keys):
        self.config({"machine": machine or {"arch": "riscv32",
                                            "kernel": str(common.guest("probe"))},
                     "devices": [{"name": "other", "model": "echo", "base_addr": "0x10100000"},
                                 {**device(0x10200000, 40), **keys}]})
        self.assert_refused_like(rf"two\.json:\d+: devices\[1\]{line}", "run", "two.json")

    def test_shapes(self):
        def dt(line, **properties):
            self.refused(r"\.dt" + line, dt=properties)
        dt(r"\.x: false is not a property; write for example .*", x=False)
        dt(r"\.x\[1\]: .* is not a property; .*", x=[1, [2]])
        dt(r"\.x: 1\.5 is not a property; .*", x=1.5)
        dt(r"\.x: .* is not a property; .*", x=[])
        dt(r"\.kid\.x: .* is not a property; .*", kid={"x": None})
        dt(r"\.x: 4294967296 does not fit into a cell of 32 bits; write \{ \"u64\": \.\.\. \} for two "
           r"cells", x=1 << 32)
        dt(r"\.x: .* is not a list of bytes; write for example \"bytes\": \"00ff\"", x={"bytes": "0"})
        dt(r"\.x: -1 is not a number; .*", x={"u64": -1})
        dt(r"\.a b: \"a b\" is not a name in a device tree; use up to 31 .*", **{"a b": 1})
        dt(r"\.reg: Trestle makes this property from the device's other keys; remove it here", reg=1)
        for name in "nobody", "other":  # other has no node
            dt(rf"\.x: there is no device \"{name}\" with a compatible; name one, \"&intc\" for the "
               r"interrupt controller, or \"&\{/path\}\" for a node of the board's", x=f"&{name}")
        dt(r"\.x: there is no device \"{/a b}\" .*", x="&{/a b}")
        self.refused(r"\.dt: .* is not an object of properties; .*", dt=[1])
        self.refused(r"\.alias: .* is not an alias in a device tree; .*", alias="Serial 1")
        for compatible in 1, [], [""], "a b":
            self.refused(r"\.compatible: .* is not a device tree's compatible.*",
                         compatible=compatible)

    def test_without_compatible(self):
        self.config({"devices": [{"model": "echo", "base_addr": 8, "dt": {}}]})
        self.assert_refused_like(r"two\.json:\d+: devices\[0\]\.dt: a node needs a compatible; add "
                                 r"for example \"compatible\": \"ns16550a\"", "check", "two.json")

    def test_alias_that_is_taken(self):
        common.qemu("riscv32")
        self.config({"machine": {"kernel": str(common.guest("probe"))},
                     "devices": [device(0x10200000, 40),
                                 {**device(0x10300000, 41), "name": "other", "dt": {}}]})
        self.assert_refused_like(r"two\.json:\d+: devices\[\d\]: alias serial1 is "
                                 r"/soc/\w+@10.00000 already; use another", "run", "two.json")

    def test_machines_without_a_tree(self):
        common.qemu("x86_64")
        common.qemu("aarch64")
        (self.dir / "own.dtb").touch()
        for arch, keys in ("x86_64", {"board": "q35,acpi=off"}), ("aarch64", {"dtb": "own.dtb"}):
            kernel = str(common.guest("probe", arch))
            self.refused(r": dt: this machine makes no device tree and has no ACPI; leave it out, or "
                         r"use a board that does, such as virt, without -dtb", irq=20, dt={},
                         base_addr="0xfc000000" if arch == "x86_64" else "0x0c000000",
                         machine={"arch": arch, "kernel": kernel, **keys})

    def test_what_acpi_cannot_say(self):
        common.qemu("x86_64")
        machine = {"arch": "x86_64", "kernel": str(common.guest("probe", "x86_64"))}

        def refused(line, dt):
            self.refused(": dt: " + line, irq=20, dt=dt, base_addr="0xfc000000", machine=machine)
        refused("property x: ACPI has no list of numbers and strings", {"x": [1, "a"]})
        refused("property x: that is more than a package of ACPI holds", {"x": [0] * 256})
        refused("node kid: a device in ACPI has no nodes below it; leave it out", {"kid": {}})
        refused("a property refers to a node, and in ACPI there are none", {"x": "&uart"})
        for wrong in "PNP", "pnp0501", "PNP050G", "ABCDE0000", 1:
            self.refused(r"\.acpi_id: .* is not an ACPI id; write for example \"acpi_id\": \"PNP0501\"",
                         acpi_id=wrong)

    def test_text_by_hand(self):
        """What stands behind dt= on QEMU's own command line."""
        common.qemu("riscv32")
        for text, line in (("x = <1", "a number of 32 bits, &label or > is expected at ''"),
                           ("x = <4294967296>", "a number of 32 bits, .* at '4294967296>'"),
                           ("x = \"a", "\" is expected at ''"), ("x = [0]", "two hexadecimal .*"),
                           ("x = 1", "\", < or \\[ is expected at '1'"), ("{", "a name of up to .*"),
                           ("a {", "} is expected at ''"), ("x } y", "; is expected at '} y'"),
                           ("x = <&y>", "no device has the node &y; use .*"),
                           ("x = <&{/nobody}>", "the board has no node &{/nobody} that a property "
                                                "can refer to"),
                           ("x = <&{y}>", "a path and } is expected at 'y}>'"),
                           ("x = <&{/y>", "a path and } is expected at '/y>'"),
                           ("a { } a { }", "node a: FDT_ERR_EXISTS"),
                           ("a{" * 10, "nodes are nested more than 8 deep"),
                           ("x=" + ",".join(["<0 0 0 0>"] * 300), "a property has more than 4096 "
                                                                  "bytes")):
            with self.subTest(text=text[:20]):
                result = common.run(["qemu-system-riscv32", "-M", "virt", "-bios", "none",
                                     "-nographic", "-plugin", common.BUILD / "trestle-qemu.so",
                                     "-device", "sst-device,socket=s,base_address=0x10200000,dt="
                                     + text.replace(",", ",,")])
                self.assertEqual(result.code, 2, result)
                self.assertRegex(result.err, rf"(\A|\n)trestle-qemu: device at 0x10200000: dt: {line}\n\Z")


class NamedController(Case):
    """One that Trestle does not know: m68k's goldfish_pic, of which its board has six."""

    def test_goldfish_pic(self):
        qemu = common.qemu("m68k")
        boards = self.trestle("boards", "--qemu", qemu, "--board", "virt").out
        path = re.search(r"controller: (\S+) goldfish_pic, .*\nfree interrupts: 1 to 30\n", boards)[1]
        self.config({"machine": {"qemu": qemu, "board": "virt", "irq_controller": path},
                     # Hot from the start, so its line is high.
                     "devices": [{"model": "tmp102", "base_addr": "0xff020000", "irq": 5,
                                  "params": {"temperature": 100}}]})
        process = self.start_trestle("run", "-vv", "two.json", "--", "-S", "-qmp",
                                     f"unix:{self.dir}/qmp,server=on,wait=off", "-device",
                                     "loader,addr=0,data=0,data-len=4")
        read_until(process.stderr, b"speaks protocol 2")
        monitor = common.Monitor(self.dir / "qmp")
        self.addCleanup(monitor.close)
        pending = ""
        while "goldfish-pic.0: pending=0x00000020" not in pending:
            pending = monitor.command("human-monitor-command", **{"command-line": "info pic"})
        monitor.command("quit")
        self.assertEqual(process.wait(30), 0)


class Endian(Case):
    """A guest of the other kind sees the numbers that the model means."""

    def read(self, **keys):
        self.config({"machine": {"qemu": common.qemu("m68k"), "board": "virt"},
                     "devices": [{"model": "id", "base_addr": "0xff020000",
                                  "params": {"id": 0x11223344}, **keys}]})
        # No guest: the monitor reads as its processor would.
        process = self.start_trestle("run", "-vv", "two.json", "--", "-S", "-qmp",
                                     f"unix:{self.dir}/qmp,server=on,wait=off", "-device",
                                     "loader,addr=0,data=0,data-len=4")
        read_until(process.stderr, b"speaks protocol 2")
        monitor = common.Monitor(self.dir / "qmp")
        self.addCleanup(monitor.close)
        said = monitor.command("human-monitor-command", **{"command-line": "xp /1wx 0xff020000"})
        monitor.command("quit")
        self.assertEqual(process.wait(30), 0)
        return said.split()[-1]

    def test_big_endian_guest(self):
        self.assertEqual(self.read(), "0x11223344")
        self.assertEqual(self.read(endian="big"), "0x11223344")
        self.assertEqual(self.read(endian="little"), "0x44332211")


if __name__ == "__main__":
    common.main()
