# SPDX-License-Identifier: MIT
"""The command: what each bad input gets, what it prints, and how devices are served."""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess

import common
from cli_case import COMPUTE, Case, ECHO, TRESTLE, read_until


class BadCommandLine(Case):
    def test_each_mistake_has_its_line(self):
        usage = "usage: trestle run CONFIG [OPTION]... [-- QEMU-ARGUMENT...]"
        two = self.two().name
        for line, *args in [
            ("name a command: trestle run CONFIG, or trestle --help",),
            ('there is no command "rnu"; did you mean "run"?', "rnu"),
            ('there is no command "frobnicate"; the commands are run, check, serve, qemu-args, '
             "device, models, bench, sst-config, trace, replay, poke, new, rtl, boards, top", "frobnicate"),
            (f"run needs a configuration file; {usage}", "run"),
            (f'run takes a configuration file only, so "b" is too much; {usage}', "run", "a", "b"),
            ('run has no option --kernl; did you mean "--kernel"?', "run", "--kernl", "x", "a"),
            ("run has no option -x; see trestle run --help", "run", "-x", "a"),
            ("run has no option -x; see trestle run --help", "run", "--gdb", "-vx", "a"),
            ("--gdb=no is not a TCP port; write for example --gdb=1234", "run", "--gdb=no", "a"),
            ("run --help takes no value; see trestle run --help", "run", "--help=1"),
            ("run --kernel needs a value; see trestle run --help", "run", "a", "--kernel"),
            ("--timeout 1m is not a time above 0; write for example --timeout 10s, or --timeout 10, "
             "which is the same", "run", "a", "--timeout", "1m"),
            ("--timeout 0 is not a time above 0; write for example --timeout 10s, or --timeout 10, "
             "which is the same", "run", "a", "--timeout", "0"),
            ("--timeout nan is not a time above 0; write for example --timeout 10s, or --timeout 10, "
             "which is the same", "run", "a", "--timeout", "nan"),
            ("--timeout 2000000000 is longer than 1000000000 s; leave it out for a run without one",
             "run", "a", "--timeout", "2000000000"),
            ("cannot write --stats no/such/file: No such file or directory; name a file in a "
             "directory that can be written, or -", "run", two, "--stats", "no/such/file"),
            ("cannot write --stats runtime: it is a directory; name a file in a directory that "
             "can be written, or -", "serve", two, "--stats", "runtime"),
            ("check needs a configuration file; usage: trestle check CONFIG", "check"),
            ('there is no model "x"; the models are ' +
             ", ".join(common.bundled_models()) + ", svd, or a path to a .so or .py", "models", "x"),
            ('bench takes no "x"; see trestle bench --help', "bench", "x"),
            ("--rounds 0 is not a number from 1 to 1000", "bench", "--rounds", "0"),
            ("--count many is not a number from 1 to 4294967295", "bench", "--count", "many"),
            ("cannot write --json no/file: No such file or directory; name a file in a directory "
             "that can be written, or -", "bench", "--json", "no/file"),
            ("--kernel no.elf: No such file or directory; name the guest's ELF file", "bench",
             "--kernel", "no.elf"),
            ("device needs a model; usage: trestle device MODEL --socket PATH --base ADDR "
             "[OPTION]...", "device"),
            ("device needs --socket PATH, where QEMU will connect", "device", "echo"),
            ("device needs --base ADDR, the guest-physical base address", "device", "echo",
             "--socket", "s"),
            ("--base x is not an address; write for example --base 0x10200000", "device", "echo",
             "--socket", "s", "--base", "x"),
            ("--size 4K is not a size; write for example --size 0x1000", "device", "echo",
             "--socket", "s", "--base", "8", "--size", "4K"),
            ("0xc is not a multiple of 8; choose an aligned base address", "device", "echo",
             "--socket", "s", "--base", "12"),
            ("8 bytes do not hold the registers of echo; write 32 or more", "device", "echo",
             "--socket", "s", "--base", "8", "--size", "8"),
            ("--watchdog 1m is not a time; write for example --watchdog 10s, or --watchdog 10000, which is the same, "
             "or 0 for never", "device", "echo", "--socket", "s", "--base", "8", "--watchdog", "1m"),
            ("--param x is not a parameter; write for example --param echo_latency=10", "device",
             "echo", "--socket", "s", "--base", "8", "--param", "x"),
            ("--param a is given twice; remove one", "device", "echo", "--socket", "s", "--base",
             "8", "--param", "a=1", "--param", "a=2"),
            ('"a b" is not a name; use letters, digits, _ and - only', "device", "echo",
             "--socket", "s", "--base", "8", "--name", "a b"),
        ]:
            with self.subTest(args=args):
                self.assert_refused("trestle: " + line, *args)

    def test_help_is_no_mistake(self):
        help_text = self.trestle("--help")
        self.assertEqual((help_text.code, help_text.err), (0, ""))
        for command in re.findall(r"^  ([a-z-]+) ", help_text.out, re.M):
            result = self.trestle(command, "--help")
            self.assertEqual((result.code, result.err), (0, ""), result)
            self.assertIn(f"usage: trestle {command}", result.out)
        self.assertRegex(self.trestle("--version").out, r"\Atrestle \d+\.\d+\.\d+\n\Z")

    def test_standard_output_that_takes_nothing(self):
        """One line, if it is full; a reader that has gone has what it wanted."""
        for words in ["--version"], ["--help"], ["models"], ["models", "dma"], ["run", "--help"]:
            with self.subTest(words=words):
                result = common.run(["sh", "-c", '"$@" > /dev/full', "sh", common.TRESTLE, *words])
                self.assertEqual((result.code, result.err),
                                 (1, "trestle: cannot write standard output: No space left on device\n"))
                read_end, write_end = os.pipe()
                os.close(read_end)
                process = subprocess.run([common.TRESTLE, *words], stdout=write_end, stderr=subprocess.PIPE)
                os.close(write_end)
                self.assertEqual((process.returncode, process.stderr), (0, b""))


