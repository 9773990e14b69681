/* SPDX-License-Identifier: MIT */
/* The ports of a core, and what they are for: found from their names, or said by a file. */
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
    bool rises, falls;     /* the core looks at such edges of it, */
    bool is_beside_others; /* and at those of another input at the same place: one is a reset */
    char *of_struct;       /* the port that it is a field of, or NULL */
    enum rtl_use use;
    char *signal; /* that it is of the bus, or of the master's, as a file says; or NULL */
    bool is_of_master;
    char *period;         /* of a clock other than that of the bus, as a file says; or NULL */
    uint64_t picoseconds; /* the same */
    uint64_t tie;         /* the value of an input that is tied, or of a wire that nobody drives */
};

/* A bus of the core. */
struct rtl_side {
    const struct rtl_bus *bus;                 /* NULL: none was found */
    struct rtl_port *signals[RTL_SIGNALS_MAX]; /* NULL: the core has no such one */
};

struct rtl_ports {
    struct rtl_port *ports;
    size_t count;
    struct rtl_side slave, master;
    struct rtl_port *clock; /* of the bus */
    bool has_reset;
};

/* Reads the ports from the header that Verilator has written for the top. False: it has none. */
bool rtl_ports_read(const char *header_text, struct rtl_ports *ret_ports);
/* Reads from what else Verilator has written which edges of its inputs the core looks at. */
void rtl_ports_read_edges(struct rtl_ports *ports, const char *text);
void rtl_ports_finish(struct rtl_ports *ports);
void rtl_port_finish(struct rtl_port *port);
struct rtl_port *rtl_ports_find(const struct rtl_ports *ports, const char *name, size_t length);

/* What a file says that they are for, as rtl_ports_json() has written it. What it leaves out is
 * found. -EINVAL: *ret_error is a sentence; so below. */
int rtl_ports_apply(struct rtl_ports *ports, const char *path, char **ret_error);
/* The same of single ports: "PORT=USE" or "PORT=USE:DETAIL", ended by NULL. PORT may be a pattern.
 */
int rtl_ports_use(struct rtl_ports *ports, char *const *uses, char **ret_error);
/* Finds out what the others are for; ties are "PORT=VALUE", ended by NULL. */
int rtl_ports_match(struct rtl_ports *ports, char *const *ties, char **ret_error);

/* For people and for files: what was found. */
void rtl_ports_show(const struct rtl_ports *ports, FILE *out);
void rtl_ports_json(const struct rtl_ports *ports, const char *name, FILE *out);

/* What else the runtime has to know. */
struct rtl_layout {
    const char *name;  /* of the model */
    uint64_t size;     /* bytes of the device; 0: what its addresses reach */
    bool counts_words; /* the addresses of the bus */
    bool master_counts_words;
    bool runs_without_icount;
    const char *not_plain; /* what of its state cannot be copied back; NULL: all can */
};
/* The C++ that the runtime is compiled with. */
void rtl_ports_map(const struct rtl_ports *ports, const struct rtl_layout *layout, FILE *out);

#endif
