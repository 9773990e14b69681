/* SPDX-License-Identifier: MIT */
/*
 * Computes, and is interrupted so many times by the timers of devices at guest_device_base, 4 KiB
 * apart, on inputs from irq_first_input on, which take turns; or by the board's own timer.
 *
 * Command line: devices=N (default 4, at most 8; 0: the board's own), count=N interrupts (default
 * 10000), us=N between two of them (default 100). Prints "start" and "end", whose distance in the
 * host's time is what to measure.
 */
#include "check.h"
#include "irq.h"
#include "timer_registers.h"

enum { DEVICES_MAX = 8 };

static volatile unsigned interrupts;
static uint64_t next[DEVICES_MAX], step_ns;

static void set_compare(unsigned i)
{
    check_quiet(mmio_write(guest_device_base + 0x1000 * i + TIMER_COMPARE, 8, next[i]),
                "a compare register answers");
}

static void on_interrupt(unsigned input)
{
    unsigned i = input - irq_first_input;
    next[i] += step_ns;
    set_compare(i);
    interrupts++;
}

static void start_devices(unsigned devices, unsigned us)
{
    uint64_t now = 0;
    step_ns = 1000ULL * us * devices;
    for (unsigned i = 0; i < devices; i++) {
        uintptr_t timer = guest_device_base + 0x1000 * i;
        irq_enable(irq_first_input + i);
        if (i == 0)
            check_quiet(mmio_read(timer + TIMER_COUNT, 8, &now), "a counter answers");
        next[i] = now + 1000ULL * us * (i + 1);
        set_compare(i);
        check_quiet(mmio_write(timer + TIMER_CONTROL, 4, TIMER_CONTROL_ENABLE),
                    "a control register answers");
    }
}

int guest_main(void)
{
    unsigned devices = (unsigned)bootarg_u64("devices", 4), us = (unsigned)bootarg_u64("us", 100);
    unsigned count = (unsigned)bootarg_u64("count", 10000);
    uint32_t state = 1;
    if (devices > DEVICES_MAX)
        return 1;
    irq_start(on_interrupt);
    print("start\n");
    if (devices > 0)
        start_devices(devices, us);
    else
        irq_every(us, &interrupts);
    while (interrupts < count) {
        for (unsigned i = 0; i < 100; i++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
        }
    }
    print("end\n");
    irq_mask();
    check(state != 0, "computed");
    check(interrupts == count, "%u interrupts", interrupts);
    return check_summary("timer_bench");
}
