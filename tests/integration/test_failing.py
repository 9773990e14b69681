# SPDX-License-Identifier: MIT
"""Each call of the C library that trestle makes fails once: a line and status 2, or the run goes on.
Never a crash, a hang, a sentence that is none, or something left behind."""
import os
import shutil

import common
from cli_case import Case

FAILING = str(common.BUILD / "tests" / "integration" / "failing.so")
# How each fails. TRESTLE_FAILING_TURNS and _ERRORS make a longer campaign of it.
CALLS = {"memfd_create": "EPERM", "socket": "EMFILE", "socketpair": "EMFILE", "bind": "EACCES",
         "listen": "EMFILE", "accept4": "EMFILE", "getsockopt": "EPERM", "setsockopt": "ENOMEM",
         "sendmsg": "ENOMEM", "pipe2": "EMFILE", "epoll_create1": "EMFILE", "epoll_ctl": "ENOMEM",
         "timerfd_create": "EMFILE", "timerfd_settime": "EPERM", "signalfd": "EMFILE", "fork": "EAGAIN",
         "pidfd_open": "EPERM", "execve": "EACCES", "ftruncate": "EPERM", "mkdtemp": "EACCES",
         "fchmod": "EPERM", "fchmodat": "EPERM", "flock": "ENOLCK", "dup2": "EMFILE",
         "getrandom": "EPERM", "pthread_create": "EAGAIN", "open": "EMFILE", "mmap": "ENOMEM",
         "fcntl": "EMFILE", "calloc": "ENOMEM", "malloc": "ENOMEM"}
TURNS_MAX = int(os.environ.get("TRESTLE_FAILING_TURNS", "3"))
ERRORS = os.environ.get("TRESTLE_FAILING_ERRORS", "").split()


class Failing(Case):
    def fails_once(self, call, error, turn):
        """False: there was no such turn."""
        fired = self.dir / "fired"
        fired.unlink(missing_ok=True)
        result = self.trestle("run", self.path, "--timeout", "0.2", timeout=15, env={
            **self.env, "LD_PRELOAD": FAILING, "FAILING": f"{call}:{error}:{turn}:{fired}"})
        where = f"{call} {error} {turn}: {result}"
        self.assertIn(result.code, (0, 1, 2, 124), where)
        self.assertNotIn("(null)", result.err, where)
        if result.code == 2:
            self.assertRegex(result.err, r"\S+: [^\n]*\n", where)
        left = common.files(self.runtime)
        if left and fired.exists():  # a run that could not even look is followed by one that can
            shutil.rmtree(self.runtime)
            self.runtime.mkdir()
            self.assertIn(call, ("open", "malloc", "calloc", "mmap", "flock"), f"{where}\n{left}")
        return fired.exists()

    def each_turn(self, process):
        common.guest("probe")
        self.path = self.config({"machine": {"kernel": str(common.guest("probe"))}, "devices": [
            {"name": "d", "model": "id", "base_addr": "0x10200000", "process": process}]})
        for call, usual in CALLS.items():
            for error in ERRORS or [usual]:
                turn = 1
                fired = True
                while turn <= TURNS_MAX and fired:
                    with self.subTest(call=call, error=error, turn=turn):
                        fired = False
                        fired = self.fails_once(call, error, turn)
                    turn += 1

    def test_shared(self):
        self.each_turn("shared")

    def test_own(self):
        self.each_turn("own")


if __name__ == "__main__":
    common.main()
