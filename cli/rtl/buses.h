/* SPDX-License-Identifier: MIT */
/* The buses that a core may have, as a slave and as a master: their signals, and the header of the
 * runtime that is at the other end. */
#ifndef CLI_RTL_BUSES_H
#define CLI_RTL_BUSES_H

#include <stdbool.h>
#include <stddef.h>

#define RTL_SIGNALS_MAX 64
#define RTL_MASTER_BITS_MAX 1024 /* of data */

struct rtl_signal {
    const char *names[8]; /* it ends so, behind the bus's prefix; the first is its own */
    const char *macro; /* BUS_... or MASTER_... of the header; NULL: it stays 0, or is not heard */
    bool is_input;     /* of a slave; of a master it is an output, and the other way round */
    bool is_optional;
    const char *absent; /* what an output is that the core does not have; NULL: 0 */
};

struct rtl_bus {
    const char *name, *header;
    const struct rtl_signal *signals; /* ended by one without a name */
    size_t address, data;             /* their places in the list */
    bool is_vague;                    /* names that many other ports have, too */
    bool is_half;                     /* of another one: it only reads, or only writes */
    bool is_master;
};

/* The first that fits a core is its bus; ended by one without a name. */
extern const struct rtl_bus rtl_buses[];
/* The same of what it reads and writes memory by. */
extern const struct rtl_bus rtl_masters[];

#endif
