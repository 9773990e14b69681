/* SPDX-License-Identifier: MIT */
/* Prints to the guest's console, and reads from it. */
#include "arch.h"

/* Divides by ten without the 64-bit division that riscv32 only has in a run-time library. */
static uint64_t divide_by_ten(uint64_t value, unsigned *ret_digit)
{
    uint64_t quotient = 0, rest = 0;
    for (int bit = 63; bit >= 0; bit--) {
        rest = rest << 1 | (value >> bit & 1);
        quotient <<= 1;
        if (rest >= 10) {
            rest -= 10;
            quotient |= 1;
        }
    }
    *ret_digit = (unsigned)rest;
    return quotient;
}

char guest_getc(void)
{
    int c;
    do
        c = guest_try_getc();
    while (c < 0);
    return (char)c;
}

static void print_text(const char *text)
{
    while (*text)
        arch_putc(*text++);
}

static void print_number(uint64_t value, bool hex, unsigned width)
{
    char digits[24];
    unsigned n = 0;
    do {
        unsigned digit = (unsigned)(value & 15);
        value = hex ? value >> 4 : divide_by_ten(value, &digit);
        digits[n++] = "0123456789abcdef"[digit];
    } while (value);
    while (n < width && n < sizeof(digits))
        digits[n++] = '0';
    while (n)
        arch_putc(digits[--n]);
}

static uint64_t next_unsigned(va_list *args, unsigned longs)
{
    if (longs >= 2)
        return va_arg(*args, unsigned long long);
    return longs ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
}

static int64_t next_signed(va_list *args, unsigned longs)
{
    if (longs >= 2)
        return va_arg(*args, long long);
    return longs ? va_arg(*args, long) : va_arg(*args, int);
}

/* Prints one conversion; format points after its '%'. Returns where the format goes on. */
static const char *print_conversion(const char *format, va_list *args)
{
    unsigned width = 0, longs = 0;
    for (; *format >= '0' && *format <= '9'; format++)
        width = width * 10 + (unsigned)(*format - '0');
    for (; *format == 'l'; format++)
        longs++;
    switch (*format) {
    case 's':
        print_text(va_arg(*args, const char *));
        break;
    case 'c':
        arch_putc((char)va_arg(*args, int));
        break;
    case 'd': {
        int64_t value = next_signed(args, longs);
        if (value < 0)
            arch_putc('-');
        print_number(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, false, width);
        break;
    }
    case 'u':
    case 'x':
        print_number(next_unsigned(args, longs), *format == 'x', width);
        break;
    case '\0':
        return format;
    default:
        arch_putc(*format);
    }
    return format + 1;
}

void vprint(const char *format, va_list args)
{
    va_list rest;
    va_copy(rest, args);
    while (*format) {
        if (*format == '%')
            format = print_conversion(format + 1, &rest);
        else
            arch_putc(*format++);
    }
    va_end(rest);
}

void print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprint(format, args);
    va_end(args);
}
