# SPDX-License-Identifier: MIT
"""trestle bench: what it measures, and how it says so."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from xml.etree import ElementTree

import common
from cli_case import Case, read_until


class Bench(Case):
    def bench(self, *args, timeout=120):
        common.guest("mmio_bench")
        result = self.trestle("bench", "--json", "bench.json", *args, timeout=timeout)
        self.assertEqual((result.code, result.err), (0, ""), result)
        return result, json.loads((self.dir / "bench.json").read_text())

    def test_all_sides(self):
        # Few: two sides that spin are slow where others want the processors, too.
        result, document = self.bench("--rounds", "1", "--count", "20", "--html", "bench.html",
                                      timeout=300)
        self.assertEqual(sorted(document), ["busy", "jobs", "machine", "no_kvm", "ratios", "results",
                                            "rounds", "trestle"])
        self.assertEqual(document["busy"], 0)
        self.assertRegex(document["machine"]["qemu"], r"\A\d+\.\d+")
        sides = {}
        for side in document["results"]:
            self.assertEqual(list(side), ["path", "wait", "op", "devices", "vcpus", "p50_ns",
                                          "p90_ns", "p99_ns", "p999_ns", "per_second"])
            parts = [side[part] for part in ("p50_ns", "p90_ns", "p99_ns", "p999_ns")]
            self.assertEqual(parts, sorted(parts))
            self.assertGreater(side["per_second"], 0)
            sides[tuple(side.values())[:5]] = side
        self.assertEqual(len(sides), len(document["results"]))
        self.check_ratios(result.out, sides, document["machine"]["line_ns"])
        # No process is crossed there, no system call made.
        floor = sides.pop(("floor", "sleep", "read", 1, 1))
        for path in "v1", "v2-socket":
            for wait in "sleep", "spin", "adaptive":
                self.assertLess(floor["p50_ns"], sides[path, wait, "read", 1, 1]["p50_ns"])
        for wait in "sleep", "spin", "adaptive":
            self.assertIn(("v2-shm", wait, "read", 1, 1), sides)
        for devices in 4, 16, 64, 256, 1024:
            self.assertIn(("v2-shm", "adaptive", "read", devices, 1), sides)
            self.assertIn(("inline", "sleep", "read", devices, 1), sides)
        for op in "write", "posted":
            self.assertIn(("v2-shm", "adaptive", op, 1, 1), sides)
        self.assertIn(("v2-shm", "adaptive", "read", 2, 2), sides)
        self.check_kvm(result.out, sides, document["no_kvm"])
        self.check_page(document)

    def check_kvm(self, out, sides, no_kvm):
        """Measured where the host's KVM runs the guest. Elsewhere it is said why not."""
        found = [side for side in sides if side[0].startswith("kvm")]
        if common.HAS_KVM:
            self.assertEqual((found, no_kvm), ([("kvm-floor", "sleep", "read", 1, 1),
                                                ("kvm-shm", "adaptive", "read", 1, 1)], None))
        else:
            self.assertEqual(found, [])
            self.assertIn(f"\nno sides under KVM: {no_kvm}\n", out)

    def test_no_kvm(self):
        for args, reason in (
                (("--kernel", common.guest("mmio_bench")), "--kernel has no guest for x86_64"),
                (("--qemu", "qemu-system-riscv32"), "--qemu has no guest for x86_64")):
            result = self.trestle("bench", "--only", "kvm-shm", *args)
            self.assertEqual((result.code, result.out, result.err), (
                2, "", f"trestle: --only kvm-shm leaves nothing to measure: {reason}\n"))
        # The others are measured all the same.
        result, document = self.bench("--only", "read,1", "--rounds", "1", "--count", "20",
                                      "--qemu", "qemu-system-riscv32", timeout=300)
        self.assertEqual(document["no_kvm"], "--qemu has no guest for x86_64")
        self.assertIn("\nno sides under KVM: --qemu has no guest for x86_64\n", result.out)
        self.assertNotIn("kvm", [side["path"][:3] for side in document["results"]])

    def check_ratios(self, out, sides, line_ns):
        """Those of medians that are not 0, as a few looks at the floor may find it."""
        def p50(path, wait, op="read", devices=1):
            return sides[path, wait, op, devices, 1]["p50_ns"]
        shm = p50("v2-shm", "adaptive")
        ratios = [(one / other, what) for one, other, what in (
            (p50("inline", "sleep"), p50("floor", "sleep"), "inside QEMU against the floor"),
            (shm, p50("floor", "sleep"), "shared memory against the floor"),
            (p50("v2-socket", "spin"), shm, "socket, both sides spinning, against shared memory"),
            (p50("v2-socket", "sleep"), shm, "socket, both sides sleeping, against shared memory"),
            (p50("v2-shm", "adaptive", "read", 1024), shm,
             "1024 devices at random against one, over shared memory"),
            (p50("v2-shm", "adaptive", "posted"), p50("floor", "sleep", "write"),
             "posted write against a write at the floor"),
            *([(p50("kvm-shm", "adaptive"), p50("kvm-floor", "sleep"),
                "under KVM: shared memory against the floor")] if common.HAS_KVM else ()),
            (p50("floor", "sleep") and shm - p50("floor", "sleep"), line_ns,
             "shared memory, less the floor, against a cache line there and back")) if one and other]
        if len(os.sched_getaffinity(0)) > 1:
            self.assertGreater(line_ns, 0)
            self.assertRegex(out, r"(?m)^a cache line from one processor to the other and back: \d[\d.]* [num]s$")
        self.assertEqual([line for line in out.splitlines() if " x  " in line],
                         [f"{times:6.{2 if times < 10 else 0}f} x  {what}"
                          for times, what in ratios])
        self.assertEqual(out.count("\n"), len(sides) + 3 + len(ratios) + (line_ns > 0) +
                         (not common.HAS_KVM), out)

    def check_page(self, document):
        """The figures are in it, and nothing comes from elsewhere."""
        page = (self.dir / "bench.html").read_text()
        self.assertEqual(json.loads(re.search("const report = (.*);\n", page)[1]), document)
        self.assertNotRegex(page, r"https?:|src=|href=|url\(|@import|<link|fetch")
        self.assertEqual(page.count("</script>"), 1)
        self.check_drawings(page, len(document["results"]))

    def check_drawings(self, page, sides):
        """What the page's script makes of the figures, where there is a node to run it."""
        node = shutil.which("node")
        if not node:
            print("the page's drawings are not looked at: no node is installed", file=sys.stderr)
            return
        script = re.search("<script>(.*)</script>", page, re.DOTALL)[1]
        script = script.replace('document.querySelector("main").innerHTML = page();',
                                "console.log(page());")
        page = subprocess.run([node, "-e", script], check=True, capture_output=True, text=True,
                              timeout=60).stdout
        drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
        self.assertEqual(len(drawings), 3)
        for drawing in drawings:
            ElementTree.fromstring(drawing)
            self.assertNotIn("nan", drawing)
        self.assertEqual(page.count("<tr class="), sides)

    def test_only(self):
        result, document = self.bench("--quick", "--only", "v2-shm,posted", "--rounds", "2",
                                      "--count", "3000")
        self.assertEqual([list(side.values())[:5] for side in document["results"]],
                         [["v2-shm", "adaptive", "posted", 1, 1]])
        self.assertIn("medians of 2 rounds", result.out)

    def test_busy(self):
        result, document = self.bench("--only", "floor,read,1", "--rounds", "1", "--count", "20",
                                      "--busy", "2")
        self.assertEqual(document["busy"], 2)
        self.assertIn("\nwhile 2 other processes computed\n", result.out)
        result = self.trestle("bench", "--busy", "65")
        self.assertEqual((result.code, result.err),
                         (2, "trestle: --busy 65 is not a number from 1 to 64\n"))

    def test_jobs(self):
        """What several simulations do at once is added up."""
        _, alone = self.bench("--only", "inline,read,1", "--rounds", "1", "--count", "20")
        result, document = self.bench("--only", "inline,read,1", "--rounds", "1", "--count", "20",
                                      "--jobs", "3")
        self.assertEqual((alone["jobs"], document["jobs"]), (1, 3))
        self.assertEqual(len(document["results"]), 1)
        self.assertGreater(document["results"][0]["per_second"], 0)
        self.assertIn("\n3 simulations at once; the accesses per second are those of all "
                      "together\n", result.out)
        self.dir.joinpath("none.elf").write_bytes(b"no guest")
        result = self.trestle("bench", "--kernel", "none.elf", "--only", "floor,read,1", "--jobs",
                              "2", "--rounds", "1")
        self.assertEqual(result.code, 1, result)
        self.assertTrue(result.err.endswith(
            "trestle: --jobs 2: 2 of them ended without a result\n"), result.err)

    def test_busy_processes_run_and_end(self):
        common.guest("mmio_bench")
        process = self.start_trestle("bench", "-v", "--quick", "--busy", "2")
        read_until(process.stderr, b"p50")  # those of the second side are looked at
        while len(self.computing(process)) < 2:
            self.assertIsNone(process.poll())
        process.terminate()
        self.assertEqual(process.wait(30), 143)
        self.assertEqual(common.processes(session=process.pid), set())

    def computing(self, process):
        """The processes of the command, except its first, that have used a tick of a processor. QEMU does not
        count, nor does the process that becomes it."""
        found = set()
        for pid in common.processes(session=process.pid) - {process.pid}:
            try:
                name = pathlib.Path(f"/proc/{pid}/comm").read_text()
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if name == "trestle\n" and int(stat.rpartition(")")[2].split()[11]) > 0:
                found.add(pid)
        return found

    def test_only_nothing(self):
        for words in "pigeon", "v1,posted", "", "floor,sleep":
            result = self.trestle("bench", "--only", words)
            self.assertEqual((result.code, result.out), (2, ""))
            self.assertIn(f"trestle: --only {words} leaves nothing to measure; ", result.err)

    def test_outputs_are_checked_first(self):
        result = self.trestle("bench", "--html", "missing/page.html")
        self.assertEqual((result.code, result.out), (2, ""))
        self.assertIn("cannot write --html missing/page.html", result.err)
        result = self.trestle("bench", "--html", "-", "--json", "-")
        self.assertEqual(result.code, 2)
        self.assertIn("cannot both go to standard output", result.err)

    def test_guest_without_result(self):
        result = self.trestle("bench", "--kernel", common.guest("two_devices"), "--rounds", "1")
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.err, r"\Atrestle: the guest ended with code 1 and without a "
                                     r"result; it last said \"two_devices: .*\"\n\Z")

    def test_signal_before_the_run(self):
        """It waits until there is something to end, and the directory goes."""
        common.guest("mmio_bench")
        process = self.start_trestle("bench")
        while not common.files(self.runtime):
            self.assertIsNone(process.poll())
        process.terminate()
        self.assertEqual(process.wait(30), 143)
        self.assertEqual(common.files(self.runtime), set())

    def test_signal_between_two(self):
        """The first one's run has ended, and the second one's has not begun."""
        common.guest("mmio_bench")
        process = self.start_trestle("bench", "-v", "--quick", "--only", "floor,read,1", "--count", "100",
                                     "--rounds", "1000")
        for _ in range(5):
            read_until(process.stderr, b"p50")
        process.terminate()
        self.assertEqual(process.wait(30), 143)
        self.assertEqual(common.files(self.runtime), set())

    def test_signal_with_jobs(self):
        """All of them end before the process that started them does."""
        common.guest("mmio_bench")
        process = self.start_trestle("bench", "-v", "--only", "v2-shm,sleep,read", "--jobs", "2")
        read_until(process.stderr, rb"(?s)listening.*listening")
        process.terminate()
        self.assertEqual(process.wait(30), 143)
        self.assertEqual(common.processes(session=process.pid), set())
        self.assertEqual(common.files(self.runtime), set())
        self.assertNotIn(b"without a result", process.stderr.read())

    def test_signal_behind_the_last(self):
        """No run takes it then."""
        common.guest("mmio_bench")
        os.mkfifo(self.dir / "fifo")  # nobody reads it, and the report waits for a while
        process = self.start_trestle("bench", "-v", "--only", "floor,read,1", "--count", "100", "--rounds", "1",
                                     "--json", "fifo")
        read_until(process.stderr, b"p50")
        process.terminate()
        self.assertEqual(process.wait(30), -signal.SIGTERM)

    def test_signal(self):
        common.guest("mmio_bench")
        process = self.start_trestle("bench", "-v")
        read_until(process.stderr, b"listening")
        process.terminate()
        self.assertEqual(process.wait(30), 143)
        self.assertEqual(common.processes(session=process.pid), set())


if __name__ == "__main__":
    common.main()
