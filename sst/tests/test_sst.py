# SPDX-License-Identifier: MIT
"""The element library under the installed SST, with the real QEMU. TRESTLE_SST is SST's sst-config."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS.parents[1] / "tests" / "integration"))
import common  # noqa: E402

SST = pathlib.Path(os.environ.get("TRESTLE_SST", shutil.which("sst-config") or "/sst")).with_name("sst")
LIBRARY = common.BUILD / "sst"
TWO_DEVICES = TESTS / "test_2device_integration.py"

# A host with one echo device, for the mistakes below to be put into.
PLAIN = """
import sst
qemu = sst.Component("qemu", "trestle.QEMU")
host = {"binary_path": "%(guest)s", "num_devices": 2, "device0_base": "0x10200000",
        "device1_base": "0x10300000", "device0_name": "echo_device",
        "device1_name": "compute_device"}
def device(name, model):
    component = sst.Component(name, "trestle.Device")
    component.addParams({"model": model})
    return component
compute = device("compute", "compute")
def link(name, a, a_port, b, b_port):
    sst.Link(name).connect((a, a_port, "1ns"), (b, b_port, "1ns"))
"""
LINKS = """
echo = device("echo", "echo")
link("a", qemu, "device_port_0", echo, "cpu_port")
link("b", qemu, "device_port_1", compute, "cpu_port")
"""


def mpirun(ranks):
    return ["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", ranks] if ranks > 1 else []


class SSTCase(common.TestCase):
    """Runs sst with nothing left behind: no QEMU, no socket directory."""

    def setUp(self):
        super().setUp()
        common.qemu("riscv32")
        if not SST.exists():
            self.skipTest("sst is not installed; Meson's -Dsst_prefix says where it is")
        self.runtime = self.dir / "run"
        self.runtime.mkdir()

    def environment(self, **more):
        return {"XDG_RUNTIME_DIR": str(self.runtime), "TRESTLE_BUILD": str(common.BUILD),
                "OMPI_MCA_rmaps_base_oversubscribe": "1", **more}

    def command(self, config, ranks=1, args=()):
        return [*mpirun(ranks), SST, f"--add-lib-path={LIBRARY}", *args, config]

    def sst(self, config, ranks=1, args=(), timeout=120, **env):
        result = common.run(self.command(config, ranks, args), timeout=timeout,
                            env=self.environment(**env))
        self.check_clean(result)
        return result

    def qemus(self, name="qemu-system"):
        """The QEMUs (or others) that work in this test's directory."""
        found = []
        for pid in common.processes():
            try:
                line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(self.dir) in line and name in line.split("\0")[0]:
                found.append(pid)
        return found

    def check_clean(self, result):
        for _ in range(200):  # a killed process takes a moment to go
            if not self.qemus():
                break
            time.sleep(0.01)
        self.assertEqual(self.qemus(), [], f"a QEMU is left behind: {result}")
        self.assertEqual(common.files(self.runtime), set(), f"sockets are left behind: {result}")

    def config(self, text):
        path = self.dir / "config.py"
        path.write_text(PLAIN % {"guest": common.guest("two_devices")} + text)
        return path

    def one_device(self, guest, model, **host):
        host = {"binary_path": str(common.guest(guest)), "device_base": "0x10200000", **host}
        path = self.dir / "one.py"
        path.write_text(f"""
import sst
qemu = sst.Component("qemu", "trestle.QEMU")
qemu.addParams({host})
device = sst.Component("device", "trestle.Device")
device.addParams({{"model": "{model}"}})
sst.Link("a").connect((qemu, "device_port", "1ns"), (device, "cpu_port", "1ns"))
""")
        return path

    def fails(self, text, *lines, code=None, **kwargs):
        result = self.sst(self.config(text), **kwargs)
        self.assertNotEqual(result.code, 0, result)
        if code is not None:
            self.assertEqual(result.code, code, result)
        for line in lines:
            self.assertIn(line, result.out + result.err, result)
        return result


def end_time(result):
    """The simulated time at which the simulation ended, as SST prints it."""
    match = re.search(r"Simulation is complete, simulated time: (.*)", result.out)
    return match and match[1]


