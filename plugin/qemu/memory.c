/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and writes guest RAM for devices, and refuses everything that is not RAM. */
#include "plugin/qemu/memory.h"

#include <errno.h>
#include <stdalign.h>

#include "plugin/qemu/qemu_abi.h"
#include "plugin/qemu/say.h"

#define PROBE_ADDR UINT64_C(0xffffffffffffe000)
#define PROBE_SIZE 4096
#define PROBE_PRIORITY 20000

int memory_copy(void *space, bool write, uint64_t addr, void *buf, size_t size)
{
    uint32_t result = qemu.address_space_rw(space, addr, qemu_memory_only(), buf, size, write);
    return result == QEMU_MEMTX_OK ? 0 : -EFAULT;
}

static uint64_t probe_read(void *opaque, uint64_t offset, unsigned size)
{
    (void)opaque;
    (void)offset;
    (void)size;
    return 0;
}

/* For as long as it takes, there is a device where no machine has anything. */
void memory_check(void)
{
    static alignas(64) unsigned char storage[QEMU_REGION_BYTES];
    static const struct qemu_region_ops OPS = {
        .read = probe_read,
        .endianness = QEMU_LITTLE_ENDIAN,
        .valid = {.min_access_size = 1, .max_access_size = 8}};
    struct qemu_region *region = (struct qemu_region *)storage;
    uint8_t byte = 0;
    qemu.memory_region_init_io(region, qemu.qdev_get_machine(), &OPS, NULL, "trestle-probe",
                               PROBE_SIZE);
    qemu.memory_region_add_subregion_overlap(qemu.get_system_memory(), PROBE_ADDR, region,
                                             PROBE_PRIORITY);
    int r = memory_copy(qemu.address_space_memory, false, PROBE_ADDR, &byte, 1);
    qemu.memory_region_del_subregion(qemu.get_system_memory(), region);
    if (r == 0)
        refuse("QEMU %d.%d lets a DMA reach devices, not only RAM; this plugin does not know it "
               "well enough",
               (int)qemu.version->number->major, (int)qemu.version->number->minor);
}
