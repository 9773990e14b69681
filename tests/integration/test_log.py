# SPDX-License-Identifier: MIT
"""The log never holds up a run, whoever reads it, and loses no line that was written before a crash."""
import array
import fcntl
import re
import signal
import socket
import termios
import time

import common
from cli_case import Case, read_until


class Log(Case):
    def soak(self, seconds, *options, **kwargs):
        """A guest that never stops asking, each time for a line of -vv."""
        self.config({"machine": {"kernel": str(common.guest("soak"))}, "devices": [
            {"name": "d", "model": "id", "base_addr": "0x10200000"}]})
        return self.start_trestle("run", "-vv", "two.json", *options, "--",
                                  "-append", f"n=1 seconds={seconds}", **kwargs)

    def test_nobody_reads_it(self):
        run = self.soak(600, "--timeout", "1")
        self.assertEqual(run.wait(30), 124)

    def test_nobody_reads_it_and_a_signal_comes(self):
        run = self.soak(600)
        waiting = array.array("i", [0])
        while waiting[0] < 60000:  # the pipe takes 65536
            fcntl.ioctl(run.stderr, termios.FIONREAD, waiting)
            time.sleep(0.01)
        run.send_signal(signal.SIGTERM)
        self.assertEqual(run.wait(30), 128 + signal.SIGTERM)

    def test_a_reader_that_pauses(self):
        """More than a time-out long; the guest notices nothing."""
        run = self.soak(3)
        read_until(run.stderr, rb"MMIO")
        time.sleep(2)  # the pause itself
        out, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0, (out, err[-2000:]))
        self.assertRegex(err, rb"\ntrestle: warning: \d+ lines are missing here: nobody read the log "
                              rb"in time\n")
        lines = err.decode().splitlines()
        whole = re.compile(r"MMIO from d: type=. addr=0x\w{16} data=0x\w+ size=\d(: [A-Z].*)?$|d +0x10200000 |"
                           r"trestle: warning: \d+ lines|device +base|Device d |QEMU |no run hash")
        self.assertEqual([line for line in lines[1:] if not whole.match(line)], [])
        self.assertRegex(lines[-2], r"^d +0x10200000 ")

    def test_other_kinds_of_reader(self):
        """A file, a socket, nobody at all."""
        with open(self.dir / "log", "wb") as file:
            run = self.soak(1, stderr=file)
            self.assertEqual(run.wait(60), 0)
        self.assertRegex((self.dir / "log").read_text().splitlines()[-2], r"^d +0x10200000 ")
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        run = self.soak(600, "--timeout", "1", stderr=theirs)
        theirs.close()
        self.assertEqual(run.wait(30), 124)
        run = self.soak(1)
        run.stderr.close()
        self.assertEqual(run.wait(60), 0)


if __name__ == "__main__":
    common.main()
