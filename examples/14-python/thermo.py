# SPDX-License-Identifier: MIT
"""A thermometer that samples on its own, and interrupts when it gets too warm.

0x00 TEMP    R   hundredths of a degree
0x04 LIMIT   RW  hundredths of a degree
0x08 STATUS  RW  1: too warm; a write of any value acknowledges
0x0c TARGET  RW  where in guest memory the sample is written; 0: nowhere
"""
import trestle

TEMP, LIMIT, STATUS, TARGET = 0x00, 0x04, 0x08, 0x0C


class Thermo(trestle.Model):
    region_size = 0x10
    access_sizes = 4
    irq_lines = 1
    timers = 1

    def init(self):
        self.period = self.param_time("period", 10 * trestle.US)
        self.step = self.param("step", 25)
        self.reset()

    def reset(self):
        self.temp, self.limit, self.warm, self.target = 2000, 0xFFFFFFFF, 0, 0
        self.wake_after(0, self.period)

    def wake(self, timer, now):
        self.temp += self.step
        self.wake_after(0, self.period)
        if self.target:
            self.dma_write(self.target, self.temp.to_bytes(4, "little"))
        if self.temp >= self.limit:
            self.warm = 1
        self.irq(0, self.warm)

    def read(self, offset, size):
        return {TEMP: self.temp, LIMIT: self.limit, STATUS: self.warm, TARGET: self.target}[offset]

    def write(self, offset, size, value):
        if offset == LIMIT:
            self.limit = value
        elif offset == STATUS:
            self.warm = 0
            self.irq(0, 0)
        elif offset == TARGET:
            self.target = value
        else:
            raise trestle.BusError("the temperature is not for writing")
