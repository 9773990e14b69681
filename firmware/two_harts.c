/* SPDX-License-Identifier: MIT */
/*
 * Two processors (QEMU's -smp 2) on devices of the model id, 4 KiB apart from guest_device_base.
 *
 * Each uses one to itself, as fast as it can, and then both share a third, a half of its scratch
 * register each: nobody ever finds what is another's.
 *
 * Command line: rounds=N (default 20000). slow=1: instead, the first reads the first device once,
 * and the second goes on to read the second device until then; the number of its reads is printed.
 */
#include "check.h"
#include "id_registers.h"

static volatile bool second_here, first_done, second_done;
static volatile unsigned second_wrong, second_rounds;
static unsigned rounds;

static uintptr_t device(unsigned i)
{
    return guest_device_base + 0x1000 * i;
}

/* True when a register keeps what is written to it. */
static bool keeps(uintptr_t addr, unsigned size, uint64_t value)
{
    uint64_t got = ~value;
    return mmio_write(addr, size, value) && mmio_read(addr, size, &got) && got == value;
}

static unsigned use_devices(unsigned hart)
{
    unsigned wrong = 0;
    uint64_t id;
    for (unsigned i = 0; i < rounds; i++) {
        wrong += !keeps(device(hart) + ID_SCRATCH, 8, UINT64_C(0x100000001) * (2 * i + hart));
        wrong += !mmio_read(device(hart), 8, &id) || id != device(hart);
        wrong += !keeps(device(2) + ID_SCRATCH + 4 * hart, 4, 2 * i + hart);
    }
    return wrong;
}

static void second_stress(void)
{
    second_here = true;
    second_wrong = use_devices(1);
    second_done = true;
}

static void second_goes_on(void)
{
    uint64_t id;
    while (!first_done) {
        second_wrong += !mmio_read(device(1), 8, &id) || id != device(1);
        second_rounds++;
        second_here = true;
    }
    second_done = true;
}

static bool wait_until(const volatile bool *flag)
{
    uint64_t until = guest_now_ns() + UINT64_C(60) * 1000000000;
    while (!*flag && guest_now_ns() < until)
        ;
    return *flag;
}

int guest_main(void)
{
    bool slow = bootarg_u64("slow", 0);
    uint64_t id = 0;
    rounds = (unsigned)bootarg_u64("rounds", 20000);
    print("two_harts: devices from 0x%lx\n", (unsigned long)device(0));
    if (!check(guest_start_second(slow ? second_goes_on : second_stress), "start the second") ||
        !check(wait_until(&second_here), "the second is there"))
        return 1;
    if (slow)
        check(mmio_read(device(0), 8, &id), "the slow device answers");
    else
        check(use_devices(0) == 0, "the first: %u rounds", rounds);
    first_done = true;
    check(wait_until(&second_done) && second_wrong == 0, "the second");
    if (slow)
        print("the second read %u times\n", second_rounds);
    return check_summary("two_harts");
}
