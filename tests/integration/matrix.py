# SPDX-License-Identifier: MIT
"""usage: matrix.py [--short] [SUITE ...]

The plugin in the QEMUs of several Debian releases, on all targets: a table of what passed, with a row
for devices at addresses and one for PCI devices of each QEMU. They come
from their own releases' packages (tools/other-qemu) and stay in ~/.cache/trestle/qemu; the host's
own release is tested as it is installed. A QEMU that cannot be had is a line in the table, and the
exit code is 77 then, and 1 for anything that failed.

--short: fewer of the plugin's tests, and not the host's own QEMU, which other tests use anyway.
"""
import argparse
import os
import pathlib
import re
import shutil
import sys

import common
import test_guests
import test_pci

SUITES = "bookworm", "trixie", "sid"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache",
                     "trestle", "qemu")
FETCH_SECONDS, TEST_SECONDS = 300, 600
PATH = os.environ["PATH"]


class Missing(Exception):
    """A QEMU cannot be had, for this reason."""


def host_suite():
    try:
        text = pathlib.Path("/etc/os-release").read_text()
    except FileNotFoundError:
        return None
    found = re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)
    return found and found[1]


def fetch(suite):
    """The directory with the commands of this release's QEMU."""
    directory = CACHE / suite
    whole = directory / "whole"  # made last
    if not whole.exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        print(f"fetching the QEMU of {suite}", file=sys.stderr, flush=True)
        try:
            result = common.run([common.SOURCE / "tools/other-qemu", suite, directory],
                                timeout=FETCH_SECONDS)
        except AssertionError:
            raise Missing(f"it was not there after {FETCH_SECONDS} s") from None
        if result.code != 0:
            lines = (result.err + result.out).strip().splitlines() or ["tools/other-qemu failed"]
            raise Missing(next((line for line in lines if re.match("E:|W: Failed", line)),
                               lines[-1]))
        whole.touch()
    return directory / "bin"


def version(arch="riscv32"):
    output = common.run([common.qemu(arch), "--version"]).out
    return re.search(r"version ([\d.]+)", output)[1]


def check_guest(case, name, arch, devices, links=(), args=()):
    result, _ = case.run_guest(name, arch, devices, links, args)
    case.assertRegex(result.out, rf"{name}: \d+ passed, 0 failed")


def two_devices(case, arch, base, irq):
    check_guest(case, "two_devices", arch,
                [{"name": "echo", "model": "echo", "base_addr": hex(base)},
                 {"name": "compute", "model": "compute", "base_addr": hex(base + 0x100000)}],
                [{"from": "compute.peer", "to": "echo.peer", "latency": "1ns"}])


def many_devices(case, arch, base, irq):
    check_guest(case, "many_devices", arch,
                [{"model": "id", "base_addr": hex(base + 0x1000 * i), "size": 4096}
                 for i in range(16)])


def interrupts(case, arch, base, irq):
    check_guest(case, "interrupts", arch,
                [{"model": "timer", "base_addr": hex(base + 0x1000 * i), "size": 4096,
                  "irq": irq + (i > 0)} for i in range(3)])


def dma(case, arch, base, irq):
    check_guest(case, "dma", arch,
                [{"model": "dma", "base_addr": hex(base), "size": 4096, "irq": irq},
                 {"model": "id", "base_addr": hex(base + 0x1000), "size": 4096}])


def edu(case, arch, way, args=()):
    """Registers, interrupts, DMA and resets."""
    check_guest(case, "edu", arch, [{"name": "edu", "model": "edu", "pci": {"addr": "04.0"}}],
                args=[*args, "-append", f"irq={way}"])


def pci_line(case, arch, base, irq):
    edu(case, arch, "intx", ["-M", "highmem=off"] if arch == "arm" else [])


def pci_messages(case, arch, base, irq):
    """MSI-X, to the GIC's v2m, an IMSIC or the local APIC."""
    args = {"arm": ["-M", "highmem=off"], "riscv32": test_pci.IMSIC, "riscv64": test_pci.IMSIC}
    edu(case, arch, "msix", args.get(arch, []))


