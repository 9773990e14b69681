# SPDX-License-Identifier: MIT
"""Helpers for the integration tests: bounded commands, fresh directories, leak counts.

Meson sets TRESTLE_BUILD (the build directory) and TRESTLE_SOURCE. A file ends with
common.main(), which exits with 77 ("skipped") when it could run none of its tests.
"""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("TRESTLE_SOURCE", pathlib.Path(__file__).parents[2]))
BUILD = pathlib.Path(os.environ.get("TRESTLE_BUILD", SOURCE / "build")).absolute()
TRESTLE = BUILD / "trestle"
PLUGIN = BUILD / "trestle-qemu.so"
HAS_KVM = os.access("/dev/kvm", os.R_OK | os.W_OK) and os.uname().machine == "x86_64"


class Result:
    """What a command that has ended left behind."""

    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    def __str__(self):
        command = " ".join(map(str, self.argv))
        return f"{command}\nexit {self.code}\n-- stdout\n{self.out}\n-- stderr\n{self.err}"


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """In a child: a test that is killed leaves nothing running."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def before_exec(preexec_fn):
    def before():
        die_with_parent()
        if preexec_fn:
            preexec_fn()
    return before


# What a process may take to end in order.
END_SECONDS = 10


def end_group(process):
    """Ends a process started with start_new_session, and all it started in its group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def end_in_order(process):
    """As end_group(), but the process may first remove what it has made."""
    if process.poll() is None:
        process.terminate()
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            pass
    end_group(process)


def run(argv, timeout=60, stdin="", env=None, cwd=None, preexec_fn=None):
    """Runs a command to its end. One that takes longer than timeout seconds is asked to end, then killed
    with its children, and the AssertionError shows what it had printed."""
    argv = [str(a) for a in argv]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, errors="replace",
                               env={**os.environ, **(env or {})}, cwd=cwd,
                               start_new_session=True, preexec_fn=before_exec(preexec_fn))
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        process.terminate()  # a run removes its sockets
        try:
            out, err = process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            end_group(process)
            out, err = process.communicate()
        raise AssertionError(f"no end within {timeout} s: "
                             f"{Result(argv, process.returncode, out, err)}") from None
    finally:
        end_group(process)
    return Result(argv, process.returncode, out, err)


class Monitor:
    """QEMU's QMP socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("r")
        self.file.readline()  # its greeting
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode())
        while "return" not in (answer := json.loads(self.file.readline())):
            pass  # events
        return answer["return"]

    def close(self):
        self.file.close()
        self.socket.close()


def qemu(arch):
    """The QEMU for arch, or the test is skipped."""
    name = f"qemu-system-{arch}"
    if not shutil.which(name):
        raise unittest.SkipTest(f"{name} is not installed (tools/deps installs it)")
    return name


def bundled_models():
    """The names of the models in the library, as `trestle models` lists them."""
    out = subprocess.run([TRESTLE, "models"], check=True, capture_output=True, text=True).stdout
    return [line.split()[0] for line in out.splitlines()[1:] if not line.startswith("svd ")]


def build_option(name):
    """What an option of the build under test was set to."""
    options = subprocess.run(["meson", "introspect", "--buildoptions", BUILD], check=True,
                             capture_output=True, text=True).stdout
    value = next(o["value"] for o in json.loads(options) if o["name"] == name)
    if name == "b_sanitize" and isinstance(value, list):  # Meson since 1.8
        value = ",".join(value) or "none"
    return value


def guest(name, arch="riscv32"):
    """The path of a guest program, or the test is skipped."""
    path = BUILD / "firmware" / f"{name}-{arch}.elf"
    if not path.exists():
        raise unittest.SkipTest(f"{path.name} was not built (clang and lld build it)")
    return path


def descriptors(pid="self"):
    """What the descriptors of a process point to, as {number: target}."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:  # the one that listed the directory
            pass
    return found


def processes(session=None):
    """The pids of a session's processes that still run (all processes without one)."""
    found = set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] not in "ZX" and (session is None or int(fields[3]) == session):
            found.add(int(entry))
    return found


def files(directory):
    """Everything below a directory, sockets marked with a trailing '='."""
    found = set()
    for root, dirs, names in os.walk(directory):
        for name in dirs + names:
            path = os.path.join(root, name)
            mark = "=" if stat.S_ISSOCK(os.lstat(path).st_mode) else ""
            found.add(os.path.relpath(path, directory) + mark)
    return found


def fresh_directory(test):
    """A new directory, removed at the end of a test, or of a class of tests. Its path is short
    enough for a Unix socket inside it."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="trestle-", dir="/tmp"))
    cleanup = test.addClassCleanup if isinstance(test, type) else test.addCleanup
    cleanup(shutil.rmtree, directory, ignore_errors=True)
    return directory


class TestCase(unittest.TestCase):
    """A test with a fresh directory of its own (self.dir)."""

    def setUp(self):
        self.dir = fresh_directory(self)

    def start(self, argv, preexec_fn=None, **kwargs):
        """Starts a command in a session of its own; it is ended with the test."""
        process = subprocess.Popen([str(a) for a in argv], start_new_session=True,
                                   preexec_fn=before_exec(preexec_fn), **kwargs)
        self.addCleanup(end_in_order, process)
        return process


class WithoutASan(unittest.TestLoader):
    """Only the tests that AddressSanitizer is in the way of: the build that has it runs the others."""

    def getTestCaseNames(self, case):
        return [name for name in super().getTestCaseNames(case)
                if getattr(getattr(case, name), "is_without_asan", getattr(case, "is_without_asan", False))]


def main():
    # What nohup or a shell's "&" ignores, trestle would ignore as well, and the tests send it.
    for number in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    loader = WithoutASan() if os.environ.get("TRESTLE_ONLY_WITHOUT_ASAN") else unittest.defaultTestLoader
    program = unittest.main(verbosity=2, exit=False, testLoader=loader)
    result = program.result
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun == len(result.skipped) else 0)
