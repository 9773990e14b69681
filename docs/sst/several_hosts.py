# SPDX-License-Identifier: MIT
"""A guest and its echo device on the first host, its calculator on the second:

    mpirun --hostfile docs/sst/hosts -np 2 sst --partitioner=sst.self docs/sst/several_hosts.py

Ranks are numbered by the lines of the hosts file. SST, Trestle and this file have the same path on
all hosts; QEMU and the guest need only be where the rank of the QEMU component is.
"""
import os

import sst

BUILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build")

qemu = sst.Component("qemu", "trestle.QEMU")
qemu.addParams({
    "binary_path": os.path.join(BUILD, "firmware", "two_devices-riscv32.elf"),
    "icount": 0,  # the results are those of one rank, bit for bit
    "num_devices": 2,
    "device0_base": "0x10200000",
    "device1_base": "0x10300000",
})
qemu.setRank(0)

echo = sst.Component("echo", "trestle.QEMUDevice")
echo.setRank(0)
sst.Link("echo").connect((qemu, "device_port_0", "1ns"), (echo, "cpu_port", "1ns"))

compute = sst.Component("compute", "trestle.ComputeDevice")
compute.setRank(1)
sst.Link("compute").connect((qemu, "device_port_1", "100ns"), (compute, "cpu_port", "100ns"))

sst.Link("peer").connect((compute, "peer_port", "100ns"), (echo, "peer_port", "100ns"))
