# SPDX-License-Identifier: MIT
"""Interrupts where something is wrong with them, and resets while they come."""
import json
import re
import subprocess

import cli_case
import common
from probe import TARGETS, qemu_argv

BASE = 0x10200000


class Pulses(cli_case.Case):
    """An edge is kept by an input that takes edges."""

    def pending(self, arch, irq, where, bit, prepare=()):
        machine = {"arch": arch, "kernel": str(common.guest("probe", arch))}
        if arch == "aarch64":
            machine["args"] = ["-semihosting"]  # the guest's way to end
        config = self.config({"machine": machine,
                              "devices": [{"model": str(common.BUILD / "tests" / "pulse.so"),
                                           "base_addr": hex(TARGETS[arch][0]), "irq": irq}]})
        guest = cli_case.Guest(self, "-v", config=config)
        for command in prepare:
            self.assertEqual(guest.ask(command), "=")
        before = int(guest.ask(f"r 4 {where:x}")[2:], 16)
        self.assertEqual(guest.ask(f"w 4 {TARGETS[arch][0]:x} 0"), "=")
        after = int(guest.ask(f"r 4 {where:x}")[2:], 16)
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        self.assertEqual(guest.end()[0], 0)
        return before >> bit & 1, after >> bit & 1

    def test_plic(self):
        self.assertEqual(self.pending("riscv64", 40, 0x0c001000 + 4 * (40 // 32), 40 % 32), (0, 1))

    def test_gic(self):
        """Shared interrupt 200 is number 232. It takes levels at first."""
        place = (200, 0x08000200 + 4 * (232 // 32), 232 % 32)
        edges = f"w 4 {0x08000c00 + 4 * (232 // 16):x} {2 << 2 * (232 % 16):x}"
        self.assertEqual(self.pending("aarch64", *place), (0, 0))
        self.assertEqual(self.pending("aarch64", *place, [edges]), (0, 1))

    def test_a_line_that_leads_nowhere(self):
        """The guest may wait for it. Wherever the model is, one line says so, once."""
        for process in "shared", "own", "inline":
            with self.subTest(process=process):
                config = self.config({"machine": {"kernel": str(common.guest("probe"))},
                                      "devices": [{"model": str(common.BUILD / "tests" / "pulse.so"), "name": "clock",
                                                   "base_addr": hex(BASE), "process": process}]})
                guest = cli_case.Guest(self, "-v", config=config)
                for _ in range(3):
                    self.assertEqual(guest.ask(f"w 4 {BASE:x} 0"), "=")
                guest.process.stdin.write(b"q 0\n")
                guest.process.stdin.flush()
                code, log = guest.end()
                self.assertEqual(code, 0, log)
                self.assertEqual(log.count("clock: its interrupt line 0 has gone high, and the guest does not "
                                           "hear it: it leads nowhere; give the device an \"irq\" for it\n"), 1, log)


class Refusals(common.TestCase):
    """One line on stderr that says what is wrong and what to do, and status 2."""

    def refused(self, pattern, irq, arch="riscv32", args=(), **more):
        device = {"socket": "none", "base_address": hex(TARGETS[arch][0]), "irq": irq, **more}
        result = common.run(qemu_argv(arch, [device], args))
        self.assertEqual(result.code, 2, result)
        lines = [line for line in result.err.splitlines() if line.startswith("trestle-qemu: ")]
        self.assertEqual(len(lines), 1, result)
        self.assertRegex(lines[0], rf"^trestle-qemu: device at 0x[0-9a-f]+: {pattern}$")

    def test_texts(self):
        for irq in "x", "40:", "watchdogs", "watchdog:", ":40", "40:x", "-40", " 40", "+40", \
                " -18446744073709551576", "70000", "18446744073709551656", ":".join("40" for _ in range(65)):
            with self.subTest(irq=irq):
                self.refused(rf"irq is '{re.escape(irq)}'; it must be a number or watchdog, or up to 64 of "
                             "them with ':' between", irq)

    def test_protocol_1(self):
        self.refused("protocol 1 has no interrupts; use protocol=2", "40", protocol=1)

    def test_numbers_that_the_controller_does_not_have(self):
        """QEMU itself would abort."""
        for arch, name, first, end, args in (
                ("riscv32", "PLIC", 1, 96, []), ("riscv64", "PLIC", 1, 96, []),
                ("riscv64", "APLIC", 1, 97, ["-M", "aia=aplic"]),
                ("arm", "GIC", 0, 256, []), ("aarch64", "GIC", 0, 256, []),
                ("aarch64", "GIC", 0, 256, ["-M", "gic-version=3"]),
                ("x86_64", "I/O APIC", 0, 24, []),
                ("arm", "NVIC", 0, 32, ["-M", "microbit", "-cpu", "cortex-m0"])):
            free = 200 if end > 200 else 50 if end > 50 else 16
            for irq in end, 65535, *([0] if first else []), f"{free}:{end}":
                with self.subTest(arch=arch, irq=irq, args=args):
                    number = str(irq).rpartition(":")[2]
                    self.refused(rf"irq is {number}; the {name} of this machine has {first} to "
                                 rf"{end - 1}; use one of these", irq, arch, args)

    def test_numbers_that_the_board_uses(self):
        v3 = ["-M", "gic-version=3"]
        for arch, irq, owner, args in (
                ("riscv32", 10, "serial-mm", []), ("riscv64", 35, "gpex-pcihost", []),
                ("riscv64", 8, "virtio-mmio", []), ("riscv64", 11, "goldfish_rtc", []),
                ("riscv64", 35, "gpex-pcihost", ["-M", "aia=aplic"]),
                ("arm", 1, "pl011", []), ("aarch64", 47, "virtio-mmio", []),
                ("aarch64", 48, "arm-gicv2m", []), ("aarch64", 111, "arm-gicv2m", []),
                ("aarch64", 47, "virtio-mmio", v3), ("aarch64", 7, "pl061", v3),
                ("aarch64", 74, "arm-smmuv3", v3 + ["-M", "iommu=smmuv3"]),
                ("arm", 5, "pl011", ["-M", "vexpress-a9"]),
                ("aarch64", 21, "cadence_uart", ["-M", "xlnx-zcu102"]),
                ("riscv64", 4, "riscv.sifive.uart", ["-M", "sifive_u"]),
                ("arm", 2, "nrf51_soc.uart", ["-M", "microbit", "-cpu", "cortex-m0"]),
                ("x86_64", 4, "chipset", [])):
            with self.subTest(arch=arch, irq=irq, args=args):
                self.refused(rf"irq is {irq}; the board's own {owner} uses it already; use another, "
                             "which 'trestle boards' lists, or set shadow to share it", irq, arch, args)

    def test_machines_without_a_controller(self):
        for arch, args in ("riscv32", ["-M", "spike"]), \
                ("x86_64", ["-M", "isapc"]):
            with self.subTest(arch=arch, args=args):
                self.refused(r"irq needs a known interrupt controller \(PLIC, APLIC, "
                             r"GICv2, GICv3, NVIC, I/O APIC\), and this machine has none; name one in "
                             r"irq_controller, or leave irq out", 40, arch, args)

    def test_machine_with_several_controllers(self):
        args = ["-smp", "2", "-m", "256M"]
        for node in 0, 1:
            args += ["-object", f"memory-backend-ram,id=m{node},size=128M",
                     "-numa", f"node,cpus={node},memdev=m{node}"]
        self.refused(r"irq needs one interrupt controller, and this machine has: "
                     r"riscv\.sifive\.plic \(several\); name one in irq_controller, or leave irq out",
                     40, args=args)

    def test_named_controllers(self):
        self.refused(r"irq_controller is 'nobody'; this machine has none of that name; 'trestle boards' "
                     r"lists those that it has", 5, irq_controller="nobody")
        self.refused(r"irq_controller is 'virtio-mmio'; this machine has more than one of that name; "
                     r"'trestle boards' lists those that it has", 5, irq_controller="virtio-mmio")
        self.refused(r"irq: the virt-machine has no usable inputs", 5,
                     irq_controller="/machine")
        devices = [{"socket": "none", "base_address": hex(0x10200000 + 4096 * i), "irq": 40,
                    "irq_controller": name} for i, name in enumerate(("riscv.sifive.plic", "x"))]
        result = common.run(qemu_argv("riscv32", devices))
        self.assertEqual(result.code, 2, result)
        self.assertIn("irq_controller is '", result.err)
        self.assertIn("', and another device's is '", result.err)

    def test_cortex_m(self):
        """The NVIC of two boards, asked for by their names."""
        common.qemu("arm")
        guest = common.guest("nvic", "cortex-m")
        for board, controller in (("mps2-an385", None), ("microbit", None), ("microbit", "armv7m"),
                                  ("microbit", "armv7m_nvic")):
            with self.subTest(board=board, controller=controller):
                config = json.loads((common.SOURCE / f"examples/10-cortex-m/{board}.json").read_text())
                config["machine"]["kernel"] = str(guest)
                if controller:
                    config["machine"]["irq_controller"] = controller
                (self.dir / "m.json").write_text(json.dumps(config))
                result = common.run([common.TRESTLE, "run", self.dir / "m.json"])
                self.assertEqual(result.code, 0, result)
                self.assertIn("cortex-m: 3 passed, 0 failed", result.out)

    def test_run_names_the_place(self):
        config = self.dir / "config.json"
        config.write_text('{"machine": {"kernel": "%s"}, "devices": [\n{"model": "timer",'
                          '"base_addr": "0x10200000", "irq": 10}]}' % common.guest("interrupts"))
        result = common.run([common.TRESTLE, "run", config])
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, rf"\A{config}:2: devices\[0\]: irq is 10; the board's own serial-mm .*\n\Z")


class Resets(common.TestCase):
    RESETS = 100

    def reset_often(self, args=(), **machine):
        """At each point of the guest's tests in turn; each time it finds silent devices at its
        start, and the last time it passes all of them."""
        devices = [{"model": "timer", "base_addr": hex(BASE + 0x1000 * i), "size": 4096,
                    "irq": 40 + (i > 0)} for i in range(3)]
        config = self.dir / "config.json"
        config.write_text(json.dumps({
            "machine": {"qemu": common.qemu("riscv32"), "kernel": str(common.guest("interrupts")),
                        "args": ["-append", "repeat=1000000", *args], **machine},
            "devices": devices}))
        qmp = self.dir / "qmp"
        trestle = self.start([common.TRESTLE, "run", "--timeout", "120", config, "--",
                              "-qmp", f"unix:{qmp},server=on,wait=off"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(trestle.stdout.close)
        self.addCleanup(trestle.stderr.close)
        said = []

        def wait_for(pattern):
            for line in trestle.stdout:
                said.append(line)
                if re.search(pattern, line):
                    return
            raise AssertionError(f"no {pattern!r} in\n{''.join(said)}\n{trestle.stderr.read()}")
        wait_for("interrupts: timers at")
        monitor = common.Monitor(qmp)
        self.addCleanup(monitor.close)
        for i in range(self.RESETS):
            for _ in range(i % 17):
                wait_for("^(PASS|FAIL)")
            monitor.command("system_reset")
            wait_for("interrupts: timers at")  # maybe behind half a line
        wait_for("^PASS all: 600 of 600 interrupts")
        self.assertEqual([line for line in said if "FAIL" in line], [])
        monitor.command("quit")
        trestle.communicate(timeout=30)
        self.assertEqual(trestle.returncode, 0)

    def test_shared_memory(self):
        self.reset_often()

    def test_sockets(self):
        self.reset_often(args=["-global", "sst-device.carrier=socket"])

    def test_icount(self):
        self.reset_often(icount=0)


if __name__ == "__main__":
    common.main()
