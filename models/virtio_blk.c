/* SPDX-License-Identifier: MIT */
/*
 * virtio-blk: a disk, as virtio's device 2, whose sectors of 512 bytes are those of a file.
 *
 * A request is done within the access that tells of it: it takes no time. Writes go to the file at
 * once, and to the disk below it with a flush. The file is locked while the device exists. What
 * lies behind its end, should it shrink, is an I/O error to the driver.
 *
 * Parameters: file (a path; needed), read_only (0; 1: the driver cannot write).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trestle/le.h"
#include "trestle/virtio.h"

#define SECTOR 512u
#define HEADER_SIZE 16u
#define ID_SIZE 20u
/* Sectors move in pieces of so many bytes. */
#define PIECE 65536u
/* What one request may move: the driver's largest segments, all of them, would be gigabytes. */
#define REQUEST_MAX (16u << 20)
#define SEGMENTS 128u /* of data; header and status come on top */

#define FEATURE_SEG_MAX (UINT64_C(1) << 2)
#define FEATURE_RO (UINT64_C(1) << 5)
#define FEATURE_FLUSH (UINT64_C(1) << 9)

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8 };
enum { OK = 0, IO_ERROR = 1, UNSUPPORTED = 2 };

struct blk {
    struct trestle_virtio *virtio;
    int fd;
    bool is_read_only;
    uint64_t sectors;
    uint8_t buffer[PIECE];
};

/* --- requests -------------------------------------------------------------------------------- */

