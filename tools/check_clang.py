#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: tools/check_clang.py BUILD_DIRECTORY

Reads every source with clang, which warns of other things than gcc, which builds. The flags are
the build's. Prints the warnings and exits with 1 if there are any.
"""
import concurrent.futures
import json
import pathlib
import shlex
import subprocess
import sys

CLANG = ["clang", "-fsyntax-only", "-Werror", "-Wno-unknown-warning-option"]


def flags_of(entry):
    """The flags that say how to read the file, not what to write."""
    words = shlex.split(entry["command"])
    # The compiler comes first, and before it perhaps a cache for it.
    kept, words = [], iter(words[2 if words[0].endswith("ccache") else 1:])
    for word in words:
        if word in ("-o", "-MF", "-MQ"):
            next(words)
        elif word not in ("-c", "-MD") and not word.startswith("-fdiagnostics"):
            kept.append(word)
    return kept


def read_with_clang(entry):
    done = subprocess.run([*CLANG, *flags_of(entry)], cwd=entry["directory"],
                          capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def main():
    entries = json.loads((pathlib.Path(sys.argv[1]) / "compile_commands.json").read_text())
    by_file = {entry["file"]: entry for entry in entries if entry["file"].endswith(".c")}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        problems = [text for text in pool.map(read_with_clang, by_file.values()) if text]
    print("".join(problems), end="")
    return 1 if problems or not by_file else 0


if __name__ == "__main__":
    sys.exit(main())
