/* SPDX-License-Identifier: MIT */
/* What a client shares: guest RAM, mapped here range by range, and the memory of devices' regions.
 */
#ifndef TRESTLE_FRONT_V2_RAM_H
#define TRESTLE_FRONT_V2_RAM_H

#include <stddef.h>

#include "trestle/wire.h"

#define V2_RAM_RANGES_MAX 16

struct v2_ram_range {
    uint64_t addr, size; /* guest-physical */
    uint8_t *memory;     /* of addr; lies in the mapping */
    void *mapping;
    size_t mapping_size;
};

struct v2_ram {
    struct v2_ram_range ranges[V2_RAM_RANGES_MAX];
    uint32_t num;
};

/* What a message RAM names. Takes the descriptor. */
enum trestle_v2_status v2_ram_add(struct v2_ram *ram, const struct trestle_v2_message *m, int fd);
/* Where the guest's memory at addr is mapped, and in *ref_size how much of it there, at most what
 * was asked for. NULL: nowhere. */
uint8_t *v2_ram_at(const struct v2_ram *ram, uint64_t addr, size_t *ref_size);
void v2_ram_finish(struct v2_ram *ram);

/* The file of a message MEMORY takes the place of a region's memory. Takes the descriptor. */
enum trestle_v2_status v2_memory_replace(void *memory, uint64_t size,
                                         const struct trestle_v2_message *m, int fd);

#endif
