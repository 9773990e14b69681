/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRESTLE_PLUGIN_START_H
#define TRESTLE_PLUGIN_START_H

#include <stdbool.h>

/* First of all: finds what is needed of this QEMU, or ends it with status 2. False: this process is
 * no QEMU at all. */
bool trestle_resolve(void);

/* Before the machine is made: registers the type, and has its devices start when the machine is
 * complete. target_name: QEMU's for the guest's architecture. */
void trestle_start(const char *target_name);

/* Instead of starting anything: "trestle boards" wants to know what the board has. */
void trestle_report_board(void);

/* A guest that waits for ever ends QEMU with status 125, instead of being told of. */
void trestle_exit_when_idle(bool yes);

#endif
