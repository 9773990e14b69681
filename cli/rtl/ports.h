/* SPDX-License-Identifier: MIT */
/* What the ports of a core are for, found from their names. */
#ifndef CLI_RTL_PORTS_H
#define CLI_RTL_PORTS_H

#include <stdbool.h>
#include <stdio.h>

#include "util.h"

struct rtl_port {
    char *name;
    unsigned bits;
    bool is_input;
    const char *use; /* "clock", "irq", "bus", ...; NULL: not known */
    const char *tie; /* the value of an input that is tied, or NULL */
};

enum rtl_bus { RTL_AXIL, RTL_APB, RTL_WB };

/* Signals of a bus, by their place in its list of names. */
#define RTL_SIGNALS_MAX 20

struct rtl_ports {
    struct rtl_port *ports;
    size_t count;
    enum rtl_bus bus;
    struct rtl_port *signals[RTL_SIGNALS_MAX]; /* NULL: the core has none */
    struct rtl_port *clock, *reset;            /* reset may be NULL */
    bool reset_is_low;
};

/* Reads the ports from the header that Verilator has written for the top. False: it has none. */
bool rtl_ports_read(const char *header_text, struct rtl_ports *ret_ports);
/* Finds out what they are for; ties are "PORT=VALUE", ended by NULL. -EINVAL: *ret_error is a
 * sentence. */
int rtl_ports_match(struct rtl_ports *ports, char *const *ties, char **ret_error);
/* The C++ that the runtime is compiled with. */
void rtl_ports_map(const struct rtl_ports *ports, const char *name, uint64_t size, FILE *out);
/* For people and for files: what was found. */
void rtl_ports_show(const struct rtl_ports *ports, FILE *out);
void rtl_ports_json(const struct rtl_ports *ports, const char *name, FILE *out);
void rtl_ports_finish(struct rtl_ports *ports);

#endif
