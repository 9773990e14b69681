/* SPDX-License-Identifier: MIT */
/* Drives the core of examples/11-rtl: a counter in Verilog, with an interrupt. */
#include "check.h"
#include "guest.h"
#include "irq.h"

enum { LOAD = 0x0, COUNT = 0x4, DONE = 0x8 };

#define INPUT 40
#define TICKER guest_device_base

static volatile unsigned taken;

static void on_irq(unsigned input)
{
    check(input == INPUT, "interrupt: it is the core's");
    check_read(TICKER + DONE, 4, 1, "interrupt: the core says so");
    check_write(TICKER + DONE, 4, 1, "interrupt: acknowledged");
    taken++;
}

int guest_main(void)
{
    uint64_t value = 0;
    irq_start(on_irq);
    irq_enable(INPUT);
    check(!mmio_read(TICKER + 0xc, 4, &value), "a SLVERR is a bus error");
    for (unsigned turn = 1; turn <= 3; turn++) {
        uint32_t cycles = 1000 * turn;
        check_write(TICKER + LOAD, 4, cycles, "cycles are set");
        check(mmio_read(TICKER + COUNT, 4, &value) && value <= cycles, "they go down");
        check(irq_wait(&taken, turn, 1000000), "the interrupt comes");
        check_read(TICKER + COUNT, 4, 0, "nothing is left");
    }
    return check_summary("ticker");
}
