# SPDX-License-Identifier: MIT
"""sst interrupts.py: three timers, the last two on one interrupt. See machine.py."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import device, machine  # noqa: E402

machine("interrupts", [(device(f"timer{i}", "timer"), 40 + (i > 0)) for i in range(3)])
