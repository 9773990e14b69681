/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM that other processes can map, because the user gave it to QEMU as a shared memory
 * backend: they are handed the descriptor, and transfer to and from it without QEMU.
 */
#ifndef TRESTLE_PLUGIN_RAM_H
#define TRESTLE_PLUGIN_RAM_H

#include <stdbool.h>
#include <stdint.h>

/* A piece of the guest's memory that lies in a file. */
struct ram_range {
    uint64_t addr, size, offset;
    int fd;
};

/* Once, when all devices are mapped: finds what there is. */
void ram_find(void);
/* True when there is something to share. */
bool ram_is_shared(void);
/* NULL: there are fewer. */
const struct ram_range *ram_range(unsigned i);
/* Something else has written there: code that QEMU has translated from it is forgotten. -ERANGE:
 * not all of it is shared RAM. */
int ram_written(uint64_t addr, uint64_t size);

#endif
