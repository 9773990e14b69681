#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: tools/embed.py FILE NAME

Prints a C header with the text of FILE as `static const char NAME[]`.
"""
import json
import sys


def main():
    path, name = sys.argv[1:]
    print(f"static const char {name}[] =")
    with open(path, encoding="ascii") as file:
        for line in file:
            print("    " + json.dumps(line))
    print("    ;")


if __name__ == "__main__":
    main()
