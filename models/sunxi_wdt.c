/* SPDX-License-Identifier: MIT */
/*
 * sunxi-wdt: the watchdog of Allwinner's A31 and later chips, as Linux's sunxi_wdt drives it.
 *
 * While MODE.en is set it counts the interval. A write of CTRL with its key restarts the count. At
 * the end, CFG decides which line goes high. Line 1 is the reset: give it "watchdog" in the
 * configuration, and the guest is reset. Line 0 is an interrupt.
 *
 * Parameters: none.
 */
#include "trestle/registers.h"

#define CTRL_RESTART ((0xa57u << 1) | 1u)
#define CFG_RESET 1u
#define CFG_INTERRUPT 2u
#define MODE_EN 0x01u
#define MODE_INTERVAL 0xf0u

struct wdt {
    uint32_t irq_enable, irq_status, cfg, mode;
};

/* Brings the count in step with MODE, and restarts it. */
static void begin(struct trestle_device *dev)
{
    static const trestle_time intervals[16] = {
        500 * TRESTLE_MS, 1 * TRESTLE_S,  2 * TRESTLE_S,  3 * TRESTLE_S,
        4 * TRESTLE_S,    5 * TRESTLE_S,  6 * TRESTLE_S,  8 * TRESTLE_S,
        10 * TRESTLE_S,   12 * TRESTLE_S, 14 * TRESTLE_S, 16 * TRESTLE_S,
    };
    const struct wdt *wdt = trestle_device_state(dev);
    trestle_time interval = intervals[(wdt->mode & MODE_INTERVAL) >> 4];
    if ((wdt->mode & MODE_EN) && interval > 0)
        trestle_device_wake_after(dev, 0, interval);
    else
        trestle_device_wake_at(dev, 0, TRESTLE_TIME_NEVER);
}

static void wdt_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct wdt *wdt = trestle_device_state(dev);
    if ((wdt->cfg & 3) == CFG_RESET) {
        trestle_device_irq(dev, 1, true); /* until the reset that it causes */
        return;
    }
    wdt->irq_status = (wdt->cfg & 3) == CFG_INTERRUPT ? 1 : wdt->irq_status;
    trestle_irq_update(dev, 0, wdt->irq_status & wdt->irq_enable);
    begin(dev);
}

static int irq_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct wdt *wdt = trestle_device_state(dev);
    trestle_irq_update(dev, 0, wdt->irq_status & wdt->irq_enable);
    return 0;
}

static int ctrl_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    if ((access->value & 0x1fff) == CTRL_RESTART)
        begin(dev);
    return 0;
}

static int mode_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    begin(dev);
    return 0;
}

static const struct trestle_register registers[] = {
    {"IRQ_EN", 0x00, TRESTLE_AT(struct wdt, irq_enable), .on_write = irq_written,
     .fields = TRESTLE_FIELDS({"en", 1, .doc = "of line 0"})},
    {"IRQ_STA", 0x04, TRESTLE_AT(struct wdt, irq_status), .access = TRESTLE_W1C,
     .on_write = irq_written,
     .fields = TRESTLE_FIELDS({"pend", 1, .doc = "it has come to the end"})},
    {"CTRL", 0x10, .access = TRESTLE_TRIGGER, .on_write = ctrl_written,
     .doc = "0x14af restarts the count"},
    {"CFG", 0x14, TRESTLE_AT(struct wdt, cfg), .reset = CFG_RESET,
     .fields = TRESTLE_FIELDS(
         {"config", 3, .values = TRESTLE_VALUES({"reset", CFG_RESET}, {"interrupt", CFG_INTERRUPT}),
          .doc = "what happens at the end"})},
    {"MODE", 0x18, TRESTLE_AT(struct wdt, mode), .on_write = mode_written,
     .fields =
         TRESTLE_FIELDS({"en", MODE_EN, .doc = "it counts"},
                        {"interval", MODE_INTERVAL,
                         .doc = "0 half a second, 1 to 6 seconds, 7 to 11: 8, 10, 12, 14, 16"})},
};
static const struct trestle_region region = {TRESTLE_REGION(registers), .bytes = 0x20};

const struct trestle_model trestle_sunxi_wdt_model = {
    .size = sizeof(trestle_sunxi_wdt_model),
    .name = "sunxi-wdt",
    .doc = "Allwinner's watchdog.",
    .compatible = "allwinner,sun6i-a31-wdt",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("interrupt", "reset"),
    .irq_lines = 2,
    .timers = 1,
    .state_size = sizeof(struct wdt),
    .wake = wdt_wake,
};
