/* SPDX-License-Identifier: MIT */
/* Which edges of its inputs a core uses, and which of them at one place. */
#ifndef CLI_RTL_EDGES_H
#define CLI_RTL_EDGES_H

#include "rtl/ports.h"

/* Finds them in the C++ that Verilator has written for the core, the text of all files. Sets
 * `rises`, `falls` and `is_beside_others` of the ports. What is not understood says nothing. */
void rtl_edges_read(struct rtl_ports *ports, const char *text);

#endif
