# SPDX-License-Identifier: MIT
"""What configurations of the tests share: a QEMU with a guest of the build, and its devices.

TRESTLE_BUILD is the build directory. TRESTLE_ICOUNT=N makes runs repeat exactly, TRESTLE_APPEND is
the guest's command line, TRESTLE_ARGS more of QEMU's, TRESTLE_PROPERTIES each sst-device's,
TRESTLE_QUANTUM the quantum, TRESTLE_IRQ_LATENCY that of the links that interrupts take. With
TRESTLE_RELAY, the host hears nothing of what devices will do next.
"""
import os

import sst

BUILD = os.environ.get("TRESTLE_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                     "..", "..", "build"))
BASE = 0x10200000


def device(name, model, **params):
    component = sst.Component(name, "trestle.Device")
    component.addParams({"model": model, **params})
    return component


def machine(guest, devices, append="", latency="1ns", **params):
    """The devices are 4 KiB apart from BASE on; each is (component, input of the interrupt
    controller or None). One alone takes the host's parameters for one."""
    qemu = sst.Component("qemu", "trestle.QEMU")
    qemu.addParams({
        "binary_path": os.path.join(BUILD, "firmware", f"{guest}-riscv32.elf"),
        "icount": os.environ.get("TRESTLE_ICOUNT", "-1"),
        "quantum": os.environ.get("TRESTLE_QUANTUM", ""),
        "qemu_args": ["-append", os.environ.get("TRESTLE_APPEND", append),
                      *os.environ.get("TRESTLE_ARGS", "").split()],
        "num_devices": len(devices),
        **params,
    })
    for i, (component, irq) in enumerate(devices):
        qemu.addParam(f"device{i}_properties", os.environ.get("TRESTLE_PROPERTIES", ""))
        port = f"device_port_{i}" if len(devices) > 1 else "device_port"
        if len(devices) > 1:
            qemu.addParam(f"device{i}_base", hex(BASE + 0x1000 * i))
        else:
            qemu.addParam("device_base", hex(BASE))
        upstream = (component, "cpu_port", latency)
        if os.environ.get("TRESTLE_RELAY"):
            relay = sst.Component(f"relay{i}", "trestletest.Relay")
            sst.Link(f"device{i}").connect((relay, "device_port", latency), upstream)
            upstream = (relay, "cpu_port", latency)
        sst.Link(f"cpu{i}").connect((qemu, port, latency), upstream)
        if irq is not None:
            qemu.addParam(f"device{i}_irq", irq)
            late = os.environ.get("TRESTLE_IRQ_LATENCY", latency)
            sst.Link(f"irq{i}").connect((qemu, f"irq_port_{i}", late),
                                        (component, "irq_port", late))
    return qemu
