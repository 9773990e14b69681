/* SPDX-License-Identifier: MIT */
/* Ports that are packed structs: Verilator makes a number of each, whose fields are ports here. */
#ifndef CLI_RTL_STRUCTS_H
#define CLI_RTL_STRUCTS_H

#include "rtl/ports.h"

/* Replaces each such port by its fields, called "port.field". The file is what Verilator's
 * --xml-only has written of the same core; without it, all ports stay as they are. */
void rtl_structs_split(struct rtl_ports *ports, const char *path);

#endif