class BadConfiguration(Case):
    """The files that the unit test of the configuration cannot judge, and one that it can."""

    def test_missing_file(self):
        for command in "run", "check", "serve", "qemu-args", "sst-config":
            self.assert_refused("no.json: cannot read the configuration: No such file or "
                                "directory; check the path", command, "no.json")

    def test_all_commands_read_it_alike(self):
        self.config('{"devices": [\n {"model": "echo",\n  "base_addr": "0x10200004"}]}', "bad.json")
        for command in "run", "check", "serve", "qemu-args", "sst-config":
            self.assert_refused("bad.json:3: devices[0].base_addr: 0x10200004 is not a multiple "
                                "of 8; choose an aligned base address", command, "bad.json")

    def test_parameters(self):
        self.config('{"machine": {"bios": "default"}, "devices": [\n'
                    '{"model": "echo", "base_addr": 8,\n'
                    '  "params": {\n"clock": "1GHz",\n"echo_latncy": 1}}]}', "bad.json")
        for command in "run", "check", "serve":
            self.assert_refused("bad.json:5: devices[0].params.echo_latncy: unknown parameter "
                                "'echo_latncy'; known: clock, echo_latency, access_latency",
                                command, "bad.json")
        self.config('{"device_base": 8,\n "params": {"clock":\n"fast"}}', "bad.json")
        result = self.trestle("check", "bad.json")
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertRegex(result.err, r"\Abad\.json:2: params\.clock: parameter 'clock': 'fast' is "
                                     r"not a frequency such as 1GHz.*\n\Z")
        self.assert_refused("trestle: unknown parameter 'x'; known: clock, echo_latency, "
                            "access_latency", "device", "echo", "--socket", "s", "--base", "8",
                            "--param", "x=1")

    def test_kernel(self):
        self.config('{"machine": {\n"kernel": "no.elf"},\n"devices": [{"model": "echo", '
                    '"base_addr": 8}]}')
        remedy = "build it, correct the path, or name another with --kernel"
        for command in "run", "check":
            self.assert_refused("two.json:2: machine.kernel: cannot read no.elf: No such file or "
                                f"directory; {remedy}", command, "two.json")
        (self.dir / "no.elf").mkdir()
        self.assert_refused("two.json:2: machine.kernel: cannot read no.elf: it is a directory; "
                            + remedy, "run", "two.json")
        self.assert_refused("trestle: --kernel other.elf: No such file or directory; name the "
                            "guest's ELF file", "run", "two.json", "--kernel", "other.elf")

    def test_what_is_no_file(self):
        """QEMU would wait for a FIFO's writer, and Trestle for QEMU."""
        os.mkfifo(self.dir / "fifo")
        for key in "kernel", "initrd", "dtb", "bios":
            machine = {"kernel": str(common.guest("probe")), key: "./fifo"}
            config = self.config({"machine": machine, "devices": [ECHO]})
            self.assert_refused_like(rf"{config}:\d+: machine\.{key}: cannot read \S*fifo: it is not a file; .*", "check",
                                     config)

    def test_kernel_of_another_architecture(self):
        def elf(name, bits, machine):
            head = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(11) + bytes([machine, 0])
            (self.dir / name).write_bytes(head + bytes(44))
        kernels = {"riscv32": (32, 243), "riscv64": (64, 243), "arm": (32, 40),
                   "aarch64": (64, 183), "x86_64": (32, 3)}
        for name, (bits, machine) in kernels.items():
            elf(name + ".elf", bits, machine)
        for arch in kernels:
            for name in kernels:
                with self.subTest(arch=arch, kernel=name):
                    self.config('{"machine": {"arch": "%s",\n"kernel": "%s.elf"},\n'
                                '"devices": [{"model": "echo", "base_addr": 8}]}' % (arch, name))
                    if arch == name or (arch, name) == ("aarch64", "arm"):
                        self.assertEqual(self.trestle("check", "two.json").code, 0)
                        continue
                    self.assert_refused(f"two.json:2: machine.kernel: {name}.elf is for {name}, "
                                        f"and the machine is {arch}; name another, or change "
                                        "machine.arch", "check", "two.json")
        self.config({"devices": [ECHO]})
        self.assert_refused("trestle: --kernel arm.elf is for arm, and the machine is riscv32; "
                            "name another, or change machine.arch",
                            "run", "two.json", "--kernel", "arm.elf")

    def test_kernel_that_is_none(self):
        (self.dir / "raw").write_bytes(b"\x7fEL")
        self.config('{"machine": {\n"kernel": "raw"},\n"devices": [{"model": "echo", '
                    '"base_addr": 8}]}')
        self.assert_refused("two.json:2: machine.kernel: raw is neither an ELF file nor a Linux "
                            "Image; name another, or give it to QEMU in machine.args",
                            "run", "two.json")
        self.config({"devices": [ECHO]})
        self.assert_refused_like(r"two\.json:\d+: machine\.kernel: there is nothing to run; name the "
                                 r"guest's ELF file or Linux Image here or with --kernel, or a "
                                 r'"bios"', "run", "two.json")

    def test_images(self):
        """Linux's own forms are known by their magic: riscv's gets its firmware."""
        common.qemu("riscv64")
        common.qemu("aarch64")
        for arch, magic in ("riscv64", b"RSC\x05"), ("aarch64", b"ARM\x64"):
            (self.dir / arch).write_bytes(bytes(0x38) + magic + bytes(0x200))
        devices = [{**ECHO, "socket": "s"}]
        self.config({"machine": {"arch": "riscv64", "kernel": "riscv64"}, "devices": devices})
        words = shlex.split(self.trestle("qemu-args", "two.json").out)
        self.assertEqual(words[words.index("-bios") + 1], "default")
        self.config({"machine": {"arch": "riscv64", "kernel": "riscv64", "bios": "none"},
                     "devices": devices})
        words = shlex.split(self.trestle("qemu-args", "two.json").out)
        self.assertEqual(words[words.index("-bios") + 1], "none")
        self.config({"machine": {"arch": "aarch64", "kernel": "riscv64"}, "devices": devices})
        self.assert_refused_like(r"two\.json:\d+: machine\.kernel: riscv64 is for riscv, and the machine "
                                 r"is aarch64; name another, or change machine\.arch",
                                 "run", "two.json")

    def test_machine(self):
        common.qemu("riscv64")
        (self.dir / "initrd").write_bytes(bytes(2 << 20))
        machine = {"arch": "riscv64", "kernel": str(common.guest("probe", "riscv64")),
                   "initrd": "initrd", "append": "a b", "memory": "64M", "cpus": 2,
                   "board": "sifive_u", "cpu": "sifive-u54", "bios": "fw/u.bin", "dtb": "initrd"}
        (self.dir / "fw").mkdir()
        (self.dir / "fw/u.bin").touch()
        self.config({"machine": machine, "devices": [{**ECHO, "socket": "s"}]})
        result = self.trestle("qemu-args", "two.json")
        self.assertEqual((result.code, result.err), (0, ""), result)
        words = shlex.split(result.out)
        for option, value in (("-M", "sifive_u"), ("-initrd", "initrd"), ("-append", "a b"),
                              ("-m", "64M"), ("-smp", "2"), ("-cpu", "sifive-u54"),
                              ("-bios", "fw/u.bin"), ("-dtb", "initrd")):
            self.assertEqual(words[words.index(option) + 1], value)
            self.assertEqual(words.count(option), 1)

        def refused(line, **keys):
            self.config({"machine": {**machine, **keys}, "devices": [ECHO]})
            self.assert_refused_like(r"two\.json:\d+: machine\." + line, "run", "two.json")
        for key in "initrd", "dtb", "bios":
            refused(rf"{key}: cannot read no/x: No such file or directory; correct the path, or "
                    "remove the key", **{key: "no/x"})
        refused("initrd: initrd has 2097152 bytes, and the machine's memory 1048576; write a larger "
                '"memory"', memory="1M")
        for memory in "512", "M", "0M", 512, "1Q", "1MB":
            refused("memory: .* is not a size with K, M, G or T; write for example "
                    '"memory": "512M"', memory=memory)
        for cpus in 0, -1, 513, "2":
            refused("cpus: .* is not a number from 1 to 512; .*", cpus=cpus)
        refused(r'board: \S+ has no board "sifive_uu"; did you mean "sifive_u"\? \S+ -M help lists them',
                board="sifive_uu")
        refused(r'board: \S+ has no board "x"; \S+ -M help lists them', board="x,y=z")
        refused("cpus: with icount the machine has one vCPU; remove one of the two keys", icount=0)

    def test_unreadable_kernel(self):
        self.config({"machine": {"kernel": "k.elf"}, "devices": [ECHO]})
        (self.dir / "k.elf").touch(mode=0)
        self.dir.chmod(0o755)
        # root reads everything
        nobody = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        result = common.run([*nobody, TRESTLE, "run", "two.json"], env=self.env, cwd=self.dir)
        if result.code == 127 or "trestle: Permission denied" in result.err:
            self.skipTest("another user cannot enter the build directory; build elsewhere")
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, r"\Atwo\.json:\d+: machine\.kernel: cannot read k\.elf: "
                                     r"Permission denied; .*\n\Z")

    def test_qemu(self):
        self.config('{"machine": {\n"qemu": "qemu-system-nothing"},\n"devices": '
                    '[{"model": "echo", "base_addr": 8}]}')
        for command in "run", "check":
            result = self.trestle(command, "two.json")
            self.assertEqual((result.code, result.out), (2, ""), result)
            self.assertRegex(result.err, r"\Atwo\.json:2: machine\.qemu: .*qemu-system-nothing.*"
                                         r"; .*--qemu.*\n\Z")
        self.config({"machine": {"arch": "arm"}, "devices": [ECHO]})
        self.assert_refused("trestle: --qemu /x/qemu-system-riscv32 does not run arm, the "
                            "configuration's arch; name another, or change machine.arch",
                            "run", "two.json", "--qemu", "/x/qemu-system-riscv32")
        result = self.trestle("run", "two.json", "--qemu", "./no-qemu")
        self.assertEqual(result.code, 2)
        self.assertRegex(result.err, r"\Atrestle: .*\./no-qemu.*; .*--qemu.*\n\Z")

    def test_plugin(self):
        remedy = "name the trestle-qemu.so that came with trestle, or none"
        self.config('{"machine": {\n"plugin": "no.so"},\n"devices": [{"model": "echo", '
                    '"base_addr": 8}]}')
        self.assert_refused("two.json:2: machine.plugin: cannot read no.so: No such file or "
                            f"directory; {remedy}", "run", "two.json")
        self.assert_refused("trestle: --plugin a.so: No such file or directory; " + remedy,
                            "run", "two.json", "--plugin", "a.so")
        two = self.two().name
        self.assert_refused("trestle: TRESTLE_PLUGIN b.so: No such file or directory; " + remedy,
                            "run", two, env={**self.env, "TRESTLE_PLUGIN": "b.so"})

    def test_no_plugin_anywhere(self):
        # A copy of the program has no plugin around it.
        copy = self.dir / "bin" / "trestle"
        copy.parent.mkdir()
        copy.write_bytes(TRESTLE.read_bytes())
        copy.chmod(0o755)
        result = common.run([copy, "run", self.two()],
                            env={**self.env, "LD_LIBRARY_PATH": common.BUILD / "lib"})
        self.assertRegex(result.err, rf"\Atrestle: QEMU's plugin is neither at {copy.parent}/"
                                     rf"trestle-qemu\.so nor at {copy.parent}/\.\./.*/trestle/"
                                     r"trestle-qemu\.so; "
                                     r"build it, or name it with .*\n\Z")

    def test_without_plugin_its_keys_mean_nothing(self):
        self.config('{"machine": {"plugin": "none"}, "devices": [{"model": "echo",\n'
                    '"base_addr": 8,\n"timeout_ms": 5}]}')
        self.assert_refused("two.json:3: devices[0].timeout_ms: only the plugin can do this, and "
                            "this run has none; remove the key or use the plugin",
                            "run", "two.json")
        self.config('{"machine": {"plugin": "none"}, "devices": [{"model": "timer",\n'
                    '"base_addr": 8,\n"irq": 40}]}')
        self.assert_refused("two.json:3: devices[0].irq: only the plugin can do this, and "
                            "this run has none; remove the key or use the plugin",
                            "run", "two.json")
        self.config({"machine": {"plugin": "none", "icount": 0}, "devices": [ECHO]})
        result = self.trestle("run", "two.json")
        self.assertEqual(result.code, 2)
        self.assertRegex(result.err, r"\Atwo\.json:\d+: machine\.icount: devices learn .*\n\Z")
        self.config({"machine": {"plugin": "none", "direct_dma": True}, "devices": [ECHO]})
        result = self.trestle("run", "two.json")
        self.assertEqual(result.code, 2)
        self.assertRegex(result.err, r"\Atwo\.json:\d+: machine\.direct_dma: only the plugin .*\n\Z")
        two = self.two().name
        self.assert_refused("trestle: --exit-on-idle needs the plugin, and this run has none; "
                            "leave one of the two out", "run", two, "--plugin", "none",
                            "--exit-on-idle")
        self.assert_refused("trestle: --exit-on-idle needs the plugin, and this run has the device "
                            "in QEMU's own tree; leave one of the two out", "run", two, "--plugin",
                            "in-tree", "--exit-on-idle")

    def test_device_in_qemus_own_tree(self):
        """All of its properties, and no plugin."""
        self.config({"machine": {"plugin": "in-tree", "icount": 0},
                     "devices": [{**ECHO, "posted_writes": False, "timeout_ms": 7}]})
        result = self.trestle("qemu-args", "two.json", "--socket-dir", "/d")
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("-plugin", result.out)
        self.assertIn("timeout_ms=7", result.out)
        self.assertIn("-icount", result.out)

    def test_model_file(self):
        self.config('{"devices": [{"base_addr": 8,\n"model": "./no.so"}]}')
        result = self.trestle("check", "two.json")
        self.assertEqual(result.code, 2)
        self.assertRegex(result.err, r"\Atwo\.json:2: devices\[0\]\.model: .*no\.so.*\n\Z")
        (self.dir / "no.so").write_text("not a shared object")
        result = self.trestle("check", "two.json")
        self.assertEqual(result.code, 2)
        self.assertRegex(result.err, r"\Atwo\.json:2: devices\[0\]\.model: .*no\.so.*\n\Z")

    def test_model_file_without_its_entry(self):
        # The plugin is a shared object that exports something else.
        self.config({"devices": [{"base_addr": 8, "model": str(common.PLUGIN)}]})
        result = self.trestle("check", "two.json")
        self.assertEqual(result.code, 2)
        self.assertRegex(result.err, r"\Atwo\.json:\d+: devices\[0\]\.model: .*\n\Z")

    def test_socket_paths(self):
        self.config({"devices": [{**ECHO, "socket": "s" * 110}]})
        result = self.trestle("run", "two.json")
        self.assertEqual(result.code, 2)
        self.assertRegex(result.err, r"\Atwo\.json:\d+: devices\[0\]\.socket: a path of 110 "
                                     r"bytes, and a Unix socket has room for 107; choose a "
                                     r"shorter one\n\Z")

    def test_regions_of_the_machine(self):
        common.qemu("riscv32")
        for base, part in ("0x80000000", "riscv_virt_board.ram"), ("0x10000000", "serial"):
            self.config(f'{{"machine": {{"kernel": "{common.guest("probe")}"}},'
                        '"devices": [{"model": "echo", "base_addr": "0x10200000"},\n'
                        f'{{"model": "echo", "base_addr": "{base}"}}]}}', "a,b.json")
            self.assert_refused(f"a,b.json:2: devices[1]: the machine has '{part}' at "
                                f"{base}; choose another base address, or set shadow to cover it",
                                "run", "a,b.json")

    def test_shadow(self):
        common.qemu("riscv32")
        self.config({"machine": {"kernel": str(common.guest("probe"))},
                     "devices": [{**ECHO, "base_addr": "0x20000000", "shadow": True}]})
        result = self.trestle("run", "two.json", stdin="w 4 20000000 5\nr 4 20000004\nq 0\n")
        self.assertEqual((result.code, result.out), (0, "probe\n=\n= 5\n"), result)


