#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: tools/check_symbols.py BUILD_DIRECTORY

Checks the built library (without sanitizers): it is silent and has no globals, so its objects
call none of the functions below and have no writable data; and the plugin contains neither the
bridge nor the engine. Prints one line per violation and exits with 1 if there was any.
"""
import pathlib
import re
import subprocess
import sys

FORBIDDEN = {
    "printf", "vprintf", "puts", "putchar", "perror", "stdout", "stderr",
    "__printf_chk", "__vprintf_chk", "exit", "abort", "getenv",
    "secure_getenv", "setenv", "signal", "sigaction", "setlocale", "srand", "rand", "strtok",
}
# The child, between fork and exec, gives QEMU the default disposition of every signal.
EXCEPTIONS = {("machine_process.c.o", "signal")}
NOT_IN_PLUGIN = re.compile(r"trestle_(bridge|sim|component|clock|link|model|machine)_")


def output(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def check_objects(objects):
    for path in objects:
        for symbol in output("nm", "--undefined-only", "--format=posix", path).split("\n"):
            name = symbol.split(" ")[0].split("@")[0]
            if name in FORBIDDEN and (path.name, name) not in EXCEPTIONS:
                yield f"{path.name}: the library must not use {name}"
        # [Nr] name type address offset size ...
        for line in output("readelf", "--section-headers", "--wide", path).split("\n"):
            match = re.match(r"\s*\[ *\d+\] (\.(?:data|bss|tdata|tbss)\S*)\s+\w+\s+\w+\s+\w+ (\w+)",
                             line)
            if not match or match[1].startswith(".data.rel.ro") or int(match[2], 16) == 0:
                continue
            yield f"{path.name}: the library must have no mutable statics ({match[1]})"


def check_plugin(plugin):
    for line in output("nm", "--defined-only", "--format=posix", plugin).split("\n"):
        if NOT_IN_PLUGIN.match(line):
            yield f"{plugin.name}: contains {line.split(' ')[0]}, which belongs to the bridge"


def main():
    build = pathlib.Path(sys.argv[1])
    # What is for tests of models may print and exit.
    objects = sorted(path for path in (build / "lib").rglob("*.o")
                     if "libtrestle-test." not in path.parent.name)
    if not objects:
        print(f"{build}: no objects of the library; build it first")
        return 1
    problems = list(check_objects(objects))
    plugin = build / "trestle-qemu.so"
    if plugin.exists():
        problems += check_plugin(plugin)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
