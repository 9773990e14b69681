/* SPDX-License-Identifier: MIT */
/* The driver's side of a virtio device on the bench for models. */
#ifndef TRESTLE_TESTS_VIRTIO_DRIVER_H
#define TRESTLE_TESTS_VIRTIO_DRIVER_H

#include "trestle/test.h"

/* Guest memory: queue n has its parts n pages further on. */
#define RAM_BASE UINT64_C(0x80000000)
#define RAM_SIZE 0x40000u
#define DESC_TABLE (RAM_BASE + 0x0000)
#define DRIVER_RING (RAM_BASE + 0x8000)
#define DEVICE_RING (RAM_BASE + 0x10000)
#define BUFFERS (RAM_BASE + 0x20000)
#define QUEUE_STRIDE 0x2000u

#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define DESC_INDIRECT 4u
#define FEATURE_INDIRECT (UINT64_C(1) << 28)

struct driver {
    struct trestle_test *test;
    struct trestle_device *dev;
    uint8_t *ram;
    uint32_t sizes[4];
    uint16_t offered[4];
};
extern struct driver driver;

struct used_entry {
    uint32_t id, size;
};

/* param: "key=value", or NULL. */
void driver_begin(const char *model, const char *param);
void driver_end(void);
uint32_t get(uint64_t offset);
void put(uint64_t offset, uint32_t value);
uint8_t *driver_ram(uint64_t addr);
/* Up to DRIVER_OK. */
void driver_start(uint64_t features);
/* Sets up a queue of that many entries; all of its memory is zeroed. */
void driver_queue(uint32_t queue, uint32_t size);
void driver_queue_at(uint32_t queue, uint32_t size, uint64_t desc, uint64_t rings, uint64_t used);
void driver_put_desc(uint64_t at, uint64_t addr, uint32_t size, uint16_t flags, uint16_t next);
void driver_queue_desc(uint32_t queue, uint16_t index, uint64_t addr, uint32_t size, uint16_t flags,
                       uint16_t next);
/* Of queue 0. */
void driver_desc(uint16_t index, uint64_t addr, uint32_t size, uint16_t flags, uint16_t next);
/* Makes a chain available, and notifies. */
void driver_offer(uint32_t queue, uint16_t head);
uint16_t driver_used(uint32_t queue);
struct used_entry driver_used_entry(uint32_t queue, uint16_t index);

#endif