class Tables(Case):
    def test_check(self):
        result = self.trestle("check", self.two())
        self.assertEqual((result.code, result.err), (0, ""), result)
        rows = [line.split() for line in result.out.splitlines()]
        self.assertIn(["echo_device", "echo", "0x10200000", "0x10200fff", "(private)"], rows)
        self.assertIn(["compute_device", "compute", "0x10300000", "0x10300fff", "(private)"], rows)
        self.assertIn(["compute_device.peer", "echo_device.peer", "1", "ns"], rows)

    def test_sst_config(self):
        result = self.trestle("sst-config", self.two(), "--latency", "5ns")
        self.assertEqual(result.code, 0, result)
        compile(result.out, "written.py", "exec")
        for line in ('LATENCY = "5ns"', 'sst.Component("qemu", "trestle.QEMU")',
                     'qemu.addParam("num_devices", 2)', 'addParam("model", "echo")',
                     '"device_port_1", LATENCY), (device1, "cpu_port", LATENCY)'):
            self.assertIn(line, result.out)
        result = self.trestle("sst-config", self.config({
            "machine": {"icount": 3},
            "devices": [{"name": "t", "model": "timer", "base_addr": "0x10200000", "irq": 40,
                         "on_error": "ones", "timeout_ms": 7, "carrier": "socket"}]}, "rich.json"))
        self.assertEqual(result.code, 0, result)
        compile(result.out, "written.py", "exec")
        for line in ('qemu.addParam("icount", 3)', '"device0_irq", "40"', '"device0_on_error", "ones"',
                     'qemu.addParam("device0_timeout_ms", 7)', '"device0_properties", "carrier=socket"',
                     '"irq_port_0", LATENCY), (device0, "irq_port", LATENCY)'):
            self.assertIn(line, result.out)
        result = self.trestle("sst-config", self.config(
            '{"machine": {"direct_dma": true}, "devices": [{"model": "echo", "base_addr": 8,\n'
            '"process": "own", "release_lock": true}]}', "less.json"))
        self.assertEqual(result.code, 0, result)
        self.assertEqual(result.err.replace(f"{self.dir}/", ""), (
            "less.json:1: machine.direct_dma: left out: under SST, DMA goes by messages\n"
            "less.json:2: devices[0].release_lock: left out: under SST, devices share a session\n"
            "less.json:2: devices[0].process: left out: under SST, ranks take the place of processes\n"))
        below = self.dir / "below"
        below.mkdir()
        shutil.copy(common.BUILD / "tests" / "good.so", below)
        (below / "file.json").write_text(json.dumps({"devices": [
            {"model": "./good.so", "base_addr": 8}]}))
        result = self.trestle("sst-config", "below/file.json")
        path = re.search(r'addParam\("model", "(.*)"\)', result.out)[1]
        self.assertTrue(os.path.samefile(self.dir / path, below / "good.so"), path)
        self.assert_refused("trestle: --latency 0 is not a time above 0; write for example 10ns",
                            "sst-config", "two.json", "--latency", "0")

    def test_models(self):
        result = self.trestle("models")
        self.assertEqual(result.code, 0)
        names = [line.split()[0] for line in result.out.splitlines()[1:]]
        self.assertLessEqual({"echo", "compute"}, set(names))

    def test_qemu_names_the_architecture(self):
        common.qemu("aarch64")
        self.config({"devices": [{**ECHO, "socket": "s"}]})
        result = self.trestle("qemu-args", "two.json", "--qemu", "qemu-system-aarch64")
        self.assertEqual(result.code, 0, result)
        self.assertIn("-cpu", shlex.split(result.out))
        self.config({"machine": {"qemu": "qemu-system-aarch64"},
                     "devices": [{**ECHO, "socket": "s"}]})
        common.qemu("riscv32")
        result = self.trestle("qemu-args", "two.json", "--qemu", "qemu-system-riscv32")
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("-cpu", shlex.split(result.out))

    def test_qemu_args(self):
        self.config({"machine": {"kernel": "a b.elf", "args": ["-m", "64M"]},
                     "devices": [{**ECHO, "socket": "it's,here.sock", "on_error": "ones",
                                  "timeout_ms": 7}, COMPUTE]})
        shutil.copy(common.guest("probe"), self.dir / "a b.elf")
        result = self.trestle("qemu-args", "two.json")
        self.assertEqual(result.code, 2)
        self.assertRegex(result.err, r"\Atwo\.json:\d+: devices\[1\]: without a \"socket\" .*\n\Z")

        result = self.trestle("qemu-args", "two.json", "--socket-dir", "/tmp/d")
        self.assertEqual((result.code, result.err), (0, ""), result)
        self.assertEqual(result.out.count("\n"), 1)
        words = shlex.split(result.out)
        self.assertTrue(words[0].endswith("/qemu-system-riscv32"), words)
        self.assertEqual(words[words.index("-kernel") + 1], "a b.elf")
        self.assertEqual(words[words.index("-m") + 1], "64M")
        devices = [words[i + 1] for i, word in enumerate(words) if word == "-device"]
        self.assertEqual(len(devices), 2)
        self.assertIn("socket=it's,,here.sock,base_address=0x10200000", devices[0])
        self.assertIn("on_error=ones", devices[0])
        self.assertIn("timeout_ms=7", devices[0])
        self.assertIn("socket=/tmp/d/device1.sock,base_address=0x10300000", devices[1])

    def test_qemu_args_for_interrupts_and_repeatable_runs(self):
        def words(arch, *args):
            self.config({"machine": {"arch": arch, "icount": 3, "args": list(args)},
                         "devices": [{"model": "timer", "base_addr": "0x10200000", "irq": 40,
                                      "posted_writes": True}]})
            result = self.trestle("qemu-args", "two.json", "--socket-dir", "/tmp/d")
            self.assertEqual((result.code, result.err), (0, ""), result)
            return shlex.split(result.out)
        riscv = words("riscv32")
        for option, value in (("-icount", "shift=3,sleep=off"), ("-seed", "1"), ("-smp", "1"),
                              ("-rtc", "base=2000-01-01T00:00:00,clock=vm")):
            self.assertEqual(riscv[riscv.index(option) + 1], value)
        self.assertIn(",irq=40,", riscv[riscv.index("-device") + 1] + ",")
        self.assertNotIn("posted_writes", "".join(riscv))  # what they cause has its time known
        self.assertNotIn("virt,dtb-randomness=off", riscv)
        self.assertIn("virt,dtb-randomness=off", words("aarch64"))
        self.assertNotIn("virt,dtb-randomness=off", words("aarch64", "-M", "raspi3b"))

    def test_qemu_args_for_direct_dma(self):
        for args, size in ([], "128M"), (["-m", "256"], "256M"), (["-m", "1G,slots=2"], "1G"), \
                (["-m", "size=64M"], "64M"), (["-m", "64M", "-m", "0"], "0M"):
            with self.subTest(args=args):
                self.config({"machine": {"direct_dma": True, "args": args}, "devices": [ECHO]})
                result = self.trestle("qemu-args", "two.json", "--socket-dir", "/tmp/d")
                self.assertEqual((result.code, result.err), (0, ""), result)
                words = shlex.split(result.out)
                self.assertEqual(words[words.index("-object") + 1],
                                 f"memory-backend-memfd,id=trestle-ram,share=on,size={size}")
                self.assertIn("memory-backend=trestle-ram", words)

    def test_pci_devices_share_ram(self):
        """Unless the configuration says where the RAM is, or that a device may not have it."""
        edu = {"model": "edu", "pci": {}}
        for device, machine, is_shared in (
                (edu, {}, True), (edu, {"direct_dma": False}, False), (ECHO, {}, False),
                ({**edu, "release_lock": True}, {}, False), ({"model": "timer", "pci": {}}, {}, False),
                (edu, {"args": ["-device", "intel-iommu"]}, False),
                (edu, {"args": ["-M", "memory-backend=mine"]}, False)):
            with self.subTest(device=device, machine=machine):
                self.config({"machine": {"arch": "x86_64", **machine}, "devices": [device]})
                result = self.trestle("qemu-args", "two.json", "--socket-dir", "/tmp/d")
                self.assertEqual((result.code, result.err), (0, ""), result)
                self.assertEqual("memory-backend=trestle-ram" in result.out, is_shared)


