/* SPDX-License-Identifier: MIT */
/* Whether a cycle of a core is one call: Verilator's code for the rising edge of the clock. */
#ifndef CLI_RTL_CYCLE_H
#define CLI_RTL_CYCLE_H

#include "rtl/ports.h"

/* What Verilator's files have said so far. Begin with {0}. */
struct rtl_cycle {
    uint64_t
        triggers;  /* those that come with the clock's rising edge, by number; the lowest is 0 */
    bool has_more; /* something else happens in a cycle */
    bool has_nba;  /* the code for the edge was found */
};

/* Reads one of Verilator's C++ files for the core. is_slow: it is one of those for the beginning,
 * whose names end in __Slow.cpp. Each file is read once. */
void rtl_cycle_read(struct rtl_cycle *cycle, const struct rtl_ports *ports, const char *text,
                    bool is_slow);

/* The triggers to set for that call; 0: a cycle needs both edges and all of the code. */
uint64_t rtl_cycle_triggers(const struct rtl_cycle *cycle, const struct rtl_ports *ports);

#endif
