/* SPDX-License-Identifier: MIT */
/* The support library's clock and waits, measured by a timer that counts guest time. */
#include "check.h"
#include "guest.h"
#include "irq.h"

#define COUNT guest_device_base /* of the model timer, in nanoseconds */

static volatile unsigned never;

static void handler(unsigned input)
{
    check(false, "an interrupt of input %u", input);
}

static uint32_t device_ns(void)
{
    uint64_t value = 0;
    check_quiet(mmio_read(COUNT, 4, &value), "the counter is read");
    return (uint32_t)value;
}

/* Within two in a hundred, and a tick. */
static bool about(uint64_t ns, uint64_t want)
{
    return ns + ns / 64 + 20000 >= want && want + want / 64 + 20000 >= ns;
}

static void compare(uint32_t us)
{
    uint64_t start = guest_now_ns();
    uint32_t from = device_ns();
    check(!irq_wait(&never, 1, us), "a wait of %u us ends", us);
    uint64_t here = guest_now_ns() - start, there = device_ns() - from;
    check(here >= (uint64_t)us * 1000, "not before: it took %llu ns", (unsigned long long)here);
    check(about(here, there), "the device says %llu ns", (unsigned long long)there);
}

int guest_main(void)
{
    irq_start(handler);
    compare(300);
    compare(2000);
    compare(400000);
    return check_summary("clock");
}
