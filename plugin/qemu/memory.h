/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory as a device reaches it: RAM and nothing else. */
#ifndef TRESTLE_PLUGIN_MEMORY_H
#define TRESTLE_PLUGIN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies between buf and RAM of an address space, under the big lock. Code that the guest has there
 * and that QEMU has translated is forgotten. -EFAULT: not all of it is RAM; the part that is may
 * have been copied. */
int memory_copy(void *space, bool write, uint64_t addr, void *buf, size_t size);

/* Refuses this QEMU unless a DMA to a device fails, as it must. Once the machine is there. */
void memory_check(void);

#endif
