/* SPDX-License-Identifier: MIT */
/* Takes ten interrupts of a timer through the NVIC, on any Cortex-M board that has memory at 0 and
 * at 0x20000000. */
#include "check.h"
#include "irq.h"

#define TIMER guest_device_base
#define INPUT 31 /* of the NVIC: free on mps2-an385 and microbit */
#define TURNS 10

enum { COUNT = 0x00, COMPARE = 0x08, CONTROL = 0x10 };

static volatile unsigned taken;

static void start_timer(void)
{
    uint64_t now = 0;
    mmio_read(TIMER + COUNT, 4, &now);
    mmio_write(TIMER + COMPARE + 4, 4, 0);
    mmio_write(TIMER + COMPARE, 4, now + 100000);
}

static void on_timer(unsigned input)
{
    check_quiet(input == INPUT, "an interrupt of another input");
    taken++;
    if (taken < TURNS)
        start_timer();
    else
        mmio_write(TIMER + CONTROL, 4, 0);
}

int guest_main(void)
{
    uint64_t value;
    irq_start(on_timer);
    irq_enable(INPUT);
    start_timer();
    check_write(TIMER + CONTROL, 4, 1, "the timer interrupts");
    check(irq_wait(&taken, TURNS, 1000000), "ten times");
    check(!mmio_read(TIMER + 0x100000, 4, &value), "where nothing is, a bus error");
    return check_summary("cortex-m");
}