class Boards(Case):
    """What the installed QEMU says of its boards."""

    def boards(self, *args):
        result = self.trestle("boards", *args)
        self.assertEqual(result.code, 0, result)
        head, _, table = result.out.partition("\n\n")
        return head, [re.split("  +", line.strip()) for line in table.splitlines()[1:]]

    def test_virt(self):
        common.qemu("riscv64")
        head, rows = self.boards("riscv64")
        self.assertRegex(head, r"\Aboard: virt, as QEMU [\d.]+ has it\ndevice tree: yes\n"
                               r"interrupt controller: PLIC, inputs 1 to 95\n"
                               r"free interrupts: 9, 12 to 31, 36 to 95\Z")
        self.assertIn(["0x10101000", "0x1fffffff", "261116 KiB", "free"], rows)
        self.assertIn(["0x10001000", "0x100081ff", "29184", "virtio-mmio, 8 times"], rows)

    def test_what_is_free_is_taken(self):
        """A device that is put where there is room is not refused, and nowhere else is room."""
        common.qemu("riscv32")
        config = self.config({
            "machine": {"arch": "riscv32", "kernel": str(common.guest("probe"))},
            "devices": [{"model": "timer", "base_addr": "0x10009000", "size": 0xf7000, "irq": [95]}]})
        process = self.start_trestle("run", config)
        read_until(process.stdout, b"probe")
        process.terminate()
        process.wait(30)
        for key, value in ("base_addr", "0x10008000"), ("size", 0xf7008), ("irq", 96), ("irq", 35):
            document = json.loads(pathlib.Path(config).read_text())
            document["devices"][0][key] = value
            self.assertEqual(self.trestle("run", self.config(document)).code, 2)

    def test_other_boards(self):
        for arch, board, controller, free in (
                ("arm", "microbit", "NVIC, inputs 0 to 31", "0 to 1, 3 to 7, 11 to 12, 14 to 31"),
                ("aarch64", "virt,gic-version=3", "GIC, inputs 0 to 255",
                 "0, 8 to 15, 48 to 255"),
                ("x86_64", "pc", "I/O APIC, inputs 0 to 23", "16 to 23"),
                ("arm", "mps2-an521", "more than one: armv7m (several); machine.irq_controller may name "
                                      "one", None)):
            common.qemu(arch)
            with self.subTest(board=board):
                head, _ = self.boards(arch, "--board", board)
                self.assertIn(f"\ninterrupt controller: {controller}", head)
                if free:
                    self.assertIn(f"\nfree interrupts: {free}", head)
                else:
                    self.assertRegex(head, r"\ninterrupt controller: \S+/armv7m0 armv7m, inputs 0 to 123\n"
                                           r"free interrupts: 13 to 14, 21, 27 to 123\n")
        common.qemu("m68k")
        head, _ = self.boards("--qemu", "qemu-system-m68k", "--board", "virt")
        self.assertIn("interrupt controller: none that is known; machine.irq_controller may name one\n"
                      "interrupt controller: /machine/", head)
        self.assertIn(" goldfish_pic, inputs 0 to 31\nfree interrupts: 1 to 30\n", head)

    def test_the_machine_of_a_configuration(self):
        common.qemu("riscv64")
        head, rows = self.boards(self.config({
            "machine": {"arch": "riscv64", "kernel": "nowhere.elf", "memory": "256M",
                        "args": ["-M", "aia=aplic"]}, "devices": [ECHO]}))
        self.assertIn("interrupt controller: APLIC, inputs 1 to 96\n", head)
        self.assertIn(["0x80000000", "0x8fffffff", "256 MiB", "riscv_virt_board.ram"], rows)

    def test_bad_input(self):
        common.qemu("riscv32")
        for args, line in (
                (["riscv32", "--board", "vrt"], r'trestle: \S+ has no board "vrt"; did you mean "virt"\?.*'),
                (["mips"], 'trestle: "mips" is not an architecture; choose one of riscv32, .*'),
                (["a.json", "b.json"], "trestle: boards takes one architecture or configuration; .*"),
                (["--plugin", "none"], "trestle: boards needs QEMU's plugin; name it with --plugin"),
                (["no.json"], "no.json: cannot read the configuration: .*")):
            with self.subTest(args=args):
                self.assert_refused_like(line, "boards", *args)


