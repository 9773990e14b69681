/* SPDX-License-Identifier: MIT */
/*
 * An access at a time, at the command of whoever holds the console. For tests.
 *
 *   r SIZE ADDR          reads SIZE bytes:       "= VALUE", or "! CAUSE" for a bus error
 *   w SIZE ADDR VALUE    writes SIZE bytes:      "=", or "! CAUSE"
 *   n COUNT ADDR         reads 4 bytes COUNT times: "= FAULTS"
 *   s US                 halts until a timer has run for so long: "=" or "?"
 *   h                    says "=", then halts for ever
 *   q CODE               ends QEMU
 *
 * All numbers are hexadecimal. Anything else is answered by "?".
 */
#include "guest.h"

static char line[80];

static void read_line(void)
{
    unsigned n = 0;
    for (char c = guest_getc(); c != '\n' && c != '\r'; c = guest_getc())
        if (n < sizeof(line) - 1)
            line[n++] = c;
    line[n] = 0;
}

/* The hexadecimal number after the spaces at *ref_text, which moves past it. */
static uint64_t next_number(const char **ref_text)
{
    uint64_t value = 0;
    const char *p = *ref_text;
    while (*p == ' ')
        p++;
    for (; (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f'); p++)
        value = value << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
    *ref_text = p;
    return value;
}

static void do_read(const char *args)
{
    unsigned size = (unsigned)next_number(&args);
    uintptr_t addr = (uintptr_t)next_number(&args);
    uint64_t value;
    if (mmio_read(addr, size, &value))
        print("= %llx\n", (unsigned long long)value);
    else
        print("! %x\n", mmio_last_fault());
}

static void do_write(const char *args)
{
    unsigned size = (unsigned)next_number(&args);
    uintptr_t addr = (uintptr_t)next_number(&args);
    if (mmio_write(addr, size, next_number(&args)))
        print("=\n");
    else
        print("! %x\n", mmio_last_fault());
}

static void do_many(const char *args)
{
    unsigned count = (unsigned)next_number(&args), before = mmio_faults();
    uintptr_t addr = (uintptr_t)next_number(&args);
    uint64_t value;
    for (unsigned i = 0; i < count; i++)
        (void)mmio_read(addr, 4, &value);
    print("= %x\n", mmio_faults() - before);
}

static void do_command(void)
{
    const char *args = line + 1;
    switch (line[0]) {
    case 'r':
        do_read(args);
        break;
    case 'w':
        do_write(args);
        break;
    case 'n':
        do_many(args);
        break;
    case 's':
        print(guest_sleep_us((uint32_t)next_number(&args)) ? "=\n" : "?\n");
        break;
    case 'h':
        print("=\n");
        guest_halt();
    case 'q':
        guest_exit((int)next_number(&args));
    default:
        print("?\n");
    }
}

int guest_main(void)
{
    print("probe\n");
    for (;;) {
        read_line();
        do_command();
    }
}
