/* SPDX-License-Identifier: MIT */
/* For --gdb: the port of QEMU's gdb stub. */
#ifndef CLI_DEBUG_H
#define CLI_DEBUG_H

#include <stdbool.h>
#include <stdint.h>

/* Finds the port: the one that was asked for; if that is 0, it is 1234, or another if 1234 is
 * taken. -EADDRINUSE, with the line for the user. */
int debug_choose_port(uint16_t wanted, uint16_t *ret_port, char **ret_error);
/* Somebody listens there. */
bool debug_is_open(uint16_t port);
/* How to get there; malloc'd. arch: the guest's; kernel: or NULL. */
char *debug_gdb_command(uint16_t port, const char *arch, const char *kernel);

#endif
