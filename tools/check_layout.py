#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: tools/check_layout.py [SOURCE_DIRECTORY]

Checks what each part of the tree may include: dependencies point one way. Also the licence line
of every file. Prints one line per violation and exits with 1 if there was any.
"""
import pathlib
import re
import sys

# Directory: the directories whose headers it may include beside its own. "include" is the public
# headers, which every part may use but the guests.
ALLOWED = {
    "include": set(),
    "lib/base": {"include"},
    "lib/wire": {"include", "lib/base"},
    "lib/ipc": {"include", "lib/base", "lib/wire"},
    "lib/sim": {"include", "lib/base"},
    "lib/trace": {"include", "lib/base", "lib/wire"},
    "lib/bridge": {"include", "adapters/python", "lib/base", "lib/sim", "lib/wire", "lib/ipc", "lib/trace"},
    "lib/machine": {"include", "lib/base", "lib/sim", "lib/wire", "lib/ipc"},
    "lib/test": {"include"},
    "adapters/python": {"include"},
    "models": {"include"},
    "plugin": {"include", "lib/base", "lib/wire", "lib/ipc"},
    "sst": {"include"},
    "cli": {"include", "lib/base"},
    "examples": {"include"},
    "firmware": set(),
}
GPL_PARTS = ("plugin/",)
SOURCES = {".c", ".h", ".cc", ".hh", ".cpp", ".S"}
LICENSED = SOURCES | {".py", ".sh", ".ld"}
LICENSED_NAMES = {"Makefile", "meson.build", "meson_options.txt"}
SKIPPED = re.compile(r"^(build[^/]*|\.git|subprojects)(/|$)")


def files(source):
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if path.is_file() and not SKIPPED.match(name):
            yield path, name


def part_of(name):
    """The entry of ALLOWED that a file belongs to, or None (tests, benchmarks, tools)."""
    for part in ALLOWED:
        if name.startswith(part + "/"):
            return part
    return None


def resolve(source, path, included):
    """The repository's file that an include names, or None for the system's."""
    for directory in (path.parent, source / "lib", source / "include", source / "cli", source):
        target = (directory / included).resolve()
        if target.is_file() and source in target.parents:
            return target.relative_to(source).as_posix()
    return None


def check_includes(source, path, name):
    part = part_of(name)
    if part is None:
        return
    text = path.read_text(errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
        target = match and resolve(source, path, match[1])
        if not target:
            continue
        other = part_of(target)
        if other != part and other not in ALLOWED[part]:
            yield f"{name}:{number}: {part} may not include {target}"


def check_licence(path, name):
    head = path.read_text(errors="replace")[:400]
    licensed = path.suffix in LICENSED or path.name in LICENSED_NAMES
    if not licensed and not head.startswith("#!"):
        return
    found = re.findall(r"SPDX-License-Identifier: ([\w.-]+)", head)
    wanted = "GPL-2.0-or-later" if name.startswith(GPL_PARTS) else "MIT"
    if found != [wanted]:
        yield f"{name}: wants one line with SPDX-License-Identifier: {wanted}"


def check(source):
    source = source.resolve()
    problems = []
    for path, name in files(source):
        if path.suffix in SOURCES:
            problems += check_includes(source, path, name)
        problems += check_licence(path, name)
    return problems


def main():
    source = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1]
    problems = check(pathlib.Path(source))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
