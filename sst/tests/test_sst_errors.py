# SPDX-License-Identifier: MIT
"""Mistakes, and ends that come early: a line that says what is wrong, and nothing left behind."""
import os
import pathlib
import signal
import subprocess
import time

from sst_case import LIBRARY, LINKS, SST, SSTCase, common


class BadInput(SSTCase):
    def test_no_guest(self):
        self.fails('host.pop("binary_path"); qemu.addParams(host)' + LINKS,
                   "binary_path is missing", code=1)

    def test_guest_is_not_there(self):
        self.fails('host["binary_path"] = "/nowhere.elf"; qemu.addParams(host)' + LINKS,
                   "binary_path is /nowhere.elf: No such file or directory", code=1)

    def test_no_qemu(self):
        for path, reason in (("qemu-system-nothing", "not found in PATH; "),
                             ("/nowhere/qemu-system-riscv32", "not an executable file; ")):
            result = self.fails(
                f'host["qemu_path"] = "{path}"; host["arch"] = "riscv32"\n'
                "qemu.addParams(host)" + LINKS, f"qemu_path: QEMU {path}: {reason}", code=1)
            self.assertNotIn("--qemu", result.out + result.err)  # which sst does not have

    def test_no_plugin(self):
        result = self.fails('host["plugin"] = "/nowhere.so"; qemu.addParams(host)' + LINKS,
                            "plugin /nowhere.so: No such file or directory", code=1)
        self.assertNotIn("--plugin", result.out + result.err)

    def test_unconnected_port(self):
        self.fails('qemu.addParams(host)\necho = device("echo", "echo")\n'
                   'link("a", qemu, "device_port_0", echo, "cpu_port")\n'
                   'link("p", compute, "peer_port", echo, "peer_port")',
                   "is not connected", code=1)

    def test_no_memory_system(self):
        self.fails("""
qemu.addParams(host)
memory = sst.Component("memory", "trestle.Memory")
link("a", qemu, "device_port_0", memory, "cpu_port")
link("b", qemu, "device_port_1", compute, "cpu_port")
""", "the slot memory is empty", code=1)

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

    def test_unknown_values_and_names(self):
        for key in "wait", "console", "qemu_failure", "on_error":
            with self.subTest(key):
                self.fails(f'host["{key}"] = "nothing"; qemu.addParams(host)' + LINKS,
                           f"{key} is 'nothing'; it is one of: ", code=1)
        result = self.sst(self.config(
            'host.update({"device2_base": 1, "device1_bas": 1}); qemu.addParams(host)' + LINKS))
        self.assertEqual(result.code, 1, result)  # there is no link between peers
        for name in "device2_base", "device1_bas":
            self.assertIn(f"WARNING: there is no parameter '{name}' with num_devices 2", result.out)
        self.assertEqual(result.out.count("WARNING: there is no parameter"), 2, result)

    def test_other_base(self):
        self.fails('compute.addParams({"base_addr": "0x1000"}); qemu.addParams(host)' + LINKS,
                   "base_addr is 0x1000, but the host has 'compute_device' at 0x10300000", code=1)

    def test_silent_device(self):
        """The guest gets a bus error, and goes on; also when the device wants a copy that is larger
        than any memory."""
        for end in "nothing", "copy":
            with self.subTest(end):
                result = self.sst(self.config(f"""
silent = sst.Component("silent", "trestletest.Silent")
silent.addParams({{"end": "{end}"}})
qemu.addParams(host)
qemu.addParams({{"qemu_failure": "report"}})
link("a", qemu, "device_port_0", silent, "cpu_port")
link("b", qemu, "device_port_1", compute, "cpu_port")
"""))
                self.assertEqual(result.code, 0, result)
                self.assertIn("echo_device has not answered a write", result.out)
                self.assertRegex(result.out, r"two_devices: \d+ passed, [1-9]\d* failed")
                self.assertIn("QEMU ended with exit code", result.out)
                self.assertEqual("a copy failed" in result.out, end == "copy", result)

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


def wait_for_text(path, text):
    for _ in range(3000):
        if pathlib.Path(path).exists() and text in pathlib.Path(path).read_text(errors="replace"):
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} has no \"{text}\"")