class Documents(Case):
    """--help, the manual and the completions name the same options."""

    SOURCE = common.SOURCE

    def options_of_help(self):
        commands = re.findall(r"^  ([a-z-]+) ", self.trestle("--help").out, re.M)
        return {command: set(re.findall(r"^  .{3,5}--([a-z-]+)",
                                        self.trestle(command, "--help").out, re.M)) - {"help"}
                for command in commands}

    def test_manual(self):
        text = (self.SOURCE / "docs" / "trestle.1").read_text()
        synopsis = text[text.index(".Sh SYNOPSIS"):text.index(".Sh DESCRIPTION")]
        described = set(re.findall(r"^\.It .*Fl -([a-z-]+)", text, re.M))
        options = self.options_of_help()
        for command, names in options.items():
            block = re.search(rf"\.Cm {command}\n(.*?)(?=^\.Nm|\Z)", synopsis,
                              re.S | re.M).group(1)
            used = set(re.findall(r"Fl -([a-z][a-z-]*)", block))
            if "Fl v" in block:
                used.add("verbose")
            self.assertEqual(used, names, command)
        self.assertEqual(described - {"help", "version"}, set().union(*options.values()))

    def test_bash_completion(self):
        script = self.SOURCE / "cli" / "completion" / "trestle.bash"
        for command, names in self.options_of_help().items():
            result = common.run(["bash", "-c", """
                _init_completion() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
                                     words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }
                source "$0"; COMP_WORDS=(trestle "$1" --) COMP_CWORD=2
                _trestle; printf '%s\\n' "${COMPREPLY[@]}" """, script, command])
            self.assertEqual(set(result.out.split()) - {"--help"}, {f"--{n}" for n in names},
                             result)
        result = common.run(["bash", "-c", """
            _init_completion() { cur= prev=trestle words=(trestle "") cword=1; }
            source "$0"; _trestle; printf '%s\\n' "${COMPREPLY[@]}" """, script])
        self.assertEqual(set(result.out.split()) - {"--help", "--version"},
                         set(self.options_of_help()))

    def test_zsh_completion(self):
        text = (self.SOURCE / "cli" / "completion" / "_trestle").read_text()
        groups = {"kernel", "qemu", "plugin", "verbose", "log_time", "stats", "trace", "socket_dir"}
        options = self.options_of_help()
        self.assertIn(f"(run {' '.join(c for c in options if c != 'run')})", text)
        for command, names in options.items():
            block = re.search(rf"^        {command}\)(.*?);;", text, re.S | re.M).group(1)
            used = set(re.findall(r"--([a-z-]+)\[", block)) - {"help"}
            used |= {g.replace("_", "-") for g in groups if f"${g}" in block}
            self.assertEqual(used, names, command)


