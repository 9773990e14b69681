/* SPDX-License-Identifier: MIT */
/* What Verilator's header does not say of ports: their order, and the fields of packed structs, of
 * which it makes one number each. */
#ifndef CLI_RTL_STRUCTS_H
#define CLI_RTL_STRUCTS_H

#include "rtl/ports.h"

/* Puts the ports into the order in which the core declares them, and replaces each struct by its
 * fields, called "port.field". The file comes from Verilator's
 * --xml-only for the same core, or, if its name ends in .json, from --json-only. Without the file
 * all ports stay as they are. */
void rtl_structs_split(struct rtl_ports *ports, const char *path);

#endif
