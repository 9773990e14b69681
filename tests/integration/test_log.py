# SPDX-License-Identifier: MIT
"""The log never holds up a run, whoever reads it, and loses no line that was written before a crash."""
import array
import fcntl
import os
import pathlib
import re
import resource
import signal
import socket
import termios
import threading
import time

import common
from cli_case import Case, Guest, read_until, without_asan


class Log(Case):
    DEVICE = {}

    def soak(self, seconds, *options, **kwargs):
        """A guest that never stops asking, each time for a line of -vv."""
        self.config({"machine": {"kernel": str(common.guest("soak"))}, "devices": [
            {"name": "d", "model": "id", "base_addr": "0x10200000", **self.DEVICE}]})
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

    @without_asan
    def test_a_signal_while_a_line_is_written(self):
        """Its line, the table and the end come at once, wherever the signal meets the run."""
        for _ in range(5):
            run = self.soak(600)
            read_until(run.stderr, rb"MMIO")
            reader = threading.Thread(target=self.read_all, args=(run,))
            reader.start()
            run.send_signal(signal.SIGQUIT)
            self.assertEqual(run.wait(60), -signal.SIGQUIT)
            reader.join()
            self.assertRegex(self.said, rb"trestle: error: SIGQUIT \(Quit\) from process \d+ ends the run\n")
            self.assertRegex(self.said, rb"\nd +0x10200000 ")
            self.assertEqual(common.files(self.runtime), set())

    def read_all(self, run):
        self.said = run.stderr.read()

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

    def test_a_disk_that_is_full(self):
        """What it does not take is counted; a line says so once it takes some again."""
        path = self.dir / "log"
        config = self.config({"machine": {"kernel": str(common.guest("probe"))}, "devices": [
            {"name": "d", "model": "id", "base_addr": "0x10200000", **self.DEVICE}]})
        with open(path, "ab") as file:
            guest = Guest(self, "-vv", config=config, stderr=file, preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY)))
        while path.stat().st_size < 8192:
            self.assertEqual(guest.ask("r 4 10200000"), "= 10200000")
        for _ in range(10):
            self.assertEqual(guest.ask("r 4 10200000"), "= 10200000")
        os.truncate(path, 0)
        self.assertEqual(guest.ask("r 4 10200000"), "= 10200000")
        guest.process.terminate()
        self.assertEqual(guest.process.wait(30), 128 + signal.SIGTERM)
        self.assertRegex(path.read_text(), r"\Atrestle: warning: 1\d lines are missing here: they could not be "
                                           r"written: File too large\nMMIO from d: type=0 ")

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


class Inline(Log):
    """QEMU itself is the writer, and everything would stand still with it."""
    DEVICE = {"process": "inline"}
    test_a_signal_while_a_line_is_written = None
    test_a_disk_that_is_full = None  # its limit for files leaves no shared memory


class Plugin(Case):
    def fill(self, stream):
        """A pipe that is read nowhere takes nothing any more."""
        fd = os.open(f"/proc/self/fd/{stream.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
        for size in 4096, 1:
            try:
                while True:
                    os.write(fd, b"\n" * size)
            except BlockingIOError:
                pass
        os.close(fd)

    def kill_device(self, guest):
        """Until another process has it, which knows nothing of what was written."""
        self.assertEqual(guest.ask("w 4 10200000 7"), "=")
        for pid in common.processes(session=guest.process.pid):
            if b"--name=dut" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        while guest.ask("r 4 10200000") != "= 0":
            pass

    def test_statistics_that_nobody_reads(self):
        """Neither a FIFO, nor a standard output that is full."""
        config = self.config({"machine": {"kernel": str(common.guest("probe"))}, "devices": [
            {"name": "dut", "model": "id", "base_addr": "0x10200000"}]})
        os.mkfifo(self.dir / "fifo")
        result = self.trestle("run", config, "--stats", "fifo", "--timeout", "0.3")
        self.assertEqual(result.code, 124, result)
        self.assertIn("\ntrestle: cannot write --stats fifo: nobody reads it\n", result.err)
        guest = Guest(self, "--stats", "-", config=config)
        self.fill(guest.process.stdout)
        guest.process.terminate()
        code, log = guest.end()
        self.assertEqual(code, 128 + signal.SIGTERM, log)
        self.assertIn("\ntrestle: cannot write --stats -: nobody reads it\n", log)

    def test_lines_that_nobody_reads(self):
        """They are counted, and the guest does not wait for a reader."""
        guest = Guest(self, config=self.config({
            "machine": {"kernel": str(common.guest("probe"))},
            "devices": [{"name": "dut", "model": "compute", "base_addr": "0x10200000",
                         "process": "own"}]}))
        self.fill(guest.process.stderr)
        self.kill_device(guest)
        read_until(guest.process.stderr, rb"\n{65536}")
        self.kill_device(guest)
        guest.wait_for_log(rb"trestle-qemu: 2 lines are missing here: nobody read the log in time\n"
                           rb"trestle-qemu: device dut at 0x10200000: the connection was closed")
        guest.process.terminate()
        self.assertEqual(guest.end()[0], 128 + signal.SIGTERM)


if __name__ == "__main__":
    common.main()
