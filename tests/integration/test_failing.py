# SPDX-License-Identifier: MIT
"""Each call of the C library that trestle makes fails once: a line and status 2, or the run goes on.
Never a crash, a hang, a sentence that is none, or something left behind."""
import os
import shutil

import common
from cli_case import FAILING, Case, without_asan

# How each fails. TRESTLE_FAILING_TURNS and _ERRORS make a longer campaign of it.
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
TURNS_MAX = int(os.environ.get("TRESTLE_FAILING_TURNS", "2"))
ERRORS = os.environ.get("TRESTLE_FAILING_ERRORS", "").split()


@without_asan
class Failing(Case):
    def fails_once(self, call, error, turn):
        """False: there was no such turn."""
        fired = self.dir / "fired"
        fired.unlink(missing_ok=True)
        result = self.trestle("run", self.path, "--timeout", "0.2", *self.options, timeout=15, env={
            **self.env, "LD_PRELOAD": FAILING, "FAILING": f"{call}:{error}:{turn}:{fired}"})
        where = f"{call} {error} {turn}: {result}"
        self.assertIn(result.code, (0, 1, 2, 124), where)
        self.assertNotIn("(null)", result.err, where)
        self.assertEqual([path.name for path in self.dir.glob("*.sock*")], [], where)
        if result.code in (1, 2) and call != "fcntl":  # which says that nobody could read it
            self.assertRegex(result.err, r"\S+: [^\n]*\n", where)
        left = common.files(self.runtime)
        if left and fired.exists():  # a run that could not even look is followed by one that can
            shutil.rmtree(self.runtime)
            self.runtime.mkdir()
            self.assertIn(call, MAY_LEAVE, f"{where}\n{left}")
        return fired.exists()

    def each_turn(self, calls=CALLS, turns=TURNS_MAX, options=(), **more):
        self.options = options
        self.path = self.config({"machine": {"kernel": str(common.guest("probe"))}, "devices": [
            {"name": "d", "model": "id", "base_addr": "0x10200000", **more}]})
        for call in calls:
            for error in ERRORS or [CALLS[call]]:
                turn = 1
                fired = True
                while turn <= turns and fired:
                    with self.subTest(call=call, error=error, turn=turn):
                        fired = False
                        fired = self.fails_once(call, error, turn)
                    turn += 1

    def test_shared(self):
        self.each_turn()

    def test_own(self):
        self.each_turn(process="own")

    def test_protocol_1(self):
        self.each_turn(protocol=1)

    def test_what_is_opened_on_request(self):
        """Behind what every run opens: a control socket, a trace, a place for a device's output."""
        self.each_turn(("socket", "bind", "listen", "epoll_create1", "epoll_ctl", "eventfd",
                        "pthread_create", "open", "flock", "fchmodat"), max(TURNS_MAX, 9),
                       ("--control", "c.sock", "--trace", "t"), model="ns16550",
                       backend="unix:uart.sock")


if __name__ == "__main__":
    common.main()
