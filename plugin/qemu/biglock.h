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

#include "plugin/v2/v2.h"

/* Why this QEMU cannot do it, or NULL. */
const char *biglock_refusal(void);

/* Around an access of a device with release_lock, on its vCPU's thread. -EBUSY: one is under way,
 * and this is no vCPU, which could wait. */
int biglock_begin(struct v2 *v2);
void biglock_end(struct v2 *v2);

/* Around a sleep, whose end the connection's also is. Nothing on other devices. */
void biglock_drop(struct v2 *v2);
void biglock_retake(struct v2 *v2);

#endif
