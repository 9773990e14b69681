/* SPDX-License-Identifier: MIT */
/* Times and frequencies as text. Whole numbers throughout: "0.1ns" is 100 ps on every machine. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "command.h"
#include "params.h"

/* So that digits and unit fit 128 bits with room to spare. */
#define MAX_DIGITS 20

struct decimal {
    uint64_t digits;           /* all of them, without the point */
    unsigned __int128 divisor; /* 10 to the number of digits behind the point */
};

/* Reads "12.5" and returns what follows it and any blanks, or NULL. */
static const char *parse_decimal(const char *text, struct decimal *ret)
{
    struct decimal d = {.divisor = 1};
    unsigned count = 0;
    bool point = false;
    for (;; text++) {
        if (*text == '.' && !point && count > 0) {
            point = true;
            continue;
        }
        if (!isdigit((unsigned char)*text))
            break;
        if (++count > MAX_DIGITS || __builtin_mul_overflow(d.digits, 10u, &d.digits) ||
            __builtin_add_overflow(d.digits, (uint64_t)(*text - '0'), &d.digits))
            return NULL;
        if (point)
            d.divisor *= 10;
    }
    if (count == 0 || text[-1] == '.')
        return NULL;
    while (*text == ' ')
        text++;
    *ret = d;
    return text;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static uint64_t unit_factor(const struct unit *units, const char *name)
{
    for (; units->name; units++) {
        if (strcmp(units->name, name) == 0)
            return units->factor;
    }
    return 0;
}

int trestle_parse_time(const char *text, trestle_time *ret_time)
{
    static const struct unit units[] = {{"ps", TRESTLE_PS}, {"ns", TRESTLE_NS}, {"us", TRESTLE_US},
                                        {"ms", TRESTLE_MS}, {"s", TRESTLE_S},   {NULL, 0}};
    struct decimal d;
    const char *unit = parse_decimal(text, &d);
    uint64_t factor = unit ? unit_factor(units, unit) : 0;
    if (factor == 0)
        return -EINVAL;
    unsigned __int128 product = (unsigned __int128)d.digits * factor;
    unsigned __int128 time = product / d.divisor;
    if (product % d.divisor != 0 || time >= TRESTLE_TIME_NEVER)
        return -EINVAL;
    *ret_time = (trestle_time)time;
    return 0;
}

int trestle_parse_bandwidth(const char *text, uint64_t *ret_bits_per_second)
{
    static const struct unit units[] = {
        {"bit/s", 1},
        {"kbit/s", 1000},
        {"Mbit/s", 1000 * 1000},
        {"Gbit/s", 1000 * 1000 * 1000},
        {"Tbit/s", TRESTLE_S},
        {"B/s", 8},
        {"kB/s", 8 * 1000},
        {"MB/s", 8 * 1000 * 1000},
        {"GB/s", UINT64_C(8) * 1000 * 1000 * 1000},
        {"TB/s", 8 * TRESTLE_S},
        {NULL, 0},
    };
    struct decimal d;
    const char *unit = parse_decimal(text, &d);
    uint64_t factor = unit ? unit_factor(units, unit) : 0;
    unsigned __int128 bits = factor ? (unsigned __int128)d.digits * factor : 0;
    if (bits == 0 || bits % d.divisor != 0 || bits / d.divisor > TRESTLE_BANDWIDTH_MAX)
        return -EINVAL;
    *ret_bits_per_second = (uint64_t)(bits / d.divisor);
    return 0;
}

int params_parse_frequency(const char *text, trestle_time *ret_period)
{
    static const struct unit units[] = {
        {"Hz", 1},          {"kHz", 1000}, {"MHz", 1000 * 1000}, {"GHz", 1000 * 1000 * 1000},
        {"THz", TRESTLE_S}, {NULL, 0}};
    struct decimal d;
    const char *unit = parse_decimal(text, &d);
    if (!unit)
        return -EINVAL;
    uint64_t factor = unit_factor(units, unit);
    if (factor == 0) {
        trestle_time period;
        if (trestle_parse_time(text, &period) < 0 || period == 0 || period > TRESTLE_S)
            return -EINVAL;
        *ret_period = period;
        return 0;
    }
    unsigned __int128 frequency = (unsigned __int128)d.digits * factor; /* times d.divisor */
    if (frequency < d.divisor || frequency > d.divisor * TRESTLE_S)
        return -EINVAL;
    /* To the nearest picosecond: 3 GHz is 333. */
    *ret_period = (trestle_time)((d.divisor * TRESTLE_S + frequency / 2) / frequency);
    return 0;
}
