/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a device that is lost comes back, with any protocol.
 *
 *            +------------------- connect, after a back-off -------------+
 *            v                                                           |
 *   DOWN --connect--> UP --no answer in time--> LATE --sign of life--> (closed)
 *     ^               |                          |
 *     +--- closed ----+                          +-- back-off over --> (closed)
 *
 * All this happens at accesses of the guest. Until the device is back they fail at once, so that
 * a polling guest does not stall at each. The user hears once that a device is lost, and once that
 * it is back. It is back at the first answer, not at the connection: a peer that accepts and closes
 * is not back.
 */
#ifndef TRESTLE_PLUGIN_RECOVERY_H
#define TRESTLE_PLUGIN_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct sst_device;

enum recovery_state { DOWN, UP, LATE };

struct recovery {
    enum recovery_state state;
    bool said_lost;              /* and "answers again" is owed */
    uint64_t retry_ns;           /* DOWN, LATE: not before that does an access try */
    uint64_t connect_backoff_ns; /* what the next failure to connect costs */
    uint64_t late_backoff_ns;    /* what the next time-out costs */
};

void recovery_init(struct recovery *r, const struct sst_device *dev);
/* The caller has closed the connection. Says `what`, once. */
void recovery_lost(struct recovery *r, struct sst_device *dev, const char *what);
/* Lost while nobody looked: the next access may connect at once. */
void recovery_lost_in_peace(struct recovery *r, struct sst_device *dev, const char *what);
/* Says `what`, if the user does not know yet that the device is lost. */
void recovery_say_lost(struct recovery *r, struct sst_device *dev, const char *what);
void recovery_connect_failed(struct recovery *r);
/* Connecting took as long as the time-out: that is not tried as often. */
void recovery_connect_overdue(struct recovery *r);
/* No answer in time: UP becomes LATE. */
void recovery_overdue(struct recovery *r, struct sst_device *dev);
/* An answer came. */
void recovery_answered(struct recovery *r, struct sst_device *dev);
/* DOWN or LATE: may an access try now? */
bool recovery_may_try(const struct recovery *r);

#endif