class Guests(SSTCase):
    def test_two_devices(self):
        result = self.sst(TWO_DEVICES)
        self.assertEqual(result.code, 0, result)
        at = 0
        for line in ("Device echo_device socket listening at ",
                     "Device compute_device socket listening at ", "QEMU PID: ",
                     "Waiting for 2 device connections...", "Device echo_device connected",
                     "Device compute_device connected",
                     "MMIO from echo_device: type=1 addr=0x0000000010200000",
                     "MMIO from compute_device: type=1 addr=0x0000000010300"):
            self.assertIn(line, result.out[at:], result)
            at += result.out[at:].index(line)
        self.assertRegex(result.out, r"two_devices: \d\d passed, 0 failed")
        self.assertIsNotNone(end_time(result), result)

    def test_four_devices(self):
        result = self.sst(TESTS / "qemu_4device_test.py")
        self.assertEqual(result.code, 0, result)
        self.assertIn("four_devices: 265 passed, 0 failed", result.out)

    def test_one_and_many_devices(self):
        for n in 1, 64:
            with self.subTest(n=n):
                result = self.sst(TESTS / "many_devices.py", TRESTLE_DEVICES=str(n))
                self.assertEqual(result.code, 0, result)
                self.assertIn(f"many_devices: {6 * n + 1} passed, 0 failed", result.out)

    def test_nothing_but_accesses(self):
        """An access takes no time of the host's but its own: with a wait in each, this would
        take a quarter of an hour."""
        result = self.sst(self.one_device("mmio_bench", "echo", qemu_args="-append count=10000"))
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"(?m)^end$")
        self.assertIn("20001 reads, 0 writes, 0 errors", result.out)

    def test_interrupts(self):
        times = set()
        for icount in "-1", "0", "0":
            result = self.sst(TESTS / "interrupts.py", TRESTLE_ICOUNT=icount)
            self.assertEqual(result.code, 0, result)
            self.assertIn("interrupts: 17 passed, 0 failed", result.out)
            if icount == "0":
                times.add(end_time(result))
        self.assertEqual(len(times), 1, times)

    def test_written_configuration(self):
        """What trestle sst-config makes of a Trestle configuration."""
        example = common.SOURCE / "examples" / "01-two-devices" / "two_devices.json"
        written = common.run([common.TRESTLE, "sst-config", example])
        self.assertEqual(written.code, 0, written)
        config = self.dir / "written.py"
        config.write_text(written.out)
        result = self.sst(config)
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"two_devices: \d\d passed, 0 failed")

    def test_protocol_1_and_sockets(self):
        for properties in "protocol=1", "carrier=socket":
            with self.subTest(properties):
                result = self.sst(self.config(LINKS + f"""
host.update({{"device0_properties": "{properties}", "device1_properties": "{properties}"}})
qemu.addParams(host)
link("peer", compute, "peer_port", echo, "peer_port")
"""))
                self.assertEqual(result.code, 0, result)
                self.assertRegex(result.out, r"two_devices: \d\d passed, 0 failed")

    def test_runs_repeat(self):
        """With icount every run ends at the same simulated time, on any number of ranks."""
        times = {}
        for ranks in 1, 1, 2, 4:
            result = self.sst(TWO_DEVICES, ranks=ranks, TRESTLE_ICOUNT="0", timeout=300)
            self.assertEqual(result.code, 0, result)
            self.assertRegex(result.out, r"two_devices: \d\d passed, 0 failed")
            times.setdefault(end_time(result), []).append(ranks)
        self.assertEqual(len(times), 1, times)


