# SPDX-License-Identifier: MIT
"""What "make install" leaves: a command that runs from there, and headers, libraries and a
pkg-config file that serve C and C++ programs and models outside the tree."""
import fnmatch
import json
import os
import re
import shutil
import subprocess
import unittest

import common

# Of the same make as the C compiler that built the library: their sanitizers must match.
CXX = os.environ.get("TRESTLE_CXX", "g++")

CONSUMER = """
#include <cstdio_or_stdio>
#include <trestle/bridge.h>
#include <trestle/device.h>
#include <trestle/machine.h>
#include <trestle/models.h>
#include <trestle/peer.h>
#include <trestle/sim.h>
#include <trestle/test.h>
#include <trestle/wire.h>

int main(void)
{
    struct trestle_sim *sim;
    if (trestle_sim_create(&sim) < 0)
        return 1;
    trestle_sim_run_until(sim, 5 * TRESTLE_NS);
    printf("%d %s\\n", (int)trestle_sim_now(sim), trestle_model_find("echo")->name);
    trestle_sim_destroy(sim);
    return 0;
}
"""


class Install(common.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = common.fresh_directory(cls)
        subprocess.run(["meson", "install", "-C", common.BUILD, "--no-rebuild", "--destdir",
                        cls.stage], check=True, capture_output=True)
        cls.prefix = cls.stage / common.build_option("prefix").lstrip("/")
        pkgconfig = cls.prefix / common.build_option("libdir") / "pkgconfig"
        cls.env = {"PKG_CONFIG_PATH": str(pkgconfig), "PKG_CONFIG_SYSROOT_DIR": str(cls.stage),
                   "LD_LIBRARY_PATH": ""}  # Meson's would find the build's library

    def pkg_config(self, *args, package="trestle"):
        result = common.run(["pkg-config", *args, package], env=self.env)
        self.assertEqual(result.code, 0, result)
        return result.out.split()

    def test_files(self):
        libdir = common.build_option("libdir")
        found = common.files(self.prefix)
        headers = {f"include/trestle/{path.name}"
                   for path in (common.SOURCE / "include/trestle").iterdir()}
        wanted = headers | {
            "bin/trestle", f"{libdir}/libtrestle.so", f"{libdir}/libtrestle.so.0",
            f"{libdir}/libtrestle.a", f"{libdir}/libtrestle-test.a",
            f"{libdir}/pkgconfig/trestle-test.pc", f"{libdir}/trestle/trestle-qemu.so",
            f"{libdir}/pkgconfig/trestle.pc", "share/man/man1/trestle.1",
            "share/bash-completion/completions/trestle", "share/zsh/site-functions/_trestle",
        } | {f"share/doc/trestle/{path.name}" for path in (common.SOURCE / "docs").glob("*.md")}
        self.assertEqual(wanted - found, set())

    def test_debian_packages_have_all_files(self):
        """dh_missing ends the build of packages otherwise."""
        libdir = common.build_option("libdir")
        patterns = [line for path in (common.SOURCE / "debian").glob("*.install")
                    for line in path.read_text().split()]
        found = ["usr/" + re.sub(f"^{libdir}/", "lib/ARCH/", file) for file in common.files(self.prefix)
                 if not (self.prefix / file).is_dir()]
        self.assertEqual([file for file in sorted(found)
                          if not any(fnmatch.fnmatch(file, form)
                                     for pattern in patterns for form in (pattern, f"{pattern}/*"))], [])

    def test_command(self):
        trestle = self.prefix / "bin" / "trestle"
        result = common.run([trestle, "--version"], env=self.env)
        self.assertEqual(result.code, 0, result)
        self.assertIn(self.pkg_config("--modversion")[0], result.out)
        common.qemu("riscv32")
        result = common.run([trestle, "run", "--kernel", common.guest("two_devices"),
                             common.SOURCE / "examples/01-two-devices/two_devices.json"],
                            env=self.env)
        self.assertEqual(result.code, 0, result)

    def test_command_finds_its_files(self):
        """The plugin, and the guest that measures."""
        common.guest("mmio_bench")
        common.qemu("riscv32")
        trestle = self.prefix / "bin" / "trestle"
        result = common.run([trestle, "bench", "--only", "v2-socket,sleep", "--rounds", "1",
                             "--count", "20"], env=self.env)
        self.assertEqual((result.code, result.err), (0, ""), result)

    def compile_and_run(self, compiler, suffix, flags):
        source = self.dir / f"consumer{suffix}"
        header = "cstdio" if suffix == ".cc" else "stdio.h"
        source.write_text(CONSUMER.replace("cstdio_or_stdio", header))
        sanitize = common.build_option("b_sanitize")
        if sanitize != "none":
            flags = [*flags, f"-fsanitize={sanitize}"]
        result = common.run([compiler, *flags, "-Wall", "-Wextra", "-Werror", source, "-o",
                             self.dir / "consumer", *self.pkg_config("--cflags", "--libs")])
        self.assertEqual(result.code, 0, result)
        library = self.prefix / common.build_option("libdir")
        result = common.run([self.dir / "consumer"], env={"LD_LIBRARY_PATH": str(library)})
        self.assertEqual((result.code, result.out), (0, "5000 echo\n"), result)

    def test_c_program(self):
        for standard in "c11", "gnu17":
            with self.subTest(standard=standard):
                self.compile_and_run("cc", ".c", [f"-std={standard}"])

    def test_cxx_program(self):
        if not shutil.which(CXX):
            raise unittest.SkipTest(f"there is no {CXX} (tools/deps installs g++)")
        for standard in "c++11", "c++17":
            with self.subTest(standard=standard):
                self.compile_and_run(CXX, ".cc", [f"-std={standard}", "-Wno-unused-parameter"])

    def test_a_model_in_cxx(self):
        """Without a warning, and with the one symbol that is looked for."""
        if not shutil.which(CXX):
            raise unittest.SkipTest(f"there is no {CXX} (tools/deps installs g++)")
        (self.dir / "model.cc").write_text("""
            #include <trestle/registers.h>
            namespace {
            int read(trestle_device *, trestle_request *, const trestle_access *, uint64_t *value)
            {
                *value = 7;
                return 0;
            }
            trestle_model table()
            {
                trestle_model model = {};
                model.size = sizeof(model);
                model.name = "seven";
                model.region_size = 8;
                model.access_sizes = 4;
                model.read = read;
                return model;
            }
            const trestle_model model = table();
            }
            TRESTLE_MODEL_EXPORT(model);
            """)
        for standard in "c++11", "c++17":
            with self.subTest(standard=standard):
                built = common.run([CXX, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fvisibility=hidden",
                                    f"-std={standard}", "-shared", "-fPIC", "-o", "model.so", "model.cc",
                                    *self.pkg_config("--cflags")], cwd=self.dir)
                self.assertEqual((built.code, built.err), (0, ""), built)
                (self.dir / "seven.json").write_text(
                    '{"devices": [{"name": "s", "model": "./model.so", "base_addr": "0x10200000"}]}')
                result = common.run([common.TRESTLE, "poke", self.dir / "seven.json", "-c",
                                     "expect s+0:4 7"])
                self.assertEqual((result.code, result.err), (0, ""), result)

    def test_a_unit_test_of_a_model(self):
        """The one of docs/models.md, of the model there."""
        text = (common.SOURCE / "docs/models.md").read_text()
        blocks = re.findall(r"```c\n(.*?)```", text, re.DOTALL)
        model = next(block for block in blocks if "struct alarm" in block)
        test = next(block for block in blocks if "trestle/test.h" in block)
        (self.dir / "alarm.c").write_text(model)
        (self.dir / "test_alarm.c").write_text(test)
        flags = ["-Wall", "-Werror",
                 "-Wno-unused-parameter"]
        if common.build_option("b_sanitize") != "none":
            flags.append(f"-fsanitize={common.build_option('b_sanitize')}")
        for command in (["cc", *flags, "-shared", "-fPIC", "-o", "alarm.so", "alarm.c",
                         *self.pkg_config("--cflags")],
                        ["cc", *flags, "-o", "test_alarm", "test_alarm.c",
                         *self.pkg_config("--cflags", "--libs", package="trestle-test")],
                        ["./test_alarm"]):
            library = self.prefix / common.build_option("libdir")
            result = common.run(command, cwd=self.dir, env={"LD_LIBRARY_PATH": str(library)})
            self.assertEqual((result.code, result.out, result.err), (0, "", ""), result)

    def test_guests_outside_the_tree(self):
        """The one of docs/guests.md, for every architecture."""
        text = (common.SOURCE / "docs/guests.md").read_text()
        block = re.search(r"```c\n(.*?)```", text, re.DOTALL)[1]
        (self.dir / "hello.c").write_text(block)
        (self.dir / "Makefile").write_text(re.search(r"```make\n(.*?)```", text, re.DOTALL)[1])
        for arch in "aarch64", "arm", "cortex-m", "riscv32", "riscv64", "x86_64":
            with self.subTest(arch):
                common.guest("probe", arch)
                machine = {"arch": arch, "kernel": "hello.elf"}
                if arch == "cortex-m":
                    machine.update(arch="arm", board="mps2-an385")
                common.qemu(machine["arch"])
                built = common.run(["make", "-B", "-C", self.dir, f"TRESTLE_ARCH={arch}"],
                                   env=self.env)
                self.assertEqual((built.code, built.err), (0, ""), built)
                base = {"riscv": "0x10200000", "x86_6": "0xd0200000", "corte": "0xa0000000"}
                if machine["arch"] in ("arm", "aarch64"):
                    machine["args"] = ["-semihosting"]
                config = {"machine": machine, "devices": [
                    {"model": "echo", "base_addr": base.get(arch[:5], "0xb200000")}]}
                (self.dir / "hello.json").write_text(json.dumps(config))
                result = common.run([common.TRESTLE, "run", self.dir / "hello.json"])
                self.assertEqual(result.code, 0, result)
                self.assertIn("hello: 3 passed, 0 failed", result.out)

    def test_guest_of_sources_with_other_names(self):
        common.guest("probe")
        (self.dir / "Makefile").write_text("include $(shell pkg-config --variable=makefile trestle-guest)\n"
                                           "a.elf: main.c more.c\nnone.elf:\n")
        (self.dir / "main.c").write_text('#include "guest.h"\nint more(void);\n'
                                         "int guest_main(void) { return more(); }\n")
        (self.dir / "more.c").write_text("int more(void);\nint more(void) { return 7; }\n")
        built = common.run(["make", "-C", self.dir, "a.elf"], env=self.env)
        self.assertEqual((built.code, built.err), (0, ""), built)
        self.assertTrue((self.dir / "a.elf").exists(), built)
        built = common.run(["make", "-C", self.dir, "none.elf"], env=self.env)
        self.assertEqual(built.code, 2, built)
        self.assertIn('none.elf has no sources; write "none.elf: FILE.c" into the Makefile', built.err)

    def test_guest_for_an_unknown_architecture(self):
        (self.dir / "Makefile").write_text(
            "include $(shell pkg-config --variable=makefile trestle-guest)\na.elf: a.c\n")
        result = common.run(["make", "-C", self.dir, "TRESTLE_ARCH=mips"], env=self.env)
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, 'TRESTLE_ARCH is "mips"; this Trestle has guests for '
                                     '([-\\w]+, )*riscv32')

    def test_model_outside_the_tree(self):
        example = self.dir / "mine"
        shutil.copytree(common.SOURCE / "examples/03-your-own-model", example,
                        ignore=shutil.ignore_patterns("*.so", "*.elf"))
        common.run(["make", "-C", example], env=self.env)
        self.assertIn("adler32.so", os.listdir(example))
        common.qemu("riscv32")
        result = common.run([common.TRESTLE, "run", example / "adler32.json"])
        self.assertEqual(result.code, 0, result)
        self.assertIn("PASS the sum of \"Wikipedia\"", result.out)


if __name__ == "__main__":
    common.main()
