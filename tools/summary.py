#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: tools/summary.py TESTLOG_JSON SECOND_TESTLOG_JSON NAME=STATUS...

Says what failed, and what was skipped and why, then "N passed, N failed, N skipped" from Meson's
log of a test run. What else was run comes by name and exit status, 77 for skipped, and counts as one
each; but for the first, "make test", whose tests the log has. Exits with 1 on any failure. The second
log is of the tests that failed, each run alone. A test that passes there has failed all the same, and
is called flaky: its cause has to be found.
"""
import json
import re
import sys

PASSED = {"OK", "EXPECTEDFAIL"}


def read_log(path):
    try:
        with open(path, encoding="utf-8") as log:
            return [json.loads(line) for line in log if line.strip()]
    except FileNotFoundError:
        return []


def reasons(test):
    """The lines of a test's output that say what it left out."""
    text = test.get("stdout", "") + test.get("stderr", "")
    return re.findall(r"^(?:skipped|SKIP)[: ].*$", text, re.MULTILINE)


def main():
    second = {test["name"]: test["result"] for test in read_log(sys.argv[2])}
    passed = failed = skipped = 0
    for test in read_log(sys.argv[1]):
        if test["result"] == "SKIP":
            skipped += 1
        elif test["result"] in PASSED:
            passed += 1
        else:
            failed += 1
            flaky = second.get(test["name"]) in PASSED
            print(f"failed: {test['name']} ({test['result']})"
                  + ("; flaky, it passed when run alone" if flaky else ""))
        for reason in reasons(test):
            print(f"{test['name']}: {reason}")
    for number, (name, _, status) in enumerate(arg.rpartition("=") for arg in sys.argv[3:]):
        if number == 0 and (status == "0" or failed):
            continue  # else the build broke, or no test ran
        if status == "77":
            skipped += 1
            print(f"skipped: {name}")
        elif status != "0":
            failed += 1
            print(f"failed: {name}")
        else:
            passed += 1
            print(f"passed: {name}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
