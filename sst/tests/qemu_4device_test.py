# SPDX-License-Identifier: MIT
"""sst qemu_4device_test.py: two echo devices and two calculators."""
import os

import sst

BUILD = os.environ.get("TRESTLE_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                     "..", "..", "build"))

qemu = sst.Component("qemu", "qemubinary.QEMUBinary")
qemu.addParams({
    "verbose": 1,
    "binary_path": os.path.join(BUILD, "firmware", "four_devices-riscv32.elf"),
    "icount": os.environ.get("TRESTLE_ICOUNT", "-1"),
    "num_devices": 4,
})
for i, kind in enumerate(("QEMUDevice", "ComputeDevice", "QEMUDevice", "ComputeDevice")):
    base = hex(0x10200000 + 0x100000 * i)
    qemu.addParams({f"device{i}_base": base, f"device{i}_size": 4096,
                    f"device{i}_name": f"device{i}"})
    device = sst.Component(f"device{i}", f"acalsim.{kind}")
    device.addParams({"base_addr": base})
    sst.Link(f"link{i}").connect((qemu, f"device_port_{i}", "1ns"), (device, "cpu_port", "1ns"))
