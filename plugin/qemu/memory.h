/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory as a device reaches it: RAM and nothing else. */
#ifndef TRESTLE_PLUGIN_MEMORY_H
#define TRESTLE_PLUGIN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies between buf and guest RAM, under the big lock. Code that the guest has there and that
 * QEMU has translated is forgotten. -EFAULT: not all of it is RAM; the part that is may have been
 * copied. */
int memory_copy(bool write, uint64_t addr, void *buf, size_t size);

/* Refuses this QEMU unless a DMA to a device of its own fails, as it must. `probe`: the
 * guest-physical address of an sst-device. */
void memory_check(uint64_t probe);

#endif
