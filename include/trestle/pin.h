/* SPDX-License-Identifier: MIT */
/*
 * trestle/pin.h: wires between devices, each from one pin to another.
 *
 * A pin is a port, and a wire is a link. A message is one byte, and says what this end does to the
 * wire from now on: 0 pulls it low, 1 high, 2 releases it. With 0x80 added, it also asks the other
 * end for its state: a reset of a device loses the messages on their way to it, so the device asks
 * after its reset. At the start of a run every pin is released. The bundled models sifive-gpio and
 * panel have such pins.
 */
#ifndef TRESTLE_PIN_H
#define TRESTLE_PIN_H

#include "trestle/device.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TRESTLE_PIN_LOW 0
#define TRESTLE_PIN_HIGH 1
#define TRESTLE_PIN_FREE 2
#define TRESTLE_PIN_ASKS 0x80

/* Names for 32 pins, for TRESTLE_NAMES(). */
#define TRESTLE_PIN_NAMES                                                                         \
    "pin0", "pin1", "pin2", "pin3", "pin4", "pin5", "pin6", "pin7", "pin8", "pin9", "pin10",      \
        "pin11", "pin12", "pin13", "pin14", "pin15", "pin16", "pin17", "pin18", "pin19", "pin20", \
        "pin21", "pin22", "pin23", "pin24", "pin25", "pin26", "pin27", "pin28", "pin29", "pin30", \
        "pin31"

/* In the state of a model whose first ports are pins; each pin is a bit. */
struct trestle_pins {
    uint32_t level, driven;           /* what this end does; level has only bits of driven */
    uint32_t wire_level, wire_driven; /* what the other ends do, likewise */
};

static inline void trestle_pins_tell(struct trestle_device *dev, const struct trestle_pins *pins,
                                     uint32_t port, uint8_t asks)
{
    const uint32_t level = pins->driven >> port & 1 ? pins->level >> port & 1 : TRESTLE_PIN_FREE;
    const uint8_t message = (uint8_t)(level | asks);
    if (trestle_device_linked(dev, port))
        (void)!trestle_device_send(dev, port, &message, sizeof(message));
}

/* Drives these pins to these levels, and tells the other ends of the pins that change. */
static inline void trestle_pins_set(struct trestle_device *dev, struct trestle_pins *pins,
                                    uint32_t level, uint32_t driven)
{
    uint32_t port, changed;
    level &= driven;
    changed = (level ^ pins->level) | (driven ^ pins->driven);
    pins->level = level;
    pins->driven = driven;
    for (port = 0; port < 32; port++)
        if (changed >> port & 1)
            trestle_pins_tell(dev, pins, port, 0);
}

/* Takes what message() got for a pin. False: it is not a message of this kind. */
static inline bool trestle_pins_heard(struct trestle_device *dev, struct trestle_pins *pins,
                                      uint32_t port, const void *message, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)message;
    const uint32_t bit = UINT32_C(1) << port;
    const int level = size == 1 ? bytes[0] & ~TRESTLE_PIN_ASKS : -1;
    if (level < TRESTLE_PIN_LOW || level > TRESTLE_PIN_FREE)
        return false;
    pins->wire_driven =
        level == TRESTLE_PIN_FREE ? pins->wire_driven & ~bit : pins->wire_driven | bit;
    pins->wire_level = level == TRESTLE_PIN_HIGH ? pins->wire_level | bit : pins->wire_level & ~bit;
    if (bytes[0] & TRESTLE_PIN_ASKS)
        trestle_pins_tell(dev, pins, port, 0);
    return true;
}

/* For reset(): tells the other ends what this end does after it, and asks for their state. */
static inline void trestle_pins_reset(struct trestle_device *dev, struct trestle_pins *pins,
                                      uint32_t level, uint32_t driven)
{
    uint32_t port;
    pins->level = level & driven;
    pins->driven = driven;
    for (port = 0; port < 32; port++)
        trestle_pins_tell(dev, pins, port, TRESTLE_PIN_ASKS);
}

/* The levels of all wires. If nobody drives a wire, pulled_up decides; if both ends do, this end.
 */
static inline uint32_t trestle_pins_levels(const struct trestle_pins *pins, uint32_t pulled_up)
{
    return pins->level | (pins->wire_level & ~pins->driven) |
           (pulled_up & ~pins->driven & ~pins->wire_driven);
}

#ifdef __cplusplus
}
#endif
#endif
