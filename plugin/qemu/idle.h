/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRESTLE_PLUGIN_IDLE_H
#define TRESTLE_PLUGIN_IDLE_H

#include <stdbool.h>

/* Set by each access to a device: the guest is looked after closely from then on. */
extern bool idle_device_used;

/* Watches for a guest that can never wake again, says so once, and with exit_then ends QEMU with
 * status 125. Call when the machine is complete. */
void idle_watch(bool exit_then);

#endif
