/* SPDX-License-Identifier: MIT */
/*
 * Three timer devices, 4 KiB apart from guest_device_base: the first on an interrupt input of its
 * own (irq_first_input), the others together on the next.
 *
 * Command line: repeat=N does it all so often. icount=N under QEMU's -icount shift=N. On riscv it
 * then checks that each interrupt is taken at the first instruction that does not begin before it
 * was raised, and prints the times. within=N, for a simulator whose time goes on while the guest
 * stands, checks that the handler finds the counter at most N ns after the interrupt was raised.
 */
#include "check.h"
#include "irq.h"
#include "timer_registers.h"

enum { NUM_TIMERS = 3, LIMIT_US = 1000000, NO_SHIFT = 99 };

static volatile unsigned expired[NUM_TIMERS], all_expired, interrupts;
static volatile uint64_t seen_at;

static uintptr_t timer(unsigned i)
{
    return guest_device_base + 0x1000 * i;
}

static uint64_t timer_count(unsigned i)
{
    uint64_t count = 0;
    check_quiet(mmio_read(timer(i) + TIMER_COUNT, 8, &count), "a counter answers");
    return count;
}

static void set_compare(unsigned i, uint64_t count)
{
    check_quiet(mmio_write(timer(i) + TIMER_COMPARE, 8, count), "a compare register answers");
}

static void set_control(unsigned i, uint32_t control)
{
    check_quiet(mmio_write(timer(i) + TIMER_CONTROL, 4, control), "a control register answers");
}

static bool is_expired(unsigned i)
{
    uint64_t status = 0;
    return mmio_read(timer(i) + TIMER_STATUS, 4, &status) && (status & TIMER_STATUS_EXPIRED);
}

/* Silences one device at a time: another that shares its input has to interrupt again. */
static void on_interrupt(unsigned input)
{
    unsigned first = input == irq_first_input ? 0 : 1;
    unsigned end = input == irq_first_input ? 1 : NUM_TIMERS;
    interrupts++;
    for (unsigned i = first; i < end; i++) {
        if (!is_expired(i))
            continue;
        seen_at = timer_count(i);
        set_compare(i, UINT64_MAX);
        is_expired(
            i); /* a posted write has arrived when a read is answered, and the line is down */
        expired[i]++;
        all_expired++;
        return;
    }
}

static void start_counting(void)
{
    irq_mask();
    for (unsigned i = 0; i < NUM_TIMERS; i++)
        expired[i] = 0;
    all_expired = interrupts = 0;
    irq_unmask();
}

static void test_once(void)
{
    start_counting();
    set_compare(0, timer_count(0) + 20000);
    set_control(0, TIMER_CONTROL_ENABLE);
    check(irq_wait(&all_expired, 1, LIMIT_US), "timer: an interrupt");
    check(!is_expired(0), "timer: acknowledged");
    check(interrupts == 1, "timer: once (%u)", interrupts);
}

static void test_often(void)
{
    const unsigned rounds = 100;
    const uint64_t within = bootarg_u64("within", UINT64_MAX);
    bool in_time = true;
    unsigned late = 0;
    start_counting();
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t compare = timer_count(0) + 1000 + 97 * i;
        set_compare(0, compare);
        if (!irq_wait(&all_expired, i + 1, LIMIT_US))
            break;
        in_time = in_time && seen_at >= compare;
        late += seen_at > compare && seen_at - compare > within;
    }
    check(expired[0] == rounds, "timer: %u of %u interrupts", expired[0], rounds);
    check(interrupts == rounds, "timer: none that nobody asked for (%u)", interrupts);
    check(in_time, "timer: none too early");
    check_quiet(late == 0, "timer: none too late");
}

/* A line that goes up while the guest accesses the device. */
static void test_in_access(void)
{
    start_counting();
    set_compare(0, 1);
    check(irq_wait(&all_expired, 1, LIMIT_US), "access: a time that is over interrupts at once");
    set_control(0, 0);
    set_compare(0, 1);
    check(!irq_wait(&all_expired, 2, 100), "access: nothing while the device has it off");
    check(is_expired(0), "access: but it is expired");
    set_control(0, TIMER_CONTROL_ENABLE);
    check(irq_wait(&all_expired, 2, LIMIT_US), "access: it comes once it is on");
    check(interrupts == 2, "access: twice in all (%u)", interrupts);
}

