/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and writes guest RAM for devices, and refuses everything that is not RAM. */
#include "plugin/qemu/memory.h"

#include <errno.h>

#include "plugin/qemu/qemu_abi.h"
#include "plugin/qemu/say.h"

int memory_copy(bool write, uint64_t addr, void *buf, size_t size)
{
    uint32_t result = qemu.address_space_rw(qemu.address_space_memory, addr, qemu_memory_only(),
                                            buf, size, write);
    return result == QEMU_MEMTX_OK ? 0 : -EFAULT;
}

void memory_check(uint64_t probe)
{
    uint8_t byte = 0;
    if (memory_copy(false, probe, &byte, 1) == 0)
        refuse("QEMU %d.%d lets a DMA reach devices, not only RAM; this plugin does not know it "
               "well enough",
               (int)qemu.version->number->major, (int)qemu.version->number->minor);
}
