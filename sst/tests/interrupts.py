# SPDX-License-Identifier: MIT
"""sst interrupts.py: three timers, the last two on one interrupt."""
import os

import sst

BUILD = os.environ.get("TRESTLE_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                     "..", "..", "build"))

qemu = sst.Component("qemu", "trestle.QEMU")
qemu.addParams({
    "binary_path": os.path.join(BUILD, "firmware", "interrupts-riscv32.elf"),
    "icount": os.environ.get("TRESTLE_ICOUNT", "-1"),
    "num_devices": 3,
})
for i in range(3):
    qemu.addParams({f"device{i}_base": hex(0x10200000 + 0x1000 * i),
                    f"device{i}_irq": str(40 + (i > 0))})
    timer = sst.Component(f"timer{i}", "trestle.Device")
    timer.addParams({"model": "timer"})
    sst.Link(f"cpu{i}").connect((qemu, f"device_port_{i}", "1ns"), (timer, "cpu_port", "1ns"))
    sst.Link(f"irq{i}").connect((qemu, f"irq_port_{i}", "1ns"), (timer, "irq_port", "1ns"))
