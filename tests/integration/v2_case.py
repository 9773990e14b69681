# SPDX-License-Identifier: MIT
"""What tests of the plugin over wire version 2 share: a server of theirs, and its devices."""
import time

import probe
from probe import TARGETS
from v2_device import Server

BASE = TARGETS["riscv32"][0]
RAM = 0x80800000
UART = 0x10000000
SHARED_RAM = ["-object", "memory-backend-memfd,id=r,size=128M,share=on", "-M", "memory-backend=r"]


class PluginTest(probe.TestCase):
    shm = True

    def setUp(self):
        super().setUp()
        self.server = Server(self, self.shm)

    def at(self, number):
        return BASE + number * 0x1000

    def device(self, answer=None):
        return self.server.device(self.dir / f"d{len(self.server.devices)}", answer)

    def properties(self, number=0, **more):
        """Unless a test is about time-outs, a server on a busy host has more time than usual."""
        return {"socket": self.dir / f"d{number}", "base_address": hex(self.at(number)), "timeout_ms": 20000, **more}

    def until(self, condition):
        end = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not come to pass")
            time.sleep(0.001)
