/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Brings a lost device back: when to connect again, and what to say. */
#include "plugin/device/recovery.h"

#include <stdio.h>

#include "plugin/device/device.h"
#include "plugin/qemu/say.h"

#define CONNECT_BACKOFF_MIN_NS (10 * NS_PER_MS)
#define CONNECT_BACKOFF_MAX_NS (1000 * NS_PER_MS)
#define LATE_BACKOFF_MAX_NS (8000 * NS_PER_MS)

static uint64_t doubled(uint64_t ns, uint64_t max)
{
    return ns < max / 2 ? ns * 2 : max;
}

static void reset_backoffs(struct recovery *r, const struct sst_device *dev)
{
    uint64_t ns = dev->timeout_ms * NS_PER_MS;
    r->connect_backoff_ns = CONNECT_BACKOFF_MIN_NS;
    r->late_backoff_ns = ns < LATE_BACKOFF_MAX_NS ? ns : LATE_BACKOFF_MAX_NS;
}

void recovery_say_lost(struct recovery *r, struct sst_device *dev, const char *what)
{
    if (!r->said_lost)
        say_device(dev, "%s (%s); its accesses fail until it is back", what, dev->socket);
    r->said_lost = true;
}

void recovery_init(struct recovery *r, const struct sst_device *dev)
{
    *r = (struct recovery){.state = DOWN};
    reset_backoffs(r, dev);
}

void recovery_connect_failed(struct recovery *r)
{
    r->state = DOWN;
    r->retry_ns = clock_ns() + r->connect_backoff_ns;
    r->connect_backoff_ns = doubled(r->connect_backoff_ns, CONNECT_BACKOFF_MAX_NS);
}

void recovery_connect_overdue(struct recovery *r)
{
    r->state = DOWN;
    r->retry_ns = clock_ns() + r->late_backoff_ns;
    r->late_backoff_ns = doubled(r->late_backoff_ns, LATE_BACKOFF_MAX_NS);
}

void recovery_lost(struct recovery *r, struct sst_device *dev, const char *what)
{
    recovery_connect_failed(r);
    recovery_say_lost(r, dev, what);
}

void recovery_lost_in_peace(struct recovery *r, struct sst_device *dev, const char *what)
{
    r->state = DOWN;
    r->retry_ns = 0;
    recovery_say_lost(r, dev, what);
}

void recovery_overdue(struct recovery *r, struct sst_device *dev)
{
    char what[64];
    r->state = LATE;
    r->retry_ns = clock_ns() + r->late_backoff_ns;
    r->late_backoff_ns = doubled(r->late_backoff_ns, LATE_BACKOFF_MAX_NS);
    snprintf(what, sizeof(what), "no answer within %u ms", (unsigned)dev->timeout_ms);
    recovery_say_lost(r, dev, what);
}

void recovery_answered(struct recovery *r, struct sst_device *dev)
{
    if (!r->said_lost)
        return;
    say_device(dev, "answers again");
    r->said_lost = false;
    reset_backoffs(r, dev);
}

bool recovery_may_try(const struct recovery *r)
{
    return clock_ns() >= r->retry_ns;
}
