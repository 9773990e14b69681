/* SPDX-License-Identifier: MIT */
/* The buses that a core may have: their signals, and the header of the runtime that drives them. */
#ifndef CLI_RTL_BUSES_H
#define CLI_RTL_BUSES_H

#include <stdbool.h>
#include <stddef.h>

#define RTL_SIGNALS_MAX 48

struct rtl_signal {
    const char *names[6]; /* it ends so, behind the bus's prefix; the first is its own */
    const char *macro;    /* BUS_... of the header; NULL: nobody drives it, it stays 0 */
    bool is_input;        /* of the core */
    bool is_optional;
    const char *absent; /* what an output is that the core does not have; NULL: 0 */
};

struct rtl_bus {
    const char *name, *header;
    const struct rtl_signal *signals; /* ended by one without a name */
    size_t address, data;             /* their places in the list */
    bool is_vague;                    /* names that many other ports have, too */
};

/* The first that fits a core is its bus; ended by one without a name. */
extern const struct rtl_bus rtl_buses[];

#endif
