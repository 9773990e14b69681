# SPDX-License-Identifier: MIT
"""sst many_devices.py: TRESTLE_DEVICES devices (64), each of which knows its own address. See
machine.py."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import device, machine  # noqa: E402

machine("many_devices", [(device(f"device{i}", "id"), None)
                         for i in range(int(os.environ.get("TRESTLE_DEVICES", "64")))],
        append="rounds=2")
