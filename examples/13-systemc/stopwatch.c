/* SPDX-License-Identifier: MIT */
/*
 * Drives the stopwatch of examples/13-systemc, a model in SystemC: registers, an answer that takes
 * its time, an interrupt at a time, and a result that arrives in memory.
 */
#include "check.h"
#include "guest.h"
#include "irq.h"

enum { DELAY = 0x00, STATUS = 0x04, RESULT = 0x08, TARGET = 0x0c };

#define INPUT 40
#define WATCH guest_device_base

static volatile unsigned taken;
static volatile uint32_t target;

static void on_irq(unsigned input)
{
    uint64_t value;
    check(input == INPUT, "interrupt: it is the watch's");
    taken++;
    (void)mmio_read(WATCH + STATUS, 4, &value);
    check(value == 1, "interrupt: the status says so");
    (void)mmio_write(WATCH + STATUS, 4, 1);
}

static void check_errors(void)
{
    uint64_t value;
    check(!mmio_read(WATCH + 0x10, 4, &value), "an address beyond the registers is a bus error");
    check(!mmio_read(WATCH + DELAY, 2, &value), "so is an access that the model does not take");
}

static void check_watch(unsigned turn, uint32_t ns, uint32_t sum)
{
    target = 0;
    check_write(WATCH + TARGET, 4, (uintptr_t)&target, "target is set");
    check_write(WATCH + DELAY, 4, ns, "delay is written");
    check_read(WATCH + DELAY, 4, ns, "delay reads back");
    check(irq_wait(&taken, turn, 1000000), "the interrupt comes");
    check(target == sum, "the sum is in memory before the interrupt: %u", target);
    uint64_t before = guest_now_ns();
    check_read(WATCH + RESULT, 4, sum, "the sum can be read");
    uint64_t took = guest_now_ns() - before;
    /* The clock of riscv's virt steps by 100 ns. */
    check(took >= 400, "and that takes 500 ns");
}

int guest_main(void)
{
    irq_start(on_irq);
    irq_enable(INPUT);
    check_errors();
    check_watch(1, 20000, 20000);
    check_watch(2, 3000, 23000);
    return check_summary("stopwatch");
}
