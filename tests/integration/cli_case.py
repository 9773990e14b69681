# SPDX-License-Identifier: MIT
"""What the tests of the command share: a directory with configurations, and a guest to ask."""
import atexit
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest

import common

TRESTLE = common.TRESTLE


def preloadable(path):
    """LD_PRELOAD has no way to say a path with a space."""
    if " " not in str(path):
        return str(path)
    directory = tempfile.mkdtemp(prefix="trestle-", dir="/tmp")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.symlink(path, f"{directory}/{path.name}")
    return f"{directory}/{path.name}"


FAILING = preloadable(common.BUILD / "tests" / "integration" / "failing.so")
ECHO = {"name": "echo_device", "model": "echo", "base_addr": "0x10200000", "size": 4096}
COMPUTE = {"name": "compute_device", "model": "compute", "base_addr": "0x10300000", "size": 4096}
LINK = {"from": "compute_device.peer", "to": "echo_device.peer", "latency": "1ns"}


def failing(env, wish, **more):
    """An environment in which a call of the C library fails. QEMU, which gets ASan's runtime along with us, may leak:
    that is its own affair."""
    options = env.get("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", ""))
    return {**env, "LD_PRELOAD": preloaded(), "FAILING": wish, "ASAN_OPTIONS": f"{options}:detect_leaks=0", **more}


def preloaded():
    """What has calls fail, behind ASan's runtime, which wants to be the first."""
    libraries = subprocess.run(["ldd", TRESTLE], check=True, capture_output=True, text=True)
    return " ".join(re.findall(r"/\S*/libasan\S*", libraries.stdout) + [FAILING])


def without_asan(test):
    """For a test, or a class of them, that "make test" runs in the plain build."""
    test.is_without_asan = True
    return unittest.skipIf(" " in preloaded(), "AddressSanitizer is in the way; make test-crashes runs it "
                           "without")(test)


class Case(common.TestCase):
    """Configurations stand in self.dir. What trestle leaves in its directory for private sockets
    (self.runtime) is a mistake that every test finds at its end."""

    def setUp(self):
        super().setUp()
        self.runtime = self.dir / "runtime"
        self.runtime.mkdir()
        self.addCleanup(self.assert_nothing_is_left)  # by then the processes of a test have ended
        self.env = {**os.environ, "XDG_RUNTIME_DIR": str(self.runtime), "CCACHE_DISABLE": "1"}
        self.env.pop("TRESTLE_PLUGIN", None)

    def assert_nothing_is_left(self):
        # Meson uses ccache where it finds it, which makes this directory even when it is disabled.
        shutil.rmtree(self.runtime / "ccache-tmp", ignore_errors=True)
        self.assertEqual(common.files(self.runtime), set(), "left behind")

    def config(self, document, name="two.json"):
        path = self.dir / name
        text = document if isinstance(document, str) else json.dumps(document, indent=1)
        path.write_text(text)
        return path

    def two(self, guest=None, **more):
        machine = {"kernel": str(common.guest(guest))} if guest else {}
        return self.config({"machine": machine, "devices": [ECHO, COMPUTE], "links": [LINK],
                            **more})

    def trestle(self, *args, **kwargs):
        kwargs.setdefault("env", self.env)
        kwargs.setdefault("cwd", self.dir)
        return common.run([TRESTLE, *args], **kwargs)

    def start_trestle(self, *args, **kwargs):
        kwargs.setdefault("env", self.env)
        kwargs.setdefault("cwd", self.dir)
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        process = self.start([TRESTLE, *args], **kwargs)
        for stream in process.stdout, process.stderr:
            if stream:
                self.addCleanup(stream.close)
        return process

    def assert_refused(self, line, *args, **kwargs):
        """Exit 2 with this one line on standard error, and nothing else anywhere."""
        self.assert_refused_like(re.escape(line), *args, **kwargs)

    def assert_refused_like(self, line, *args, **kwargs):
        before = common.files(self.dir)
        result = self.trestle(*args, **kwargs)
        self.assertRegex(result.err, rf"\A{line}\n\Z", result)
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertEqual(common.files(self.dir), before, "left behind")


def read_until(stream, pattern, seconds=30):
    """What comes from a stream (bytes) up to and with the first match; the rest is not lost."""
    seen, deadline, fd = b"", time.monotonic() + seconds, stream.fileno()
    while not re.search(pattern, seen):
        ready, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f"no {pattern!r} within {seconds} s in {seen!r}")
        chunk = os.read(fd, 4096)
        if not chunk:
            raise AssertionError(f"end before {pattern!r} in {seen!r}")
        seen += chunk
    return seen


class Guest:
    """A run with the probe guest, which does an access for each line on its console."""

    def __init__(self, case, *args, config=None, **kwargs):
        common.qemu("riscv32")
        kwargs.setdefault("stdin", subprocess.PIPE)
        self.case = case
        self.process = case.start_trestle("run", config or case.two("probe"), *args, **kwargs)
        if self.process.stdin:
            case.addCleanup(self.process.stdin.close)
        self.log = b""
        read_until(self.process.stdout, rb"probe\n")

    def ask(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = read_until(self.process.stdout, rb"[=!?][^\n]*\n")
        return answer.decode().strip()

    def wait_for_log(self, pattern):
        self.log += read_until(self.process.stderr, pattern)
        return self.log.decode()

    def qemu_pid(self):
        """Needs -v."""
        return int(re.search(r"QEMU PID: (\d+)", self.wait_for_log(rb"QEMU PID: \d+\n")).group(1))

    def end(self, seconds=30):
        """The exit code and the whole log. Nothing of the run may be left."""
        code = self.process.wait(seconds)
        self.log += self.process.stderr.read()
        self.case.assertEqual(common.processes(session=self.process.pid), set())
        return code, self.log.decode()
