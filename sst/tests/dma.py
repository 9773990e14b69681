# SPDX-License-Identifier: MIT
"""sst dma.py: a device that copies guest memory and interrupts, and one that stands by."""
import os

import sst

BUILD = os.environ.get("TRESTLE_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                     "..", "..", "build"))

qemu = sst.Component("qemu", "trestle.QEMU")
qemu.addParams({
    "binary_path": os.path.join(BUILD, "firmware", "dma-riscv32.elf"),
    "icount": os.environ.get("TRESTLE_ICOUNT", "-1"),
    "qemu_args": ["-append", "rounds=20"],
    "num_devices": 2,
    "device0_base": "0x10200000",
    "device0_irq": "40",
    "device0_properties": os.environ.get("TRESTLE_PROPERTIES", ""),
    "device1_base": "0x10201000",
    "device1_properties": os.environ.get("TRESTLE_PROPERTIES", ""),
})
dma = sst.Component("dma", "acalsim.MMIODevice")
bystander = sst.Component("bystander", "trestle.Device")
bystander.addParams({"model": "id"})
if os.environ.get("TRESTLE_RANK"):
    qemu.setRank(0)
    dma.setRank(int(os.environ["TRESTLE_RANK"]))
    bystander.setRank(0)
sst.Link("cpu0").connect((qemu, "device_port_0", "1ns"), (dma, "cpu_port", "1ns"))
sst.Link("irq0").connect((qemu, "irq_port_0", "1ns"), (dma, "irq_port", "1ns"))
sst.Link("cpu1").connect((qemu, "device_port_1", "1ns"), (bystander, "cpu_port", "1ns"))
