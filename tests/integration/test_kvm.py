# SPDX-License-Identifier: MIT
"""Guests that KVM runs: accesses, interrupts and DMA. Where there is no /dev/kvm it is refused."""
import os
import subprocess
import unittest

import common
from cli_case import Case, read_until

LINES = str(common.BUILD / "tests" / "integration" / "lines_model.so")
# Firmware runs first; where KVM is not the host's own, that takes half a minute while other work runs.
BOOT_S = 120


class Kvm(Case):
    def config_of(self, arch="x86_64", **machine):
        return self.config({
            "machine": {"arch": arch, "accel": "kvm", "kernel": str(common.guest("probe", arch)),
                        **({"args": ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]}
                           if arch == "x86_64" else {}), **machine},
            "devices": [
                {"name": "id", "model": "id", "base_addr": "0xd0200000"},
                {"name": "lines", "model": LINES, "base_addr": "0xd0300000", "irq": [16]},
                {"name": "dma", "model": "dma", "base_addr": "0xd0400000"},
                {"name": "edu", "model": "edu", "pci": {"addr": "04.0"}}]})

    def test_refusals(self):
        config = self.config_of("riscv32")
        self.assert_refused(f"{config}:4: machine.accel: KVM runs guests of {os.uname().machine} here, and "
                            "the machine is riscv32; remove the key, or change machine.arch",
                            "run", config)
        config = self.config_of("riscv32", accel="hvf")
        self.assert_refused(f"{config}:4: machine.accel: \"hvf\" is not a way to run the guest; did you "
                            "mean \"kvm\"?", "check", config)
        config = self.config_of("riscv32", icount=0)
        self.assert_refused(f"{config}:4: machine.accel: KVM does not count instructions, as icount does; "
                            "remove one of the two keys", "check", config)

    def setUp(self):
        super().setUp()
        if os.uname().machine != "x86_64":
            self.skipTest("the guest is for x86_64")

    def test_refusals_of_the_host(self):
        if not common.HAS_KVM:
            config = self.config_of()
            self.assert_refused_like(rf"{config}:4: machine.accel: /dev/kvm cannot be opened: [^;]*; remove "
                                     "the key, or ask for the right to use it", "run", config)
            self.skipTest("it takes /dev/kvm")
        self.assert_refused("trestle: --exit-on-idle does not see a guest under KVM; leave it out, or remove "
                            "machine.accel", "run", "--exit-on-idle", self.config_of())

    def check_pci(self, ask):
        """A BAR that the firmware has placed, a message of MSI-X, and a copy by the bus's master."""
        def read(address):
            return int(ask(f"r 4 {address:x}").removeprefix("= "), 16)

        def write(address, value):
            self.assertEqual(ask(f"w 4 {address:x} {value:x}"), "=")
        slot = 0xb0020000  # in the window of PCI Express's configuration space
        self.assertEqual(read(slot), 0x11e81234)
        write(slot + 4, 6)
        bar, table = (read(slot + 0x10 + 4 * i) & ~15 for i in (0, 4))
        write(bar + 4, 0x12345678)
        self.assertEqual(read(bar + 4), ~0x12345678 & 0xffffffff)
        capability = read(slot + 0x34) & 0xfc
        while read(slot + capability) & 0xff != 0x11:
            capability = read(slot + capability) >> 8 & 0xfc
            self.assertNotEqual(capability, 0)
        write(slot + capability, 0x80000000)
        for i, value in enumerate((0xfee00000, 0, 0x51, 0)):
            write(table + 4 * i, value)
        self.assertEqual(read(0xfee00220) & 0x20000, 0)
        write(bar + 0x60, 1)
        self.assertEqual(read(0xfee00220) & 0x20000, 0x20000)
        for source, target, command in (0x300000, 0x40000, 1), (0x40000, 0x320000, 3):
            for offset, value in (0x80, source), (0x88, target), (0x90, 4), (0x98, command):
                write(bar + offset + 4, 0)
                write(bar + offset, value)
            while read(bar + 0x98) & 1:
                pass
        self.assertEqual(read(0x320000), 0xabcd1234)

    @unittest.skipUnless(common.HAS_KVM, "it takes /dev/kvm")
    def test_guest(self):
        run = self.start_trestle("run", self.config_of(), stdin=subprocess.PIPE)
        self.addCleanup(run.stdin.close)
        read_until(run.stdout, rb"probe\r?\n", BOOT_S)

        def ask(line):
            run.stdin.write(line.encode() + b"\n")
            run.stdin.flush()
            return read_until(run.stdout, rb"[=!?][^\n]*\n").decode().strip()

        self.assertEqual(ask("r 4 d0200000"), "= d0200000")
        # What the model refuses is all ones: there are no bus errors.
        self.assertEqual(ask("r 4 d0300000"), "= ffffffff")
        # An input of the I/O APIC becomes vector 0x50, which the local APIC keeps while interrupts are off.
        for line in "w 4 fee000f0 1ff", "w 4 fec00000 30", "w 4 fec00010 8050":
            self.assertEqual(ask(line), "=")
        self.assertEqual(ask("r 4 fee00220"), "= 0")
        self.assertEqual(ask("w 4 d0300000 0"), "=")
        self.assertEqual(ask("r 4 fee00220"), "= 10000")
        # Four bytes from 300000 to 310000.
        for line in ("w 4 300000 abcd1234", "w 4 d0400010 300000", "w 4 d0400014 310000",
                     "w 4 d0400018 4", "w 4 d0400000 1"):
            self.assertEqual(ask(line), "=")
        while ask("r 4 d0400004") != "= 2":
            pass
        self.assertEqual(ask("r 4 310000"), "= abcd1234")
        self.check_pci(ask)
        run.stdin.write(b"q 0\n")
        run.stdin.flush()
        self.assertEqual(run.wait(30), 0)


if __name__ == "__main__":
    common.main()
