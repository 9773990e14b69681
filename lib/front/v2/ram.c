/* SPDX-License-Identifier: MIT */
/* What QEMU shares: guest RAM, mapped here range by range, and the memory of devices' regions. */
#include "front/v2/ram.h"

#include <sys/mman.h>
#include <unistd.h>

#include "ipc/fds.h"

static enum trestle_v2_status map(struct v2_ram *ram, const struct trestle_v2_message *m, int fd)
{
    struct v2_ram_range *range = &ram->ranges[ram->num];
    uint64_t skipped = m->extra % (uint64_t)sysconf(_SC_PAGESIZE);
    if (!fds_holds(fd, m->extra + m->data))
        return TRESTLE_V2_NOT_RAM;
    if (ram->num == V2_RAM_RANGES_MAX)
        return TRESTLE_V2_NO_MEMORY;
    *range = (struct v2_ram_range){
        .addr = m->addr, .size = m->data, .mapping_size = (size_t)(m->data + skipped)};
    range->mapping = mmap(NULL, range->mapping_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                          (off_t)(m->extra - skipped));
    if (range->mapping == MAP_FAILED)
        return TRESTLE_V2_NO_MEMORY;
    range->memory = (uint8_t *)range->mapping + skipped;
    ram->num++;
    return TRESTLE_V2_OK;
}

enum trestle_v2_status v2_ram_add(struct v2_ram *ram, const struct trestle_v2_message *m, int fd)
{
    enum trestle_v2_status status = map(ram, m, fd);
    close(fd);
    return status;
}

uint8_t *v2_ram_at(const struct v2_ram *ram, uint64_t addr, size_t *ref_size)
{
    for (uint32_t i = 0; i < ram->num; i++) {
        const struct v2_ram_range *range = &ram->ranges[i];
        uint64_t offset = addr - range->addr;
        if (addr < range->addr || offset >= range->size)
            continue;
        if (*ref_size > range->size - offset)
            *ref_size = (size_t)(range->size - offset);
        return range->memory + offset;
    }
    return NULL;
}

void v2_ram_finish(struct v2_ram *ram)
{
    while (ram->num > 0) {
        struct v2_ram_range *range = &ram->ranges[--ram->num];
        munmap(range->mapping, range->mapping_size);
    }
}

/* It stays where it is when the client has gone: the model still has its place. */
enum trestle_v2_status v2_memory_replace(void *memory, uint64_t size,
                                         const struct trestle_v2_message *m, int fd)
{
    enum trestle_v2_status status = TRESTLE_V2_OK;
    if (m->data < size || !fds_holds(fd, m->data))
        status = TRESTLE_V2_NOT_RAM;
    else if (mmap(memory, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
             MAP_FAILED)
        status = TRESTLE_V2_NO_MEMORY;
    close(fd);
    return status;
}
