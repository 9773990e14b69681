#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Linux and U-Boot, as Debian packages them, with their own drivers on devices behind Trestle.

Takes the guests that tools/linux-guest has left in the cache. TRESTLE_NETWORK=1, as CI sets it,
fetches them; without, and without guests, the tests are skipped.
"""
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time
import unittest

import common
from cli_case import Case, read_until

EXAMPLE = common.SOURCE / "examples/08-linux"
CACHE = pathlib.Path(os.environ.get("TRESTLE_LINUX", pathlib.Path.home() / ".cache/trestle/linux"))
BOOT_SECONDS = 200
# The kernel does not try its own ciphers out: a third of a boot.
QUIET = "quiet cryptomgr.notests"


# An interface "tap0" with the address 10.7.0.1, a server there that sends a million bytes, and then the
# command.
TAP = """
import fcntl, os, socket, struct, sys
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", b"tap0", 0x1002))  # TUNSETIFF
fcntl.ioctl(tap, 0x400454cb, 1)                                        # TUNSETPERSIST
server = socket.socket()
fcntl.ioctl(server, 0x8916, struct.pack("16sH2x4s8x", b"tap0", socket.AF_INET,
                                        socket.inet_aton("10.7.0.1")))  # SIOCSIFADDR
fcntl.ioctl(server, 0x8914, struct.pack("16sH22x", b"tap0", 0x41))      # SIOCSIFFLAGS: up
os.close(tap)
if os.fork():
    os.execvp(sys.argv[1], sys.argv[1:])
for fd in 0, 1, 2:
    os.close(fd)
server.bind(("10.7.0.1", 7000))
server.listen()
client = server.accept()[0]
client.recv(4096)
client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + bytes(1000000))
"""


def answer(frame):
    """To an ARP request, or a ping, with the other's address as ours."""
    ours = bytes.fromhex("020000000099")
    ends = frame[6:12] + ours + frame[12:14]
    if frame[12:14] == b"\x08\x06":
        return ends + frame[14:21] + b"\2" + ours + frame[38:42] + frame[22:32]
    if frame[12:14] != b"\x08\x00" or frame[23] != 1 or frame[34] != 8:
        return b""
    total = int.from_bytes(frame[36:38], "big") + 0x800  # the type goes from 8 to 0
    total = (total & 0xffff) + (total >> 16)
    return (ends + frame[14:26] + frame[30:34] + frame[26:30] + bytes(2) +
            total.to_bytes(2, "big") + frame[38:])


def example(path):
    """The configuration of an example, for a quick boot."""
    config = json.loads(path.read_text())
    config["machine"]["append"] = config["machine"]["append"].replace("quiet", QUIET)
    return config


def linux_guest(arch, script):
    """A directory with kernel and initrd-NAME, or the test is skipped."""
    common.qemu(arch)
    directory = CACHE / arch
    cached = [] if os.environ.get("TRESTLE_NETWORK") else ["--cached"]
    made = subprocess.run([common.SOURCE / "tools/linux-guest", *cached, arch, directory, script])
    if made.returncode == 77:
        raise unittest.SkipTest(f"no {directory}, or an older one; tools/linux-guest {arch} {directory} "
                                "fetches it, and so do the tests with TRESTLE_NETWORK=1")
    made.check_returncode()
    return directory


