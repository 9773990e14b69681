# SPDX-License-Identifier: MIT
"""sst dma.py: a device that copies guest memory and interrupts, and one that stands by. See
machine.py. TRESTLE_RANK is the rank of the first, when there are several."""
import os
import sys

import sst

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import device, machine  # noqa: E402

dma = sst.Component("dma", "acalsim.MMIODevice")
bystander = device("bystander", "id")
qemu = machine("dma", [(dma, 40), (bystander, None)], append="rounds=20")
if os.environ.get("TRESTLE_RANK"):
    qemu.setRank(0)
    dma.setRank(int(os.environ["TRESTLE_RANK"]))
    bystander.setRank(0)
