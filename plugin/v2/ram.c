/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shares guest RAM with the devices' processes, where the user allows it. */
#include "plugin/v2/ram.h"

#include <errno.h>

#include "plugin/qemu/qemu_abi.h"

#define RANGES_MAX 16

static struct ram_range ranges[RANGES_MAX];
static unsigned num_ranges;

/* Where the guest sees the backend's memory. What a board hides, makes read-only or has under a
 * device is not for transfers. */
static void add_ranges_of(const struct qemu_region *memory, int fd)
{
    uint64_t addr = 0;
    while (num_ranges < RANGES_MAX) {
        struct qemu_section found =
            qemu.memory_region_find(qemu.get_system_memory(), addr, UINT64_MAX - addr);
        if (!found.region)
            return;
        qemu.memory_region_unref(found.region);
        if (found.region == memory && !found.readonly)
            ranges[num_ranges++] = (struct ram_range){.addr = found.offset_within_address_space,
                                                      .size = found.size_low,
                                                      .offset = found.offset_within_region,
                                                      .fd = fd};
        addr = found.offset_within_address_space + found.size_low;
        if (found.size_high || addr < found.size_low || addr == UINT64_MAX)
            return;
    }
}

static int look_at_object(struct qemu_object *object, void *opaque)
{
    (void)opaque;
    if (!qemu.object_dynamic_cast(object, "memory-backend") ||
        !qemu.object_property_get_bool(object, "share", NULL))
        return 0;
    struct qemu_region *memory = qemu.host_memory_backend_get_memory(object);
    int fd = memory ? qemu.memory_region_get_fd(memory) : -1;
    if (fd >= 0)
        add_ranges_of(memory, fd);
    return 0;
}

void ram_find(void)
{
    qemu.object_child_foreach(qemu.object_get_objects_root(), look_at_object, NULL);
}

bool ram_is_shared(void)
{
    return num_ranges > 0;
}

const struct ram_range *ram_range(unsigned i)
{
    return i < num_ranges ? &ranges[i] : NULL;
}

static bool is_shared(uint64_t addr, uint64_t size)
{
    for (unsigned i = 0; i < num_ranges; i++)
        if (addr >= ranges[i].addr && addr - ranges[i].addr < ranges[i].size &&
            size <= ranges[i].size - (addr - ranges[i].addr))
            return true;
    return false;
}

/* Mapping anything but RAM for writing would write to it in the end. */
int ram_written(uint64_t addr, uint64_t size)
{
    if (!is_shared(addr, size))
        return -ERANGE;
    while (size > 0) {
        uint64_t mapped = size;
        void *memory = qemu.address_space_map(qemu.address_space_memory, addr, &mapped, true,
                                              qemu_memory_only());
        if (!memory || mapped == 0)
            return -ERANGE;
        qemu.address_space_unmap(qemu.address_space_memory, memory, mapped, true, mapped);
        addr += mapped;
        size -= mapped;
    }
    return 0;
}
