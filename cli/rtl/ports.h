/* SPDX-License-Identifier: MIT */
/* The ports of a core, and what they are for, by their names or by a file. */
#ifndef CLI_RTL_PORTS_H
#define CLI_RTL_PORTS_H

#include <stdint.h>
#include <stdio.h>

#include "rtl/buses.h"
#include "util.h"

enum rtl_use {
    RTL_UNKNOWN,
    RTL_BUS,
    RTL_MASTER,
    RTL_CLOCK,
    RTL_RESET,
    RTL_RESET_LOW,
    RTL_IRQ,
    RTL_PULSE,
    RTL_WIRE,
    RTL_TIED,
    RTL_NOT_CONNECTED,
};

struct rtl_port {
    char *name;
    char *access;       /* in C++: "core.psel" */
    char *plain;        /* lower case, without the marks of inputs and outputs */
    unsigned bits, low; /* how many, and the number of the lowest */
    bool is_input;
    bool rises, falls;     /* the core uses such edges of it, */
    bool is_beside_others; /* and those of another input at the same place: one is a reset */
    char *of_struct;       /* the port that it is a field of, or NULL */
    enum rtl_use use;
    char *signal; /* which signal of the bus or of the master it is, if a file says so; or NULL */
    bool is_of_master;
    char *period;         /* of a clock that is not the bus's, if a file says so; or NULL */
    uint64_t picoseconds; /* the same */
    uint64_t tie;         /* the value of an input that is tied, or of a wire that nobody drives */
};

/* A bus of the core. */
struct rtl_side {
    const struct rtl_bus *bus;                 /* NULL: none was found */
    struct rtl_port *signals[RTL_SIGNALS_MAX]; /* NULL: the core lacks it */
};

struct rtl_ports {
    struct rtl_port *ports;
    size_t count;
    struct rtl_side slave, master;
    struct rtl_port *clock; /* of the bus */
    bool has_reset;
};

/* Reads the ports from Verilator's header for the top. False: the top has no ports. */
bool rtl_ports_read(const char *header_text, struct rtl_ports *ret_ports);
void rtl_ports_finish(struct rtl_ports *ports);
void rtl_port_finish(struct rtl_port *port);
/* What is wrong with a value for that port; malloc'd. NULL: nothing. */
char *rtl_port_check_tie(const struct rtl_port *port, uint64_t value);
struct rtl_port *rtl_ports_find(const struct rtl_ports *ports, const char *name, size_t length);

/* Takes uses of ports from a file, as rtl_ports_json() writes it. rtl_ports_match() finds the
 * others. -EINVAL: *ret_error is a sentence; the same below. */
int rtl_ports_apply(struct rtl_ports *ports, const char *path, char **ret_error);
/* The same for single ports: "PORT=USE" or "PORT=USE:DETAIL", ended by NULL. PORT may be a pattern.
 */
int rtl_ports_use(struct rtl_ports *ports, char *const *uses, char **ret_error);
/* Finds out what the other ports are for. ties are "PORT=VALUE", ended by NULL. */
int rtl_ports_match(struct rtl_ports *ports, char *const *ties, char **ret_error);

/* Print what was found, for people and for files. */
void rtl_ports_show(const struct rtl_ports *ports, FILE *out);
void rtl_ports_json(const struct rtl_ports *ports, const char *name, FILE *out);

/* What the runtime must know besides the ports. */
struct rtl_layout {
    const char *name;  /* of the model */
    uint64_t size;     /* bytes of the device; 0: what its addresses reach */
    bool counts_words; /* the addresses of the bus count words */
    bool master_counts_words;
    bool runs_without_icount;
    const char *not_plain; /* the part of its state that cannot be copied back; NULL: none */
    uint64_t triggers;     /* of a core whose cycle is one call (cycle.h); or 0 */
};
/* Prints the C++ that is compiled with the runtime. */
void rtl_ports_map(const struct rtl_ports *ports, const struct rtl_layout *layout, FILE *out);

#endif
