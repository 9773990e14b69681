# SPDX-License-Identifier: MIT
"""sst test_2device_integration.py: a riscv32 guest in a real QEMU, an echo device and a calculator.

TRESTLE_BUILD is the build directory; TRESTLE_ICOUNT=N makes runs repeat exactly.
"""
import os

import sst

BUILD = os.environ.get("TRESTLE_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                     "..", "..", "build"))

qemu = sst.Component("qemu", "qemubinary.QEMUBinary")
qemu.addParams({
    "clock": "1GHz",
    "verbose": 2,
    "binary_path": os.path.join(BUILD, "firmware", "two_devices-riscv32.elf"),
    "qemu_path": "qemu-system-riscv32",
    "icount": os.environ.get("TRESTLE_ICOUNT", "-1"),
    "num_devices": 2,
    "device0_base": "0x10200000",
    "device0_size": 4096,
    "device0_name": "echo_device",
    "device1_base": "0x10300000",
    "device1_size": 4096,
    "device1_name": "compute_device",
})

echo = sst.Component("echo_device", "acalsim.QEMUDevice")
echo.addParams({"clock": "1GHz", "base_addr": "0x10200000", "size": 4096,
                "echo_latency": os.environ.get("TRESTLE_LATENCY", "10")})

compute = sst.Component("compute_device", "acalsim.ComputeDevice")
compute.addParams({"clock": "1GHz", "base_addr": "0x10300000", "size": 4096,
                   "compute_latency": os.environ.get("TRESTLE_LATENCY", "100")})

sst.Link("qemu_echo").connect((qemu, "device_port_0", "1ns"), (echo, "cpu_port", "1ns"))
sst.Link("qemu_compute").connect((qemu, "device_port_1", "1ns"), (compute, "cpu_port", "1ns"))
sst.Link("peer").connect((compute, "peer_port", "1ns"), (echo, "peer_port", "1ns"))
