/* SPDX-License-Identifier: MIT */
/* Says back in capitals what an ns16550 hears, up to a '.': asleep between interrupts, or, with
 * "mode=poll", awake. */
#include "check.h"
#include "guest.h"
#include "irq.h"

enum { DATA = 0, IER = 1, FCR = 2, LSR = 5 };

#define INPUT 40
#define UART guest_device_base

static volatile unsigned num_heard, has_ended;

static uint8_t get(unsigned offset)
{
    uint64_t value = 0;
    check_quiet(mmio_read(UART + offset, 1, &value), "a register is read");
    return (uint8_t)value;
}

static void put(unsigned offset, uint8_t value)
{
    check_quiet(mmio_write(UART + offset, 1, value), "a register is written");
}

static void hear(void)
{
    while (get(LSR) & 1) {
        uint8_t c = get(DATA);
        put(DATA, c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c);
        has_ended |= c == '.';
        num_heard++;
    }
}

static void on_irq(unsigned input)
{
    check_quiet(input == INPUT, "it is the port's interrupt");
    hear();
}

int guest_main(void)
{
    put(FCR, 0x81);
    if (bootarg_is("mode", "poll")) {
        while (!has_ended)
            hear();
        return 0;
    }
    irq_start(on_irq);
    irq_enable(INPUT);
    put(IER, 1);
    for (;;) {
        unsigned before = num_heard; /* the end may come in between */
        if (has_ended)
            break;
        check_quiet(irq_wait(&num_heard, before + 1, 100000000), "something is heard");
    }
    return 0;
}
