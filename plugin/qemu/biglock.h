/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * release_lock=on: an access that sleeps until its answer comes leaves QEMU's big lock to others,
 * so that other vCPUs go on, and QEMU's main loop.
 *
 * Whatever these do meanwhile must not touch the connection of the device that is waited for. It is
 * alone in its session; its own accesses take turns here; and the main loop leaves a session alone
 * whose device has an access under way.
 */
#ifndef TRESTLE_PLUGIN_BIGLOCK_H
#define TRESTLE_PLUGIN_BIGLOCK_H

#include <stdbool.h>

/* Why this QEMU cannot do it, or NULL. */
const char *biglock_refusal(void);

/* Around an access of a device with release_lock, on its vCPU's thread. *is_busy is the device's:
 * true while one is under way. -EBUSY: one is, and this is no vCPU, which could wait. */
int biglock_begin(bool *is_busy);
void biglock_end(bool *is_busy);

/* Whether a sleep in an access of a device that is_busy may leave the lock to others; if so, both
 * around the sleep. Its end in QEMU's main loop must not be noticed meanwhile. */
bool biglock_may_drop(bool is_busy);
void biglock_drop(void);
void biglock_retake(void);

#endif
