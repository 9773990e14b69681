/* SPDX-License-Identifier: MIT */
/*
 * panel: switches and lamps at the other ends of wires. A test, "trestle poke", or the guest itself
 * can be the world around a board with it.
 *
 * A pin is a port that speaks trestle/pin.h. A reset of the guest keeps the switches.
 *
 * Parameters: none.
 */
#include "trestle/pin.h"
#include "trestle/registers.h"

#define PINS 32

struct panel {
    uint32_t switches, connected;
    struct trestle_pins pins;
};

static int switched(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct panel *panel = trestle_device_state(dev);
    trestle_pins_set(dev, &panel->pins, panel->switches, panel->connected);
    return 0;
}

static int lamps_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct panel *panel = trestle_device_state(dev);
    access->value = panel->pins.wire_level;
    return 0;
}

static void panel_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    struct panel *panel = trestle_device_state(dev);
    if (!trestle_pins_heard(dev, &panel->pins, port, data, size))
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "pin%u: a message that is not a level; ignored", port);
}

static void panel_reset(struct trestle_device *dev)
{
    struct panel *panel = trestle_device_state(dev);
    trestle_pins_reset(dev, &panel->pins, panel->switches, panel->connected);
}

static const struct trestle_register registers[] = {
    {"LAMPS", 0x00, .access = TRESTLE_RO, .on_read = lamps_read,
     .doc = "which wires the other ends pull high, a bit each"},
    {"SWITCHES", 0x04, TRESTLE_AT(struct panel, switches), .keep = true, .on_write = switched,
     .doc = "what this end pulls wires to"},
    {"CONNECTED", 0x08, TRESTLE_AT(struct panel, connected), .keep = true, .on_write = switched,
     .doc = "which wires this end pulls"},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_panel_model = {
    .size = sizeof(trestle_panel_model),
    .name = "panel",
    .doc = "Switches and lamps at the other ends of wires.",
    .regions = TRESTLE_REGIONS(&region),
    .ports = TRESTLE_NAMES(TRESTLE_PIN_NAMES),
    .peer_ports = PINS,
    .state_size = sizeof(struct panel),
    .reset = panel_reset,
    .message = panel_message,
};