class Runs(Case):
    def setUp(self):
        super().setUp()
        common.qemu("riscv32")

    def test_registers_at_the_end(self):
        result = self.trestle("run", self.two("two_devices"), "--registers")
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.err, r"(?m)^device +offset +register +value$")
        self.assertRegex(result.err, r"(?m)^compute_device +0x0010 +STATUS +0x[0-9a-f]+( {.*})?$")

    def test_two_devices(self):
        result = self.trestle("run", self.two("two_devices"), "-vv", "--stats", "stats.json")
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("FAIL", result.out)
        for line in [
            rf"^Device echo_device socket listening at {self.runtime}/\S+/device0\.sock$",
            rf"^Device compute_device socket listening at {self.runtime}/\S+/device1\.sock$",
            r"^QEMU PID: \d+$",
            r"^Waiting for 2 device connections\.\.\.$",
            r"^Device echo_device connected$",
            r"^Device compute_device connected$",
            r"^MMIO from echo_device: type=1 addr=0x0000000010200000 data=0x[0-9a-f]{8,16} size=4: DATA_IN <- 0x[0-9a-f]+$",
            r"^MMIO from compute_device: type=0 addr=0x0000000010300010 data=0x0+[0-9a-f] size=4: STATUS -> 0x[0-9a-f] .ready.$",
        ]:
            self.assertRegex(result.err, re.compile(line, re.M))
        rows = {line.split()[0]: line.split() for line in result.err.splitlines() if line}
        stats = json.loads((self.dir / "stats.json").read_text())
        self.assertEqual([d["name"] for d in stats["devices"]], ["echo_device", "compute_device"])
        for device in stats["devices"]:
            self.assertEqual(set(device), {"name", "base_addr", "reads", "writes", "bytes",
                                           "errors", "latency_ns"})
            self.assertEqual(rows[device["name"]][1:5],
                             [device["base_addr"]] + [str(device[k]) for k in
                                                      ("reads", "writes", "bytes")])
            accesses = device["reads"] + device["writes"]
            self.assertEqual(accesses, result.err.count(f"MMIO from {device['name']}:")
                             - device["errors"])
            self.assertGreater(accesses, 0)
            latency = device["latency_ns"]
            self.assertLess(0, latency["p50"])
            self.assertLessEqual(latency["p50"], latency["p99"])
            self.assertLessEqual(latency["p99"], latency["max"])
        for key in "reads", "writes", "bytes", "errors":
            self.assertEqual(stats["totals"][key], sum(d[key] for d in stats["devices"]))
        self.assertEqual(stats["qemu"]["exit_code"], 0)
        self.assertRegex(stats["qemu"]["version"], r"\A\d+\.\d+")

    def test_log_time(self):
        """On each line of the log, also of a device's own process, and not on the table."""
        text = json.loads(self.two("two_devices").read_text())
        del text["links"]
        text["devices"][0]["process"] = "own"
        text["devices"][0]["params"] = {"echo_latency": 0}
        config = self.config(text)
        result = self.trestle("run", config, "-v", "--log-time")
        stamp = r"\d\d:\d\d:\d\d\.\d{6} "
        lines = result.err.splitlines()
        table = next(i for i, line in enumerate(lines) if line.startswith("device "))
        for line in lines[:table]:
            self.assertRegex(line, rf"\A{stamp}|\Aqemu")
        for words in "QEMU PID", "Device echo_device connected", "Device compute_device connected":
            self.assertRegex(result.err, rf"(?m)^{stamp}{words}")

    def test_outputs_that_the_run_reads(self):
        kernel = self.dir / "guest.elf"
        shutil.copy(common.guest("two_devices"), kernel)
        document = json.loads(self.two().read_text())
        document["machine"]["kernel"] = "guest.elf"
        config = self.config(document)
        before = {path: path.read_bytes() for path in (config, kernel)}
        for option in "--stats", "--trace":
            for path, what in (config, "the configuration"), ("guest.elf", "machine.kernel"):
                with self.subTest(option=option, path=path):
                    self.assert_refused(f"trestle: {option} {path} would overwrite {what}; "
                                        "name another file", "run", config, option, path)
                    if path == config:
                        self.assert_refused(f"trestle: {option} {path} would overwrite {what}; "
                                            "name another file", "serve", config, option, path)
        self.assert_refused("trestle: --stats and --trace both name both; name two files",
                            "run", config, "--stats", "both", "--trace", "both")
        for path, content in before.items():
            self.assertEqual(path.read_bytes(), content)

    def test_table_of_many_devices(self):
        """The busiest 16 and how many there are besides; -v has all."""
        devices = [{"name": f"id{i}", "model": "id", "base_addr": hex(0x10200000 + 0x1000 * i)}
                   for i in range(100)]
        config = self.config({"machine": {"kernel": str(common.guest("probe"))}, "devices": devices})
        commands = "".join(f"r 4 {0x10200000 + 0x1000 * i:x}\n" for i in (7, 70, 70)) + "q 0\n"
        result = self.trestle("run", config, stdin=commands)
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.err, r"(?s)\Adevice .*\nid7 .*\nid70 .*\n98 more; -v and --stats show "
                                     r"all *\ntotal ")
        self.assertEqual(result.err.count("\nid"), 2)
        result = self.trestle("run", config, "-v", "--stats", "stats.json", stdin=commands)
        self.assertEqual(result.err.count("\nid"), 100)
        self.assertEqual(len(json.loads((self.dir / "stats.json").read_text())["devices"]), 100)

    def test_quiet_by_default(self):
        result = self.trestle("run", self.two("probe"), stdin="r 4 10200008\nq 0\n")
        self.assertEqual(result.code, 0, result)
        first = result.err.splitlines()[0].split()
        self.assertEqual(first[:3], ["device", "base", "reads"], result)

    def test_exit_code_is_the_guests(self):
        # Without its second device the guest's accesses fail, and so does the guest.
        self.config({"machine": {"kernel": str(common.guest("two_devices"))}, "devices": [ECHO]})
        result = self.trestle("run", "two.json")
        self.assertEqual(result.code, 1, result)
        self.assertIn("FAIL", result.out)

    def test_qemu_that_dies_at_once(self):
        result = self.trestle("run", self.two("two_devices"), "--", "-no-such-option")
        self.assertEqual(result.code, 1, result)
        self.assertIn("-no-such-option: invalid option", result.err)
        self.assertEqual(result.err.count("\n"), 1, result)

    def test_arguments_behind_the_dashes(self):
        self.config({"machine": {"kernel": str(common.guest("many_devices")),
                                 "args": ["-append", "n=7"]}, "devices": [ECHO]})
        result = self.trestle("run", "two.json", "--", "-append", "n=3 base=0x10400000")
        self.assertIn("many_devices: 3 from 0x10400000", result.out)

    def test_stats_on_standard_output(self):
        result = self.trestle("run", self.two("two_devices"), "--stats", "-")
        stats = json.loads(result.out[result.out.index("{\n"):])
        self.assertEqual(stats["qemu"]["exit_code"], 0)

    def test_stats_replace_what_was_there_whole(self):
        real = self.dir / "real.json"
        real.write_text("old")
        (self.dir / "link.json").symlink_to("real.json")
        self.trestle("run", self.two("two_devices"), "--stats", "link.json")
        self.assertTrue((self.dir / "link.json").is_symlink())
        json.loads(real.read_text())
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()),
                         ["link.json", "real.json", "runtime", "two.json"])
        result = self.trestle("run", self.two("two_devices"), "--stats", "/dev/null")
        self.assertEqual(result.code, 0, result)
        self.assertTrue(pathlib.Path("/dev/null").is_char_device())

    def test_more_devices_than_the_soft_limit_of_descriptors(self):
        count = 64
        self.config({"machine": {"kernel": str(common.guest("many_devices")),
                                 "args": ["-append", f"n={count} base=0x10200000 stride=0x1000"]},
                     "devices": [{"model": "id", "base_addr": hex(0x10200000 + 0x1000 * i)}
                                 for i in range(count)]})
        result = common.run(["sh", "-c", 'ulimit -Sn 48 && exec "$@"', "sh", TRESTLE, "run",
                             "two.json"], env=self.env, cwd=self.dir)
        self.assertEqual(result.code, 0, result)

    def test_stopped_by_the_hosts_clock(self):
        """Where is up to the host: it would not repeat."""
        self.config({"machine": {"kernel": str(common.guest("probe")), "icount": 0},
                     "devices": [ECHO]})
        result = self.trestle("run", "two.json", "--timeout", "0.2", "--stats", "stats.json")
        self.assertEqual(result.code, 124, result)
        self.assertIn("; not repeatable: it was stopped at a moment that the host chose\n", result.err)
        self.assertIs(json.loads((self.dir / "stats.json").read_text())["repeatable"], False)

    def test_timeout(self):
        # Nothing ever ends this machine: the guest waits for input.
        result = self.trestle("run", self.two("probe"), "--timeout", "0.5", "--stats", "s.json")
        self.assertEqual(result.code, 124, result)
        self.assertIn("trestle: --timeout ends the run\n", result.err)
        stats = json.loads((self.dir / "s.json").read_text())
        self.assertIsInstance(stats["qemu"]["exit_code"], int)
        for time in "300ms", "0.3s":
            result = self.trestle("run", self.two("probe"), "--timeout", time, timeout=60)
            self.assertEqual(result.code, 124, result)
            self.assertIn("trestle: --timeout ends the run\n", result.err)

    def test_stop_at(self):
        result = self.trestle("run", self.two("probe", stop_at="300ms"), "--timeout", "60")
        self.assertEqual(result.code, 124, result)
        self.assertIn("trestle: stop_at ends the run\n", result.err)

    def test_runtime_directory_that_is_gone(self):
        result = self.trestle("run", self.two("probe"), stdin="q 0\n",
                              env={**self.env, "XDG_RUNTIME_DIR": str(self.dir / "gone")})
        self.assertEqual(result.code, 0, result)


