# SPDX-License-Identifier: MIT
"""usage: memcheck.py

The short demo with its devices under valgrind. It finds what is uninitialised, lost or left open
there; AddressSanitizer does not see this, or not so early. QEMU runs outside valgrind, so the plugin is
not looked at. (`trestle run` would start QEMU, with a system call that valgrind lacks.)
"""
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

import common

FOUND = 99  # valgrind's exit code for a finding
CONFIG = common.SOURCE / "examples/01-two-devices/two_devices.json"
VALGRIND = ["valgrind", "--quiet", f"--error-exitcode={FOUND}", "--leak-check=full",
            "--errors-for-leak-kinds=definite,possible"]


def serve_and_run(directory):
    """The server's exit code and log, and QEMU's result."""
    server = subprocess.Popen([*VALGRIND, common.TRESTLE, "serve", "--socket-dir", directory, CONFIG],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              preexec_fn=common.die_with_parent)
    try:
        if not server.stdout.readline():
            sys.exit(f"FAIL the server did not start\n{server.stderr.read()}")
        line = common.run([common.TRESTLE, "qemu-args", "--socket-dir", directory, CONFIG]).out
        # Valgrind is slow, and one of two processors spins.
        argv = [word.replace("sst-device,", "sst-device,timeout_ms=20000,")
                for word in shlex.split(line)]
        guest = common.run(argv, timeout=120)
        server.send_signal(signal.SIGTERM)
        log = server.communicate(timeout=60)[1]
    finally:
        server.kill()
        server.wait()
    return server.returncode, log, guest


def main():
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed (tools/deps memcheck installs it)")
        sys.exit(77)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="trestle-", dir="/tmp"))
    os.chdir(CONFIG.parent)
    try:
        code, log, guest = serve_and_run(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(guest.out[-200:])
    if guest.code != 0 or code != 128 + signal.SIGTERM:
        sys.exit(f"FAIL exit codes: QEMU {guest.code}, server {code}\n{guest.err}\n{log}")
    print("valgrind found nothing")


if __name__ == "__main__":
    main()
