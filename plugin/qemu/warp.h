/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRESTLE_PLUGIN_WARP_H
#define TRESTLE_PLUGIN_WARP_H

#include <stdbool.h>

/* Once, when the machine is complete: under -icount, has guest time pass exactly while the guest
 * sleeps (warp.c). */
void warp_start(void);
/* Before what may set a timer of the guest's clock: from here to the end of this turn of the main
 * loop no guest time is leapt over, unless the guest is known to sleep. */
void warp_hold(void);
/* Every vCPU is halted and no interrupt is pending; under -icount, in the latest turn of the main
 * loop that could tell. */
bool warp_guest_is_halted(void);

#endif