class SocketPaths(Case):
    """A socket's path is taken: said with the place that asks for it."""

    def config_with(self, path):
        return self.config({"devices": [{**ECHO, "socket": path}]}).name

    def test_regular_file(self):
        (self.dir / "taken").write_text("precious")
        self.assert_refused(f"{self.config_with('taken')}:8: devices[0].socket: taken is not a "
                            "socket, so Trestle leaves it alone; choose another path, or remove it",
                            "serve", "two.json")
        self.assertEqual((self.dir / "taken").read_text(), "precious")

    def test_live_server(self):
        config = self.config_with("live")
        first = self.start_trestle("serve", config)
        read_until(first.stdout, rb"live")
        result = self.trestle("serve", config)
        self.assertEqual((result.code, result.out), (2, ""))
        self.assertRegex(result.err, r"^two.json:8: devices\[0\].socket: live: another Trestle "
                                     r"serves this socket; end it, or choose another path\n$")
        first.terminate()
        self.assertEqual(first.wait(30), 128 + signal.SIGTERM)

    def test_no_directory(self):
        config = self.config_with("no/such")
        self.assert_refused("two.json:8: devices[0].socket: no/such.lock: cannot be created: No "
                            "such file or directory; choose a directory that you may write to",
                            "serve", config)


class Served(Case):
    """QEMU started by somebody else."""

    def setUp(self):
        super().setUp()
        common.qemu("riscv32")

    def test_serve(self):
        server = self.start_trestle("serve", self.two("two_devices"), "-v", "--stats", "s.json")
        shown = read_until(server.stdout, rb"start QEMU with:\n.*\n").decode()
        argv = shlex.split(shown.splitlines()[-1])
        sockets = re.findall(r"^\w+ +0x\w+ +(/\S+)$", shown, re.M)
        self.assertEqual(len(sockets), 2, shown)
        before = common.descriptors(server.pid)
        for _ in range(3):  # QEMU may come and go
            result = common.run(argv)
            self.assertEqual(result.code, 0, result)
            self.assertIn("passed, 0 failed", result.out)
            read_until(server.stderr, rb"QEMU has ended\n(?s:.*)disconnected\n")
        waiting = [word.replace("two_devices-", "probe-") for word in argv]  # that guest does not end by itself
        self.assertNotEqual(waiting, argv)
        qemu = subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.addCleanup(qemu.communicate)
        read_until(server.stderr, rb"speaks protocol 2")
        qemu.kill()
        read_until(server.stderr, rb"without saying so(?s:.*)disconnected\n")
        self.assertEqual(common.descriptors(server.pid), before)
        server.terminate()
        self.assertEqual(server.wait(30), 143)
        self.assertEqual(common.processes(session=server.pid), set())
        stats = json.loads((self.dir / "s.json").read_text())
        self.assertEqual(stats["qemu"], {"version": None, "exit_code": None})
        self.assertGreater(stats["totals"]["reads"], 0)

    def test_serve_in_a_directory_and_qemu_args(self):
        config = self.two("two_devices")
        server = self.start_trestle("serve", config, "--socket-dir", self.runtime)
        read_until(server.stdout, rb"device1\.sock")
        args = self.trestle("qemu-args", config, "--socket-dir", self.runtime)
        result = common.run(["sh", "-c", "eval \"$0\"", args.out])
        self.assertEqual(result.code, 0, result)
        server.send_signal(signal.SIGINT)
        self.assertEqual(server.wait(30), 130)

    def test_serve_without_qemu(self):
        """Where QEMU is not installed the sockets are served all the same."""
        config = self.config({"machine": {"qemu": "qemu-system-nothing"}, "devices": [ECHO]})
        server = self.start_trestle("serve", config)
        read_until(server.stdout, rb"device0\.sock")
        log = read_until(server.stderr, rb"\n").decode()
        self.assertRegex(log, r"\Atrestle: warning: no QEMU command line to show: .*nothing.*")
        server.terminate()
        self.assertEqual(server.wait(30), 143)

    def test_device(self):
        device = self.start_trestle("device", "echo", "--socket", "e.sock", "--base", "0x10200000",
                                    "--size", "4096", "--name", "lonely", "--param",
                                    "echo_latency=3", "-vv")
        read_until(device.stdout, rb"e\.sock")
        config = self.config({"machine": {"kernel": str(common.guest("probe"))},
                              "devices": [{**ECHO, "socket": "e.sock"}]})
        args = self.trestle("qemu-args", config)
        script = "w 4 10200000 beef\nr 4 10200004\nr 4 10201000\nq 5\n"
        result = common.run(shlex.split(args.out), stdin=script, cwd=self.dir)
        self.assertEqual(result.code, 5, result)
        self.assertEqual(result.out, "probe\n=\n= beef\n! 5\n")
        device.terminate()
        self.assertEqual(device.wait(30), 143)
        log = device.stderr.read().decode()
        self.assertIn("MMIO from lonely: type=1 addr=0x0000000010200000", log)
        self.assertFalse((self.dir / "e.sock").exists())


if __name__ == "__main__":
    common.main()
