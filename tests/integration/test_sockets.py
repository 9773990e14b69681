# SPDX-License-Identifier: MIT
"""Sockets and files where something is in the way: umasks, other users, many runs at once, disks that
are full or read-only."""
import os
import re
import signal
import socket
import stat
import subprocess
import unittest

import common
from cli_case import Case, ECHO, read_until

NOBODY = 65534


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def only_root(test):
    return unittest.skipIf(os.geteuid() != 0, "only root can mount and change users")(test)


class Sockets(Case):
    def serve(self, config, **kwargs):
        """A server that listens, and the path of its first socket."""
        process = self.start_trestle("serve", "-v", config, **kwargs)
        log = read_until(process.stderr, rb"socket listening at [^\n]*\n")
        return process, re.search(rb"listening at ([^\n]*)\n", log)[1].decode()

    def end(self, process):
        process.terminate()
        self.assertEqual(process.wait(60), 128 + signal.SIGTERM)

    def test_modes_whatever_the_umask(self):
        config = self.config({"devices": [ECHO]})
        named = self.config({"devices": [{**ECHO, "socket": str(self.dir / "s")}]}, "named.json")
        for umask in 0, 0o777:
            with self.subTest(umask=oct(umask)):
                server, path = self.serve(config, preexec_fn=lambda: os.umask(umask))
                self.assertEqual(mode(os.path.dirname(path)), 0o700)
                self.assertEqual(mode(path), 0o600)
                self.end(server)
                server, path = self.serve(named, preexec_fn=lambda: os.umask(umask))
                self.assertEqual((mode(path), mode(path + ".lock")), (0o600, 0o600))
                self.end(server)
                self.assertFalse(os.path.exists(path) or os.path.exists(path + ".lock"))

    @only_root
    def test_another_user_is_turned_away(self):
        self.dir.chmod(0o755)
        server, path = self.serve(self.config({"devices": [{**ECHO, "socket": "s"}]}))
        os.chmod(self.dir / path, 0o666)  # what keeps others away in the first place
        other = f"""
import os, socket
os.setgid({NOBODY})
os.setuid({NOBODY})
client = socket.socket(socket.AF_UNIX)
client.settimeout(30)
client.connect("{self.dir / path}")
try:
    client.sendall(bytes(20))
    print(client.recv(16))
except (BrokenPipeError, ConnectionResetError):
    print(b"")
"""
        result = common.run(["/usr/bin/python3", "-c", other])
        self.assertEqual(result.out, "b''\n", result)
        read_until(server.stderr, rb"echo_device: a connection was turned away: it came from "
                                  rb"another user\n")
        self.end(server)

    def test_a_hundred_at_once(self):
        """Each with a directory of its own."""
        config = self.config({"devices": [ECHO]})
        servers = [self.start_trestle("serve", config) for _ in range(100)]
        for server in servers:
            read_until(server.stdout, rb"device0\.sock", 120)
        self.assertEqual(len([path for path in common.files(self.runtime) if "=" in path]), 100)
        for server in servers:
            server.terminate()
        for server in servers:
            self.assertEqual(server.wait(120), 128 + signal.SIGTERM)

    def test_one_of_thirty_gets_the_socket(self):
        """All want the same one, over one that nobody serves any more."""
        path = self.dir / "s"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        config = self.config({"devices": [{**ECHO, "socket": "s"}]})
        servers = [self.start_trestle("serve", config) for _ in range(30)]
        serving = []
        for server in servers:
            if server.stdout.readline():
                serving.append(server)
                continue
            self.assertEqual(server.wait(60), 2)
            self.assertIn(b"another Trestle serves this socket", server.stderr.read())
        self.assertEqual(len(serving), 1)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        self.end(serving[0])
        self.assertEqual(common.files(self.dir), {"runtime", "two.json"})

    def test_ten_machines_at_once(self):
        config = self.two("two_devices")
        runs = [self.start_trestle("run", config) for _ in range(10)]
        for run in runs:
            out, err = run.communicate(timeout=120)
            self.assertEqual(run.returncode, 0, err)
            self.assertIn(b" passed, 0 failed", out)

    def mount(self, name, *options):
        place = self.dir / name
        place.mkdir()
        result = common.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", place])
        if result.code != 0:
            self.skipTest(f"cannot mount a file system: {result.err.strip()}")
        self.addCleanup(subprocess.run, ["umount", place], check=True)
        return place

    def fill(self, place):
        with open(place / "full", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    @only_root
    def test_full_disk(self):
        disk = self.mount("disk", "size=16k")
        self.fill(disk)
        config = self.two("two_devices")
        result = self.trestle("run", config, "--stats", disk / "stats.json")
        self.assertRegex(result.err, r"(?m)^trestle: .*stats\.json: No space left on device")
        self.assertEqual(common.files(disk), {"full"})
        self.assertIn(" passed, 0 failed", result.out)
        self.assertEqual(result.code, 1)

    @only_root
    def test_no_room_for_sockets(self):
        disk = self.mount("disk", "size=64k,nr_inodes=1")
        self.env["XDG_RUNTIME_DIR"] = str(disk)
        self.assert_refused(f"trestle: cannot make a directory for the sockets under {disk}: No space "
                            "left on device; set XDG_RUNTIME_DIR to a directory that you may write "
                            "to", "serve", self.config({"devices": [ECHO]}))
        self.env["XDG_RUNTIME_DIR"] = str(self.runtime)
        self.assert_refused(f"two.json:8: devices[0].socket: {disk}/s.lock: cannot be created: No "
                            "space left on device; choose a directory that you may write to",
                            "serve", self.config({"devices": [{**ECHO, "socket": f"{disk}/s"}]}).name)

    @only_root
    def test_read_only_temporary_directory(self):
        disk = self.mount("disk", "ro")
        self.env["XDG_RUNTIME_DIR"] = str(disk)
        server, path = self.serve(self.config({"devices": [ECHO]}))
        self.assertTrue(path.startswith("/tmp/trestle-"), path)
        self.end(server)
        self.assertFalse(os.path.exists(os.path.dirname(path)))


if __name__ == "__main__":
    common.main()
