# SPDX-License-Identifier: MIT
"""A thermometer that samples on its own, and interrupts when it gets too warm."""
import trestle

WARM = 0x1


class Thermo(trestle.Model):
    """A thermometer that samples on its own, and interrupts when it gets too warm."""

    irqs = ["warm"]
    timers = 1

    temp = trestle.Register(0x00, "RO", reset=2000, doc="hundredths of a degree")
    limit = trestle.Register(0x04, reset=0xFFFFFFFF, doc="hundredths of a degree")
    status = trestle.Register(0x08, "W1C", fields={"warm": WARM})
    target = trestle.Register(0x0C, doc="where in guest memory samples go; 0: nowhere")

    def init(self):
        self.period = self.param_time("period", 10 * trestle.US)
        self.step = self.param("step", 25)
        self.wake_after(0, self.period)

    def reset(self):
        self.wake_after(0, self.period)

    def wake(self, timer, now):
        self.temp += self.step
        self.wake_after(0, self.period)
        if self.target:
            self.dma_write(self.target, self.temp.to_bytes(4, "little"))
        if self.temp >= self.limit:
            self.status |= WARM
        self.irq(0, self.status)

    @status.on_write
    def acknowledged(self, access):
        self.irq(0, self.status)

    @temp.on_write
    def refused(self, access):
        raise trestle.BusError("the temperature is not for writing")