def stat(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def rank_of(pid):
    environ = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(int(e.split(b"=")[1]) for e in environ if e.startswith(b"OMPI_COMM_WORLD_RANK="))


class Signals(SSTCase):
    def start_idle(self, ranks=1, icount="-1", out=None, args=(), **env):
        config = self.one_device("many_devices", "id", qemu_args="-S", icount=icount)
        to_file = ["sh", "-c", f'exec stdbuf -oL "$0" "$@" >{out}.$OMPI_COMM_WORLD_RANK 2>&1']
        command = self.command(config, ranks, args)
        if out:
            command[command.index(SST):command.index(SST)] = to_file
        process = self.start(command, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True,
                             env={**os.environ, **self.environment(**env)})
        self.addCleanup(process.stdout.close)
        if out:
            wait_for_text(f"{out}.0", "Device device0 connected")
        else:
            self.wait_for_line(process, "Device device0 connected")
        return process

    def test_interrupt(self):
        for icount in "-1", "0":
            with self.subTest(icount=icount):
                process = self.start_idle(icount=icount)
                process.send_signal(signal.SIGINT)
                out = process.stdout.read()
                self.assertEqual(process.wait(10), 0, out)
                self.assertIn("EMERGENCY SHUTDOWN Complete (0,0)!", out)
                self.check_clean(out)

    def test_interrupt_without_handlers(self):
        """SST's own are not there: the signal ends it, as it would any program. (SIGINT has
        Python's.)"""
        process = self.start_idle(args=["--disable-signal-handlers"])
        process.send_signal(signal.SIGTERM)
        out = process.stdout.read()
        self.assertEqual(process.wait(10), -signal.SIGTERM, out)
        self.check_clean(out)

    def test_interrupt_of_one_rank(self):
        """Whichever it is, all end."""
        for number in 0, 1:
            with self.subTest(number=number):
                process = self.start_idle(2)
                pid, = (p for p in self.qemus(str(SST)) if rank_of(p) == number)
                os.kill(pid, signal.SIGINT)
                out = process.stdout.read()
                process.wait(10)
                for rank in range(2):
                    self.assertIn(f"EMERGENCY SHUTDOWN Complete ({rank},0)!", out)
                self.check_clean(out)

    def test_interrupt_of_mpirun(self):
        """All ranks end long before it tells them to."""
        for ranks, icount in (2, "-1"), (2, "0"), (4, "0"):
            with self.subTest(ranks=ranks, icount=icount):
                out = self.dir / f"out{ranks}{icount}"  # mpirun, which sleeps, passes on nothing
                process = self.start_idle(ranks, icount, out,
                                          OMPI_MCA_odls_base_sigkill_timeout="1000")
                process.send_signal(signal.SIGINT)
                for rank in range(ranks):
                    wait_for_text(f"{out}.{rank}", f"EMERGENCY SHUTDOWN Complete ({rank},0)!")
                self.check_clean("on Ctrl-C")
                for pid in self.qemus(str(SST)):  # they wait for mpirun
                    os.kill(pid, signal.SIGKILL)
                process.kill()
                process.wait()

    def test_stopped_and_continued(self):
        """As by Ctrl-Z and fg: mpirun passes SIGCONT on, which then is no Ctrl-C."""
        process = self.start_idle(2)
        pids = self.qemus(str(SST))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.5)  # for longer than an unlucky process waits for its turn
        process.send_signal(signal.SIGCONT)
        self.wait_for_line(process, "Forwarding signal 18 to job")
        for pid in pids:
            while stat(pid) == "T":
                time.sleep(0.01)
        os.kill(pids[0], signal.SIGUSR1)  # prints where it is, and is what it ends with otherwise
        self.wait_for_line(process, "CurrentSimCycle")
        self.assertEqual(len(self.qemus()), 1)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.wait(20)
        self.check_clean("")

    def test_qemu_is_killed(self):
        process = self.start_idle()
        qemu, = self.qemus()
        os.kill(qemu, signal.SIGKILL)
        out = process.stdout.read()
        self.assertEqual(process.wait(10), 137, out)
        self.assertIn("QEMU ended with exit code 137 (killed by a signal)", out)
        self.check_clean(out)

    def test_qemu_is_killed_in_mid_access(self):
        for failure, code in ("fatal", 137), ("report", 0):
            with self.subTest(failure):
                config = self.config(f"""
silent = sst.Component("silent", "trestletest.Silent")
silent.addParam("tick", "1GHz")  # so that the time-out would take hours
qemu.addParams({{**host, "verbose": 2, "access_timeout": "1000s", "qemu_failure": "{failure}"}})
link("a", qemu, "device_port_0", silent, "cpu_port")
link("b", qemu, "device_port_1", compute, "cpu_port")
""")
                process = self.start(self.command(config), stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True,
                                     env={**os.environ, **self.environment()})
                self.addCleanup(process.stdout.close)
                self.wait_for_line(process, "silent: asked")
                qemu, = self.qemus()
                os.kill(qemu, signal.SIGKILL)
                out = process.stdout.read()
                self.assertEqual(process.wait(20), code, out)
                self.assertIn("QEMU ended with exit code 137", out)
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
        for word in ("QEMU", "Device", "QEMUDevice", "ComputeDevice", "MMIODevice", "Memory", "binary_path",
                     "access_timeout", "device_port", "cpu_port", "mmio_reads", "latency"):
            self.assertIn(word, result.out)


if __name__ == "__main__":
    common.main()
