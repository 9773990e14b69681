/* SPDX-License-Identifier: MIT */
/* Guest memory over vfio-user: mapped where the client has given a file that cannot shrink, read
 * and written where the file lies in the host's memory, and by messages elsewhere. A message is
 * answered after the access under way, which the client waits for: such transfers end later. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/macros.h"
#include "front/vfio/state.h"
#include "ipc/fds.h"

/* --- maps ------------------------------------------------------------------------------------ */

static void map_file(struct vfio_map *map, uint64_t offset, int fd)
{
    uint64_t skipped = offset % (uint64_t)sysconf(_SC_PAGESIZE);
    int protection = (map->may_read ? PROT_READ : 0) | (map->may_write ? PROT_WRITE : 0);
    if (map->size > UINT64_MAX - offset || !fds_holds(fd, offset + map->size))
        return;
    map->mapping_size = (size_t)(map->size + skipped);
    map->mapping =
        mmap(NULL, map->mapping_size, protection, MAP_SHARED, fd, (off_t)(offset - skipped));
    if (map->mapping != MAP_FAILED)
        map->memory = (uint8_t *)map->mapping + skipped;
}

/* Reading and writing it ends at once, however long the file is then: nobody is waited for. */
static bool is_in_memory(int fd)
{
    struct statfs st;
    return fstatfs(fd, &st) == 0 && st.f_type == TMPFS_MAGIC;
}

static bool is_mapped(const struct vfio *vfio, uint64_t addr, uint64_t size)
{
    for (uint32_t i = 0; i < vfio->num_maps; i++) {
        const struct vfio_map *map = &vfio->maps[i];
        if (addr < map->addr + map->size && map->addr < addr + size)
            return true;
    }
    return false;
}

int vfio_map(struct vfio *vfio, const uint8_t *payload, int fd)
{
    enum { FLAGS = 4, OFFSET = 8, ADDRESS = 16, SIZE = 24 };
    uint32_t flags = vfio_get32(payload + FLAGS);
    struct vfio_map map = {.addr = vfio_get64(payload + ADDRESS),
                           .size = vfio_get64(payload + SIZE),
                           .may_read = flags & VFIO_MAP_READABLE,
                           .may_write = flags & VFIO_MAP_WRITEABLE,
                           .fd = -1,
                           .fd_offset = vfio_get64(payload + OFFSET)};
    if ((flags & ~(VFIO_MAP_READABLE | VFIO_MAP_WRITEABLE)) || map.size == 0 ||
        map.size > UINT64_MAX - map.addr)
        return -EINVAL;
    if (is_mapped(vfio, map.addr, map.size))
        return -EEXIST;
    if (vfio->num_maps == VFIO_MAPS_MAX)
        return -ENOSPC;
    if (fd >= 0)
        map_file(&map, map.fd_offset, fd);
    if (fd >= 0 && !map.memory && is_in_memory(fd))
        map.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    front_log(vfio->port->front, TRESTLE_LOG_INFO,
              "%s: guest memory of 0x%" PRIx64 " bytes at 0x%" PRIx64 " %s", vfio->port->name,
              map.size, map.addr,
              map.memory    ? "is shared"
              : map.fd >= 0 ? "may become shorter (it is not sealed), and is read and written"
                            : "is reached by messages");
    vfio->maps[vfio->num_maps++] = map;
    return 0;
}

static void remove_map(struct vfio *vfio, uint32_t index)
{
    const struct vfio_map *map = &vfio->maps[index];
    if (map->memory)
        munmap(map->mapping, map->mapping_size);
    if (map->fd >= 0)
        close(map->fd);
    vfio->maps[index] = vfio->maps[--vfio->num_maps];
}

int vfio_unmap(struct vfio *vfio, const uint8_t *payload)
{
    enum { FLAGS = 4, ADDRESS = 8, SIZE = 16 };
    uint32_t flags = vfio_get32(payload + FLAGS);
    uint64_t addr = vfio_get64(payload + ADDRESS), size = vfio_get64(payload + SIZE);
    if (flags & ~VFIO_UNMAP_ALL)
        return -ENOTSUP;
    while (flags && vfio->num_maps > 0)
        remove_map(vfio, 0);
    if (flags)
        return 0;
    for (uint32_t i = 0; i < vfio->num_maps; i++) {
        if (vfio->maps[i].addr != addr || vfio->maps[i].size != size)
            continue;
        remove_map(vfio, i);
        return 0;
    }
    return -ENOENT;
}

/* --- by messages ----------------------------------------------------------------------------- */

static size_t piece_of(const struct vfio *vfio, const struct vfio_transfer *transfer)
{
    size_t left = transfer->size - transfer->done;
    return left < vfio->data_max ? left : vfio->data_max;
}

static void drop_first(struct vfio *vfio)
{
    memmove(vfio->transfers, vfio->transfers + 1, --vfio->num_transfers * sizeof(*vfio->transfers));
}

