# SPDX-License-Identifier: MIT
"""PCI devices in a real QEMU: what a guest sees of them, their interrupts and transfers, what the
configuration and the plugin refuse, and what becomes of them when one is ejected."""
import json
import queue
import re
import resource
import subprocess

import cli_case
import common
import test_guests
import v2_device

ARGS = {arch: args for arch, (_, args) in test_guests.ARCHES.items()}
ARGS["arm"] = [*ARGS["arm"], "-M", "highmem=off"]
# riscv's board has a controller for messages only so.
IMSIC = ["-M", "aia=aplic-imsic"]
# How its guest is interrupted.
WAYS = [("riscv32", "intx"), ("riscv64", "intx"), ("arm", "intx"), ("arm", "msix")] + [
    (arch, way) for arch in ("aarch64", "x86_64") for way in ("intx", "msi", "msix")]


class PciTest(common.TestCase):
    def config(self, devices, arch="x86_64", append="", args=(), **machine):
        path = self.dir / "pci.json"
        path.write_text(json.dumps({
            "machine": {"arch": arch, "qemu": common.qemu(arch),
                        "kernel": str(common.guest("edu", arch)),
                        "args": [*ARGS[arch], *args, "-append", append], **machine},
            "devices": devices, "stop_at": "60s"}, indent=1))
        return path

    def edu(self, **more):
        return {"name": "edu", "model": "edu", "pci": {"addr": "04.0"}, "timeout_ms": 0, **more}

    def run_edu(self, arch, way, device=None, args=(), more="", board=(), **machine):
        config = self.config([device or self.edu()], arch, f"irq={way} {more}", board, **machine)
        stats = self.dir / "stats.json"
        result = common.run([common.TRESTLE, "run", "--stats", stats, *args, config], timeout=80)
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("FAIL", result.out)
        self.assertRegex(result.out, r"edu: \d\d passed, 0 failed")
        return result, json.loads(stats.read_text())

    def test_guests(self):
        for arch, way in WAYS:
            with self.subTest(arch=arch, way=way):
                result, stats = self.run_edu(arch, way)
                self.assertIn("edu: slot 4,", result.out)
                self.assertIsNone(stats["devices"][0]["base_addr"])
                self.assertEqual(stats["devices"][0]["errors"], 0)

    def test_messages_on_riscv(self):
        for arch, way in ("riscv32", "msix"), ("riscv64", "msi"), ("riscv64", "msix"):
            with self.subTest(arch=arch, way=way):
                result, _ = self.run_edu(arch, way, more="interrupts=1000", board=IMSIC)
                self.assertIn("PASS interrupt: 1000 of 1000 that were raised", result.out)

    def test_repeatable(self):
        """Runs are the same, over both carriers and with direct transfers, and a replay is, too."""
        for arch, way in ("riscv64", "intx"), ("x86_64", "msix"):
            seen = set()
            for carrier, is_direct in ("shm", False), ("socket", False), ("shm", True):
                trace = self.dir / f"{arch}-{carrier}.trace"
                result, stats = self.run_edu(arch, way, self.edu(carrier=carrier),
                                             ["--trace", trace], "time=1", icount=0,
                                             direct_dma=is_direct)
                ended = re.search(r"ended at (\d+) ns", result.out)[1]
                seen.add((ended, stats["run_hash"]))
                replayed = common.run([common.TRESTLE, "replay", trace])
                self.assertEqual(replayed.code, 0, replayed)
            self.assertEqual(len(seen), 1, seen)

    def test_shared_ram_is_not_a_way_around_the_bus(self):
        """What the guest has not allowed does not happen, where others transfer directly, either."""
        for device in {}, {"process": "own"}, {"process": "inline"}, {"carrier": "socket"}:
            with self.subTest(device=device):
                result, _ = self.run_edu("x86_64", "msix", self.edu(**device), direct_dma=True)
                self.assertIn("PASS mastering: and has written nothing", result.out)

    def test_own_process(self):
        self.run_edu("x86_64", "msix", self.edu(process="own"))

    def test_64_vectors(self):
        """Each line sends the message of its own vector, and no other."""
        model = common.BUILD / "tests/integration/lines_model.so"
        for arch in "aarch64", "x86_64":
            with self.subTest(arch=arch):
                config = self.config([{"name": "lines", "model": str(model), "pci": {}}], arch)
                config.write_text(config.read_text().replace("/edu-", "/vectors-"))
                result = common.run([common.TRESTLE, "run", "--trace", self.dir / "t", config],
                                    timeout=80)
                self.assertEqual(result.code, 0, result)
                self.assertIn("PASS vectors: 64 of 64", result.out)
                printed = common.run([common.TRESTLE, "trace", self.dir / "t"])
                self.assertEqual(printed.code, 0, printed)
                self.assertIn("irq 63 up", printed.out)

    def test_more_vectors_than_lines(self):
        """The others are there, and never sent; the bridge lives on with such a client."""
        config = self.config([self.edu(socket=str(self.dir / "s"))], append="irq=msix")
        self.serve(config)
        words = common.run([common.TRESTLE, "qemu-args", config])
        self.assertEqual(words.code, 0, words)
        self.assertIn("vectors=1,", words.out)
        more = words.out.strip().replace("vectors=1,", "vectors=9,")
        for _ in range(2):
            result = common.run(["sh", "-c", f"exec {more}"], timeout=80)
            self.assertRegex(result.out, r"edu: \d\d passed, 0 failed")

    # The guest's resets: FLR, D3 and back, and the bus if there is a bridge.
    def resets(self, arch, way, devices, args=(), append=""):
        config = self.config(devices, arch, f"irq={way} {append}", args)
        trace = self.dir / "resets.trace"
        result = common.run([common.TRESTLE, "run", "--trace", trace, config],
                            timeout=80)
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("FAIL", result.out)
        printed = common.run([common.TRESTLE, "trace", trace])
        self.assertEqual(printed.code, 0, printed)
        replayed = common.run([common.TRESTLE, "replay", trace, "--device", "edu"])
        self.assertEqual(replayed.code, 0, replayed)
        return result, [line for line in printed.out.splitlines()
                        if "reset of this device" in line]

    def test_resets_of_one_device(self):
        for arch, way in ("riscv64", "intx"), ("aarch64", "msi"), ("x86_64", "msix"):
            with self.subTest(arch=arch):
                result, resets = self.resets(
                    arch, way, [self.edu(), self.edu(name="other", pci={"addr": "05.0"})])
                self.assertIn("PASS resets: the model, by FLR", result.out)
                self.assertIn("PASS resets: not the other one, by D3", result.out)
                self.assertEqual([" edu " in line for line in resets], [True, True], resets)

    def test_resets_of_a_bus(self):
        for arch, way in ("riscv64", "intx"), ("x86_64", "msix"):
            with self.subTest(arch=arch):
                result, resets = self.resets(
                    arch, way, [self.edu(pci={"bus": "bridge"})],
                    ["-device", "pcie-root-port,id=bridge,addr=08.0,chassis=1"])
                self.assertIn("PASS resets: the model, by its bus", result.out)
                self.assertEqual(len(resets), 3, resets)

    def test_conventional_bus(self):
        result, resets = self.resets("x86_64", "msix", [self.edu()], ["-M", "pc"], "conventional=1")
        self.assertEqual(len(resets), 1, resets)
        self.assertIn("PASS resets: the model, by D3", result.out)

    def test_reset_of_an_older_server(self):
        """One that does not know the message never gets it; one that does gets it once."""
        for features in v2_device.FEATURES, v2_device.FEATURES | v2_device.RESET_DEVICE_FEATURE:
            with self.subTest(features=features):
                server = v2_device.Server(self, True, features)
                device = server.device(self.dir / f"s{features}", lambda *_: 0)
                qemu = self.start(
                    [common.qemu("x86_64"), "-M", "q35", "-display", "none", "-S", "-plugin",
                     common.PLUGIN, "-device",
                     f"sst-pci-device,socket={device.path},size=4K,addr=04.0",
                     "-qmp", f"unix:{self.dir / 'qmp'},server=on,wait=on"],
                    stderr=subprocess.PIPE, text=True)
                self.addCleanup(qemu.stderr.close)
                monitor = self.connect(qemu)
                power = self.capability(monitor, 1) + 4
                for _ in range(2):
                    self.write_config(monitor, power, 3)
                    self.write_config(monitor, power, 0)
                monitor.command("quit")
                qemu.wait()
                asked = sum(r.type == v2_device.RESET_DEVICE for _, r in server.log)
                said = qemu.stderr.read().count("the other side is older and knows no reset")
                self.assertEqual((asked, said),
                                 (0, 1) if features == v2_device.FEATURES else (2, 0))
                server.stop()

    def bus_messages(self, options=(), properties="", features=0, writes=((4, 6), (4, 2))):
        """What a server hears of the bus while the guest writes its configuration space."""
        server = v2_device.Server(self, True, v2_device.FEATURES | v2_device.BUS_FEATURE | features)
        device = server.device(self.dir / f"s{len(list(self.dir.iterdir()))}")
        (self.dir / "qmp").unlink(missing_ok=True)
        qemu = self.start(
            [common.qemu("x86_64"), "-M", "q35,memory-backend=ram", "-m", "128M", "-object",
             "memory-backend-memfd,id=ram,share=on,size=128M", "-display", "none", "-S", *options, "-plugin",
             common.PLUGIN, "-device",
             f"sst-pci-device,socket={device.path},size=4K,addr=04.0{properties}",
             "-qmp", f"unix:{self.dir / 'qmp'},server=on,wait=on"], stderr=subprocess.PIPE, text=True)
        self.addCleanup(qemu.stderr.close)
        monitor = self.connect(qemu)
        power = self.capability(monitor, 1) + 4
        for register, value in writes:
            self.write_config(monitor, power if register == "power" else register, value)
        monitor.command("quit")
        qemu.wait()
        server.stop()
        return [request.addr for _, request in server.log if request.type == v2_device.BUS]

    def test_direct_transfers(self):
        """The device hears at once when it may go to shared RAM by itself, and when no longer."""
        self.assertEqual(self.bus_messages(), [1, 0])
        self.assertEqual(self.bus_messages(writes=((4, 6), ("power", 3), ("power", 0), (4, 4), (4, 6))),
                         [1, 0, 1])
        self.assertEqual(self.bus_messages(["-device", "intel-iommu"]), [])
        self.assertEqual(self.bus_messages(properties=",release_lock=on"), [])

    def connect(self, qemu):
        while "waiting for connection" not in qemu.stderr.readline():
            self.assertIsNone(qemu.poll())
        monitor = common.Monitor(self.dir / "qmp")
        self.addCleanup(monitor.close)
        return monitor

    def ask(self, monitor, line):
        return monitor.command("human-monitor-command", **{"command-line": line})

    def write_config(self, monitor, register, value):
        """Of the device in slot 4 of a PC."""
        self.ask(monitor, f"o /w 0xcf8 {0x80002000 | register:#x}")
        self.ask(monitor, f"o /w 0xcfc {value:#x}")

    def read_config(self, monitor, register):
        self.ask(monitor, f"o /w 0xcf8 {0x80002000 | register:#x}")
        return int(self.ask(monitor, "i /w 0xcfc").split("=")[-1], 16)

    def capability(self, monitor, wanted):
        at = self.read_config(monitor, 0x34) & 0xfc
        while (head := self.read_config(monitor, at)) & 0xff != wanted:
            at = head >> 8 & 0xfc
            self.assertNotEqual(at, 0)
        return at

    def regions(self, arch="x86_64", **pci):
        model = common.BUILD / "tests/integration/regions_model.so"
        config = self.config([{"name": "regions", "model": str(model),
                               "pci": {"addr": "04.0", **pci}}], arch, icount=0)
        config.write_text(config.read_text().replace("/edu-", "/bars-"))
        return config

    def test_regions(self):
        """Each region of a model is a BAR, and is known by its number and its names."""
        for arch in "riscv64", "aarch64", "x86_64":
            with self.subTest(arch=arch):
                hashes = set()
                for _ in range(2):
                    trace = self.dir / "t"
                    result = common.run([common.TRESTLE, "run", "-vv", "--trace", trace,
                                         self.regions(arch)], timeout=80)
                    self.assertEqual(result.code, 0, result)
                    self.assertNotIn("FAIL", result.out)
                    hashes.add(re.search(r"run hash (\w+)", result.err)[1])
                self.assertEqual(len(hashes), 1, hashes)
                self.assertRegex(result.err, r"MMIO from regions: .*: LEVEL <- 0x1")
                printed = common.run([common.TRESTLE, "trace", trace]).out
                self.assertRegex(printed, r"write 4  region 2 0x1fc LEVEL  0x1")
                self.assertRegex(printed, r"write 4  region 1 0x00 MODE  0x1001")
                self.assertRegex(printed, r"write 4  region 3 0x1ffc  0x1003")
                replayed = common.run([common.TRESTLE, "replay", trace, "--model",
                                       common.BUILD / "tests/integration/regions_model.so"])
                self.assertEqual(replayed.code, 0, replayed)

    def test_lines_that_have_names_alone(self):
        path = self.dir / "names.json"
        for irqs, code in (list(range(40, 49)), 0), (list(range(40, 50)), 2):
            path.write_text(json.dumps({"machine": {"arch": "riscv64"}, "devices": [
                {"model": "nvme", "base_addr": "0x10200000", "irq": irqs}]}))
            result = common.run([common.TRESTLE, "check", path])
            self.assertEqual(result.code, code, result)

    def test_regions_that_do_not_fit(self):
        for bars, line in (
                (["mem"] * 5, "5 kinds are given, but regions has 4 regions; give fewer"),
                ([], "0 kinds are given; there are 1 to 6 BARs"),
                (["mem", "rom"], r'devices\[0\].pci.bar\[1\]: "rom" is not a choice here; '),
                (["mem64", "io", "mem64", "mem64"],
                 "its regions take 7 BARs, MSI-X one, and there are 6; a mem64 takes two: "),
                (["mem", "mem", "mem", "io"],
                 "size3 is 0x2000; a BAR of this kind has at most 0x100 bytes")):
            with self.subTest(bars=bars):
                result = common.run([common.TRESTLE, "run", self.regions(bar=bars)])
                self.assertEqual(result.code, 2, result)
                self.assertRegex(result.err, line)

    def window(self, arch, append="", **device):
        model = common.BUILD / "tests/integration/window_model.so"
        config = self.config([{"name": "window", "model": str(model), "pci": {"addr": "04.0"},
                               **device}], arch, append)
        config.write_text(config.read_text().replace("/edu-", "/window-"))
        return config

    def test_memory(self):
        """A BAR that is plain memory: the guest reaches it without asking anybody."""
        for arch, device in (("riscv64", {}), ("aarch64", {"carrier": "socket"}),
                             ("x86_64", {"process": "own"})):
            with self.subTest(arch=arch):
                stats = self.dir / "stats.json"
                result = common.run([common.TRESTLE, "run", "--stats", stats,
                                     self.window(arch, **device)], timeout=80)
                self.assertEqual(result.code, 0, result)
                self.assertNotIn("FAIL", result.out)
                self.assertIn("PASS window: bytes, too", result.out)
                told = json.loads(stats.read_text())["devices"][0]
                self.assertLessEqual(told["reads"] + told["writes"], 10, told)

    def test_memory_of_a_lost_device(self):
        """It is the guest's as long as QEMU lives, and a new process of the device gets the same."""
        config = self.window("x86_64", "lost=1", socket=str(self.dir / "s"))
        server = self.serve(config, "window")
        words = common.run([common.TRESTLE, "qemu-args", config])
        self.assertEqual(words.code, 0, words)
        guest = self.start(["sh", "-c", f"exec {words.out.strip()}"], stdout=subprocess.PIPE,
                           text=True)
        self.addCleanup(guest.stdout.close)
        while "window: written" not in (line := guest.stdout.readline()):
            self.assertNotEqual(line, "")
        common.end_group(server)
        while "without the device" not in (line := guest.stdout.readline()):
            self.assertNotEqual(line, "")
        self.serve(config, "window")
        self.assertIn("PASS window: and the device finds it when it is back", guest.stdout.read())

    def test_memory_that_cannot_be(self):
        for properties, line in (
                ("size1=256,bar1=io,memory1=on", "region 1 is memory, and its BAR is io; make the "
                                                 "BAR mem "
                                                 "or mem64"),):
            result = common.run([common.qemu("x86_64"), "-M", "q35", "-display", "none", "-plugin",
                                 common.PLUGIN, "-device", "sst-pci-device,socket=s," + properties])
            self.assertEqual(result.code, 2, result)
            self.assertIn(line, result.err)
        for features, line in (
                (v2_device.FEATURES, "the other side has no regions that are memory"),
                (v2_device.FEATURES | v2_device.MEMORY_FEATURE, "outside the device's registers")):
            server = v2_device.Server(self, True, features)
            server.ram_status = v2_device.RANGE
            device = server.device(self.dir / f"s{features}")
            result = common.run(
                [common.qemu("x86_64"), "-M", "q35", "-display", "none", "-S", "-monitor", "stdio",
                 "-plugin", common.PLUGIN, "-device",
                 f"sst-pci-device,socket={device.path},memory=on"], stdin="quit\n")
            self.assertIn(f"cannot connect to {device.path}: {line}", result.err)
            server.stop()

    def test_memory_that_the_system_does_not_give(self):
        """QEMU says why, and is not killed by the signal for files that are too large."""
        def no_large_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))  # QEMU 10 and 11 need as much themselves
        for why, how in (("memfd_create: Operation not permitted",
                          {"env": cli_case.failing({}, "memfd_create:EPERM", FAILING_PROGRAM="qemu-system-x86_64")}),
                         ("the limit for the size of files: File too large", {"preexec_fn": no_large_files})):
            with self.subTest(why=why):
                result = common.run([common.qemu("x86_64"), "-M", "q35", "-display", "none", "-plugin", common.PLUGIN,
                                     "-monitor", "stdio", "-device", "sst-pci-device,socket=s,size=0x1000000,memory=on"],
                                    stdin="quit\n", **how)
                self.assertEqual(result.code, 2, result)
                self.assertIn(f"there is no memory for region 0: {why}\n", result.err)

    def test_older_server_with_one_region(self):
        server = v2_device.Server(self, True)
        device = server.device(self.dir / "s")
        result = common.run(
            [common.qemu("x86_64"), "-M", "q35", "-display", "none", "-S", "-monitor", "stdio",
             "-plugin", common.PLUGIN, "-device",
             f"sst-pci-device,socket={device.path},size1=4K"], stdin="quit\n")
        self.assertIn("the other side is older and knows one region of a device", result.err)

    def test_window_in_the_configuration_space(self):
        """A virtio device's registers are there for a driver that cannot reach its BARs, too."""
        for arch in "riscv64", "x86_64":
            with self.subTest(arch=arch):
                config = self.config([{"name": "rng", "model": "virtio-rng", "pci": {}}], arch)
                config.write_text(config.read_text().replace("/edu-", "/virtio_config-"))
                result = common.run([common.TRESTLE, "run", config], timeout=80)
                self.assertEqual(result.code, 0, result)
                self.assertRegex(result.out, r"virtio_config: \d\d passed, 0 failed")

    def test_released_lock(self):
        self.run_edu("x86_64", "msix", self.edu(release_lock=True))

    def test_bars_over_each_other(self):
        """Of two devices at one address one answers, and both do when they are apart again."""
        for arch in "riscv64", "x86_64":
            with self.subTest(arch=arch):
                config = self.config([self.edu(), self.edu(name="other", pci={"addr": "05.0"})],
                                     arch)
                result = common.run([common.TRESTLE, "run", config], timeout=80)
                self.assertEqual(result.code, 0, result)
                self.assertNotIn("FAIL", result.out)
                self.assertIn("PASS over another: and that one alone", result.out)

    def test_lost(self):
        """A lost device reads as its on_error says, its configuration space is there all the while,
        and it answers again when it is back."""
        config = self.config([self.edu(socket=str(self.dir / "s"))])
        server = self.serve(config)
        words = common.run([common.TRESTLE, "qemu-args", config])
        self.assertEqual(words.code, 0, words)
        # -S: what is asked is asked by the monitor alone.
        qemu = self.start(["sh", "-c", f"exec {words.out.strip()} -S -serial none -display none "
                                       f"-qmp unix:{self.dir / 'qmp'},server=on,wait=on"],
                          stderr=subprocess.PIPE, text=True)
        self.addCleanup(qemu.stderr.close)
        monitor = self.connect(qemu)
        self.write_config(monitor, 0x10, 0xe8000000)
        self.write_config(monitor, 0x04, 2)
        self.assertIn("0x010000ed", self.ask(monitor, "xp /1wx 0xe8000000"))
        common.end_group(server)
        for _ in range(3):
            self.assertIn("0xffffffff", self.ask(monitor, "xp /1wx 0xe8000000"))
            self.assertEqual(self.read_config(monitor, 0x00), 0x11e81234)
            self.assertEqual(self.read_config(monitor, 0x10), 0xe8000000)
        self.write_config(monitor, 0x3c, 0x5a)
        self.assertEqual(self.read_config(monitor, 0x3c) & 0xff, 0x5a)
        self.serve(config)
        while "0x010000ed" not in (seen := self.ask(monitor, "xp /1wx 0xe8000000")):
            self.assertIn("0xffffffff", seen)

    def serve(self, config, name="edu"):
        server = self.start([common.TRESTLE, "serve", config], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        while name not in server.stdout.readline():
            self.assertIsNone(server.poll())
        return server

    def test_100000_messages(self):
        """None is lost, and none comes that nobody has sent."""
        result, _ = self.run_edu("x86_64", "msix", more="interrupts=100000")
        self.assertIn("PASS interrupt: 100000 of 100000 that were raised", result.out)

    def test_several_functions(self):
        """One slot with two of them, each a device of its own."""
        config = self.config([self.edu(pci={"addr": "04.1"}),
                              self.edu(name="first", pci={"addr": "04.0", "multifunction": True})],
                             append="irq=msix")
        result = common.run([common.TRESTLE, "run", config], timeout=80)
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("FAIL", result.out)
        self.assertIn("PASS resets: not the other one, by FLR", result.out)
        alone = self.config([self.edu(pci={"addr": "04.0"}), self.edu(name="b", pci={"addr": "04.1"})])
        result = common.run([common.TRESTLE, "run", alone])
        self.assertNotEqual(result.code, 0)
        self.assertIn("PCI: single function device can't be populated in function 4.1", result.err)

    def test_bench(self):
        """A BAR and a device at an address, memory in a BAR and RAM, in one run."""
        model = common.BUILD / "tests/integration/window_model.so"
        config = self.config([{"name": "bar", "model": "id", "pci": {}},
                              {"name": "memory", "model": str(model), "pci": {}},
                              {"name": "mmio", "model": "id", "base_addr": "0xd0200000",
                               "size": 4096}], append="rounds=2 reads=1000")
        config.write_text(config.read_text().replace("/edu-", "/bar_bench-"))
        result = common.run([common.TRESTLE, "run", config], timeout=80)
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"bar_bench: a read of the BAR \d+ ns, at an address \d+ ns")
        self.assertRegex(result.out, r"bar_bench: a read of memory in a BAR \d+ ns, of RAM \d+ ns")

    def test_decoding_off_in_mid_access(self):
        """Another vCPU takes the BAR away, or resets the device, while one waits for a read of it: the
        read ends as it would have, the reset comes behind it, and both sides live on."""
        for carrier in "shm", "socket":
            for way in "decode", "power":
                with self.subTest(carrier=carrier, way=way):
                    self.take_bar_away(carrier, way)

    def take_bar_away(self, carrier, way):
        features = v2_device.FEATURES | v2_device.RESET_DEVICE_FEATURE
        server = v2_device.Server(self, carrier == "shm", features)
        asked = queue.Queue()
        values = iter((None, 0x22222222))

        def answer(device, request):
            asked.put(request)
            return next(values)
        device = server.device(self.dir / f"{carrier}-{way}", answer)
        guest = self.start(
            [common.qemu("riscv64"), *ARGS["riscv64"], "-M", "virt", "-bios", "none", "-smp", "2",
             "-accel", "tcg,thread=multi", "-display", "none", "-monitor", "none", "-serial",
             "stdio", "-plugin", common.PLUGIN, "-device",
             f"sst-pci-device,socket={device.path},release_lock=on,timeout_ms=0,carrier={carrier}",
             "-append", f"way={way}", "-kernel", common.guest("decoding", "riscv64")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(guest.stdout.close)
        self.addCleanup(guest.stdin.close)
        read = asked.get(timeout=30)
        guest.stdin.write("x")
        guest.stdin.flush()
        while "decoding: off" not in (line := guest.stdout.readline()):
            self.assertNotEqual(line, "")
        server.call(lambda: device.reply(read, 0x11111111))
        out = guest.stdout.read()
        self.assertEqual(guest.wait(), 0, out)
        self.assertIn("PASS decoding: the read ends", out)
        self.assertIn("PASS decoding: and another one", out)
        kinds = [r.type for _, r in server.log if r.type in (v2_device.READ, v2_device.RESET_DEVICE)]
        self.assertEqual(kinds, [v2_device.READ] +
                         ([v2_device.RESET_DEVICE] if way == "power" else []) + [v2_device.READ])
        server.stop()

    def test_other_places(self):
        for pci in {}, {"addr": "5.2", "multifunction": True, "bar": "mem64"}, {"interrupts": "msi"}:
            with self.subTest(pci=pci):
                self.run_edu("x86_64", "msi", self.edu(pci=pci))

    def test_identity(self):
        """The file's word is above the model's."""
        out = self.monitor(["info pci"], self.edu(pci={
            "addr": "3", "vendor": "0xabcd", "device": 1, "subsystem_vendor": "0x1af4",
            "subsystem": 7, "class": "0x020000", "revision": 9}))
        self.assertRegex(out, r"device   3, function 0:\s+Ethernet controller: PCI device abcd:0001\s+"
                              r"PCI subsystem 1af4:0007")
        self.assertIn("PCI device 1234:11e8", self.monitor(["info pci"], self.edu()))

    def monitor(self, commands, device, *options):
        """What QEMU's monitor says, with a machine that does not run."""
        config = self.config([{**device, "socket": str(self.dir / "s")}])
        words = common.run([common.TRESTLE, "qemu-args", config])
        self.assertEqual(words.code, 0, words)
        result = common.run(["sh", "-c", f"exec {words.out.strip()} -S -serial none -display none "
                                         f"-monitor stdio {' '.join(options)}"],
                            stdin="\n".join([*commands, "quit", ""]))
        self.assertEqual(result.code, 0, result)
        return re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]|\r", "", result.out) + result.err

    def test_plugged_and_unplugged(self):
        """Neither by the user; a guest that ejects it, as it can on a pc, is rid of it, and QEMU and
        the rest of the machine live on."""
        device = self.edu()
        out = self.monitor(["device_add sst-pci-device,socket=/nowhere"], device, "-M", "pc")
        self.assertIn("cannot be plugged into a running machine", out)
        out = self.monitor(["o /w 0xae10 0", "o /w 0xae08 0x10", "info pci", "system_reset",
                            "info status"], device, "-M", "pc")
        self.assertNotIn("1234:11e8", out)
        self.assertIn("VM status", out)

    def test_bad_configurations(self):
        for device, line in (
                ({"base_addr": "0x10200000"}, r"base_addr: a PCI device has none; remove the key, or "
                                              r'"pci"'),
                ({"irq": 40}, r"irq: a PCI device has none; "),
                ({"shadow": True}, r"shadow: a PCI device has none; "),
                ({"compatible": "a,b"}, r"compatible: a PCI device has none; "),
                ({"alias": "serial1"}, r"alias: a PCI device has none; "),
                ({"protocol": 1}, r"protocol: only protocol 2 has PCI devices; remove the key"),
                ({"pci": {"addr": "20.0"}}, r'pci.addr: "20.0" is not a slot and a function; '),
                ({"pci": {"addr": "04.8"}}, r'pci.addr: "04.8" is not a slot and a function; '),
                ({"pci": {"vendor": "0xffff"}}, r'pci.vendor: "0xffff" is not a vendor\'s id; '),
                ({"pci": {"vendor": 0}}, r"pci.vendor: 0 is not a vendor's id; "),
                ({"pci": {"device": "0x10000"}}, r'pci.device: "0x10000" is not an id of 16 bits; '),
                ({"pci": {"class": "0x1000000"}}, r"pci.class: .* is not a class of 24 bits; "),
                ({"pci": {"bar": "rom"}}, r'pci.bar: "rom" is not a choice here; '),
                ({"pci": {"bar": "io"}}, r"size is 0x100000; a BAR of this kind has at most 0x100 "
                                         r"bytes"),
                ({"size": 0x180000}, r"size: 1572864 is not a power of two, and a BAR's size must "
                                     r"be one; write "
                                     r"2097152"),
                ({"pci": {"slot": 4}}, r'pci.slot: '),
                ({"pci": 4}, r"pci: 4 is not a place on a PCI bus; "),
                ({"model": "virtio-rng", "pci": {"bar": "mem64"}},
                 r"pci.bar: virtio-rng tells the guest which BARs it has; remove the key")):
            with self.subTest(device=device):
                result = common.run([common.TRESTLE, "run", self.config([self.edu(**device)])])
                self.assertEqual(result.code, 2, result)
                lines = result.err.splitlines()
                self.assertRegex("\n".join(lines), line)
        two = self.config([self.edu(), {**self.edu(), "name": "other", "pci": {"addr": "4"}}])
        result = common.run([common.TRESTLE, "check", two])
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, r"\A.*devices\[1\]\.pci\.addr: edu has 04\.0 already; give one of "
                                     r"them another\n\Z")
        for command in ("run", "--plugin", "none"), ("sst-config",):
            result = common.run([common.TRESTLE, *command, self.config([self.edu()])])
            self.assertEqual(result.code, 2, result)
            self.assertIn("devices[0].pci: ", result.err)

    def test_more_devices_than_a_bus_has_slots(self):
        devices = [{**self.edu(), "name": f"d{i}", "pci": {}} for i in range(32)]
        result = common.run([common.TRESTLE, "check", self.config(devices)])
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, r"\A\S+: devices: 32 devices choose a slot of a PCI bus, and "
                                     r"it has "
                                     r'only 31 for them; give some a function in another\'s slot, such as "addr": '
                                     r'"02.1", or another "bus"\n\Z')
        devices[0]["pci"] = {"addr": "02.1"}
        result = common.run([common.TRESTLE, "check", self.config(devices)])
        self.assertEqual(result.code, 0, result)

    def test_bad_properties(self):
        """By hand, without a configuration that would notice first."""
        for properties, line in (
                ("", "socket is missing; add socket=PATH"),
                ("socket=s,vendor=0x10000", "vendor is 0x10000; it must be at most 0xffff"),
                ("socket=s,vendor=0", "vendor is 0x0000, which means that there is no device; use "
                                      "another"),
                ("socket=s,vectors=65", "vectors is 65; it must be at most 64"),
                ("socket=s,size=0", "size is 0; it must be at least 1"),
                ("socket=s,size=4G", "size is 0x100000000; a BAR of this kind has at most 0x80000000 "
                                     "bytes"),
                ("socket=s,size2=4K", "size2 is given, but not size1; number them without a gap"),
                ("socket=s,bar=rom", "bar is 'rom'; it must be mem, mem64 or io"),
                *((f"socket=s,vendor_capabilities={text}",
                   f"vendor_capabilities is '{text}'; it must be two hexadecimal digits for each of at "
                   "most 96 bytes") for text in ("abc", "0g", "00" * 97)),
                ("socket=s,vendor_capabilities=02", "vendor_capabilities has a length of 2, where only "
                                                    "3 bytes are left"),
                ("socket=s,vendor_capabilities=040105", "vendor_capabilities has a length of 5, "
                                                        "where only "
                                                        "3 bytes are left"),
                (f"socket=s,vendor_capabilities={'0401' * 25}",
                 "vendor_capabilities takes more than the 96 bytes that there are")):
            with self.subTest(properties=properties):
                result = common.run([common.qemu("x86_64"), "-M", "q35", "-display", "none",
                                     "-plugin", common.PLUGIN,
                                     "-device", "sst-pci-device," + properties])
                last = (result.err.splitlines() or [""])[-1]  # QEMU may say before why there is no KVM
                self.assertEqual((result.code, last),
                                 (2, f"trestle-qemu: sst-pci-device number 1: {line}"))

    def test_qemu_without_pci(self):
        """It says why there are none; devices at addresses work there (test_plugin.py, EveryTarget)."""
        result = common.run([common.qemu("avr"), "-M", "uno", "-display", "none", "-S", "-plugin",
                             common.PLUGIN, "-device", "sst-pci-device,socket=s"])
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, r"\Atrestle-qemu: this QEMU has no sst-pci-device: it [^;]*; devices at "
                                     r"addresses work\n\Z")

    def test_old_servers_and_mmio_devices_are_told_apart(self):
        """A device with an address is no PCI device, whatever its size."""
        device = {"name": "edu", "model": "edu", "base_addr": "0xd0200000",
                  "socket": str(self.dir / "s")}
        self.serve(self.config([device]))
        result = common.run(
            [common.qemu("x86_64"), "-M", "q35", "-display", "none", "-S", "-monitor", "stdio",
             "-plugin", common.PLUGIN, "-device",
             f"sst-pci-device,socket={self.dir / 's'},size=1M"], stdin="quit\n")
        self.assertEqual(result.code, 0, result)
        self.assertIn("cannot connect to", result.err)
        self.assertIn("base address or size differ from the device's", result.err)


if __name__ == "__main__":
    common.main()
