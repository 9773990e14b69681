/* SPDX-License-Identifier: MIT */
/*
 * sp805: Arm's watchdog, as Linux's sp805_wdt drives it.
 *
 * It counts down from LOAD, once CONTROL.inten is set. At the end of the first count line 0 goes
 * high, until INTCLR is written; at the end of a second one without that, line 1, if CONTROL.resen
 * is set: say "watchdog" for it in the configuration, and the guest is reset.
 *
 * Parameters: clock (24MHz).
 */
#include "trestle/registers.h"

#define CONTROL_INTEN 1u
#define CONTROL_RESEN 2u
#define UNLOCK UINT32_C(0x1acce551)

struct sp805 {
    trestle_time clock, since; /* when it stood at LOAD */
    uint32_t load, control;
    bool is_due; /* the first count has ended, unheard */
    bool is_locked;
};

static int sp805_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct sp805 *dog = trestle_device_state(dev);
    return trestle_params_period(params, "clock", 41667, &dog->clock);
}

static void set_lines(struct trestle_device *dev, bool bites)
{
    const struct sp805 *dog = trestle_device_state(dev);
    trestle_irq_update(dev, 0, dog->is_due && (dog->control & CONTROL_INTEN));
    trestle_irq_update(dev, 1, bites);
}

/* From LOAD on, if it counts at all. */
static void count(struct trestle_device *dev)
{
    struct sp805 *dog = trestle_device_state(dev);
    uint64_t cycles = (uint64_t)dog->load + 1;
    dog->since = trestle_device_now(dev);
    if ((dog->control & CONTROL_INTEN) && cycles <= TRESTLE_TIME_NEVER / dog->clock)
        trestle_device_wake_after(dev, 0, cycles * dog->clock);
    else
        trestle_device_wake_at(dev, 0, TRESTLE_TIME_NEVER);
}

static void sp805_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct sp805 *dog = trestle_device_state(dev);
    bool bites = dog->is_due && (dog->control & CONTROL_RESEN);
    dog->is_due = true;
    set_lines(dev, bites);
    if (!bites)
        count(dev);
}

static void sp805_reset(struct trestle_device *dev)
{
    struct sp805 *dog = trestle_device_state(dev);
    dog->is_due = dog->is_locked = false;
}

/* --- registers ------------------------------------------------------------------------------- */

static int load_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct sp805 *dog = trestle_device_state(dev);
    if (dog->is_locked)
        dog->load = (uint32_t)access->old;
    else
        count(dev);
    return 0;
}

static int value_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct sp805 *dog = trestle_device_state(dev);
    trestle_time passed = (trestle_device_now(dev) - dog->since) / dog->clock;
    bool counts = dog->control & CONTROL_INTEN;
    access->value = counts && passed < dog->load ? dog->load - passed : counts ? 0 : dog->load;
    return 0;
}

static int control_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct sp805 *dog = trestle_device_state(dev);
    if (dog->is_locked)
        dog->control = (uint32_t)access->old;
    else if ((access->value ^ access->old) & CONTROL_INTEN)
        count(dev);
    set_lines(dev, false);
    return 0;
}

static int intclr_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct sp805 *dog = trestle_device_state(dev);
    if (dog->is_locked)
        return 0;
    dog->is_due = false;
    set_lines(dev, false);
    count(dev);
    return 0;
}

static int ris_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct sp805 *dog = trestle_device_state(dev);
    access->value = dog->is_due;
    return 0;
}

static int mis_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct sp805 *dog = trestle_device_state(dev);
    access->value = dog->is_due && (dog->control & CONTROL_INTEN);
    return 0;
}

static int lock_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct sp805 *dog = trestle_device_state(dev);
    access->value = dog->is_locked;
    return 0;
}

static int lock_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct sp805 *dog = trestle_device_state(dev);
    dog->is_locked = access->value != UNLOCK;
    return 0;
}

static int ident_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    static const uint8_t bytes[] = {0x05, 0x18, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    access->value = bytes[access->index];
    return 0;
}

static const struct trestle_register registers[] = {
    {"LOAD", 0x000, TRESTLE_AT(struct sp805, load), .reset = UINT32_MAX, .on_write = load_written,
     .doc = "where it counts from; a count takes LOAD + 1 cycles"},
    {"VALUE", 0x004, .access = TRESTLE_RO, .on_read = value_read, .doc = "where it has come to"},
    {"CONTROL", 0x008, TRESTLE_AT(struct sp805, control), .on_write = control_written,
     .fields = TRESTLE_FIELDS({"inten", CONTROL_INTEN, .doc = "it counts"},
                              {"resen", CONTROL_RESEN, .doc = "of line 1"})},
    {"INTCLR", 0x00c, .access = TRESTLE_TRIGGER, .on_write = intclr_written,
     .doc = "lowers line 0, and counts from LOAD"},
    {"RIS", 0x010, .access = TRESTLE_RO, .on_read = ris_read,
     .doc = "1: the first count has ended"},
    {"MIS", 0x014, .access = TRESTLE_RO, .on_read = mis_read, .doc = "RIS, if inten is set"},
    {"LOCK", 0xc00, .on_read = lock_read, .on_write = lock_written,
     .doc = "0x1acce551 lets the others be written, all else does not; reads as 1 then"},
    {"IDENT", 0xfe0, .access = TRESTLE_RO, .count = 8, .on_read = ident_read,
     .doc = "what a PrimeCell is known by"},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_sp805_model = {
    .size = sizeof(trestle_sp805_model),
    .name = "sp805",
    .doc = "Arm's watchdog.",
    .compatible = "arm,sp805",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("interrupt", "reset"),
    .irq_lines = 2,
    .timers = 1,
    .state_size = sizeof(struct sp805),
    .init = sp805_init,
    .reset = sp805_reset,
    .wake = sp805_wake,
};
