/* SPDX-License-Identifier: MIT */
/* Ports that are packed structs: Verilator makes one number of each. Here each field is a port. */
#ifndef CLI_RTL_STRUCTS_H
#define CLI_RTL_STRUCTS_H

#include "rtl/ports.h"

/* Replaces each such port by its fields, called "port.field". The file comes from Verilator's
 * --xml-only for the same core, or, if its name ends in .json, from --json-only. Without the file
 * all ports stay as they are. */
void rtl_structs_split(struct rtl_ports *ports, const char *path);

#endif
