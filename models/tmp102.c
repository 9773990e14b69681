/* SPDX-License-Identifier: MIT */
/*
 * tmp102: a thermometer on an I2C bus, as Texas Instruments' TMP102.
 *
 * The device's region is what surrounds the chip: TEMPERATURE, which tests and "trestle poke" set,
 * and views of the chip's registers. Conversions take no time. Interrupt line 0 is the chip's ALERT
 * as a comparator: high from T_HIGH on until it is colder than T_LOW. A reset of the guest resets
 * the chip and keeps the temperature.
 *
 * Parameters: address (0x48), temperature (25; degrees Celsius).
 */
#include <errno.h>
#include <stdlib.h>

#include "trestle/i2c.h"
#include "trestle/registers.h"

#define CONFIG_FIXED 0x6000u /* the resolution */
#define CONFIG_POLARITY 0x0400u
#define CONFIG_ALERT 0x0020u
#define CONFIG_EXTENDED 0x0010u
#define MILLI_MIN (-128000)
#define MILLI_MAX 150000

enum { TEMPERATURE, CONFIG, T_LOW, T_HIGH };

struct tmp102 {
    uint8_t address;
    uint8_t pointer; /* the register that is read and written */
    uint8_t count;   /* bytes since the last start */
    uint8_t first;   /* of two that are written */
    uint32_t millidegrees;
    uint32_t config, low, high;
    bool alert;
};

static int tmp102_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct tmp102 *chip = trestle_device_state(dev);
    uint64_t address;
    const char *text;
    char *end;
    int r = trestle_params_u64(params, "address", 0x48, &address);
    if (r == 0)
        r = trestle_params_string(params, "temperature", "25", &text);
    if (r < 0)
        return r;
    double degrees = strtod(text, &end);
    if (end == text || *end || !(degrees * 1000 >= MILLI_MIN && degrees * 1000 <= MILLI_MAX))
        return trestle_params_refuse(params, "temperature",
                                     "degrees from -128 to 150, such as 21.5");
    if (address > 0x7f)
        return trestle_params_refuse(params, "address", "7 bits");
    chip->millidegrees = (uint32_t)(int32_t)(degrees * 1000 + (degrees < 0 ? -0.5 : 0.5));
    chip->address = (uint8_t)address;
    return 0;
}

/* 1/16 degree, as registers hold them: 12 bits at the top of 16, or 13 with CONFIG_EXTENDED. */
static uint32_t sixteenths(const struct tmp102 *chip)
{
    bool is_extended = chip->config & CONFIG_EXTENDED;
    int32_t milli = (int32_t)chip->millidegrees, top = is_extended ? 4095 : 2047;
    int32_t value = (milli * 2 - (milli < 0 ? 124 : 0)) / 125; /* rounded downwards */
    value = value > top ? top : value < -top - 1 ? -top - 1 : value;
    return (uint32_t)value << (is_extended ? 3 : 4) & 0xffff;
}

static void update(struct trestle_device *dev)
{
    struct tmp102 *chip = trestle_device_state(dev);
    int16_t now = (int16_t)sixteenths(chip);
    if (now >= (int16_t)chip->high)
        chip->alert = true;
    else if (now < (int16_t)chip->low)
        chip->alert = false;
    trestle_irq_update(dev, 0, chip->alert);
}

/* --- on the bus ------------------------------------------------------------------------------ */

static uint32_t read_register(const struct tmp102 *chip)
{
    bool is_high = chip->alert == ((chip->config & CONFIG_POLARITY) != 0);
    switch (chip->pointer) {
    case TEMPERATURE:
        return sixteenths(chip) | ((chip->config & CONFIG_EXTENDED) != 0);
    case CONFIG:
        return chip->config | (is_high ? CONFIG_ALERT : 0);
    case T_LOW:
        return chip->low;
    default:
        return chip->high;
    }
}

static void write_register(struct tmp102 *chip, uint32_t value)
{
    if (chip->pointer == CONFIG)
        chip->config = CONFIG_FIXED | (value & 0x9fd0);
    else if (chip->pointer == T_LOW)
        chip->low = value;
    else if (chip->pointer == T_HIGH)
        chip->high = value;
}

static bool bus_start(struct trestle_device *dev, uint8_t address, bool is_read)
{
    struct tmp102 *chip = trestle_device_state(dev);
    chip->count = 0;
    return address == chip->address;
}

static bool bus_write(struct trestle_device *dev, uint8_t byte)
{
    struct tmp102 *chip = trestle_device_state(dev);
    if (chip->count == 0)
        chip->pointer = byte & 3;
    else if (chip->count == 1)
        chip->first = byte;
    else if (chip->count == 2)
        write_register(chip, (uint32_t)chip->first << 8 | byte);
    if (chip->count < 3)
        chip->count++;
    update(dev);
    return true;
}

static uint8_t bus_read(struct trestle_device *dev)
{
    struct tmp102 *chip = trestle_device_state(dev);
    uint32_t value = read_register(chip);
    return (uint8_t)(chip->count++ % 2 ? value : value >> 8);
}

static void tmp102_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    static const struct trestle_i2c_slave slave = {bus_start, bus_write, bus_read, NULL};
    trestle_i2c_serve(dev, port, &slave, data, size);
}

static void tmp102_reset(struct trestle_device *dev)
{
    struct tmp102 *chip = trestle_device_state(dev);
    chip->pointer = TEMPERATURE;
    chip->alert = false;
    update(dev);
}

static int tmp102_start(struct trestle_device *dev)
{
    update(dev);
    return 0;
}

/* --- around the chip ------------------------------------------------------------------------- */

static int temperature_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct tmp102 *chip = trestle_device_state(dev);
    int32_t milli = (int32_t)(uint32_t)access->value;
    chip->millidegrees = (uint32_t)(milli < MILLI_MIN   ? MILLI_MIN
                                    : milli > MILLI_MAX ? MILLI_MAX
                                                        : milli);
    update(dev);
    return 0;
}

static const struct trestle_register registers[] = {
    {"TEMPERATURE", 0x00, TRESTLE_AT(struct tmp102, millidegrees), .keep = true,
     .on_write = temperature_written,
     .doc = "around the chip, in 1/1000 degree Celsius; two's complement"},
    {"CONFIG", 0x04, TRESTLE_AT(struct tmp102, config), .access = TRESTLE_RO, .reset = 0x6080,
     .doc = "the chip's, without its alert bit"},
    {"T_LOW", 0x08, TRESTLE_AT(struct tmp102, low), .access = TRESTLE_RO, .reset = 0x4b00,
     .doc = "the chip's"},
    {"T_HIGH", 0x0c, TRESTLE_AT(struct tmp102, high), .access = TRESTLE_RO, .reset = 0x5000,
     .doc = "the chip's"},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_tmp102_model = {
    .size = sizeof(trestle_tmp102_model),
    .name = "tmp102",
    .doc = "A thermometer on an I2C bus.",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("alert"),
    .irq_lines = 1,
    .ports = TRESTLE_NAMES("bus"),
    .peer_ports = 1,
    .state_size = sizeof(struct tmp102),
    .init = tmp102_init,
    .start = tmp102_start,
    .reset = tmp102_reset,
    .message = tmp102_message,
};
