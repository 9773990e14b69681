# SPDX-License-Identifier: MIT
"""The guest programs on the real QEMU with their devices behind the bridge: every target, 1 to 256
devices; interrupts and DMA through each controller."""
import json

import common

ARCHES = {  # where the guests expect their devices, and what they need to end with an exit code
    "riscv32": (0x10200000, []),
    "riscv64": (0x10200000, []),
    "arm": (0x0b200000, ["-semihosting"]),
    "aarch64": (0x0b200000, ["-semihosting"]),
    "x86_64": (0xd0200000, ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]),
}
# irq_first_input of their guests.
INPUTS = {"riscv32": 40, "riscv64": 40, "arm": 180, "aarch64": 180, "x86_64": 16}
BOARDS = [(arch, []) for arch in INPUTS] + [
    ("arm", ["-M", "gic-version=3"]), ("aarch64", ["-M", "gic-version=3"]), ("x86_64", ["-M", "pc"])]


def board_of(args):
    """The board's option among QEMU's arguments, which comes first."""
    return args[1] if args[0] == "-M" else None


class Guests(common.TestCase):
    def run_guest(self, name, arch, devices, links=(), args=(), timeout=60, **machine):
        """Runs a guest to its end; returns what came of it and the statistics. The guests wait for
        their devices for as long as it takes: the host may have other work."""
        config = self.dir / "config.json"
        for device in devices:
            device.setdefault("timeout_ms", 0)
        config.write_text(json.dumps({
            "machine": {"arch": arch, "qemu": common.qemu(arch), "args": [*ARCHES[arch][1], *args],
                        "kernel": str(common.guest(name, arch)), **machine},
            "devices": devices, "links": list(links), "stop_at": f"{timeout}s"}))
        stats = self.dir / "stats.json"
        result = common.run([common.TRESTLE, "run", "-v", "--stats", stats, config], timeout=timeout + 20)
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("FAIL", result.out)
        return result, json.loads(stats.read_text())

    def test_two_devices(self):
        for arch, (base, _) in ARCHES.items():
            with self.subTest(arch=arch):
                devices = [{"name": "echo", "model": "echo", "base_addr": hex(base), "size": 4096},
                           {"name": "compute", "model": "compute", "size": 4096,
                            "base_addr": hex(base + 0x100000)}]
                links = [{"from": "compute.peer", "to": "echo.peer", "latency": "1ns"}]
                result, stats = self.run_guest("two_devices", arch, devices, links)
                self.assertRegex(result.out, r"two_devices: \d\d passed, 0 failed")
                errors = [device["errors"] for device in stats["devices"]]
                self.assertEqual(errors, [0, 0 if arch == "x86_64" else 3])

    def test_four_devices(self):
        for arch in "riscv32", "riscv64":
            with self.subTest(arch=arch):
                devices = [{"name": f"{model}{i}", "model": model, "size": 4096,
                            "base_addr": hex(0x10200000 + 0x100000 * i)}
                           for i, model in enumerate(("echo", "compute", "echo", "compute"))]
                result, _ = self.run_guest("four_devices", arch, devices)
                self.assertIn("four_devices: 265 passed, 0 failed", result.out)

    def many_devices(self, arch, n, rounds=2):
        base = ARCHES[arch][0]
        devices = [{"name": f"d{i}", "model": "id", "size": 4096,
                    "base_addr": hex(base + 0x1000 * i)} for i in range(n)]
        result, stats = self.run_guest("many_devices", arch, devices,
                                       args=["-append", f"rounds={rounds}"])
        self.assertIn(f"many_devices: {n} from {base:#x}, 0x1000 apart", result.out)
        self.assertIn(f"many_devices: {3 * n * rounds + 1} passed, 0 failed", result.out)
        # One more read by a guest that counts its devices.
        self.assertEqual({(d["reads"], d["writes"]) for d in stats["devices"]},
                         {(2 * rounds + 1, rounds)})

    def test_many_devices(self):
        for arch in "riscv32", "riscv64":
            for n in 1, 2, 4, 64, 256:
                with self.subTest(arch=arch, n=n):
                    self.many_devices(arch, n)

    def test_many_devices_elsewhere(self):
        for arch in "arm", "aarch64", "x86_64":
            with self.subTest(arch=arch):
                self.many_devices(arch, 16)

    def each_run(self, check):
        """With the host's time and with that of instructions: on each target and controller, on two
        of them over both carriers."""
        for arch, board in BOARDS:
            first, is_thorough = INPUTS[arch], arch in ("riscv32", "aarch64") and not board
            for carrier in ("shm", "socket") if is_thorough else ("shm",):
                args = [*board, "-global", f"sst-device.carrier={carrier}"]
                for machine in ({}, {"icount": 0}, {"icount": 5})[:3 if is_thorough else 2]:
                    with self.subTest(arch=arch, board=board, carrier=carrier, **machine):
                        check(arch, ARCHES[arch][0], first, args, machine)
                if is_thorough:
                    with self.subTest(arch=arch, carrier=carrier, posted_writes="on"):
                        check(arch, ARCHES[arch][0], first,
                              [*args, "-global", "sst-device.posted_writes=on",
                               "-append", "chatter=30"], {})

    def test_interrupts(self):
        printed = {}

        def check(arch, base, first, args, machine):
            devices = [{"model": "timer", "base_addr": hex(base + 0x1000 * i), "size": 4096,
                        "irq": first + (i > 0)} for i in range(3)]
            shift = machine.get("icount")
            if shift is not None:
                args = [*args, "-append", f"icount={shift}"]
            result, _ = self.run_guest("interrupts", arch, devices, args=args, **machine)
            exact = shift is not None and arch.startswith("riscv")
            self.assertIn(f"interrupts: {17 + exact} passed, 0 failed", result.out)
            self.assertEqual(result.out.count("\ntaken "), 50 if exact else 0)
            if shift is not None:
                # The same over both carriers, the time of the end included.
                same = printed.setdefault((arch, board_of(args), shift), result.out)
                self.assertEqual(result.out, same)
                self.assertIn("\nended at ", same)
        self.each_run(check)

    def test_dma(self):
        """By messages, and directly where both sides share the guest's RAM: the same."""
        printed = {}

        def check(arch, base, first, args, machine):
            if machine:
                args = [*args, "-append", "time=1"]
            check_way(arch, base, first, args, {**machine, "direct_dma": False})
            if machine.get("icount", 0) == 0:
                check_way(arch, base, first, args, {**machine, "direct_dma": True})

        def check_way(arch, base, first, args, machine):
            devices = [{"model": "dma", "base_addr": hex(base), "size": 4096, "irq": [first]},
                       {"model": "id", "base_addr": hex(base + 0x1000), "size": 4096}]
            result, stats = self.run_guest("dma", arch, devices, args=args, **machine)
            self.assertIn("dma: 39 passed, 0 failed", result.out)
            self.assertEqual(" bytes of guest RAM at " in result.err, machine["direct_dma"])
            self.assertNotIn("~", result.out)  # what a DMA to the console would print
            bystander = stats["devices"][1]
            self.assertEqual((bystander["reads"], bystander["writes"]), (2, 1))
            if "icount" in machine:  # the same each time, the time of the end included
                key = arch, board_of(args), machine["icount"]
                same = result.out, stats["run_hash"]
                self.assertEqual(printed.setdefault(key, same), same)
                self.assertIn("\nended at ", result.out)
        self.each_run(check)

    def test_benchmarks(self):
        """The guests of bench/guests.py, a short while each."""
        for devices in 0, 4:
            result, _ = self.run_guest(
                "timer_bench", "riscv64",
                [{"model": "timer", "base_addr": hex(0x10200000 + 0x1000 * i), "size": 4096,
                  "irq": 40 + i} for i in range(4)],
                args=["-append", f"devices={devices} count=50"], icount=0)
            self.assertIn("50 interrupts\ntimer_bench: 2 passed, 0 failed", result.out)
        result, _ = self.run_guest(
            "dma", "riscv64", [{"model": "dma", "base_addr": "0x10200000", "size": 4096, "irq": 40}],
            args=["-append", "bench=2"], direct_dma=True)
        self.assertRegex(result.out, r"\nbench 2 MiB \d+ ns\n")


if __name__ == "__main__":
    common.main()