def pci_regions(case, arch, base, irq):
    """Several BARs, memory without exits, and virtio through the configuration space."""
    models = common.BUILD / "tests/integration"
    for guest, model in (("bars", models / "regions_model.so"), ("window", models / "window_model.so"),
                         ("virtio_config", "virtio-rng")):
        if arch in ("aarch64", "riscv64", "x86_64"):
            check_guest(case, guest, arch, [{"name": guest, "pci": {}, "model": str(model)}])


GUESTS = {"at addresses": (two_devices, many_devices, interrupts, dma),
          "PCI": (pci_line, pci_messages, pci_regions)}


def run_guests(arch, guests):
    """A cell of the table, and what went wrong."""
    failed = []
    for guest in guests:
        case = test_guests.Guests()
        case.setUp()
        try:
            guest(case, arch, test_guests.ARCHES[arch][0], test_guests.INPUTS[arch])
        except AssertionError as error:
            failed.append(f"{guest.__name__} on {arch}: {error}")
        finally:
            case.doCleanups()
    return "passed" if not failed else f"{len(failed)} of {len(guests)} FAILED", failed


def run_tests(arguments):
    """The same for tests of the plugin."""
    failed, count = [], 0
    for file, *names in arguments:
        result = common.run([sys.executable, common.SOURCE / "tests/integration" / file, *names],
                            timeout=TEST_SECONDS, env={"PATH": os.environ["PATH"]})
        count += int((re.search(r"^Ran (\d+) tests?", result.err, re.MULTILINE) or [0, 0])[1])
        if result.code not in (0, 77):  # 77: all were skipped
            failed.append(str(result)[-4000:])
    return f"{count} passed" if not failed else "FAILED", failed


def run_suite(suite, is_host, tests):
    """The rows of a QEMU, and what went wrong."""
    os.environ["PATH"] = PATH if is_host else f"{fetch(suite)}:{PATH}"
    rows, failed = [], []
    for kind, guests in GUESTS.items():
        cells = [f"{version()} ({suite})", kind]
        for cell, problems in [*(run_guests(arch, guests) for arch in test_guests.ARCHES),
                               run_tests(tests[kind])]:
            cells.append(cell)
            failed += problems
        rows.append(cells)
    return rows, failed


def main():
    parser = argparse.ArgumentParser(description="The plugin in several QEMUs")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    options = parser.parse_args()
    tests = {"at addresses": [("test_plugin.py", "EveryTarget"), ("test_tree.py", "Nodes"),
                              ("test_cli.py", "Boards")],
             "PCI": [("test_vfio.py", "Guests.test_edu")]}
    if not options.short:  # Linux is skipped where tools/linux-guest has left none
        tests = {"at addresses": [("test_plugin.py",), ("test_plugin_v2.py",), ("test_plugin_hostile.py",),
                                  ("test_tree.py", "Nodes"), ("test_cli.py", "Boards"),
                                  ("test_linux.py", "Linux", "UBoot")],
                 "PCI": [("test_pci.py",), ("test_vfio.py",), ("test_linux.py", "Nvme")]}
    host = host_suite() if shutil.which("qemu-system-riscv32") else None
    suites = options.suites or [suite for suite in SUITES if not options.short or suite != host]
    rows = [["QEMU", "devices", *test_guests.ARCHES, "tests"]]
    failed, missing = [], []
    for suite in suites:
        try:
            of_suite, problems = run_suite(suite, suite == host, tests)
            rows += of_suite
            failed += problems
        except Missing as reason:
            missing.append(f"skipped: {suite}: not tested, since its QEMU cannot be had: {reason}")
    rows.insert(1, ["---"] * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    for line in missing:
        print(line)
    for problem in failed:
        print(f"\nFAIL {problem}")
    sys.exit(1 if failed else 77 if missing else 0)


if __name__ == "__main__":
    main()
