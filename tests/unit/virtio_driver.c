/* SPDX-License-Identifier: MIT */
/* A driver of virtio devices in a few functions, which does whatever a test wants. */
#include "virtio_driver.h"

#include <string.h>

#include "trestle/le.h"

struct driver driver;

void driver_begin(const char *model, const char *param)
{
    driver = (struct driver){.test = trestle_test_create()};
    driver.ram = trestle_test_ram(driver.test, RAM_BASE, RAM_SIZE);
    driver.dev = trestle_test_load(driver.test, model, param, NULL);
}

void driver_end(void)
{
    trestle_test_destroy(driver.test);
}

uint32_t get(uint64_t offset)
{
    return (uint32_t)trestle_test_read(driver.dev, offset, 4);
}

/* Where nothing is, or nothing that can be written, is no concern of a test's. */
void put(uint64_t offset, uint32_t value)
{
    (void)!trestle_test_try_write(driver.dev, offset, 4, value);
}

uint8_t *driver_ram(uint64_t addr)
{
    return driver.ram + (addr - RAM_BASE);
}

void driver_start(uint64_t features)
{
    put(0x070, 0);
    put(0x070, 1 | 2);
    put(0x024, 0);
    put(0x020, (uint32_t)features);
    put(0x024, 1);
    put(0x020, (uint32_t)(features >> 32) | 1);
    put(0x070, 1 | 2 | 8);
    put(0x070, 1 | 2 | 8 | 4);
}

static void put64(uint64_t offset, uint64_t value)
{
    put(offset, (uint32_t)value);
    put(offset + 4, (uint32_t)(value >> 32));
}

void driver_queue_at(uint32_t queue, uint32_t size, uint64_t desc, uint64_t rings, uint64_t used)
{
    driver.sizes[queue] = size;
    driver.offered[queue] = 0;
    memset(driver_ram(DESC_TABLE) + queue * QUEUE_STRIDE, 0, QUEUE_STRIDE);
    memset(driver_ram(DRIVER_RING) + queue * QUEUE_STRIDE, 0, QUEUE_STRIDE);
    memset(driver_ram(DEVICE_RING) + queue * QUEUE_STRIDE, 0, QUEUE_STRIDE);
    put(0x030, queue);
    put(0x038, size);
    put64(0x080, desc);
    put64(0x090, rings);
    put64(0x0a0, used);
    put(0x044, 1);
}

void driver_queue(uint32_t queue, uint32_t size)
{
    uint64_t skip = (uint64_t)queue * QUEUE_STRIDE;
    driver_queue_at(queue, size, DESC_TABLE + skip, DRIVER_RING + skip, DEVICE_RING + skip);
}

void driver_put_desc(uint64_t at, uint64_t addr, uint32_t size, uint16_t flags, uint16_t next)
{
    uint8_t *bytes = driver_ram(at);
    trestle_put_le64(bytes, addr);
    trestle_put_le32(bytes + 8, size);
    trestle_put_le16(bytes + 12, flags);
    trestle_put_le16(bytes + 14, next);
}

void driver_queue_desc(uint32_t queue, uint16_t index, uint64_t addr, uint32_t size, uint16_t flags,
                       uint16_t next)
{
    driver_put_desc(DESC_TABLE + queue * QUEUE_STRIDE + index * 16u, addr, size, flags, next);
}

void driver_desc(uint16_t index, uint64_t addr, uint32_t size, uint16_t flags, uint16_t next)
{
    driver_queue_desc(0, index, addr, size, flags, next);
}

void driver_offer(uint32_t queue, uint16_t head)
{
    uint8_t *ring = driver_ram(DRIVER_RING) + queue * QUEUE_STRIDE;
    uint32_t size = driver.sizes[queue] && driver.sizes[queue] <= 256 ? driver.sizes[queue] : 1;
    trestle_put_le16(ring + 4 + driver.offered[queue] % size * 2u, head);
    trestle_put_le16(ring + 2, ++driver.offered[queue]);
    put(0x050, queue);
}

uint16_t driver_used(uint32_t queue)
{
    return trestle_get_le16(driver_ram(DEVICE_RING) + queue * QUEUE_STRIDE + 2);
}

struct used_entry driver_used_entry(uint32_t queue, uint16_t index)
{
    const uint8_t *entry = driver_ram(DEVICE_RING) + queue * QUEUE_STRIDE + 4 + index * 8u;
    return (struct used_entry){trestle_get_le32(entry), trestle_get_le32(entry + 4)};
}
