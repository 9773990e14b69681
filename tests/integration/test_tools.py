# SPDX-License-Identifier: MIT
"""The repository's own rules hold, and the tools that check them do see violations."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest
from unittest import mock

import common

TOOLS = common.SOURCE / "tools"


class Layout(common.TestCase):
    def check(self, files):
        for name, text in files.items():
            path = self.dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return common.run([TOOLS / "check_layout.py", self.dir])

    def test_this_tree(self):
        result = common.run([TOOLS / "check_layout.py", common.SOURCE, common.BUILD])
        self.assertEqual((result.code, result.out), (0, ""), result)

    def test_includes_point_one_way(self):
        mit = "/* SPDX-License-Identifier: MIT */\n/* A file of a test. */\n"
        gpl = "/* SPDX-License-Identifier: GPL-2.0-or-later */\n/* A file of a test. */\n"
        result = self.check({
            "include/trestle/sim.h": mit,
            "include/trestle/wire.h": mit,
            "lib/sim/lazy.h": mit,
            "lib/bridge/bridge.h": mit + '#include "sim/lazy.h"\n#include "sim/sim.h"\n',
            "lib/sim/sim.h": mit + '#include "trestle/sim.h"\n#include "bridge/bridge.h"\n',
            "lib/ipc/loop.c": mit + '#include "../sim/sim.h"\n',
            "lib/base/error.c": mit + "#include <trestle/wire.h>\n#include <string.h>\n",
            "models/echo.c": mit + '#include "sim/sim.h"\n',
            "plugin/plugin.c": gpl + '#include "bridge/bridge.h"\n',
            "firmware/a.c": mit + '#include "trestle/sim.h"\n',
            "tests/unit/a.c": mit + '#include "sim/sim.h"\n#include "bridge/bridge.h"\n',
            "shed/a.c": mit,
        })
        self.assertEqual(result.code, 1)
        self.assertEqual(set(result.out.splitlines()), {
            "lib/bridge/bridge.h:4: lib/bridge may not include lib/sim/sim.h",
            "lib/base/error.c:3: lib/base may not include include/trestle/wire.h",
            "lib/sim/sim.h:4: lib/sim may not include lib/bridge/bridge.h",
            "lib/ipc/loop.c:3: lib/ipc may not include lib/sim/sim.h",
            "models/echo.c:3: models may not include lib/sim/sim.h",
            "plugin/plugin.c:3: plugin may not include lib/bridge/bridge.h",
            "firmware/a.c:3: firmware may not include include/trestle/sim.h",
            "tests/unit/a.c:4: tests/unit may not include lib/bridge/bridge.h",
            "shed/a.c: belongs to no part of the tree that has a rule here",
        })

    def test_opening_sentences(self):
        mit = "/* SPDX-License-Identifier: MIT */\n"
        result = self.check({
            "lib/ipc/a.c": mit + "#include <stdio.h>\n",
            "lib/ipc/b.c": mit + "/*\n * What it is. And why.\n */\n",
            "lib/ipc/c.h": mit,
        })
        self.assertEqual((result.code, result.out), (
            1, "lib/ipc/a.c:2: wants a sentence that says what this file is\n"))

    def test_results(self):
        result = self.check({"lib/ipc/a.c": "/* SPDX-License-Identifier: MIT */\n/* A file of a test. */\n"
                             "void a(int error)\n{\n    int r = b();\n    int status;\n    int error = b();\n}\n",
                             "sst/a.cc": "// SPDX-License-Identifier: MIT\n/* A file of a test. */\nvoid a()\n{\n    int status =\n"
                                         "        b();\n}\n"})
        self.assertEqual((result.code, set(result.out.splitlines())), (
            1, {"lib/ipc/a.c:7: a variable for a result is called r, not error",
                "sst/a.cc:5: a variable for a result is called r, not status"}))

    def test_circles(self):
        """Files call each other in a circle, through a third one or through a table; another only
        calls them."""
        mit = "/* SPDX-License-Identifier: MIT */\n/* A file of a test. */\n"
        sources = {
            "lib/ipc/a.c": "void b(void); void a(void) { b(); }\n",
            "lib/ipc/b.c": "extern void (*const table[1])(void);\nvoid b(void) { table[0](); }\n",
            "lib/ipc/c.c": "void a(void);\nvoid (*const table[1])(void) = {a};\n",
            "lib/ipc/d.c": "void a(void); void d(void) { a(); }\n",
        }
        build, entries = self.dir / "build", []
        build.mkdir()
        for name, text in sources.items():
            path = self.dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(mit + text)
            subprocess.run(["cc", "-c", "-o", build / (path.stem + ".o"), path], check=True)
            entries.append({"directory": str(build), "file": "../" + name,
                            "output": path.stem + ".o"})
        (build / "compile_commands.json").write_text(json.dumps(entries))
        result = self.check({})
        self.assertEqual((result.code, result.out), (1,
            "a circle of files: lib/ipc/a.c (b) -> lib/ipc/b.c (table) -> lib/ipc/c.c (a) -> "
            "lib/ipc/a.c\n"), result)

    def test_licence_lines(self):
        result = self.check({
            "cli/none.c": "int a;\n/* A file of a test. */\n",
            "tests/data.txt": "no line needed\n",
            "cli/meson.build": "# SPDX-License-Identifier: MIT\n",
            "plugin/wrong.c": "/* SPDX-License-Identifier: MIT */\n/* A file of a test. */\n",
            "tools/run": "#!/bin/sh\n",
            "docs/notes.md": "no line needed\n",
        })
        self.assertEqual(result.code, 1)
        self.assertEqual([line.split(":")[0] for line in result.out.splitlines()],
                         ["cli/none.c", "plugin/wrong.c", "tools/run"])


class Check(common.TestCase):
    def test_changes_without_a_script(self):
        (self.dir / "tools").mkdir()
        shutil.copy(TOOLS / "check", self.dir / "tools")
        (self.dir / "notes.txt").write_text("no script\n")
        for command in (("init", "--quiet"), ("add", "tools/check"),
                        ("-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "-m", "One"),
                        ("add", "notes.txt")):
            subprocess.run(["git", *command], cwd=self.dir, check=True)
        result = common.run([self.dir / "tools" / "check", "--changed"])
        self.assertIn("ok: scripts\n", result.out, result)

    @unittest.skipUnless(shutil.which("pyflakes3"), "pyflakes3 is not installed (tools/deps check installs it)")
    def test_python_with_a_flaw(self):
        (self.dir / "tools").mkdir()
        shutil.copy(TOOLS / "check", self.dir / "tools")
        subprocess.run(["git", "init", "--quiet"], cwd=self.dir, check=True)
        for text, line in ("import os\n", "FAILED: python\n"), ("import os\nprint(os.name)\n", "ok: python\n"):
            (self.dir / "a.py").write_text(text)
            subprocess.run(["git", "add", "a.py", "tools/check"], cwd=self.dir, check=True)
            result = common.run([self.dir / "tools" / "check", "--changed"])
            self.assertIn(line, result.out, result)


class Forge(common.TestCase):
    def test_its_targets_are_there(self):
        makefile = (common.SOURCE / "Makefile").read_text()
        workflow = (common.SOURCE / ".github" / "workflows" / "ci.yml").read_text()
        targets = re.findall(r"run: make ([\w-]+)$", workflow, re.MULTILINE)
        self.assertGreater(len(targets), 4)
        for target in targets:
            self.assertRegex(makefile, rf"(?m)^{target}:")

    def test_versions_are_one(self):
        version = re.search(r"version: '([\d.]+)'", (common.SOURCE / "meson.build").read_text())[1]
        changelog = (common.SOURCE / "debian" / "changelog").read_text()
        self.assertEqual(changelog.splitlines()[0],
                         f"trestle ({version}) unstable; urgency=medium")


class Symbols(common.TestCase):
    def check(self, text):
        (self.dir / "lib").mkdir()
        source = self.dir / "lib" / "a.c"
        source.write_text(text)
        subprocess.run(["cc", "-c", "-O1", "-o", source.with_suffix(".o"), source], check=True)
        return common.run([TOOLS / "check_symbols.py", self.dir])

    def test_clean(self):
        result = self.check("static const char *const names[] = {\"a\"};\n"
                            "const char *f(int i) { return names[i]; }\n")
        self.assertEqual((result.code, result.out), (0, ""), result)

    def test_violations(self):
        result = self.check("#include <stdio.h>\n#include <stdlib.h>\n"
                            "int f(void) { static int n; if (n > 9) exit(1);\n"
                            "              puts(getenv(\"HOME\")); return n++; }\n")
        self.assertEqual(result.code, 1)
        for word in "exit", "puts", "getenv", ".bss":
            self.assertIn(word, result.out)

    def test_nothing_built(self):
        self.assertEqual(common.run([TOOLS / "check_symbols.py", self.dir]).code, 1)


class Clang(common.TestCase):
    def check(self, text):
        (self.dir / "a.c").write_text(text)
        (self.dir / "compile_commands.json").write_text(json.dumps([
            {"directory": str(self.dir), "file": "a.c",
             "command": "cc -Wall -Wno-gcc-knows-this -MD -MF a.d -o a.o -c a.c"}]))
        return common.run([TOOLS / "check_clang.py", self.dir])

    @unittest.skipUnless(shutil.which("clang"), "there is no clang (tools/deps installs it)")
    def test_warnings(self):
        result = self.check("int f(int a);\nint f(int a) { return a; }\n")
        self.assertEqual((result.code, result.out), (0, ""), result)
        result = self.check("int f(int a);\nint f(int a) { a = a; return a; }\n")
        self.assertEqual(result.code, 1)
        self.assertIn("-Wself-assign", result.out)
        self.assertEqual(common.files(self.dir), {"a.c", "compile_commands.json"})


class Mutations(common.TestCase):
    def setUp(self):
        super().setUp()
        loader = importlib.machinery.SourceFileLoader("mutate", str(TOOLS / "mutate"))
        self.mutate = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutate", loader))
        loader.exec_module(self.mutate)

    def test_changes(self):
        source = self.dir / "a.c"
        source.write_text("int g(int a)\n{\n    if (a == 1)\n        h();\n    /* a == 2 */\n    return 0;\n}\n")
        self.assertEqual(sorted((number, line.strip()) for number, line in self.mutate.mutants(source)[1]), [
            (2, "if (a != 1)"), (2, "if (a == 2)"), (3, ";"), (5, "return -1;"), (5, "return 1;")])

    def test_list(self):
        """What it lists is there, each with a reason."""
        reasons = self.mutate.listed()
        for (name, old, new), reason in reasons.items():
            with self.subTest(name=name, line=old):
                self.assertGreater(len(reason), 10)
                lines, found = self.mutate.mutants(common.SOURCE / name)
                self.assertIn((old, new), {(lines[number].strip(), which) for number, changed in found
                                           for which in (changed.strip(), "*")})


class Helpers(common.TestCase):
    def test_commands_that_take_too_long(self):
        """They may remove what they have made; those that do not want to end are killed."""
        for trap, patience, is_left in ("rm made; exit", 60, False), ("", 1, True):
            with self.subTest(trap=trap), mock.patch("common.END_SECONDS", patience):
                with self.assertRaisesRegex(AssertionError, "no end within 1 s: "):
                    common.run(["sh", "-c", f"trap '{trap}' TERM; touch made; while :; do sleep 0.01; done"],
                               timeout=1, cwd=self.dir)
                self.assertEqual((self.dir / "made").exists(), is_left)


class Summary(common.TestCase):
    def summarise(self, tests, *others, second=()):
        for name, log in ("testlog.json", tests), ("again.json", second):
            (self.dir / name).write_text("".join(json.dumps(test) + "\n" for test in log))
        return common.run([TOOLS / "summary.py", self.dir / "testlog.json",
                           self.dir / "again.json", *others])

    def test_counts(self):
        tests = [{"name": "a", "result": "OK", "stdout": "skipped: part: no qemu\n"},
                 {"name": "b", "result": "SKIP", "stdout": "skipped: all: no sst\n"}]
        result = self.summarise(tests, "make test=0", "make check=0", "other hosts=77")
        self.assertEqual(result.code, 0)
        self.assertEqual(result.out, "a: skipped: part: no qemu\nb: skipped: all: no sst\n"
                                     "passed: make check\nskipped: other hosts\n"
                                     "2 passed, 0 failed, 2 skipped\n")

    def test_failures(self):
        result = self.summarise([{"name": "a", "result": "TIMEOUT"}], "make test=1",
                                "make check=0")
        self.assertEqual(result.code, 1)
        self.assertEqual(result.out, "failed: a (TIMEOUT)\npassed: make check\n"
                                     "1 passed, 1 failed, 0 skipped\n")
        self.assertEqual(self.summarise([], "make test=0", "make check=2").code, 1)

    def test_passed_on_a_second_try(self):
        result = self.summarise([{"name": "a", "result": "FAIL"}], "make test=1",
                                second=[{"name": "a", "result": "OK"}])
        self.assertEqual(result.code, 1)
        self.assertEqual(result.out, "failed: a (FAIL); flaky, it passed when run alone\n"
                                     "0 passed, 1 failed, 0 skipped\n")

    def test_no_log(self):
        result = common.run([TOOLS / "summary.py", self.dir / "none", self.dir / "none",
                             "make test=2", "make check=0"])
        self.assertEqual(result.code, 1)
        self.assertIn("failed: make test\n", result.out)


class Dependencies(common.TestCase):
    def deps(self, *purposes, commands=()):
        """Runs tools/deps with a PATH that has what a bare system has, and these commands."""
        for name in "dirname", "sed", "env", "mktemp", "rm", "cat", "id", "tr":
            os.symlink(shutil.which(name), self.dir / name)
        for name, text in dict(commands).items():
            path = self.dir / name
            path.write_text("#!/bin/sh\n" + text)
            path.chmod(0o755)
        return common.run(["/bin/sh", TOOLS / "deps", *purposes], env={"PATH": str(self.dir)})

    def test_names_what_is_missing_without_apt_get(self):
        result = self.deps("check", commands={"cppcheck": ""})
        self.assertEqual(result.code, 1)
        self.assertIn("no apt-get", result.err)
        self.assertIn("clang-format-14", result.err)
        self.assertNotIn("cppcheck", result.err)
        self.assertNotIn("meson", result.err)

    def test_updates_the_list_and_tries_again(self):
        log = self.dir / "log"
        apt = f'''echo "$@" >>{log}
case $* in *update*) echo >{self.dir}/updated ;; *) [ -e {self.dir}/updated ] ;; esac
'''
        result = self.deps("check", commands={"apt-get": apt, "sudo": '"$@"'})
        self.assertEqual(result.code, 0, result)
        lines = log.read_text().splitlines()
        self.assertEqual(len(lines), 3, lines)
        self.assertIn("shellcheck", lines[2])
        self.assertEqual(result.out, "")

    def test_what_a_release_does_not_have(self):
        """It is named and left out, once the list is new."""
        log = self.dir / "log"
        result = self.deps("check", commands={
            "apt-get": f'echo "$@" >>{log}\n', "sudo": '"$@"',
            "apt-cache": '[ "$2" != clang-format-14 ]\n'})
        self.assertEqual((result.code, result.out), (0, ""), result)
        self.assertIn("This release does not have: clang-format-14\n", result.err)
        update, install = log.read_text().splitlines()
        self.assertEqual(update, "update")
        self.assertIn("shellcheck", install)
        self.assertNotIn("clang-format-14", install)

    def test_the_first_name_that_a_release_has(self):
        for other, taken in ("qemu-system-riscv", "qemu-system-misc"), ("qemu-system-misc", "qemu-system-riscv"):
            result = self.deps("demo", commands={
                "apt-get": f'echo "$@" >{self.dir}/log\n', "sudo": '"$@"',
                "apt-cache": f'[ "$2" != {other} ]\n'})
            self.assertEqual((result.code, result.out), (0, ""), result)
            installed = (self.dir / "log").read_text().split()
            self.assertIn(taken, installed)
            self.assertNotIn(other, installed)
            for path in self.dir.iterdir():
                path.unlink()

    def test_apt_get_fails(self):
        result = self.deps("check", commands={"apt-get": "echo no network; exit 1",
                                              "sudo": '"$@"'})
        self.assertEqual(result.code, 1)
        self.assertIn("no network", result.err)
        self.assertIn("shellcheck", result.err)


class Parts(common.TestCase):
    def test_none_is_left_out(self):
        """A file whose tests Meson runs in parts has each of them in one."""
        tests = json.loads(common.run(["meson", "introspect", "--tests", common.BUILD]).out)
        parts = {}
        for _, path, *names in (test["cmd"] for test in tests if len(test["cmd"]) > 1):
            if path.endswith(".py"):
                parts.setdefault(path, []).extend(names)
        self.assertIn("test_failing.py", [pathlib.Path(path).name for path, names in parts.items() if names])
        for path, names in parts.items():
            name = None
            for line in pathlib.Path(path).read_text().splitlines() if names else ():
                name = re.sub(r"class (\w+).*", r"\1", line) if line.startswith("class ") else name
                method = re.match(r"    def (test_\w+)", line)
                if method and name not in names:
                    self.assertIn(f"{name}.{method[1]}", names, path)


if __name__ == "__main__":
    common.main()
