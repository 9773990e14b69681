# SPDX-License-Identifier: MIT
"""sst many_devices.py: TRESTLE_DEVICES devices (64), each of which knows its own address. One device
takes the host's single-device port and parameters."""
import os

import sst

BUILD = os.environ.get("TRESTLE_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                     "..", "..", "build"))
COUNT = int(os.environ.get("TRESTLE_DEVICES", "64"))
BASE = 0x10200000

qemu = sst.Component("qemu", "trestle.QEMU")
qemu.addParams({
    "binary_path": os.path.join(BUILD, "firmware", "many_devices-riscv32.elf"),
    "icount": os.environ.get("TRESTLE_ICOUNT", "-1"),
    "qemu_args": ["-append", "rounds=2"],
    "num_devices": COUNT,
})
if COUNT == 1:
    qemu.addParams({"device_base": hex(BASE)})
for i in range(COUNT):
    if COUNT > 1:
        qemu.addParams({f"device{i}_base": hex(BASE + 0x1000 * i)})
    device = sst.Component(f"device{i}", "trestle.Device")
    device.addParams({"model": "id"})
    port = f"device_port_{i}" if COUNT > 1 else "device_port"
    sst.Link(f"link{i}").connect((qemu, port, "1ns"), (device, "cpu_port", "1ns"))
