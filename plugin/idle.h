/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRESTLE_PLUGIN_IDLE_H
#define TRESTLE_PLUGIN_IDLE_H

#include <stdbool.h>

/* Watches for a guest that can never wake again, says so once, and with exit_then ends QEMU with
 * status 125. Call when the machine is complete. */
void idle_watch(bool exit_then);

#endif
