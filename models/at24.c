/* SPDX-License-Identifier: MIT */
/*
 * at24: an EEPROM on an I2C bus, of the 24C family (24C02 and so on).
 *
 * An EEPROM of up to 2048 bytes takes one byte of address, and finds the higher bits in the slave's
 * address. A larger one takes two bytes of address. A write stays inside its page. The EEPROM
 * needs write_time to store it, and does not acknowledge its address meanwhile. The device's region
 * is a back door to the bytes, for tests and "trestle poke". The bytes survive resets.
 *
 * Parameters: address (0x50), size (256), page (8), write_time (5ms), data (the first bytes, as
 * hexadecimal digits; the others are 0xff).
 */
#include <errno.h>
#include <string.h>

#include "trestle/i2c.h"
#include "trestle/registers.h"

#define SIZE_MAX_BYTES 65536u
#define ONE_BYTE_MAX 2048u
#define PAGE_MAX 256u

struct at24 {
    uint32_t size, page;
    uint8_t address;
    trestle_time write_time, busy_until;
    uint32_t cursor;     /* the next byte to read or write */
    uint32_t unsent;     /* how many bytes of the address the controller still has to send */
    uint32_t page_start; /* where the page of the write begins */
    uint8_t latch[PAGE_MAX];
    bool written[PAGE_MAX]; /* which bytes of the latch the write has set */
    bool has_written;
    uint8_t bytes[SIZE_MAX_BYTES];
};

static bool is_power_of_two(uint64_t n)
{
    return n && (n & (n - 1)) == 0;
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)((at - digits) % 16) : -1;
}

static int read_data(struct at24 *at24, const struct trestle_params *params)
{
    const char *data;
    int r = trestle_params_string(params, "data", "", &data);
    for (size_t i = 0; r == 0 && data[2 * i]; i++) {
        int high = digit(data[2 * i]), low = digit(data[2 * i + 1]);
        if (i == at24->size || high < 0 || low < 0)
            return trestle_params_refuse(params, "data",
                                         "pairs of hexadecimal digits, at most size of them");
        at24->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return r;
}

static int at24_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct at24 *at24 = trestle_device_state(dev);
    uint64_t address, size, page;
    int r = trestle_params_u64(params, "address", 0x50, &address);
    if (r == 0)
        r = trestle_params_u64(params, "size", 256, &size);
    if (r == 0)
        r = trestle_params_u64(params, "page", 8, &page);
    if (r == 0)
        r = trestle_params_time(params, "write_time", 5 * TRESTLE_MS, &at24->write_time);
    if (r < 0)
        return r;
    if (!is_power_of_two(size) || size < 16 || size > SIZE_MAX_BYTES)
        return trestle_params_refuse(params, "size", "a power of two from 16 to 65536");
    if (!is_power_of_two(page) || page > PAGE_MAX || page > size)
        return trestle_params_refuse(params, "page", "a power of two up to 256, and to size");
    if (address > 0x7f || (size <= ONE_BYTE_MAX && address % (size > 256 ? size / 256 : 1)))
        return trestle_params_refuse(params, "address",
                                     "7 bits, and a multiple of the number of its addresses");
    at24->address = (uint8_t)address;
    at24->size = (uint32_t)size;
    at24->page = (uint32_t)page;
    memset(at24->bytes, 0xff, sizeof(at24->bytes));
    return read_data(at24, params);
}

/* --- on the bus ------------------------------------------------------------------------------ */

static bool bus_start(struct trestle_device *dev, uint8_t address, bool is_read)
{
    struct at24 *at24 = trestle_device_state(dev);
    bool is_wide = at24->size > ONE_BYTE_MAX;
    uint32_t blocks = !is_wide && at24->size > 256 ? at24->size / 256 : 1;
    memset(at24->written, 0, sizeof(at24->written)); /* a write without a stop is lost */
    at24->has_written = false;
    if ((uint32_t)(address - at24->address) >= blocks || trestle_device_now(dev) < at24->busy_until)
        return false;
    if (!is_read) {
        at24->unsent = is_wide ? 2 : 1;
        at24->cursor = 0;
    }
    if (!is_wide)
        at24->cursor = (uint32_t)(address - at24->address) << 8 | (at24->cursor & 0xff);
    return true;
}

static bool bus_write(struct trestle_device *dev, uint8_t byte)
{
    struct at24 *at24 = trestle_device_state(dev);
    if (at24->unsent > 0) {
        at24->unsent--;
        at24->cursor |= (uint32_t)byte << 8 * at24->unsent;
        at24->cursor &= at24->size - 1;
        at24->page_start = at24->cursor & ~(at24->page - 1);
        return true;
    }
    uint32_t offset = at24->cursor & (at24->page - 1);
    at24->latch[offset] = byte;
    at24->written[offset] = at24->has_written = true;
    at24->cursor = at24->page_start | ((offset + 1) & (at24->page - 1));
    return true;
}

static uint8_t bus_read(struct trestle_device *dev)
{
    struct at24 *at24 = trestle_device_state(dev);
    uint8_t byte = at24->bytes[at24->cursor];
    at24->cursor = (at24->cursor + 1) & (at24->size - 1);
    return byte;
}

static void bus_stop(struct trestle_device *dev)
{
    struct at24 *at24 = trestle_device_state(dev);
    if (!at24->has_written)
        return;
    for (uint32_t i = 0; i < at24->page; i++)
        if (at24->written[i])
            at24->bytes[at24->page_start + i] = at24->latch[i];
    at24->has_written = false;
    trestle_time now = trestle_device_now(dev);
    at24->busy_until =
        at24->write_time < TRESTLE_TIME_NEVER - now ? now + at24->write_time : TRESTLE_TIME_NEVER;
}

static void at24_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    static const struct trestle_i2c_slave slave = {bus_start, bus_write, bus_read, bus_stop};
    trestle_i2c_serve(dev, port, &slave, data, size);
}

static void at24_reset(struct trestle_device *dev)
{
    struct at24 *at24 = trestle_device_state(dev);
    at24->has_written = false;
    at24->unsent = 0;
    at24->cursor = 0;
}

/* --- the back door --------------------------------------------------------------------------- */

static int at24_read(struct trestle_device *dev, struct trestle_request *req,
                     const struct trestle_access *access, uint64_t *ret_data)
{
    const struct at24 *at24 = trestle_device_state(dev);
    *ret_data = 0;
    if (access->offset >= at24->size)
        return -EFAULT;
    for (uint32_t i = 0; i < access->size; i++)
        *ret_data |= (uint64_t)at24->bytes[access->offset + i] << 8 * i;
    return 0;
}

static int at24_write(struct trestle_device *dev, struct trestle_request *req,
                      const struct trestle_access *access)
{
    struct at24 *at24 = trestle_device_state(dev);
    if (access->offset >= at24->size)
        return -EFAULT;
    for (uint32_t i = 0; i < access->size; i++)
        at24->bytes[access->offset + i] = (uint8_t)(access->data >> 8 * i);
    return 0;
}

const struct trestle_model trestle_at24_model = {
    .size = sizeof(trestle_at24_model),
    .name = "at24",
    .doc = "An EEPROM on an I2C bus.",
    .region_size = SIZE_MAX_BYTES,
    .access_sizes = 1 | 2 | 4 | 8,
    .ports = TRESTLE_NAMES("bus"),
    .peer_ports = 1,
    .state_size = sizeof(struct at24),
    .init = at24_init,
    .reset = at24_reset,
    .read = at24_read,
    .write = at24_write,
    .message = at24_message,
};
