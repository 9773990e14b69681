/* SPDX-License-Identifier: MIT */
/*
 * timer: a counter that runs, and an interrupt when it reaches a number.
 *
 * Interrupt line 0 is high while the timer is expired and enabled; a COMPARE in the future lowers
 * it. The counter runs on through a reset of the guest.
 *
 * Parameters: clock (1GHz).
 */
#include "trestle/registers.h"

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
    return trestle_params_period(params, "clock", TRESTLE_NS, &timer->clock);
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
    trestle_irq_update(dev, 0, enabled && expired);
    if (enabled && !expired && timer->compare <= (TRESTLE_TIME_NEVER - 1) / timer->clock)
        when = timer->compare * timer->clock;
    trestle_device_wake_at(dev, 0, when);
}

static void timer_wake(struct trestle_device *dev, uint32_t number, trestle_time now)
{
    update(dev);
}

static int count_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    access->value = count(dev);
    return 0;
}

static int status_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct timer *timer = trestle_device_state(dev);
    access->value = count(dev) >= timer->compare ? STATUS_EXPIRED : 0;
    return 0;
}

static int changed(struct trestle_device *dev, struct trestle_register_access *access)
{
    update(dev);
    return 0;
}

static const struct trestle_register registers[] = {
    {"COUNT", 0x00, .size = 8, .widths = 4 | 8, .access = TRESTLE_RO, .on_read = count_read,
     .doc = "cycles of the clock since the start of the run"},
    {"COMPARE", 0x08, TRESTLE_AT(struct timer, compare), .size = 8, .widths = 4 | 8,
     .reset = UINT64_MAX, .on_write = changed},
    {"CONTROL", 0x10, TRESTLE_AT(struct timer, control), .on_write = changed,
     .fields = TRESTLE_FIELDS({"enable", CONTROL_ENABLE, .doc = "of the interrupt"})},
    {"STATUS", 0x14, .access = TRESTLE_RO, .on_read = status_read,
     .fields = TRESTLE_FIELDS({"expired", STATUS_EXPIRED, .doc = "COUNT >= COMPARE"})},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_timer_model = {
    .size = sizeof(trestle_timer_model),
    .name = "timer",
    .doc = "A counter and a compare register.",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("expired"),
    .irq_lines = 1,
    .timers = 1,
    .state_size = sizeof(struct timer),
    .init = timer_init,
    .wake = timer_wake,
};
