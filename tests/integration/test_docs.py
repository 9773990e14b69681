# SPDX-License-Identifier: MIT
"""The documentation runs: in README.md, CONTRIBUTING.md, docs/ and examples/ every ```sh block is
executed, every ```c block compiles, every ```json block is valid: one with "devices" in it is a
configuration that `trestle check` accepts. A model "./NAME.so" in it is made of the last C
block before it that exports a model.

The sh blocks of one file run in order, as one script, in a copy of the tree whose build/ is the
build under test. A block that cannot be run says why in a comment on the line before it:

    <!-- not run: installs packages -->

Likewise "not compiled" and "not checked". C blocks see all public headers and stand at file scope.
"""
import json
import re
import shutil
import unittest

import common

LANGUAGES = {"sh": "not run", "c": "not compiled", "json": "not checked"}
# C++ here is for SST, whose headers are on few machines.
UNCHECKED_LANGUAGES = {"text", "cpp", "make", "meson", "python", "diff"}
BLOCK = re.compile(r"^(?:[ \t]*<!-- (?P<marker>not [a-z]+):(?P<reason>[^\n]*?)-->\n)?"
                   r"(?P<indent>[ \t]*)```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```[ \t]*$",
                   re.MULTILINE | re.DOTALL)
PRELUDE = ("#include <errno.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
           "#include <trestle/bridge.h>\n#include <trestle/device.h>\n"
           "#include <trestle/machine.h>\n#include <trestle/sim.h>\n"
           "#include <trestle/wire.h>\n")


class Block:
    def __init__(self, name, text, match):
        self.where = f"{name}:{text.count(chr(10), 0, match.start('language')) + 1}"
        self.language = match["language"].strip()
        self.left_out = match["marker"] is not None
        indent = len(match["indent"])
        self.text = "".join(line[indent:] if line.strip() else line
                            for line in match["text"].splitlines(keepends=True))
        if self.language not in UNCHECKED_LANGUAGES | LANGUAGES.keys():
            raise AssertionError(f"{self.where}: '{self.language}' is none of sh, c, json, " +
                                 ", ".join(sorted(UNCHECKED_LANGUAGES)))
        if self.left_out and (match["marker"] != LANGUAGES.get(self.language) or
                              not match["reason"].strip()):
            raise AssertionError(f"{self.where}: wants '<!-- "
                                 f"{LANGUAGES.get(self.language)}: REASON -->'")


def blocks(name, text):
    return [Block(name, text, match) for match in BLOCK.finditer(text)]


def documents():
    paths = [*common.SOURCE.glob("*.md"), *common.SOURCE.glob("docs/**/*.md"),
             *common.SOURCE.glob("examples/*/README.md")]
    return {path.relative_to(common.SOURCE).as_posix(): path.read_text() for path in sorted(paths)}


def chosen(language):
    """The blocks of a language that are not left out, by document."""
    found = {}
    for name, text in documents().items():
        found[name] = [block for block in blocks(name, text)
                       if block.language == language and not block.left_out]
    return {name: those for name, those in found.items() if those}


class Extraction(unittest.TestCase):
    """What the tests below rest on."""

    def test_blocks(self):
        found = blocks("a.md", "x\n```sh\na\nb\n```\n- y\n  ```sh\n  c\n\n    d\n  ```\n"
                               "<!-- not run: no network -->\n```sh\ne\n```\n```text\nf\n```\n")
        self.assertEqual([(b.where, b.text, b.left_out) for b in found],
                         [("a.md:2", "a\nb\n", False), ("a.md:7", "c\n\n  d\n", False),
                          ("a.md:13", "e\n", True), ("a.md:16", "f\n", False)])

    def test_refused(self):
        for text in ("```\na\n```\n", "```bash\na\n```\n", "<!-- not run: -->\n```sh\na\n```\n",
                     "<!-- not compiled: x -->\n```sh\na\n```\n"):
            with self.assertRaises(AssertionError):
                blocks("a.md", text)

    def test_something_is_found(self):
        self.assertIn("CONTRIBUTING.md", documents())


