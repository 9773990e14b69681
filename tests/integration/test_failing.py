# SPDX-License-Identifier: MIT
"""Each call of the C library that trestle makes fails once: a line and status 2, or the run goes on.
Never a crash, a hang, a sentence that is none, or something left behind.

A call fails in each place that it is made from, as failing.c tells them apart, and with each of the errors
below. Those are thousands of runs. "make test" has the first place of each call, and a part of all the others,
another one each day; TRESTLE_FAILING=PART/PARTS says which, and 1/1 means all."""
import collections
import os
import shutil
import time

import common
from cli_case import FAILING, Case, without_asan

# How each fails, besides with ERRORS.
CALLS = {"memfd_create": "EPERM", "socket": "EMFILE", "socketpair": "EMFILE", "bind": "EACCES",
         "listen": "EMFILE", "accept4": "EMFILE", "getsockopt": "EPERM", "setsockopt": "ENOMEM",
         "sendmsg": "ENOMEM", "pipe2": "EMFILE", "epoll_create1": "EMFILE", "epoll_ctl": "ENOMEM",
         "epoll_wait": "EPERM", "timerfd_create": "EMFILE", "timerfd_settime": "EPERM",
         "signalfd": "EMFILE", "fork": "EAGAIN", "pidfd_open": "EPERM", "execve": "EACCES",
         "ftruncate": "EPERM", "mkdtemp": "EACCES", "fchmod": "EPERM", "fchmodat": "EPERM",
         "flock": "ENOLCK", "dup2": "EMFILE", "getrandom": "EPERM", "pthread_create": "EAGAIN",
         "open": "EMFILE", "mmap": "ENOMEM", "munmap": "ENOMEM", "eventfd": "EMFILE", "poll": "ENOMEM",
         "read": "EIO", "write": "ENOSPC", "recv": "ENOMEM", "send": "ENOMEM", "recvmsg": "ENOMEM",
         "setpgid": "EPERM", "prctl": "EPERM", "sigaction": "EPERM", "pthread_sigmask": "EPERM",
         "pidfd_send_signal": "EPERM", "kill": "EPERM", "waitid": "ECHILD", "waitpid": "ECHILD",
         "rmdir": "EPERM", "unlink": "EPERM", "chmod": "EPERM", "access": "EACCES", "stat": "EACCES",
         "lstat": "EACCES", "fstat": "EPERM", "fstatat": "EPERM", "readlink": "EACCES",
         "realpath": "EACCES", "opendir": "EMFILE", "fdopendir": "ENOMEM", "readdir": "EIO",
         "fopen": "EMFILE", "open_memstream": "ENOMEM", "close_range": "EPERM", "getrlimit": "EPERM",
         "getsockname": "EPERM", "connect": "EPERM", "pread": "EIO", "ppoll": "ENOMEM",
         "rename": "EPERM", "mkostemp": "EMFILE", "dlopen": "EPERM", "setrlimit": "EPERM", "sched_getaffinity": "EPERM", "uname": "EPERM", "fcntl": "EMFILE",
         "calloc": "ENOMEM", "malloc": "ENOMEM", "realloc": "ENOMEM", "reallocarray": "ENOMEM"}
# What fails them keeps the run from removing its directory, or from looking for it.
MAY_LEAVE = ("open", "malloc", "calloc", "mmap", "flock", "unlink", "rmdir", "chmod")
ERRORS = "EPERM", "EMFILE", "ENOMEM"
MEMORY = "calloc", "malloc", "realloc", "reallocarray"
PARTS = 24


def part():
    """Which of all the places, and of how many parts."""
    wanted = os.environ.get("TRESTLE_FAILING")
    if wanted:
        number, parts = map(int, wanted.split("/"))
        return number - 1, parts
    return int(time.time() // 86400) % PARTS, PARTS


# In QEMU, whose own calls are left alone.
PLUGIN = {"FAILING_PROGRAM": "qemu-system-riscv32", "FAILING_MODULE": "trestle-"}


@without_asan
class Failing(Case):
    def run_with(self, wish):
        """The guest accesses the device and ends the run. --timeout: where it cannot."""
        return self.trestle("run", self.path, "--timeout", "2", *self.options, timeout=15, stdin=(
            "r 4 10200000\nq 0\n"), env={
                **self.env, **self.where, "LD_PRELOAD": FAILING, "FAILING": wish, "FAILING_PLACES": "1"})

    def fails_once(self, call, error, place):
        fired = self.dir / "fired"
        fired.unlink(missing_ok=True)
        result = self.run_with(f"{call}:{error}:{place}:{fired}")
        where = f"{call} {error} {place}: {result}"
        self.assertIn(result.code, (0, 1, 2, 124), where)
        self.assertNotIn("(null)", result.err, where)
        if result.code in (1, 2) and call != "fcntl":  # which says that nobody could read it
            self.assertRegex(result.err, r"\S+: [^\n]*\n", where)
        left = common.files(self.runtime) | set(self.dir.glob("*.sock*"))
        if left and fired.exists():  # a run that could not even look is followed by one that can
            shutil.rmtree(self.runtime)
            self.runtime.mkdir()
            for path in self.dir.glob("*.sock*"):
                path.unlink()
            self.assertIn(call, MAY_LEAVE, f"{where}\n{left}")

    def places(self):
        """How many of each call, in the process that has most of them."""
        noted = self.dir / "places"
        result = self.run_with(f"*:EPERM:0:{noted}")
        self.assertIn(result.code, (0, 124), result)
        counts, most = collections.Counter(noted.read_text().splitlines()), collections.Counter()
        for line, count in counts.items():
            call = line.split()[1]
            most[call] = max(most[call], count)
        return most

    def each_place(self, options=(), where=None, always=(), **more):
        self.options, self.where = options, where or {}
        self.path = self.config({"machine": {"kernel": str(common.guest("probe"))}, "devices": [
            {"name": "d", "model": "id", "base_addr": "0x10200000", **more}]})
        places = self.places()
        self.assertEqual(set(places) - set(CALLS), set())
        first = [(call, CALLS[call], place + 1) for call in sorted(places)
                 for place in range(places[call] if call in always else 1)]
        others = [(call, error, place) for call in sorted(places) for place in range(1, places[call] + 1)
                  for error in sorted({CALLS[call], *(() if call in MEMORY else ERRORS)})]
        others = [case for case in others if case not in first]
        number, parts = part()
        cases = first + others[number::parts]
        print(f"{len(cases)} of {len(first) + len(others)}: part {number + 1} of {parts}", flush=True)
        for call, error, place in cases:
            with self.subTest(call=call, error=error, place=place):
                self.fails_once(call, error, place)

    def test_shared(self):
        self.each_place()

    def test_own(self):
        self.each_place(process="own")

    def test_protocol_1(self):
        self.each_place(protocol=1)

    def test_plugin(self):
        self.each_place(where=PLUGIN)

    def test_plugin_protocol_1(self):
        self.each_place(where=PLUGIN, protocol=1)

    def test_inline(self):
        self.each_place(where=PLUGIN, process="inline")

    def test_what_is_opened_on_request(self):
        """Besides what every run opens: a control socket, a trace, a place for a device's output. A thread that
        is not woken at once is not waited for without end."""
        self.each_place(("--control", "c.sock", "--trace", "t"), always=("write",), model="ns16550",
                        backend="unix:uart.sock")


if __name__ == "__main__":
    common.main()