/* Times of centuries to come, at the limits of what the device can count. */
static void test_far(void)
{
    static const uint64_t far[] = {UINT64_MAX - 1, UINT64_MAX / 1000,     UINT64_MAX / 1000 - 1,
                                   INT64_MAX,      INT64_MAX / 1000 + 99, INT64_MAX / 1000};
    start_counting();
    for (unsigned i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        set_compare(0, far[i]);
        irq_wait(&interrupts, 1, 50);
    }
    check(interrupts == 0, "far: nothing comes");
    set_compare(0, timer_count(0) + 1000);
    check(irq_wait(&all_expired, 1, LIMIT_US), "far: the device still works");
}

/* Two devices on one input, at the same time, closely after each other, and far apart. */
static void test_shared(void)
{
    static const unsigned apart[] = {0, 1, 2, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10000};
    const unsigned count = sizeof(apart) / sizeof(apart[0]), rounds = 10 * count;
    start_counting();
    set_control(1, TIMER_CONTROL_ENABLE);
    set_control(2, TIMER_CONTROL_ENABLE);
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t compare = timer_count(1) + 3000;
        unsigned later = 1 + i % 2;
        set_compare(3 - later, compare);
        set_compare(later, compare + apart[i % count]);
        if (!irq_wait(&all_expired, 2 * (i + 1), LIMIT_US))
            break;
    }
    check(expired[1] == rounds, "shared: %u of %u interrupts of the one", expired[1], rounds);
    check(expired[2] == rounds, "shared: %u of %u interrupts of the other", expired[2], rounds);
}

/* Both together at full speed: each sets its next time while the other may be pending. */
static void test_all(void)
{
    const unsigned rounds = 200;
    start_counting();
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned t = 0; t < NUM_TIMERS; t++)
            set_compare(t, timer_count(t) + 500 * (t + 1) + 13 * (i % 50));
        if (!irq_wait(&all_expired, NUM_TIMERS * (i + 1), LIMIT_US))
            break;
    }
    check(all_expired == NUM_TIMERS * rounds, "all: %u of %u interrupts", all_expired,
          NUM_TIMERS * rounds);
}

/* The guest computes, and never waits. */
static void test_exact(unsigned shift)
{
    const unsigned rounds = 50;
    unsigned late = 0;
    start_counting();
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t compare = timer_count(0) + ((uint64_t)500 << shift) + 31 * i;
        set_compare(0, compare);
        while (all_expired == i)
            ;
        /* Less the two instructions of the trap that are over when the counter was read. */
        uintptr_t after = irq_taken_at - (uintptr_t)compare - ((uintptr_t)2 << shift);
        print("taken %lu ns after %llu\n", (unsigned long)after, (unsigned long long)compare);
        late += after >= (uintptr_t)1 << shift;
    }
    check(late == 0, "exact: %u of %u interrupts late", late, rounds);
}

static void test_timers(void)
{
    test_once();
    test_often();
    test_in_access();
    test_far();
    test_shared();
    test_all();
}

int guest_main(void)
{
    print("interrupts: timers at 0x%lx, inputs %u and %u\n", (unsigned long)timer(0),
          irq_first_input, irq_first_input + 1);
    irq_start(on_interrupt);
    irq_enable(irq_first_input);
    irq_enable(irq_first_input + 1);
    check(!irq_wait(&interrupts, 1, 1000), "timer: silent at first");
    for (uint64_t i = bootarg_u64("repeat", 1); i > 0; i--)
        test_timers();
    uint64_t shift = bootarg_u64("icount", NO_SHIFT);
    if (shift != NO_SHIFT && irq_has_cycles)
        test_exact((unsigned)shift);
    if (shift != NO_SHIFT)
        print("ended at %llu ns\n", (unsigned long long)guest_now_ns());
    return check_summary("interrupts");
}
