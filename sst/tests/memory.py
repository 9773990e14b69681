# SPDX-License-Identifier: MIT
"""sst memory.py: a region of the guest that lies in the memory system of sst-elements: 4 KiB of
memory behind a cache, and above them memHierarchy.mmioEx, which gives back what is written to it
squared. All hang on one router. See machine.py. TRESTLE_NONCACHEABLE=1 goes past the cache."""
import os
import sys

import sst

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import machine  # noqa: E402

SIZE = 4096  # of the memory, which begins at address 0; mmioEx follows
PORT, CACHE, MMIO, MEMORY = range(4)  # groups on the network

router = sst.Component("router", "merlin.hr_router")
router.addParams({"id": 0, "num_ports": 4, "xbar_bw": "1GB/s", "link_bw": "1GB/s",
                  "flit_size": "72B", "input_buf_size": "1KB", "output_buf_size": "1KB"})
router.setSubComponent("topology", "merlin.singlerouter")


def on_network(component, slot, group, **groups):
    nic = component.setSubComponent(slot, "memHierarchy.MemNIC")
    nic.addParams({"group": group, "network_bw": "25GB/s", **groups})
    sst.Link(f"network{group}").connect((nic, "port", "1ns"), (router, f"port{group}", "1ns"))


port = sst.Component("port", "trestle.Memory")
port.addParams({"address": 0, "noncacheable": os.environ.get("TRESTLE_NONCACHEABLE", "0")})
on_network(port.setSubComponent("memory", "memHierarchy.standardInterface"), "lowlink", PORT,
           destinations=[CACHE, MMIO])

cache = sst.Component("cache", "memHierarchy.Cache")
cache.addParams({"L1": 1, "cache_size": "2KiB", "cache_line_size": 64, "associativity": 4,
                 "cache_frequency": "2GHz", "access_latency_cycles": 2,
                 "coherence_protocol": "MSI", "replacement_policy": "lru",
                 "addr_range_start": 0, "addr_range_end": SIZE - 1})
on_network(cache, "highlink", CACHE, sources=[PORT], destinations=[MEMORY])

mmio = sst.Component("mmio", "memHierarchy.mmioEx")
mmio.addParam("base_addr", SIZE)
on_network(mmio.setSubComponent("iface", "memHierarchy.standardInterface"), "lowlink", MMIO,
           sources=[PORT], destinations=[MEMORY])

memory = sst.Component("memory", "memHierarchy.MemController")
memory.addParams({"clock": "1GHz", "addr_range_end": SIZE - 1})
memory.setSubComponent("backend", "memHierarchy.simpleMem").addParams(
    {"access_time": "100ns", "mem_size": "4KiB"})
on_network(memory, "highlink", MEMORY, sources=[CACHE, MMIO])

machine("memory", [(port, None)], append=f"size={SIZE} square={SIZE}", device0_size=2 * SIZE)
sst.setStatisticLoadLevel(1)
sst.setStatisticOutput("sst.statOutputConsole")
cache.enableStatistics(["CacheHits", "CacheMisses"])
