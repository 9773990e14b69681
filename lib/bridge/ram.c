/* SPDX-License-Identifier: MIT */
/* Guest RAM that QEMU shares: mapped here, range by range. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/internal.h"

/* A file that shrinks would kill whoever has it mapped: a memfd can promise that it does not. */
static bool holds(int fd, uint64_t end)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) && fstat(fd, &st) == 0 && st.st_size >= 0 &&
           (uint64_t)st.st_size >= end;
}

static enum trestle_v2_status map(struct session *session, const struct trestle_v2_message *m,
                                  int fd)
{
    struct ram_range *range = &session->ram[session->num_ram];
    uint64_t skipped = m->extra % (uint64_t)sysconf(_SC_PAGESIZE);
    if (!holds(fd, m->extra + m->data))
        return TRESTLE_V2_NOT_RAM;
    if (session->num_ram == RAM_RANGES_MAX)
        return TRESTLE_V2_NO_MEMORY;
    *range = (struct ram_range){
        .addr = m->addr, .size = m->data, .mapping_size = (size_t)(m->data + skipped)};
    range->mapping = mmap(NULL, range->mapping_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                          (off_t)(m->extra - skipped));
    if (range->mapping == MAP_FAILED)
        return TRESTLE_V2_NO_MEMORY;
    range->memory = (uint8_t *)range->mapping + skipped;
    session->num_ram++;
    return TRESTLE_V2_OK;
}

enum trestle_v2_status ram_add(struct session *session, const struct trestle_v2_message *m, int fd)
{
    enum trestle_v2_status status = map(session, m, fd);
    close(fd);
    if (status == TRESTLE_V2_OK)
        bridge_log(session->bridge, TRESTLE_LOG_INFO,
                   "QEMU shares 0x%" PRIx64 " bytes of guest RAM at 0x%" PRIx64, m->data, m->addr);
    else
        bridge_log(session->bridge, TRESTLE_LOG_WARNING,
                   "guest RAM at 0x%" PRIx64 " is not shared: %s; DMA there goes by messages",
                   m->addr,
                   status == TRESTLE_V2_NOT_RAM
                       ? "its file is too short, or may become so (no memfd with seal=on)"
                       : "it cannot be mapped");
    return status;
}

uint8_t *ram_at(const struct session *session, uint64_t addr, size_t *ref_size)
{
    for (uint32_t i = 0; i < session->num_ram; i++) {
        const struct ram_range *range = &session->ram[i];
        uint64_t offset = addr - range->addr;
        if (addr < range->addr || offset >= range->size)
            continue;
        if (*ref_size > range->size - offset)
            *ref_size = (size_t)(range->size - offset);
        return range->memory + offset;
    }
    return NULL;
}

void ram_finish(struct session *session)
{
    while (session->num_ram > 0) {
        struct ram_range *range = &session->ram[--session->num_ram];
        munmap(range->mapping, range->mapping_size);
    }
}
