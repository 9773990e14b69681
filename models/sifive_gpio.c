/* SPDX-License-Identifier: MIT */
/*
 * sifive-gpio: SiFive's GPIO controller, as Linux's gpio-sifive drives it: up to 32 pins with edges
 * and levels, an interrupt line for each.
 *
 * A pin is a port that speaks trestle/pin.h. One that nobody drives reads as PUE says. The line of
 * a pin is high while a bit of it is set both in a register of pending interrupts and in its enable
 * register.
 *
 * Parameters: none.
 */
#include "trestle/pin.h"
#include "trestle/registers.h"

enum { RISE, FALL, HIGH, LOW, NUM_CAUSES };
#define PINS 32

struct gpio {
    uint32_t input, input_enable, output_enable, output, pull_up, strength, function_enable,
        function, invert;
    struct {
        uint32_t enable, pending;
    } causes[NUM_CAUSES];
    struct trestle_pins pins;
};

static void update(struct trestle_device *dev)
{
    struct gpio *gpio = trestle_device_state(dev);
    uint32_t before = gpio->input, due = 0;
    trestle_pins_set(dev, &gpio->pins, gpio->output ^ gpio->invert, gpio->output_enable);
    gpio->input = trestle_pins_levels(&gpio->pins, gpio->pull_up) & gpio->input_enable;
    gpio->causes[RISE].pending |= ~before & gpio->input;
    gpio->causes[FALL].pending |= before & ~gpio->input & gpio->input_enable;
    gpio->causes[HIGH].pending |= gpio->input;
    gpio->causes[LOW].pending |= gpio->input_enable & ~gpio->input;
    for (int i = 0; i < NUM_CAUSES; i++)
        due |= gpio->causes[i].pending & gpio->causes[i].enable;
    for (uint32_t pin = 0; pin < PINS; pin++)
        trestle_device_irq(dev, pin, due >> pin & 1);
}

static void gpio_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    struct gpio *gpio = trestle_device_state(dev);
    if (!trestle_pins_heard(dev, &gpio->pins, port, data, size))
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "pin%u: a message that is not a level; ignored", port);
    update(dev);
}

static void gpio_reset(struct trestle_device *dev)
{
    struct gpio *gpio = trestle_device_state(dev);
    trestle_pins_reset(dev, &gpio->pins, 0, 0);
}

static int changed(struct trestle_device *dev, struct trestle_register_access *access)
{
    update(dev);
    return 0;
}

#define GPIO(name, at, member, text)                                                \
    {                                                                               \
        name, at, TRESTLE_AT(struct gpio, member), .on_write = changed, .doc = text \
    }
#define PENDING(name, at, cause)                                                         \
    {                                                                                    \
        name, at, TRESTLE_AT(struct gpio, causes[cause].pending), .access = TRESTLE_W1C, \
                                                                  .on_write = changed    \
    }

static const struct trestle_register registers[] = {
    {"INPUT_VAL", 0x00, TRESTLE_AT(struct gpio, input), .access = TRESTLE_RO,
     .doc = "levels of the pins that INPUT_EN has, a bit each"},
    GPIO("INPUT_EN", 0x04, input_enable, NULL),
    GPIO("OUTPUT_EN", 0x08, output_enable, "which pins this device drives"),
    GPIO("OUTPUT_VAL", 0x0c, output, "to which levels"),
    GPIO("PUE", 0x10, pull_up, "pull-ups: what a pin reads that nobody drives"),
    GPIO("DS", 0x14, strength, "kept"),
    GPIO("RISE_IE", 0x18, causes[RISE].enable, NULL),
    PENDING("RISE_IP", 0x1c, RISE),
    GPIO("FALL_IE", 0x20, causes[FALL].enable, NULL),
    PENDING("FALL_IP", 0x24, FALL),
    GPIO("HIGH_IE", 0x28, causes[HIGH].enable, NULL),
    PENDING("HIGH_IP", 0x2c, HIGH),
    GPIO("LOW_IE", 0x30, causes[LOW].enable, NULL),
    PENDING("LOW_IP", 0x34, LOW),
    GPIO("IOF_EN", 0x38, function_enable, "kept"),
    GPIO("IOF_SEL", 0x3c, function, "kept"),
    GPIO("OUT_XOR", 0x40, invert, "inverts OUTPUT_VAL"),
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_sifive_gpio_model = {
    .size = sizeof(trestle_sifive_gpio_model),
    .name = "sifive-gpio",
    .doc = "SiFive's GPIO controller: 32 pins, with edges and levels.",
    .compatible = "sifive,gpio0",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES(TRESTLE_PIN_NAMES),
    .irq_lines = PINS,
    .ports = TRESTLE_NAMES(TRESTLE_PIN_NAMES),
    .peer_ports = PINS,
    .state_size = sizeof(struct gpio),
    .reset = gpio_reset,
    .message = gpio_message,
};
