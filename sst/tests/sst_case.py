# SPDX-License-Identifier: MIT
"""What the tests of the element library share: sst runs with the real QEMU, and leaves nothing
behind. TRESTLE_SST is SST's sst-config."""
import os
import pathlib
import re
import shutil
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS.parents[1] / "tests" / "integration"))
import common  # noqa: E402

SST = pathlib.Path(os.environ.get("TRESTLE_SST", shutil.which("sst-config") or "/sst")).with_name("sst")
LIBRARY = common.BUILD / "sst"
TWO_DEVICES = TESTS / "test_2device_integration.py"
SELF = ["--partitioner=sst.self"]  # each component is where the configuration says
# Ranks share what processors there are, and those that wait let the others go on.
MPI_ENVIRONMENT = {"OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_mpi_yield_when_idle": "1"}

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


def mpirun(ranks, *args):
    return ["mpirun", "--allow-run-as-root", "--oversubscribe", *args, "-np",
            ranks] if ranks > 1 else []


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
                **MPI_ENVIRONMENT, **more}

    def command(self, config, ranks=1, args=(), mpi=()):
        return [*mpirun(ranks, *mpi), SST, f"--add-lib-path={LIBRARY}", *args, config]

    def sst(self, config, ranks=1, args=(), timeout=120, **env):
        ranks_out = self.dir / "ranks"
        result = common.run(self.command(config, ranks, args, ["--output-filename", ranks_out]),
                            timeout=timeout, env=self.environment(**env))
        if ranks > 1:  # one after the other: mpirun mixes what they print in mid-line
            result.out = "".join(path.read_text(errors="replace")
                                 for path in sorted(ranks_out.glob("*/rank.*/stdout")))
            shutil.rmtree(ranks_out, ignore_errors=True)
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

    def wait_for_line(self, process, *texts):
        """Which of the texts comes first."""
        for line in process.stdout:
            for text in texts:
                if text in line:
                    return text
        self.fail(f"it ended without {texts}")

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
