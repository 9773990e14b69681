/* SPDX-License-Identifier: MIT */
/* Drives the thermometer of examples/14-python: its registers, its interrupt, and its sample in
 * memory. */
#include "check.h"
#include "guest.h"
#include "irq.h"

enum { TEMP = 0x00, LIMIT = 0x04, STATUS = 0x08, TARGET = 0x0c };

#define INPUT 40
#define THERMO guest_device_base

static volatile unsigned taken;
static volatile uint32_t target;

static void on_irq(unsigned input)
{
    check(input == INPUT, "interrupt: it is the thermometer's");
    check_read(THERMO + STATUS, 4, 1, "interrupt: it is too warm");
    check_write(THERMO + LIMIT, 4, 0xffffffff, "interrupt: the limit is raised");
    check_write(THERMO + STATUS, 4, 1, "interrupt: acknowledged");
    taken++;
}

int guest_main(void)
{
    uint64_t temp = 0;
    irq_start(on_irq);
    irq_enable(INPUT);
    check(!mmio_write(THERMO + TEMP, 4, 1), "the temperature cannot be written");
    check_write(THERMO + TARGET, 4, (uintptr_t)&target, "target is set");
    check_write(THERMO + LIMIT, 4, 2200, "limit is set");
    check(irq_wait(&taken, 1, 1000000), "the interrupt comes");
    check(mmio_read(THERMO + TEMP, 4, &temp) && temp >= 2200, "the temperature is there");
    check(target >= 2200, "a sample is in memory");
    return check_summary("thermo");
}
