/* SPDX-License-Identifier: MIT */
/*
 * timer: a counter that runs, and an interrupt when it reaches a number.
 *
 * offset  register  access  bits
 * 0x00    COUNT     R       64 bits: cycles of the clock since the start of the run
 * 0x08    COMPARE   RW      64 bits; all ones after reset
 * 0x10    CONTROL   RW      0 interrupt enable
 * 0x14    STATUS    R       0 expired: COUNT >= COMPARE
 *
 * Accesses of 32 bits reach either half of COUNT and COMPARE, those of 64 bits the whole.
 * Interrupt line 0 is high while the timer is expired and enabled; a COMPARE in the future lowers
 * it. The counter runs on through a reset of the guest.
 *
 * Parameters: clock (1GHz).
 */
#include <errno.h>
#include <inttypes.h>

#include "trestle/device.h"

enum { COUNT = 0x00, COMPARE = 0x08, CONTROL = 0x10, STATUS = 0x14 };

#define CONTROL_ENABLE 1u
#define STATUS_EXPIRED 1u

struct timer {
    trestle_time clock;
    uint64_t compare;
    uint32_t control;
};

static int timer_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct timer *timer = trestle_device_state(dev);
    timer->compare = UINT64_MAX;
    return trestle_params_period(params, "clock", TRESTLE_NS, &timer->clock);
}

static void timer_reset(struct trestle_device *dev)
{
    struct timer *timer = trestle_device_state(dev);
    timer->compare = UINT64_MAX;
    timer->control = 0;
}

static uint64_t count(struct trestle_device *dev)
{
    const struct timer *timer = trestle_device_state(dev);
    return trestle_device_now(dev) / timer->clock;
}

/* Brings the line and the wake-up in step with the registers. */
static void update(struct trestle_device *dev)
{
    const struct timer *timer = trestle_device_state(dev);
    bool enabled = timer->control & CONTROL_ENABLE;
    bool expired = count(dev) >= timer->compare;
    trestle_time when = TRESTLE_TIME_NEVER;
    trestle_device_irq(dev, 0, enabled && expired);
    if (enabled && !expired && timer->compare <= (TRESTLE_TIME_NEVER - 1) / timer->clock)
        when = timer->compare * timer->clock;
    trestle_device_wake_at(dev, 0, when);
}

static void timer_wake(struct trestle_device *dev, uint32_t number, trestle_time now)
{
    update(dev);
}

static int timer_read(struct trestle_device *dev, struct trestle_request *req,
                      const struct trestle_access *access, uint64_t *ret_data)
{
    const struct timer *timer = trestle_device_state(dev);
    unsigned shift = (access->offset & 4) * 8;
    if (access->offset < COMPARE)
        *ret_data = count(dev) >> shift;
    else if (access->offset < CONTROL)
        *ret_data = timer->compare >> shift;
    else if (access->size == 8)
        return -EINVAL;
    else if (access->offset == CONTROL)
        *ret_data = timer->control;
    else
        *ret_data = count(dev) >= timer->compare ? STATUS_EXPIRED : 0;
    return 0;
}

static int timer_write(struct trestle_device *dev, struct trestle_request *req,
                       const struct trestle_access *access)
{
    struct timer *timer = trestle_device_state(dev);
    unsigned shift = (access->offset & 4) * 8;
    uint64_t mask = (access->size == 8 ? UINT64_MAX : UINT32_MAX) << shift;
    if (access->offset >= COMPARE && access->offset < CONTROL) {
        timer->compare = (timer->compare & ~mask) | access->data << shift;
    } else if (access->offset >= CONTROL && access->size == 8) {
        return -EINVAL;
    } else if (access->offset == CONTROL) {
        timer->control = access->data & CONTROL_ENABLE;
    } else {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "write to read-only register 0x%02" PRIx64,
                           access->offset);
        return 0;
    }
    update(dev);
    return 0;
}

const struct trestle_model trestle_timer_model = {
    .size = sizeof(trestle_timer_model),
    .name = "timer",
    .region_size = 0x18,
    .access_sizes = 4 | 8,
    .irq_lines = 1,
    .timers = 1,
    .state_size = sizeof(struct timer),
    .init = timer_init,
    .reset = timer_reset,
    .read = timer_read,
    .write = timer_write,
    .wake = timer_wake,
};
