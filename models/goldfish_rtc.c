/* SPDX-License-Identifier: MIT */
/*
 * goldfish-rtc: the clock of Google's Goldfish board, as Linux's rtc-goldfish drives it:
 * nanoseconds since 1970, and an alarm.
 *
 * Interrupt line 0 is high while an alarm has rung and IRQ_ENABLED is set. An alarm that is set to
 * a time that has passed rings at once. A reset of the guest calls the alarm off; the time goes on,
 * and so does what the guest has set it to.
 *
 * Parameters: start (946684800, which is 2000-01-01 00:00:00 UTC).
 */
#include "trestle/registers.h"

#define NS_PER_S UINT64_C(1000000000)
#define YEAR_2000 946684800

struct rtc {
    uint64_t offset_ns; /* what the time is at the start of the run; it wraps */
    uint32_t time_high; /* TIME_HIGH: latched when TIME_LOW is read, and what it is set to */
    uint32_t alarm_low, alarm_high, irq_enabled;
    bool alarm_set, alarm_rang;
};

static int rtc_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct rtc *rtc = trestle_device_state(dev);
    uint64_t start;
    int r = trestle_params_u64(params, "start", YEAR_2000, &start);
    if (r == 0 && start > UINT64_MAX / NS_PER_S)
        r = trestle_params_refuse(params, "start", "seconds since 1970, before the year 2554");
    if (r == 0)
        rtc->offset_ns = start * NS_PER_S;
    return r;
}

static uint64_t time_ns(struct trestle_device *dev)
{
    const struct rtc *rtc = trestle_device_state(dev);
    return rtc->offset_ns + trestle_device_now(dev) / TRESTLE_NS;
}

/* Brings the line and the wake-up in step with the registers. */
static void update(struct trestle_device *dev)
{
    struct rtc *rtc = trestle_device_state(dev);
    uint64_t alarm_ns = (uint64_t)rtc->alarm_high << 32 | rtc->alarm_low, now_ns = time_ns(dev);
    trestle_time delay = TRESTLE_TIME_NEVER;
    if (rtc->alarm_set && alarm_ns <= now_ns) {
        rtc->alarm_set = false;
        rtc->alarm_rang = true;
    } else if (rtc->alarm_set && alarm_ns - now_ns < TRESTLE_TIME_NEVER / TRESTLE_NS) {
        delay = (alarm_ns - now_ns) * TRESTLE_NS;
    }
    trestle_device_wake_after(dev, 0, delay);
    trestle_irq_update(dev, 0, rtc->alarm_rang && (rtc->irq_enabled & 1));
}

static void rtc_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    update(dev);
}

static void rtc_reset(struct trestle_device *dev)
{
    struct rtc *rtc = trestle_device_state(dev);
    rtc->alarm_set = rtc->alarm_rang = false;
}

/* --- registers ------------------------------------------------------------------------------- */

static int time_low_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct rtc *rtc = trestle_device_state(dev);
    access->value = time_ns(dev);
    rtc->time_high = (uint32_t)(access->value >> 32);
    access->value &= UINT32_MAX;
    return 0;
}

static int time_low_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct rtc *rtc = trestle_device_state(dev);
    rtc->offset_ns += ((uint64_t)rtc->time_high << 32 | access->value) - time_ns(dev);
    update(dev);
    return 0;
}

static int alarm_low_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct rtc *rtc = trestle_device_state(dev);
    rtc->alarm_set = true;
    update(dev);
    return 0;
}

static int irq_enabled_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    update(dev);
    return 0;
}

static int alarm_status_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct rtc *rtc = trestle_device_state(dev);
    access->value = rtc->alarm_set;
    return 0;
}

static int clear_alarm_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct rtc *rtc = trestle_device_state(dev);
    rtc->alarm_set = false;
    update(dev);
    return 0;
}

static int clear_interrupt_written(struct trestle_device *dev,
                                   struct trestle_register_access *access)
{
    struct rtc *rtc = trestle_device_state(dev);
    rtc->alarm_rang = false;
    update(dev);
    return 0;
}

static const struct trestle_register registers[] = {
    {"TIME_LOW", 0x00, .on_read = time_low_read, .on_write = time_low_written,
     .doc = "low half of the time in ns; reading latches TIME_HIGH, writing sets the time"},
    {"TIME_HIGH", 0x04, TRESTLE_AT(struct rtc, time_high), .doc = "read it last, write it first"},
    {"ALARM_LOW", 0x08, TRESTLE_AT(struct rtc, alarm_low), .on_write = alarm_low_written,
     .doc = "low half of the alarm's time; writing sets the alarm"},
    {"ALARM_HIGH", 0x0c, TRESTLE_AT(struct rtc, alarm_high), .doc = "write it first"},
    {"IRQ_ENABLED", 0x10, TRESTLE_AT(struct rtc, irq_enabled), .mask = 1,
     .on_write = irq_enabled_written},
    {"CLEAR_ALARM", 0x14, .access = TRESTLE_TRIGGER, .on_write = clear_alarm_written,
     .doc = "calls the alarm off"},
    {"ALARM_STATUS", 0x18, .access = TRESTLE_RO, .on_read = alarm_status_read,
     .doc = "1 while an alarm is still to ring"},
    {"CLEAR_INTERRUPT", 0x1c, .access = TRESTLE_TRIGGER, .on_write = clear_interrupt_written,
     .doc = "acknowledges an alarm that has rung"},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_goldfish_rtc_model = {
    .size = sizeof(trestle_goldfish_rtc_model),
    .name = "goldfish-rtc",
    .doc = "A clock that says the date, and an alarm.",
    .compatible = "google,goldfish-rtc",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("alarm"),
    .irq_lines = 1,
    .timers = 1,
    .state_size = sizeof(struct rtc),
    .init = rtc_init,
    .reset = rtc_reset,
    .wake = rtc_wake,
};
