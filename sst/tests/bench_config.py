# SPDX-License-Identifier: MIT
"""sst bench_config.py: mmio_bench and one echo device. bench.py sets the environment.

TRESTLE_APPEND is the guest's command line, TRESTLE_LATENCY the device's latency per access in
cycles of 1 ns, TRESTLE_RANK the device's rank, TRESTLE_LINK the latency of the link each way,
TRESTLE_POLLING the socket of a host that polls, in place of Trestle's.
"""
import os

import sst

BUILD = os.environ.get("TRESTLE_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                     "..", "..", "build"))
polling = os.environ.get("TRESTLE_POLLING")
link = os.environ.get("TRESTLE_LINK", "1ns")

host = sst.Component("host", "trestletest.Polling" if polling else "trestle.QEMU")
if polling:
    host.addParams({"socket_path": polling, "device_base": "0x10200000"})
else:
    host.addParams({
        "binary_path": os.path.join(BUILD, "firmware", "mmio_bench-riscv32.elf"),
        "qemu_args": ["-append", os.environ.get("TRESTLE_APPEND", "count=100000")],
        "icount": os.environ.get("TRESTLE_ICOUNT", "-1"),
        "device_base": "0x10200000",
        "access_timeout": "1s",
    })
device = sst.Component("device", "trestle.Device")
device.addParams({"model": "echo", "access_latency": os.environ.get("TRESTLE_LATENCY", "0")})
if os.environ.get("TRESTLE_RANK"):
    host.setRank(0)
    device.setRank(int(os.environ["TRESTLE_RANK"]))
sst.Link("link").connect((host, "device_port", link), (device, "cpu_port", link))