class Linux(Case):
    def boot(self, arch, *args, script=EXAMPLE / "demo.sh", **machine):
        guest = linux_guest(arch, script)
        (self.dir / "disk.img").write_bytes(bytes(8 << 20))
        config = example(EXAMPLE / f"linux-{arch}.json")
        config["machine"].update(kernel=str(guest / "kernel"),
                                 initrd=str(guest / f"initrd-{script.stem}"), **machine)
        result = self.trestle("run", "-v", self.config(config), "--", *args, timeout=BOOT_SECONDS)
        self.assertEqual(result.code, 0, result)
        return result

    def check_demo(self, result):
        out = result.out.replace("\r", "")
        self.assertIn("driver: of_serial, for ns16550a \n", out)
        self.assertIn("heard: hello, model/and again/\n", out)
        self.assertRegex(out, r"interrupts: \d+: [1-9].* ttyS\d\n")
        self.assertRegex(out, r"id: 0x[0-9A-F]{8} at 0x\w+\n")
        self.assertIn("eeprom: Trestle.........kept\n", out)
        self.assertIn("temperature: 21500, then 33250\n", out)
        self.assertIn("disk: disk of 16384 sectors, written and read again\n", out)
        return out

    def test_ns16550(self):
        """The kernel's own driver sends and receives, more than a FIFO holds."""
        script = self.dir / "echo.sh"
        script.write_text("""
port=/dev/$(basename /sys/bus/platform/devices/10200000.uart/*/*/tty/ttyS*)
stty -F "$port" raw -echo 115200
exec 3<>"$port"
echo ready >&3
read -r line <&3
echo "heard: $line"
echo "said: $line" >&3
exec 3>&- # waits until it is sent
""")
        guest = linux_guest("riscv64", script)
        run = self.start_trestle("run", self.config({
            "machine": {"arch": "riscv64", "memory": "512M", "kernel": str(guest / "kernel"),
                        "initrd": str(guest / "initrd-echo"), "append": f"console=ttyS0 {QUIET}"},
            "devices": [{"name": "uart", "model": "ns16550", "base_addr": "0x10200000", "irq": 40,
                         "alias": "serial1", "dt": {"clock-frequency": 3686400},
                         "backend": "unix:uart.sock"}]}))
        client = self.connect(self.dir / "uart.sock", run)
        line = "all of this line is longer than what the port can hold"
        lines = client.makefile("rb")
        self.addCleanup(lines.close)
        self.assertEqual(lines.readline(), b"ready\n")
        client.sendall(line.encode() + b"\n")
        self.assertEqual(lines.readline(), f"said: {line}\n".encode())
        out = read_until(run.stdout, rb"heard: .*\n", BOOT_SECONDS)
        self.assertIn(line.encode(), out)
        self.assertEqual(run.wait(30), 0)

    def virtio(self, arch, places, args=(), append=""):
        """A source of entropy, a disk and a console, each used by its driver."""
        script = self.dir / "virtio.sh"
        script.write_text("""
cat /sys/class/misc/hw_random/rng_current
dd if=/dev/hwrng bs=16 count=1 2>/dev/null | od -An -tx1
echo "disk: $(cat /sys/block/vda/size) $(cat /sys/block/vda/serial)"
head -c 13 /dev/vda
yes again | dd of=/dev/vda bs=64k seek=1 count=4 iflag=fullblock conv=fsync 2>/dev/null
echo 3 >/proc/sys/vm/drop_caches
echo "sum: $(md5sum /dev/vda)"
exec 3<>/dev/hvc0
stty -F /dev/hvc0 raw -echo
echo ready >&3
read -r line <&3
echo "heard: $line"
echo "said: $line" >&3
grep virtio /proc/interrupts
echo "behind an iommu: $(ls -d /sys/bus/pci/drivers/virtio-pci/*/iommu_group 2>/dev/null | wc -l)"
""")
        guest = linux_guest(arch, script)
        disk = self.dir / "disk.img"
        disk.write_bytes(b"first sector\n" + bytes(range(256)) * 4096 + bytes(499))
        (self.dir / "keys.txt").write_text("all of this comes before the kernel is there\n")
        devices = [{"name": "rng", "model": "virtio-rng"},
                   {"name": "disk", "model": "virtio-blk", "params": {"file": "disk.img"}},
                   {"name": "console", "model": "virtio-console", "backend": "file:said.txt",
                    "input": "file:keys.txt"}]
        for device, place in zip(devices, places):
            device.update(place)
        result = self.trestle("run", self.config({
            "machine": {"arch": arch, "memory": "512M", "kernel": str(guest / "kernel"),
                        "initrd": str(guest / "initrd-virtio"), "args": list(args),
                        "append": f"console=ttyS0 {QUIET} {append}"},
            "devices": devices}), timeout=BOOT_SECONDS)
        self.assertEqual(result.code, 0, result)
        out = result.out.replace("\r", "")
        self.assertIn("virtio_rng.0\n", out)
        self.assertRegex(out, r"\n( [0-9a-f]{2}){16}\n")
        self.assertIn(f"disk: {len(disk.read_bytes()) // 512} disk\nfirst sector\n", out)
        self.assertIn(f"sum: {hashlib.md5(disk.read_bytes()).hexdigest()}", out)
        self.assertEqual(disk.read_bytes()[65536:][:12], b"again\nagain\n")
        self.assertIn("heard: all of this comes before the kernel is there\n", out)
        self.assertEqual((self.dir / "said.txt").read_text(),
                         "ready\nsaid: all of this comes before the kernel is there\n")
        return out

    def test_virtio(self):
        out = self.virtio("riscv64", [{"base_addr": f"0x1020{i}000", "irq": 40 + i} for i in range(3)])
        self.assertEqual(len(re.findall(r" \d+: +[1-9]\d* .*virtio\d", out)), 3, out)

    def test_virtio_pci(self):
        """By messages, to where an IOMMU leads; and by INTx, where there are none."""
        places = [{"pci": {"addr": f"{i}"}} for i in (4, 5, 6)]
        # On a busy host ticks come late, and the kernel gives up its timer.
        out = self.virtio("x86_64", places, ["-device", "intel-iommu"],
                          "intel_iommu=on no_timer_check")
        for name in "0-input", "1-req.0", "2-input", "2-output":
            self.assertRegex(out, rf"\d+: +[1-9]\d* .*PCI-MSIX-0000:00:0\d.0 +\d-edge +virtio{name}\n")
        self.assertIn("behind an iommu: 3\n", out)
        out = self.virtio("riscv64", places)
        self.assertEqual(len(re.findall(r" \d+: +[1-9]\d* .*PLIC.*virtio\d", out)), 3, out)

    def test_two_networks(self):
        """Two cards in two name spaces, joined by a link: pings, and a megabyte by TCP; twice the same
        under icount."""
        script = self.dir / "net.sh"
        script.write_text("""
unshare -n sleep 1000 &
other=$!
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do :; done
there() { nsenter -t $other -n "$@"; }
card() { for i in /sys/class/net/*; do [ "$(cat $i/address)" = $1 ] && basename $i; done; }
left=$(card 52:54:00:00:00:01)
right=$(card 52:54:00:00:00:02)
echo "mtu: $(cat /sys/class/net/$left/mtu) $(cat /sys/class/net/$right/mtu)"
ip link set $right netns $other
ip address add 10.7.0.1/24 dev $left
ip link set $left up
there ip address add 10.7.0.2/24 dev $right
there ip link set $right up
ping -c 3 -i 0.2 -s 1400 10.7.0.2 | grep received
mkdir /tmp/www
head -c 1000000 /dev/urandom >/tmp/www/file
there httpd -h /tmp/www
wget -q -O - http://10.7.0.2/file | cmp - /tmp/www/file && echo "received: equal"
ip link set $left down
ip link set $left up
ping -c 1 10.7.0.2 | grep received
grep virtio /proc/interrupts
""")
        guest = linux_guest("riscv64", script)
        places = [{"base_addr": "0x10200000", "irq": 40}, {"base_addr": "0x10201000", "irq": 41}]

        def boot(places, **machine):
            result = self.trestle("run", self.config({
                "machine": {"arch": "riscv64", "memory": "512M", "kernel": str(guest / "kernel"),
                            "initrd": str(guest / "initrd-net"), "append": f"console=ttyS0 {QUIET}",
                            **machine},
                "devices": [{"name": name, "model": "virtio-net", **place,
                             "params": {"mac": f"52:54:00:00:00:0{i}", "mtu": 9000}}
                            for i, name, place in zip((1, 2), ("left", "right"), places)],
                "links": [{"from": "left.wire", "to": "right.wire", "latency": "50us",
                           "bandwidth": "1Gbit/s"}]}), timeout=BOOT_SECONDS)
            self.assertEqual(result.code, 0, result)
            out = result.out.replace("\r", "")
            self.assertIn("mtu: 9000 9000\n3 packets transmitted, 3 packets received, 0% packet loss\n",
                          out)
            self.assertIn("received: equal\n1 packets transmitted, 1 packets received", out)
            self.assertEqual(len(re.findall(r" \d+: +[1-9]\d* .*virtio\d", out)), 2, out)
            return out, re.findall(r"run hash (\w+); repeatable", result.err)
        out, hashes = boot(places, icount=1)
        self.assertEqual(len(hashes), 1)
        self.assertEqual((out, hashes), boot(places, icount=1))
        boot([{"pci": {"addr": "4"}}, {"pci": {"addr": "5"}}])

    def test_a_process_that_comes_back(self):
        """The driver waits for what does not come, and works again once it has been bound again."""
        script = self.dir / "back.sh"
        script.write_text("""
entropy() { echo "$1: $(timeout 2 dd if=/dev/hwrng bs=4096 count=1 iflag=fullblock 2>/dev/null | wc -c)"; }
entropy before
read -r line
entropy between
driver=/sys/bus/virtio/drivers/virtio_rng
device=$(basename $driver/virtio*)
echo $device >$driver/unbind
echo $device >$driver/bind
entropy after
""")
        guest = linux_guest("riscv64", script)
        run = self.start_trestle("run", self.config({
            "machine": {"arch": "riscv64", "memory": "512M", "kernel": str(guest / "kernel"),
                        "initrd": str(guest / "initrd-back"), "append": f"console=ttyS0 {QUIET}"},
            "devices": [{"name": "rng", "model": "virtio-rng", "base_addr": "0x10200000", "irq": 40,
                         "process": "own", "on_error": "zeros"}]}), stdin=subprocess.PIPE)
        self.addCleanup(run.stdin.close)
        read_until(run.stdout, rb"before: 4096\r?\n", BOOT_SECONDS)
        [pid] = [pid for pid in common.processes(session=run.pid)
                 if b"--name=rng" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(pid, signal.SIGKILL)
        read_until(run.stderr, rb"another one is started\n")
        run.stdin.write(b"go on\n")
        run.stdin.flush()
        out = run.stdout.read().decode().replace("\r", "")
        self.assertEqual(run.wait(30), 0)
        self.assertRegex(out, r"between: 0\n(.*\n)*after: 4096\n")

    def test_network_of_the_host(self):
        """One card at an interface of the host's, in a name space, and one at a socket with us behind it."""
        command = ["unshare", "-rn", "python3", "-c", TAP]
        if common.run([*command, "true"]).code:
            self.skipTest("no tap can be made here, in a name space of its own")
        script = self.dir / "host.sh"
        script.write_text("""
card() { for i in /sys/class/net/*; do [ "$(cat $i/address)" = $1 ] && basename $i; done; }
ip address add 10.7.0.2/24 dev $(card 52:54:00:00:00:01)
ip link set $(card 52:54:00:00:00:01) up
ip address add 10.8.0.2/24 dev $(card 52:54:00:00:00:02)
ip link set $(card 52:54:00:00:00:02) up
ping -c 2 -i 0.2 10.7.0.1 | grep received
echo "sum: $(wget -q -O - http://10.7.0.1:7000/ | md5sum)"
ping -c 2 -i 0.2 -s 1000 10.8.0.1 | grep received
""")
        guest = linux_guest("riscv64", script)
        config = self.config({
            "machine": {"arch": "riscv64", "memory": "512M", "kernel": str(guest / "kernel"),
                        "initrd": str(guest / "initrd-host"), "append": f"console=ttyS0 {QUIET}"},
            "devices": [{"name": "tap", "model": "virtio-net", "base_addr": "0x10200000", "irq": 40,
                         "backend": "tap:tap0", "params": {"mac": "52:54:00:00:00:01"}},
                        {"name": "socket", "model": "virtio-net", "base_addr": "0x10201000", "irq": 41,
                         "backend": "unix:net.sock", "params": {"mac": "52:54:00:00:00:02"}}]})
        run = self.start([*command, common.TRESTLE, "run", config], cwd=self.dir, env=self.env,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(run.stdout.close)
        stranger = self.connect(self.dir / "net.sock", run)
        stranger.sendall(b"no frames")  # and is hung up on
        self.assertEqual(stranger.recv(1), b"")
        frames = self.connect(self.dir / "net.sock", run).makefile("rwb")
        self.addCleanup(frames.close)
        asked = 0
        while asked < 2:
            frame = frames.read(int.from_bytes(frames.read(4), "big"))
            reply = answer(frame)
            asked += len(reply) > 1000
            if reply:
                frames.write(len(reply).to_bytes(4, "big") + reply)
                frames.flush()
        out = run.stdout.read().decode().replace("\r", "")
        self.assertEqual(run.wait(30), 0)
        self.assertEqual(out.count("2 packets transmitted, 2 packets received, 0% packet loss\n"), 2, out)
        self.assertIn(f"sum: {hashlib.md5(bytes(1000000)).hexdigest()}", out)

    def connect(self, path, run):
        """To a socket that is about to be there."""
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(BOOT_SECONDS)
        while client.connect_ex(str(path)) != 0:
            self.assertIsNone(run.poll())
            time.sleep(0.01)
        return client

    def test_riscv64(self):
        out = self.check_demo(self.boot("riscv64", cpus=2))
        self.assertRegex(out, r"clock: goldfish_rtc \w+\.clock 2000-01-01\n"
                              r"clock: Tue May  6 07:08:\d\d 2031 ")
        self.assertIn("watchdog: sunxi-wdt, 4 s, active\nwatchdog: inactive\n", out)
        self.assertIn("pins: lamps 0x00000001, switch 0, then 1, interrupts 1\n", out)

    def test_riscv64_aplic(self):
        """QEMU 7.2 does not clear what its APLIC remembers of inputs: without help, interrupts that nobody
        asked for may keep Linux from starting."""
        self.env.pop("MALLOC_PERTURB_", None)  # Meson's: fresh memory is filled
        self.env["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0:glibc.malloc.perturb=255"  # with zeroes
        self.check_demo(self.boot("riscv64", "-M", "aia=aplic"))

    def test_aarch64(self):
        out = self.check_demo(self.boot("aarch64"))
        self.assertIn("watchdog: sp805-wdt, 4 s, active\nwatchdog: inactive\n", out)

    def test_x86_64(self):
        """In ACPI's tables: one device by its id, and one by its compatible."""
        guest = linux_guest("x86_64", EXAMPLE / "x86.sh")
        config = example(EXAMPLE / "linux-x86_64.json")
        config["machine"].update(kernel=str(guest / "kernel"), initrd=str(guest / "initrd-x86"))
        config["devices"][0]["backend"] = "file:sent"
        result = self.trestle("run", "-v", self.config(config), timeout=BOOT_SECONDS)
        self.assertEqual(result.code, 0, result)
        out = result.out.replace("\r", "")
        self.assertRegex(out, r"serial port: ttyS\d, driver serial, mem 0xfc000000-0xfc000007, irq 20\n")
        self.assertIn("hello, model\n", (self.dir / "sent").read_text().replace("\r", ""))
        self.assertRegex(out, r"id: of:NT\w*Cacme,id at fc001000-fc00100f\n".replace("NT", r"N\w*T"))

    def test_the_life_of_drivers(self):
        """Each is used, then unbound and bound, unloaded and loaded, and reset with the machine."""
        config = example(EXAMPLE / "linux-riscv64.json")
        guest = linux_guest("riscv64", common.SOURCE / "tests/integration/linux_life.sh")
        config["machine"].update(kernel=str(guest / "kernel"), initrd=str(guest / "initrd-linux_life"))
        config["devices"] += [
            {"name": name, "model": model, "base_addr": hex(0x10220000 + 0x1000 * i), "irq": 60 + i, **more}
            for i, (name, model, more) in enumerate((
                ("entropy", "virtio-rng", {}), ("console", "virtio-console", {"backend": "file:said"}),
                ("left", "virtio-net", {}), ("right", "virtio-net", {})))]
        config["links"].append({"from": "left.wire", "to": "right.wire", "latency": "10us"})
        (self.dir / "disk.img").write_bytes(bytes(8 << 20))
        result = self.trestle("run", self.config(config), timeout=2 * BOOT_SECONDS)
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("FAILED", result.out, result)
        for when in "fresh", "bound", "loaded", "reset":
            used = re.findall(rf"^{when}: (\w+)\r?$", result.out, re.M)
            self.assertEqual(" ".join(used), "uart clock eeprom thermometer pins watchdog entropy disk "
                             "console net", result)
            self.assertIn(f"{when}\n", (self.dir / "said").read_text().replace("\r", ""))

    def test_a_watchdog_bites(self):
        """Nobody feeds it any more, and the guest is reset, which -no-reboot makes the end."""
        script = self.dir / "bite.sh"
        script.write_text("watchdog -t 1 -T 2 -F /dev/watchdog0 &\n"
                          "until [ $(cat /sys/class/watchdog/watchdog0/state) = active ]; do :; done\n"
                          "kill -9 $!\n"
                          "echo no longer fed\n"
                          "sleep 1000\n")
        result = self.boot("aarch64", "-no-reboot", script=script)
        self.assertIn("no longer fed", result.out)  # the kernel may cut in

    def test_two_boots_are_one(self):
        """Under icount, console and hash are equal to the byte."""
        boots = set()
        for _ in range(2):
            result = self.boot("riscv64", icount=1)
            run_hash = re.search(r"run hash (\w+)", result.err)
            self.assertTrue(run_hash, result.err)
            boots.add((self.check_demo(result), run_hash.group(1)))
        self.assertEqual(len(boots), 1, boots)


class Nvme(Case):
    """Linux's own driver on the model nvme: with messages and a queue for each processor, and with a
    line."""
    example = common.SOURCE / "examples/12-pci"

    def boot(self, arch, carrier="auto", **machine):
        guest = linux_guest(arch, self.example / "disk.sh")
        disk = self.dir / "disk.img"
        first = b"Trestle\n" + random.Random(1).randbytes((1 << 20) - 8)
        disk.write_bytes(first + bytes(15 << 20))
        config = example(self.example / f"linux-{arch}.json")
        config["machine"].update(kernel=str(guest / "kernel"), initrd=str(guest / "initrd-disk"),
                                 **machine)
        config["devices"][0]["params"]["file"] = str(disk)
        config["devices"][0].update(timeout_ms=0, carrier=carrier)
        result = self.trestle("run", "-v", self.config(config), timeout=BOOT_SECONDS)
        self.assertEqual(result.code, 0, result)
        out = result.out.replace("\r", "")
        for line in ("driver: nvme", "disk: Trestle NVMe of 32768 blocks", "begins with: Trestle",
                     "copied: 1048576 bytes, and back", "read by four at once",
                     "beyond the end: 0 bytes", "reset, and there again", "no complaint"):
            self.assertIn(line + "\n", out, result)
        whole = disk.read_bytes()
        self.assertEqual(whole, first + bytes(3 << 20) + first + bytes(11 << 20))
        return out, result

    def test_q35(self):
        out, _ = self.boot("x86_64")
        self.assertRegex(out, r"PCI-MSIX-0000:00:04.0 2-edge nvme0q2\n")

    def test_riscv64(self):
        out, _ = self.boot("riscv64", carrier="socket", direct_dma=True)
        self.assertRegex(out, r"interrupts: \d+: [1-9].* nvme0q0, nvme0q1\n")

    def test_riscv64_messages(self):
        version = subprocess.run([common.qemu("riscv64"), "--version"], capture_output=True, text=True).stdout
        if " version 7." in version:
            self.skipTest("Linux hangs on this board in QEMU 7.2, without a device of ours, too (tools/other-qemu "
                          "gets a later one)")
        out, _ = self.boot("riscv64", args=["-M", "aia=aplic-imsic"])
        self.assertRegex(out, r"PCI-MSIX-0000:00:04.0 2 Edge nvme0q2\n")

    def test_two_boots_are_one(self):
        boots = set()
        for _ in range(2):
            out, result = self.boot("riscv64", icount=1, cpus=1)
            boots.add((out, re.search(r"run hash (\w+); repeatable", result.err)[1]))
        self.assertEqual(len(boots), 1, boots)


class UBoot(Case):
    def firmware(self):
        common.qemu("aarch64")
        directory = CACHE / "u-boot"
        firmware = directory / "root/usr/lib/u-boot/qemu_arm64/u-boot.bin"
        if not firmware.exists():
            if not os.environ.get("TRESTLE_NETWORK"):
                raise unittest.SkipTest(f"no {firmware}; TRESTLE_NETWORK=1 lets the test fetch it")
            subprocess.run([common.SOURCE / "tools/debs", "--packed", "trixie", "amd64", directory,
                            "u-boot-qemu"], check=True, stdout=subprocess.DEVNULL)
            package = next(directory.glob("*.deb"))
            subprocess.run(["dpkg-deb", "-x", package, directory / "root"], check=True)
        return firmware

    def test_prompt(self):
        config = json.loads((common.SOURCE / "examples/09-u-boot/u-boot.json").read_text())
        config["machine"]["bios"] = str(self.firmware())
        process = self.start_trestle("run", self.config(config), stdin=subprocess.PIPE)

        def say(line, answer):
            process.stdin.write(line)
            process.stdin.flush()
            read_until(process.stdout, answer)
        self.addCleanup(process.stdin.close)
        read_until(process.stdout, b"autoboot")
        # The next prompt first: what is typed before it is lost.
        say(b"\n", rb"=> ")
        say(b"md.l 0xc000000 1\n", rb"0c000000: 0c000000[^>]*=> ")
        say(b"mw.l 0xc000008 0x1234; md.l 0xc000008 1\n", rb"0c000008: 00001234[^>]*=> ")
        say(b"fdt addr $fdtcontroladdr; fdt print /id@c000000\n", rb'compatible = "acme,id"(.|\s)*=> ')
        process.stdin.write(b"poweroff\n")
        process.stdin.flush()
        self.assertEqual(process.wait(30), 0)


if __name__ == "__main__":
    common.main()
