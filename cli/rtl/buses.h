/* SPDX-License-Identifier: MIT */
/* The buses that a core may have, as a slave and as a master: the signals of each, and the header
 * in the runtime that drives its other end. */
#ifndef CLI_RTL_BUSES_H
#define CLI_RTL_BUSES_H

#include <stdbool.h>
#include <stddef.h>

#define RTL_SIGNALS_MAX 64
#define RTL_MASTER_BITS_MAX 1024 /* of data */

struct rtl_signal {
    /* What may follow the bus's prefix in the port's name; the usual name first. */
    const char *names[8];
    /* BUS_... or MASTER_... of the header. NULL: an input stays 0, an output is ignored. */
    const char *macro;
    bool is_input; /* of a slave; for a master, input and output change places */
    bool is_optional;
    const char *absent; /* the value of an output that the core lacks; NULL: 0 */
};

struct rtl_bus {
    const char *name, *header;
    const struct rtl_signal *signals; /* ended by one without a name */
    size_t address, data;             /* their places in the list */
    bool is_vague;                    /* its names are common for other ports, too */
    bool is_half;                     /* it only reads, or only writes */
    bool is_master;
};

/* The first one that fits a core is its bus. The last one has no name. */
extern const struct rtl_bus rtl_buses[];
/* The same for masters, by which a core reads and writes memory. */
extern const struct rtl_bus rtl_masters[];

#endif
