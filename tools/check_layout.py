#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: tools/check_layout.py [SOURCE_DIRECTORY [BUILD_DIRECTORY]]

Checks what each part of the tree may include: dependencies point one way. Also the licence line
of every file, and the sentence that a .c file opens with. In a build directory (default: build, if there is one) the objects show which files
call which: no files call each other in a circle. Prints one line per violation and exits with 1 if
there was any.
"""
import json
import pathlib
import re
import subprocess
import sys

# Part of the tree: the headers outside it that it may include, by directory. A new one is a decision:
# dependencies point one way, and what a part does not need it does not see.
ALLOWED = {
    "include": {},
    "lib/base": {
        "include/trestle": "bridge le sim types",
    },
    "lib/ipc": {
        "include/trestle": "types wire",
        "lib/base": "clock error macros socket_path",
    },
    "lib/sim": {
        "include/trestle": "le registers sim",
        "lib/base": "activity error macros number rate_limit region sized",
        "lib/trace": "trace",
    },
    "lib/trace": {
        "include/trestle": "le registers sim",
        "lib/base": "clock error io macros",
    },
    "lib/front/v1": {
        "include/trestle": "wire",
        "lib/base": "clock",
        "lib/front": "connection protocol",
    },
    "lib/front/v2": {
        "include/trestle": "registers wire",
        "lib/base": "error macros",
        "lib/front": "connection protocol",
        "lib/ipc": "channel fds",
        "lib/sim": "command lookup",
    },
    "lib/front/vfio": {
        "include/trestle": "device le registers",
        "lib/base": "clock error macros pci_window",
        "lib/front": "connection protocol",
        "lib/ipc": "fds",
        "lib/sim": "command lookup",
    },
    "lib/front": {
        "include/trestle": "registers",
        "lib/base": "clock error histogram listener macros rate_limit",
        "lib/ipc": "fds loop stream wait",
        "lib/sim": "lookup timeline",
    },
    "lib/models": {
        "adapters/python": "python",
        "include/trestle": "models",
        "lib/base": "elf error",
        "lib/sim": "model",
    },
    "lib/virtio": {
        "include/trestle": "le virtio",
    },
    "lib/bridge": {
        "include/trestle": "bridge process registers wire",
        "lib/base": "clock error handover listener macros region sized",
        "lib/front": "connection front port",
        "lib/front/v1": "v1",
        "lib/front/v2": "v2",
        "lib/front/vfio": "vfio",
        "lib/ipc": "barrier inline shm",
        "lib/sim": "activity command lazy lookup",
        "lib/trace": "hash trace writer",
    },
    "lib/machine": {
        "include/trestle": "machine",
        "lib/base": "child clock error image process sized",
    },
    "lib/test": {
        "include/trestle": "bridge models test",
    },
    "adapters/python": {
        "include/trestle": "device registers sim",
    },
    "adapters/verilator": {
        "include/trestle": "device pin registers",
    },
    "models": {
        "include/trestle": "i2c le peer pin registers virtio",
    },
    "plugin": {
        "include/trestle": "le wire",
        "lib/base": "clock macros pci_window process region socket_path",
        "lib/ipc": "barrier channel fds inline memory_file stream wait",
    },
    "sst": {
        "include/trestle": "bridge machine models sim",
    },
    "inline": {
        "cli": "log",
        "cli/run": "host_end",
        "include/trestle": "models process sim",
        "lib/base": "clock error handover macros vigil",
        "lib/bridge": "command inline",
        "lib/sim": "command",
    },
    "cli": {
        "include/trestle": "bridge machine models process registers sim test",
        "lib/base": "child clock error handover image io listener number process region socket_path vigil",
        "lib/bridge": "command",
        "lib/machine": "command",
        "lib/sim": "command lookup",
        "lib/trace": "trace",
    },
    "examples": {
        "include/trestle": "device systemc",
    },
    "firmware": {},
    "bench": {
        "cli/bench": "line",
        "include/trestle": "registers sim systemc test wire",
        "lib/ipc": "barrier shm wait",
        "lib/sim": "command event",
        "lib/trace": "hash trace writer",
    },
    "tests/fuzz": {
        "cli": "log util",
        "cli/config": "config",
        "cli/control": "client server",
        "cli/poke": "poke",
        "cli/rtl": "ports",
        "cli/run": "backend",
        "cli/svd": "stub svd",
        "cli/trace": "replay",
        "include/trestle": "bridge device models test wire",
        "lib/base": "handover listener",
        "lib/front/vfio": "wire",
        "lib/ipc": "fds shm",
        "lib/trace": "trace",
        "plugin/device": "device dts irq wiring",
        "plugin/qemu": "memory say",
        "tests/unit": "notes pci_machine refusal trace_unit",
        "plugin/v2": "inline ram v2",
    },
    "tests/integration": {
        "include/trestle": "device registers",
    },
    "tests/rtl": {},
    "tests/systemc": {
        "include/trestle": "systemc",
    },
    "tests/tsan": {
        "include/trestle": "bridge models wire",
        "lib/ipc": "barrier shm",
    },
    "tests/unit": {
        "cli": "log util",
        "cli/bench": "guest",
        "cli/config": "config",
        "cli/control": "client server",
        "cli/rtl": "edges structs",
        "cli/run": "backend",
        "cli/svd": "stub svd text",
        "cli/trace": "replay",
        "include/trestle": "bridge device i2c le machine models peer pin process registers sim test virtio wire",
        "lib/bridge": "command inline",
        "lib/base": "child handover histogram image io listener macros number process rate_limit region sized socket_path vigil",
        "lib/front/vfio": "wire",
        "lib/ipc": "barrier channel fds loop shm stream wait",
        "lib/machine": "command",
        "lib/sim": "command device event lazy lookup params sim timeline",
        "lib/trace": "hash record trace writer",
        "plugin/device": "acpi device dts irq pci recovery report tree",
        "plugin/qemu": "biglock fdt idle memory owner pci_abi qemu_abi say start warp",
        "plugin/v2": "inline ram v2",
        "tests/fuzz": "clock",
    },
}
# Where no files may call each other in a circle.
NO_CIRCLES = ("lib/base/", "lib/bridge/", "lib/front/", "lib/ipc/", "lib/machine/", "lib/models/", "lib/sim/", "lib/test/", "lib/trace/",
              "plugin/")
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
    """The entry of ALLOWED that a file belongs to, or None."""
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
        yield f"{name}: belongs to no part of the tree that has a rule here"
        return
    text = path.read_text(errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
        target = match and resolve(source, path, match[1])
        if not target:
            continue
        directory, _, header = target.rpartition("/")
        if part_of(target) != part and \
                header.removesuffix(".h") not in ALLOWED[part].get(directory, "").split():
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


OTHER_RESULT = re.compile(r" +int (error|err|result|res|ret|rc|status) =(?: .*\(|$)")


def check_result(path, name):
    """What a function has returned is called r."""
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = OTHER_RESULT.match(line)
        if match and path.suffix in SOURCES:
            yield f"{name}:{number}: a variable for a result is called r, not {match[1]}"


def check_opening(path, name):
    """A .c file opens with what it is, in a sentence of its own."""
    if path.suffix not in {".c", ".cc"}:
        return
    after = path.read_text(errors="replace").partition("\n")[2]
    if not re.match(r"/\*\s[^.:]*\w[^.:]*[.:]", after.replace("*/", ".", 1)):
        yield f"{name}:2: wants a sentence that says what this file is"


def symbols(objects):
    """Of {file: its object}: {symbol: the file that defines it}, {file: the symbols it wants}."""
    defined, wanted = {}, {name: [] for name in objects}
    for name, path in objects.items():
        lines = subprocess.run(["nm", "--extern-only", "--format=posix", path], check=True,
                               capture_output=True, text=True).stdout.splitlines()
        for symbol, kind, *_ in (line.split(" ") for line in lines):
            if kind in "Uvw":
                wanted[name].append(symbol)
            else:
                defined[symbol] = name
    return defined, wanted


def way(calls, start):
    """The shortest way of calls from a file back to itself, as [(file, symbol of the next), ...]."""
    ways = [[(start, symbol)] for symbol in calls[start]]
    seen = set()
    for so_far in ways:  # which grows
        name = calls[so_far[-1][0]][so_far[-1][1]]
        if name == start:
            return so_far
        if name not in seen:
            seen.add(name)
            ways += [so_far + [(name, symbol)] for symbol in calls[name]]
    return []


def check_circles(source, build):
    commands = build / "compile_commands.json"
    entries = json.loads(commands.read_text()) if commands.exists() else []
    objects = {}
    for entry in entries:
        path = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        target = build / entry["output"]
        name = path.relative_to(source).as_posix() if source in path.parents else ""
        if name.startswith(NO_CIRCLES) and not entry["output"].startswith("tests/") \
                and target.exists() and target.stat().st_mtime >= path.stat().st_mtime:
            objects.setdefault(name, target)
    defined, wanted = symbols(objects)
    calls = {name: {symbol: defined[symbol] for symbol in sorted(wanted[name])
                    if defined.get(symbol, name) != name} for name in sorted(objects)}
    known = set()
    for name in calls:
        circle = [] if name in known else way(calls, name)
        known.update(member for member, _ in circle)
        if circle:
            yield "a circle of files: " + " -> ".join(
                f"{member} ({symbol})" for member, symbol in circle) + f" -> {name}"


def check(source, build):
    source = source.resolve()
    problems = list(check_circles(source, build.resolve()))
    for path, name in files(source):
        if path.suffix in SOURCES:
            problems += check_includes(source, path, name)
        problems += check_licence(path, name)
        problems += check_opening(path, name)
        problems += check_result(path, name)
    return problems


def main():
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1])
    build = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else source / "build"
    problems = check(source, build)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