static bool read_file(struct blk *blk, uint64_t offset, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(blk->fd, blk->buffer + done, size - done, (off_t)(offset + done));
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool write_file(struct blk *blk, uint64_t offset, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(blk->fd, blk->buffer + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* The sectors are there, and the data is whole ones. */
static bool is_inside(const struct blk *blk, uint64_t sector, uint64_t size)
{
    uint64_t count = size / SECTOR;
    return size % SECTOR == 0 && size <= REQUEST_MAX && sector <= blk->sectors &&
           count <= blk->sectors - sector;
}

/* A status, or negative: the device needs a reset. */
static int do_in(struct trestle_device *dev, const struct trestle_virtio_chain *chain,
                 uint64_t sector, uint64_t size)
{
    struct blk *blk = trestle_device_state(dev);
    if (!is_inside(blk, sector, size))
        return IO_ERROR;
    for (uint64_t done = 0; done < size; done += PIECE) {
        size_t piece = size - done < PIECE ? (size_t)(size - done) : PIECE;
        if (!read_file(blk, sector * SECTOR + done, piece))
            return IO_ERROR;
        if (trestle_virtio_write(dev, chain, done, blk->buffer, piece) < 0)
            return -EIO;
    }
    return OK;
}

static int do_out(struct trestle_device *dev, const struct trestle_virtio_chain *chain,
                  uint64_t sector, uint64_t size)
{
    struct blk *blk = trestle_device_state(dev);
    if (blk->is_read_only || !is_inside(blk, sector, size))
        return IO_ERROR;
    for (uint64_t done = 0; done < size; done += PIECE) {
        size_t piece = size - done < PIECE ? (size_t)(size - done) : PIECE;
        if (trestle_virtio_read(dev, chain, HEADER_SIZE + done, blk->buffer, piece) < 0)
            return -EIO;
        if (!write_file(blk, sector * SECTOR + done, piece))
            return IO_ERROR;
    }
    return OK;
}

static int do_get_id(struct trestle_device *dev, const struct trestle_virtio_chain *chain)
{
    char id[ID_SIZE] = "";
    strncpy(id, trestle_device_name(dev), sizeof(id) - 1);
    return trestle_virtio_write(dev, chain, 0, id, sizeof(id)) < 0 ? -EIO : OK;
}

static int do_request(struct trestle_device *dev, const struct trestle_virtio_chain *chain,
                      const uint8_t *header)
{
    const struct blk *blk = trestle_device_state(dev);
    uint64_t sector = trestle_get_le64(header + 8);
    switch (trestle_get_le32(header)) {
    case IN:
        return do_in(dev, chain, sector, chain->in_bytes - 1);
    case OUT:
        return do_out(dev, chain, sector, chain->out_bytes - HEADER_SIZE);
    case FLUSH:
        return fdatasync(blk->fd) < 0 ? IO_ERROR : OK;
    case GET_ID:
        return do_get_id(dev, chain);
    default:
        return UNSUPPORTED;
    }
}

/* The last byte that the device writes is the status. False: it needs a reset. */
static bool handle(struct trestle_device *dev, uint32_t queue,
                   const struct trestle_virtio_chain *chain)
{
    uint8_t header[HEADER_SIZE];
    if (chain->out_bytes < HEADER_SIZE || chain->in_bytes < 1) {
        trestle_virtio_refuse(dev, "a request has no room for its header or its status");
        return false;
    }
    if (trestle_virtio_read(dev, chain, 0, header, sizeof(header)) < 0)
        return false;
    int r = do_request(dev, chain, header);
    if (r < 0)
        return false;
    uint8_t byte = (uint8_t)r;
    if (trestle_virtio_write(dev, chain, chain->in_bytes - 1, &byte, 1) < 0)
        return false;
    uint64_t written = trestle_get_le32(header) == IN && r == OK ? chain->in_bytes : 1;
    trestle_virtio_push(dev, queue, chain, (uint32_t)written);
    return true;
}

static void blk_notify(struct trestle_device *dev, uint32_t queue)
{
    struct trestle_virtio_chain chain;
    for (unsigned i = 0; i < TRESTLE_VIRTIO_QUEUE_SIZE; i++)
        if (trestle_virtio_pop(dev, queue, &chain) <= 0 || !handle(dev, queue, &chain))
            break;
    trestle_virtio_signal(dev, queue);
}

/* --- the life of a device -------------------------------------------------------------------- */

static const struct trestle_virtio_kind kind = {
    .size = sizeof(kind), .id = 2, .num_queues = 1, .notify = blk_notify};

/* Why a file is no disk, or NULL. One that somebody else writes to at the same time would be
 * neither's. */
static const char *complaint(const struct blk *blk, const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        return "it is not a file";
    if (st->st_size == 0)
        return "it is empty";
    if (st->st_size % SECTOR)
        return "it is no whole number of sectors of 512 bytes";
    if (flock(blk->fd, (blk->is_read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? "another device uses it" : strerror(errno);
    return NULL;
}

static int open_file(struct trestle_device *dev, const char *path)
{
    struct blk *blk = trestle_device_state(dev);
    struct stat st;
    int access = blk->is_read_only ? O_RDONLY : O_RDWR;
    blk->fd = open(path, access | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool is_there = blk->fd >= 0 && fstat(blk->fd, &st) == 0;
    const char *why = is_there ? complaint(blk, &st) : strerror(errno);
    if (!why) {
        blk->sectors = (uint64_t)st.st_size / SECTOR;
        return 0;
    }
    trestle_device_fail(dev, "%s cannot be its disk: %s", path, why);
    if (blk->fd >= 0)
        close(blk->fd);
    return -EINVAL;
}

static int blk_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct blk *blk = trestle_device_state(dev);
    uint64_t read_only = 0;
    const char *path = NULL;
    int r = trestle_params_u64(params, "read_only", 0, &read_only);
    if (r == 0 && read_only > 1)
        r = trestle_params_refuse(params, "read_only", "0 or 1");
    if (r == 0)
        r = trestle_params_string(params, "file", NULL, &path);
    if (r < 0)
        return r;
    if (!path) {
        trestle_device_fail(dev, "it needs the parameter \"file\"");
        return -EINVAL;
    }
    blk->is_read_only = read_only;
    r = open_file(dev, path);
    if (r < 0)
        return r;
    r = trestle_virtio_create(
        dev, &kind, FEATURE_SEG_MAX | FEATURE_FLUSH | (blk->is_read_only ? FEATURE_RO : 0));
    if (r < 0) {
        close(blk->fd);
        return r;
    }
    uint8_t *config = trestle_virtio_config(dev);
    trestle_put_le64(config, blk->sectors);
    trestle_put_le32(config + 12, SEGMENTS);
    return 0;
}

static void blk_fini(struct trestle_device *dev)
{
    const struct blk *blk = trestle_device_state(dev);
    close(blk->fd);
    trestle_virtio_fini(dev);
}

const struct trestle_model trestle_virtio_blk_model = {
    .size = sizeof(trestle_virtio_blk_model),
    .name = "virtio-blk",
    .doc = "A disk in a file, by virtio.",
    TRESTLE_VIRTIO_MODEL(1),
    .pci = TRESTLE_VIRTIO_PCI(2, 0x010000),
    .state_size = sizeof(struct blk),
    .init = blk_init,
    .reset = trestle_virtio_reset,
    .fini = blk_fini,
};