class BadInput(SSTCase):
    def test_no_guest(self):
        self.fails('host.pop("binary_path"); qemu.addParams(host)' + LINKS,
                   "binary_path is missing", code=1)

    def test_guest_is_not_there(self):
        self.fails('host["binary_path"] = "/nowhere.elf"; qemu.addParams(host)' + LINKS,
                   "/nowhere.elf", code=1)

    def test_no_qemu(self):
        self.fails('host["qemu_path"] = "qemu-system-nothing"; host["arch"] = "riscv32"\n'
                   "qemu.addParams(host)" + LINKS, "qemu-system-nothing", code=1)

    def test_unconnected_port(self):
        self.fails('qemu.addParams(host)\necho = device("echo", "echo")\n'
                   'link("a", qemu, "device_port_0", echo, "cpu_port")\n'
                   'link("p", compute, "peer_port", echo, "peer_port")',
                   "is not connected", code=1)

    def test_overlap(self):
        self.fails('host["device1_base"] = "0x10200ff8"; qemu.addParams(host)' + LINKS,
                   "compute_device and echo_device overlap", code=1)

    def test_more_ports_than_devices(self):
        self.fails('host["num_devices"] = 1; qemu.addParams(host)' + LINKS,
                   "device_port_1 is connected, but num_devices is 1", code=1)

    def test_unknown_model_and_parameter(self):
        self.fails('compute.addParams({"model": "nothing"}); qemu.addParams(host)' + LINKS,
                   "no model is called 'nothing'", code=1)
        self.fails('compute.addParams({"nothing": 1}); qemu.addParams(host)' + LINKS,
                   "nothing", code=1)

    def test_other_base(self):
        self.fails('compute.addParams({"base_addr": "0x1000"}); qemu.addParams(host)' + LINKS,
                   "base_addr is 0x1000, but the host has 'compute_device' at 0x10300000", code=1)

    def test_silent_device(self):
        """The guest gets a bus error, and goes on."""
        result = self.sst(self.config("""
silent = sst.Component("silent", "trestletest.Silent")
qemu.addParams(host)
qemu.addParams({"qemu_failure": "report"})
link("a", qemu, "device_port_0", silent, "cpu_port")
link("b", qemu, "device_port_1", compute, "cpu_port")
"""))
        self.assertEqual(result.code, 0, result)
        self.assertIn("echo_device has not answered a write", result.out)
        self.assertRegex(result.out, r"two_devices: \d+ passed, [1-9]\d* failed")
        self.assertIn("QEMU ended with exit code", result.out)

    def test_fatal_while_the_guest_waits(self):
        self.fails("""
silent = sst.Component("silent", "trestletest.Silent")
silent.addParams({"answers": 3, "end": "fatal"})
qemu.addParams(host)
link("a", qemu, "device_port_0", silent, "cpu_port")
link("b", qemu, "device_port_1", compute, "cpu_port")
""", "a fatal error while the guest waits", code=3)

    def test_error_after_qemu_has_started(self):
        self.fails('failing = sst.Component("zz", "trestletest.Failing")\nqemu.addParams(host)'
                   + LINKS, "a configuration error seen in setup()", code=4)

    def test_guest_that_fails(self):
        self.fails("""
silent = sst.Component("silent", "trestletest.Silent")
silent.addParams({"answers": 1000000})
qemu.addParams(host)
link("a", qemu, "device_port_0", silent, "cpu_port")
link("b", qemu, "device_port_1", compute, "cpu_port")
""", "QEMU ended with exit code", code=1)


class Signals(SSTCase):
    def start_idle(self, ranks=1, icount="-1"):
        config = self.one_device("many_devices", "id", qemu_args="-S", icount=icount)
        process = self.start(self.command(config, ranks), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True,
                             env={**os.environ, **self.environment()})
        self.addCleanup(process.stdout.close)
        for line in process.stdout:
            if "Device device0 connected" in line:
                return process
        self.fail("QEMU did not connect")

    def test_interrupt(self):
        for ranks, icount in (1, "-1"), (1, "0"), (2, "-1"), (2, "0"):
            with self.subTest(ranks=ranks, icount=icount):
                process = self.start_idle(ranks, icount)
                start = time.monotonic()
                for pid in self.qemus(str(SST.parent.parent)):  # mpirun waits a second before it
                    os.kill(pid, signal.SIGINT)
                out = process.stdout.read()
                process.wait(10)
                self.assertLess(time.monotonic() - start, 1, out)
                self.check_clean(out)

    def test_qemu_is_killed(self):
        process = self.start_idle()
        qemu, = self.qemus()
        os.kill(qemu, signal.SIGKILL)
        out = process.stdout.read()
        self.assertEqual(process.wait(10), 137, out)
        self.assertIn("QEMU ended with exit code 137 (killed by a signal)", out)
        self.check_clean(out)

    def test_sst_is_killed(self):
        process = self.start_idle()
        qemu, = self.qemus()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for _ in range(500):
            if qemu not in common.processes():
                return
            time.sleep(0.01)
        self.fail("QEMU outlives SST")


class Documentation(SSTCase):
    def test_sst_info(self):
        result = common.run([SST.with_name("sst-info"), f"--lib-path={LIBRARY}", "trestle"],
                            env=self.environment())
        self.assertEqual(result.code, 0, result)
        for word in ("QEMU", "Device", "QEMUDevice", "ComputeDevice", "MMIODevice", "binary_path",
                     "access_timeout", "device_port", "cpu_port", "mmio_reads", "latency"):
            self.assertIn(word, result.out)


if __name__ == "__main__":
    common.main()
