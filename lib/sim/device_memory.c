/* SPDX-License-Identifier: MIT */
/* Regions that are plain memory: the model's own, until the bridge puts shared memory there. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "device.h"
#include "registers.h"
#include "trestle/le.h"

int device_memory_create(struct trestle_device *dev)
{
    for (uint32_t i = 0; dev->banks && i < dev->banks->count; i++) {
        if (!registers_are_memory(dev->banks, i))
            continue;
        void *memory = mmap(NULL, dev->banks->banks[i].bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return -ENOMEM;
        dev->memory[i] = memory;
    }
    return 0;
}

void device_memory_free(struct trestle_device *dev)
{
    for (uint32_t i = 0; i < TRESTLE_REGIONS_MAX; i++)
        if (dev->memory[i])
            munmap(dev->memory[i], dev->banks->banks[i].bytes);
}

void *trestle_device_region_memory(const struct trestle_device *dev, uint32_t region)
{
    return region < TRESTLE_REGIONS_MAX ? dev->memory[region] : NULL;
}

/* An access to such memory that comes as a message. */
void device_memory_access(struct trestle_device *dev, const struct trestle_access *access,
                          bool write, uint64_t *ret_data)
{
    uint8_t *at = (uint8_t *)dev->memory[access->region] + access->offset;
    if (write) {
        uint8_t bytes[8];
        trestle_put_le64(bytes, access->data);
        memcpy(at, bytes, access->size);
    } else {
        uint8_t bytes[8] = {0};
        memcpy(bytes, at, access->size);
        *ret_data = trestle_get_le64(bytes);
    }
}