# A make that runs these tests hands its variables on to those of the documentation: with MESON_ARGS
# the first of them would tie the build directory to a copy of the tree.
NOTHING_FROM_MAKE = dict.fromkeys(("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MESON_ARGS"), "")


class Documents(common.TestCase):
    def copy_tree(self):
        tree = self.dir / "trestle"
        shutil.copytree(common.SOURCE, tree, symlinks=True,
                        ignore=shutil.ignore_patterns("build", "build-*", ".git", "__pycache__"))
        (tree / "build").symlink_to(common.BUILD)
        return tree

    def test_commands_run(self):
        for name, those in chosen("sh").items():
            with self.subTest(document=name):
                # The last line on stderr that starts so names the block that failed.
                script = "set -eu -o pipefail\n" + "".join(
                    f"echo '== {block.where}' >&2\n{block.text}" for block in those)
                result = common.run(["bash", "-c", script], timeout=150, cwd=self.copy_tree(),
                                    env=NOTHING_FROM_MAKE)
                shutil.rmtree(self.dir / "trestle")
                self.assertEqual(result.code, 0, result)

    def test_tables_are_the_models_own(self):
        """<!-- trestle models NAME --markdown --> stands before what that command prints."""
        text = (common.SOURCE / "docs/models.md").read_text()
        found = re.findall(r"<!-- trestle models ([\w-]+) --markdown -->\n"
                           r"((?:\w+:\n\n)?(?:\|.*\n|\n\w+:\n\n)+)", text)
        # The bytes of an EEPROM are no registers, and those of virtio devices are all the same.
        without = {"at24", "virtio-blk", "virtio-console", "virtio-net"}
        self.assertEqual({name for name, _ in found}, set(common.bundled_models()) - without)
        for name, table in found:
            result = common.run([common.TRESTLE, "models", name, "--markdown"])
            self.assertEqual(table, result.out, f"docs/models.md: {name}")

    def test_c_compiles(self):
        for block in sum(chosen("c").values(), []):
            with self.subTest(block=block.where):
                result = common.run(["cc", "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra",
                                     "-Wno-unused-parameter", "-Wno-unused-function", "-Werror",
                                     "-I", common.SOURCE / "include", "-x", "c", "-"],
                                    stdin=PRELUDE + f'#line 1 "{block.where}"\n' + block.text)
                self.assertEqual(result.code, 0, result)

    def build_model(self, source, name):
        self.assertIsNotNone(source, f"no C block before it makes {name}")
        result = common.run(["cc", "-std=gnu11", "-shared", "-fPIC", "-I",
                             common.SOURCE / "include", "-x", "c", "-", "-o", self.dir / name],
                            stdin=source)
        self.assertEqual(result.code, 0, result)

    def check_configuration(self, text, model_source):
        (self.dir / "config.json").write_text(text)
        (self.dir / "guest.elf").write_bytes(b"\x7fELF" + bytes(60))  # for any architecture
        (self.dir / "disk.img").write_bytes(bytes(4096))
        if not (self.dir / "examples").exists():
            (self.dir / "examples").symlink_to(common.SOURCE / "examples")
        for name in re.findall(r'"\./(\w+\.so)"', text):
            self.build_model(model_source, name)
        result = common.run([common.TRESTLE, "check", self.dir / "config.json"])
        self.assertEqual(result.code, 0, result)

    def test_json_is_valid(self):
        for name, text in documents().items():
            model_source = None
            for block in blocks(name, text):
                if block.language == "c" and "TRESTLE_MODEL_EXPORT" in block.text:
                    model_source = block.text
                if block.language != "json" or block.left_out:
                    continue
                with self.subTest(block=block.where):
                    if "devices" in json.loads(block.text):
                        self.check_configuration(block.text, model_source)


if __name__ == "__main__":
    common.main()
