# SPDX-License-Identifier: MIT
"""sst two_qemus.py: two guests, each with an echo device and a calculator, that exchange numbers
over two links. TRESTLE_RANKS=2 puts each machine on a rank (or thread) of its own, 4 the devices
of each on another. TRESTLE_CONSOLES is a directory for what the guests print.
"""
import os

import sst

BUILD = os.environ.get("TRESTLE_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                     "..", "..", "build"))
CONSOLES = os.environ.get("TRESTLE_CONSOLES")
RANKS = int(os.environ.get("TRESTLE_RANKS", "1"))
THREADS = int(os.environ.get("TRESTLE_THREADS", "1"))


def place(component, number):
    """On the number-th of as many ranks, or threads of one rank, as there are."""
    if RANKS > 1:
        component.setRank(number % RANKS)
    elif THREADS > 1:
        component.setRank(0, number % THREADS)


def machine(number):
    qemu = sst.Component(f"qemu{number}", "trestle.QEMU")
    qemu.addParams({
        "binary_path": os.path.join(BUILD, "firmware", "exchange-riscv32.elf"),
        "qemu_args": ["-append", f"key={hex(0x1000 * (number + 1))}"] +
                     (["-serial", f"file:{CONSOLES}/console{number}"] if CONSOLES else []),
        "icount": os.environ.get("TRESTLE_ICOUNT", "-1"),
        "num_devices": 2,
        "device0_base": "0x10200000",
        "device1_base": "0x10300000",
    })
    echo = sst.Component(f"echo{number}", "trestle.QEMUDevice")
    compute = sst.Component(f"compute{number}", "trestle.ComputeDevice")
    sst.Link(f"echo{number}").connect((qemu, "device_port_0", "1ns"), (echo, "cpu_port", "1ns"))
    sst.Link(f"compute{number}").connect((qemu, "device_port_1", "1ns"),
                                         (compute, "cpu_port", "1ns"))
    place(qemu, number)
    place(echo, number + 2)
    place(compute, number + 2)
    return echo, compute


echo0, compute0 = machine(0)
echo1, compute1 = machine(1)
sst.Link("peer0").connect((compute0, "peer_port", "100ns"), (echo1, "peer_port", "100ns"))
sst.Link("peer1").connect((compute1, "peer_port", "100ns"), (echo0, "peer_port", "100ns"))
