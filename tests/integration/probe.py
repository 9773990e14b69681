# SPDX-License-Identifier: MIT
"""The guest of firmware/probe.c in a QEMU with the plugin, as an object of the test's."""
import re
import selectors
import subprocess
import threading

import common

LONG = 30  # seconds: longer than anything here takes

# Where a device fits on the board, and what the board needs to run the probe.
TARGETS = {
    "riscv32": (0x10200000, ["-M", "virt", "-bios", "none"]),
    "riscv64": (0x10200000, ["-M", "virt", "-bios", "none"]),
    "arm": (0x0B000000, ["-M", "virt"]),
    "aarch64": (0x0B000000, ["-M", "virt", "-cpu", "cortex-a57"]),
    "x86_64": (0xD0000000, ["-M", "pc", "-vga", "none", "-nic", "none"]),
}


def qemu_argv(arch, devices, args=(), plugin_args=""):
    """devices: the properties of each, as a dict."""
    argv = [common.qemu(arch), *TARGETS[arch][1], "-display", "none", "-monitor", "none",
            "-serial", "stdio", "-plugin", f"{common.PLUGIN}{plugin_args}"]
    for device in devices:
        argv += ["-device", ",".join(["sst-device", *(f"{k}={v}" for k, v in device.items())])]
    return argv + list(args)


class Fault(Exception):
    """A bus error; cause is what the processor said."""

    def __init__(self, cause):
        super().__init__(f"bus error {cause:#x}")
        self.cause = cause


class Probe:
    def __init__(self, test, devices, arch="riscv32", args=(), plugin_args="", preexec_fn=None):
        argv = qemu_argv(arch, devices, args, plugin_args)
        argv += ["-kernel", common.guest("probe", arch)]
        self.test = test
        self.process = test.start(argv, preexec_fn, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.out = b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.err, self.err_grew = "", threading.Condition()
        self.reader = threading.Thread(target=self.read_err, daemon=True)
        self.reader.start()
        test.addCleanup(self.close)
        while not self.line().endswith("probe"):  # firmware may talk before
            pass

    def read_err(self):
        for line in self.process.stderr:
            with self.err_grew:
                self.err += line.decode(errors="replace")
                self.err_grew.notify_all()

    def close(self):
        common.end_group(self.process)
        self.reader.join()
        self.selector.close()
        for pipe in self.process.stdin, self.process.stdout, self.process.stderr:
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        self.test.assertNotIn("runtime error", self.err)  # UBSan's, which goes on after it

    def has_line(self, seconds):
        """Whether the guest says something, within so many seconds."""
        return b"\n" in self.out or bool(self.selector.select(seconds))

    def line(self):
        while b"\n" not in self.out:
            if not self.selector.select(LONG):
                raise AssertionError(f"the guest said nothing more\n{self.err}")
            chunk = self.process.stdout.read1()
            if not chunk:
                raise AssertionError(f"QEMU ended: {self.process.wait(LONG)}\n{self.err}")
            self.out += chunk
        line, _, self.out = self.out.partition(b"\n")
        return line.decode().rstrip("\r")

    def send(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, command):
        self.send(command)
        return self.answer(command)

    def answer(self, command=""):
        mark, _, value = self.line().partition(" ")
        if mark == "!":
            raise Fault(int(value, 16))
        if mark != "=":
            raise AssertionError(f"{command!r}: {mark} {value}\n{self.err}")
        return int(value, 16) if value else None

    def read(self, addr, size=4):
        return self.ask(f"r {size:x} {addr:x}")

    def write(self, addr, value, size=4):
        self.ask(f"w {size:x} {addr:x} {value:x}")

    def fails(self, addr):
        """Reads; True for a bus error."""
        try:
            self.read(addr)
            return False
        except Fault:
            return True

    def until_back(self, addr):
        """Reads until the device answers: a second at most, which is the longest back-off."""
        while self.fails(addr):
            pass

    def count_faults(self, addr, accesses):
        return self.ask(f"n {accesses:x} {addr:x}")

    def said(self):
        """The plugin's lines on stderr so far."""
        return [line for line in self.err.splitlines() if line.startswith("trestle-qemu: ")]

    def wait_err(self, pattern):
        """Until stderr has a line with the pattern; returns all of stderr."""
        with self.err_grew:
            if not self.err_grew.wait_for(lambda: re.search(pattern, self.err), LONG):
                raise AssertionError(f"no {pattern!r} in\n{self.err}")
            return self.err


class TestCase(common.TestCase):
    def probe(self, *devices, **kwargs):
        """By default with the device that self.properties() describes."""
        return Probe(self, devices or [self.properties()], **kwargs)

    def fault(self, function, *args):
        with self.assertRaises(Fault) as caught:
            function(*args)
        return caught.exception.cause