/* The next piece of the first transfer. Transfers that a reset has ended are left out. */
static void send_piece(struct connection *connection)
{
    struct vfio *vfio = connection->state;
    struct vfio_transfer *transfer = vfio->transfers;
    uint8_t bytes[VFIO_HEADER_SIZE + 16 + VFIO_DATA_MAX], *buf = NULL;
    while (vfio->num_transfers > 0 &&
           !(buf = trestle_device_dma_buffer(vfio->port->device, transfer->id, NULL)))
        drop_first(vfio);
    if (vfio->num_transfers == 0)
        return;
    size_t piece = piece_of(vfio, transfer), data = transfer->is_write ? piece : 0;
    struct vfio_header header = {.id = ++vfio->message_id,
                                 .command = transfer->is_write ? VFIO_DMA_WRITE : VFIO_DMA_READ,
                                 .size = (uint32_t)(VFIO_HEADER_SIZE + 16 + data)};
    vfio_put_header(bytes, &header);
    vfio_put64(bytes + VFIO_HEADER_SIZE, transfer->addr + transfer->done);
    vfio_put64(bytes + VFIO_HEADER_SIZE + 8, piece);
    memcpy(bytes + VFIO_HEADER_SIZE + 16, buf + transfer->done, data);
    connection_send(connection, bytes, header.size);
}

static void end_transfer(struct vfio *vfio, int status)
{
    uint64_t id = vfio->transfers[0].id;
    drop_first(vfio);
    (void)!trestle_device_dma_complete(vfio->port->device, id, status);
}

bool vfio_dma_answered(struct connection *connection, const struct vfio_header *header,
                       const uint8_t *payload, size_t size)
{
    struct vfio *vfio = connection->state;
    struct vfio_transfer *transfer = vfio->transfers;
    if (vfio->num_transfers == 0 || header->id != vfio->message_id ||
        header->command != (transfer->is_write ? VFIO_DMA_WRITE : VFIO_DMA_READ))
        return false;
    size_t piece = piece_of(vfio, transfer), needed = transfer->is_write ? 12 : 16 + piece;
    uint8_t *buf = trestle_device_dma_buffer(vfio->port->device, transfer->id, NULL);
    bool has_failed = header->flags & VFIO_ERROR;
    if (!has_failed && (size < needed || vfio_get32(payload + 8) != piece))
        return false;
    if (!has_failed && !transfer->is_write && buf)
        memcpy(buf + transfer->done, payload + 16, piece);
    transfer->done += piece;
    if (has_failed || transfer->done == transfer->size)
        end_transfer(vfio, has_failed ? -EFAULT : 0);
    send_piece(connection);
    return true;
}

static int enqueue(struct connection *connection, const struct vfio_transfer *transfer)
{
    struct vfio *vfio = connection->state;
    if (vfio->num_transfers == VFIO_TRANSFERS_MAX)
        return -ENOBUFS;
    vfio->transfers[vfio->num_transfers++] = *transfer;
    if (vfio->num_transfers == 1)
        send_piece(connection);
    return 0;
}

/* --- all ------------------------------------------------------------------------------------- */

/* The map of an address from which the guest lets it read or write, or NULL. */
static const struct vfio_map *map_at(const struct vfio *vfio, bool write, uint64_t addr)
{
    for (uint32_t i = 0; i < vfio->num_maps; i++) {
        const struct vfio_map *map = &vfio->maps[i];
        if (addr >= map->addr && addr - map->addr < map->size)
            return (write ? map->may_write : map->may_read) ? map : NULL;
    }
    return NULL;
}

/* All of a range or nothing, with *ret_is_shared. */
static bool find_range(const struct vfio *vfio, bool write, uint64_t addr, size_t size,
                       bool *ret_is_shared)
{
    *ret_is_shared = true;
    while (size > 0) {
        const struct vfio_map *map = map_at(vfio, write, addr);
        if (!map)
            return false;
        uint64_t left = map->size - (addr - map->addr);
        size_t piece = left < size ? (size_t)left : size;
        *ret_is_shared &= map->memory || map->fd >= 0;
        addr += piece;
        size -= piece;
    }
    return true;
}

static int copy_piece(const struct vfio_map *map, bool write, uint64_t at, uint8_t *buf,
                      size_t size)
{
    uint64_t offset = map->fd_offset + at;
    ssize_t n = (ssize_t)size;
    if (map->memory)
        memcpy(write ? map->memory + at : buf, write ? buf : map->memory + at, size);
    else
        n = write ? pwrite(map->fd, buf, size, (off_t)offset)
                  : pread(map->fd, buf, size, (off_t)offset);
    return n == (ssize_t)size ? 0 : -EFAULT;
}

static int copy(const struct vfio *vfio, bool write, uint64_t addr, uint8_t *buf, size_t size)
{
    int r = 0;
    while (size > 0 && r == 0) {
        const struct vfio_map *map = map_at(vfio, write, addr);
        uint64_t left = map->size - (addr - map->addr);
        size_t piece = left < size ? (size_t)left : size;
        r = copy_piece(map, write, addr - map->addr, buf, piece);
        addr += piece;
        buf += piece;
        size -= piece;
    }
    return r;
}

int vfio_begin_dma(struct connection *connection, bool write, uint64_t addr, void *buf, size_t size,
                   uint64_t id)
{
    struct vfio *vfio = connection->state;
    bool is_shared;
    if (!vfio->is_agreed)
        return -ENOTSUP;
    if (!vfio_is_master(vfio) || !find_range(vfio, write, addr, size, &is_shared))
        return trestle_device_dma_complete(vfio->port->device, id, -EFAULT);
    if (!is_shared)
        return enqueue(connection, &(struct vfio_transfer){
                                       .id = id, .addr = addr, .size = size, .is_write = write});
    return trestle_device_dma_complete(vfio->port->device, id, copy(vfio, write, addr, buf, size));
}

void vfio_dma_close(struct vfio *vfio)
{
    while (vfio->num_transfers > 0)
        end_transfer(vfio, -ENODEV);
    while (vfio->num_maps > 0)
        remove_map(vfio, 0);
}
