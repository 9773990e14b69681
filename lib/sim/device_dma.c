/* SPDX-License-Identifier: MIT */
/* Transfers between a model's buffers and guest memory, which the host carries out. */
#include <errno.h>
#include <stdlib.h>

#include "device.h"
#include "trestle/le.h"

/* How many may be under way in one device: the host may take long for each. */
#define TRANSFERS_MAX 4096u

struct transfer {
    struct trestle_event event; /* brings dma_done() */
    struct trestle_device *dev;
    struct transfer *next_free;
    uint32_t index, generation; /* together the id; the generation changes with each use */
    bool is_taken;              /* until it is released */
    bool active;                /* until its bytes have been copied */
    bool is_read;               /* from guest memory */
    void *buf;
    size_t size;
    int status;
    struct transfer *first; /* of its list, which tells of the end; without a list: itself */
    /* These three count in the first only. */
    uint64_t tag;
    size_t num_left; /* of the list, not ended */
    int error;       /* the first one */
};

static void transfer_release(struct transfer *transfer)
{
    struct trestle_device *dev = transfer->dev;
    transfer->is_taken = transfer->active = false;
    transfer->generation++;
    transfer->next_free = dev->free_transfers;
    dev->free_transfers = transfer;
}

static void transfer_fire(struct trestle_event *event, trestle_time now)
{
    (void)now;
    struct transfer *transfer = (struct transfer *)event;
    struct transfer *first = transfer->first;
    struct trestle_device *dev = transfer->dev;
    if (first->error == 0)
        first->error = transfer->status;
    if (transfer != first)
        transfer_release(transfer);
    if (--first->num_left > 0)
        return;
    uint64_t tag = first->tag;
    int r = first->error;
    transfer_release(first);
    if (!dev->model.dma_done)
        return;
    device_enter(dev, TRESTLE_CALLBACK_DMA_DONE);
    dev->model.dma_done(dev, tag, r);
    device_leave(dev);
}

static int transfer_add(struct trestle_device *dev)
{
    if (dev->num_transfers == TRANSFERS_MAX)
        return -ENOBUFS;
    struct transfer **transfers =
        reallocarray(dev->transfers, dev->num_transfers + 1, sizeof(*transfers));
    if (!transfers)
        return -ENOMEM;
    dev->transfers = transfers;
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    if (!transfer)
        return -ENOMEM;
    /* Its end must not fail to be heard of. */
    int r = queue_reserve(&dev->facts.sim->queue, 1);
    if (r < 0) {
        free(transfer);
        return r;
    }
    trestle_event_init(&transfer->event, transfer_fire);
    transfer->dev = dev;
    transfer->index = dev->num_transfers;
    transfers[dev->num_transfers++] = transfer;
    dev->free_transfers = transfer; /* there was none */
    return 0;
}

static struct transfer *transfer_find(struct trestle_device *dev, uint64_t id)
{
    uint32_t index = (uint32_t)id;
    if (index >= dev->num_transfers)
        return NULL;
    struct transfer *transfer = dev->transfers[index];
    return transfer->active && transfer->generation == id >> 32 ? transfer : NULL;
}

/* first: NULL for one by itself. */
static int dma_start(struct trestle_device *dev, bool write, uint64_t addr, void *buf, size_t size,
                     struct transfer *first, struct transfer **ret_transfer)
{
    if (size == 0 || size > UINT64_MAX - addr)
        return -EINVAL;
    if (!dev->ops.dma)
        return -ENOTSUP;
    if (!dev->free_transfers) {
        int r = transfer_add(dev);
        if (r < 0)
            return r;
    }
    struct transfer *transfer = dev->free_transfers;
    dev->free_transfers = transfer->next_free;
    transfer->is_taken = transfer->active = true;
    transfer->is_read = !write;
    transfer->buf = buf;
    transfer->size = size;
    transfer->first = first ? first : transfer;
    transfer->num_left = 1;
    transfer->error = 0;
    uint64_t id = (uint64_t)transfer->generation << 32 | transfer->index;
    if (device_is_observed(dev))
        observe_dma(dev, write, transfer->index, addr, buf, size);
    int r = dev->ops.dma(dev->facts.ctx, dev, write, addr, buf, size, id);
    if (r < 0) {
        if (device_is_observed(dev))
            observe_dma_refused(dev, transfer->index, r);
        sim_cancel(dev->facts.sim, &transfer->event);
        transfer_release(transfer);
    }
    *ret_transfer = transfer;
    return r < 0 ? r : 0;
}

static int dma_one(struct trestle_device *dev, bool write, uint64_t addr, void *buf, size_t size,
                   uint64_t tag)
{
    struct transfer *transfer;
    int r = dma_start(dev, write, addr, buf, size, NULL, &transfer);
    if (r == 0)
        transfer->tag = tag;
    return r;
}

/* --- lists ----------------------------------------------------------------------------------- */

static int reserve_transfers(struct trestle_device *dev, size_t count)
{
    size_t num_free = 0;
    for (const struct transfer *free = dev->free_transfers; free && num_free < count;
         free = free->next_free)
        num_free++;
    for (struct transfer *rest; num_free < count; num_free++) {
        rest = dev->free_transfers;
        int r = transfer_add(dev);
        if (r < 0)
            return r;
        dev->free_transfers->next_free = rest;
    }
    return 0;
}

/* What can be known to be wrong is known before the first of them begins; a host that refuses one
 * in the middle makes it an error of the whole. */
static int dma_list(struct trestle_device *dev, bool write, const struct trestle_segment *segments,
                    size_t count, uint64_t tag)
{
    struct transfer *first = NULL, *transfer;
    int r = count > 0 ? 0 : -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (segments[i].size == 0 || segments[i].size > UINT64_MAX - segments[i].addr)
            r = -EINVAL;
    if (r == 0)
        r = dev->ops.dma ? reserve_transfers(dev, count) : -ENOTSUP;
    for (size_t i = 0; i < count && r == 0; i++) {
        r = dma_start(dev, write, segments[i].addr, segments[i].buf, segments[i].size, first,
                      &transfer);
        if (r == 0 && first)
            first->num_left++;
        else if (r == 0)
            (first = transfer)->tag = tag;
    }
    if (r < 0 && first)
        first->error = r;
    return first ? 0 : r;
}

int trestle_device_dma(struct trestle_device *dev, bool write,
                       const struct trestle_segment *segments, size_t count, uint64_t tag)
{
    if (device_is_elsewhere(dev, write ? "trestle_device_dma_write" : "trestle_device_dma_read"))
        return -EPERM;
    if (count == 1)
        return dma_one(dev, write, segments->addr, segments->buf, segments->size, tag);
    return dma_list(dev, write, segments, count, tag);
}

void trestle_device_dma_cancel(struct trestle_device *dev)
{
    if (!device_is_elsewhere(dev, "trestle_device_dma_cancel"))
        device_forget_transfers(dev);
}

/* --- within the call ------------------------------------------------------------------------- */

/* A host that copies at once has done so by now, and only the event that would tell is left. */
static int memory_move(struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                       size_t size)
{
    struct transfer *transfer;
    int r = dma_start(dev, write, addr, buf, size, NULL, &transfer);
    if (r < 0)
        return r;
    r = transfer->active ? -ENOTSUP : transfer->status;
    sim_cancel(dev->facts.sim, &transfer->event);
    transfer_release(transfer);
    return r;
}

int trestle_device_memory(struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                          size_t size)
{
    if (device_is_elsewhere(dev,
                            write ? "trestle_device_memory_write" : "trestle_device_memory_read"))
        return -EPERM;
    return memory_move(dev, write, addr, buf, size);
}

int trestle_device_memory_update(struct trestle_device *dev, uint64_t addr, size_t size,
                                 uint64_t mask, uint64_t value, uint64_t *ret_old)
{
    uint8_t bytes[8] = {0};
    if (device_is_elsewhere(dev, "trestle_device_memory_update"))
        return -EPERM;
    if ((size != 2 && size != 4 && size != 8) || addr % size)
        return -EINVAL;
    int r = memory_move(dev, false, addr, bytes, size);
    if (r < 0)
        return r;
    uint64_t old = trestle_get_le64(bytes);
    trestle_put_le64(bytes, (old & ~mask) | (value & mask));
    r = memory_move(dev, true, addr, bytes, size);
    if (r == 0 && ret_old)
        *ret_old = old;
    return r;
}

void *trestle_device_dma_buffer(struct trestle_device *dev, uint64_t id, size_t *ret_size)
{
    struct transfer *transfer = transfer_find(dev, id);
    if (!transfer)
        return NULL;
    if (ret_size)
        *ret_size = transfer->size;
    return transfer->buf;
}

int trestle_device_dma_complete(struct trestle_device *dev, uint64_t id, int status)
{
    struct transfer *transfer = transfer_find(dev, id);
    if (!transfer)
        return -ENOENT;
    transfer->active = false;
    transfer->status = status <= 0 ? status : -EIO;
    if (device_is_observed(dev))
        observe_dma_end(dev, transfer->index, transfer->status,
                        transfer->is_read && status == 0 ? transfer->buf : NULL, transfer->size);
    sim_schedule_reserved(dev->facts.sim, &transfer->event, dev->facts.sim->now);
    return 0;
}

void device_forget_transfers(struct trestle_device *dev)
{
    for (uint32_t i = 0; i < dev->num_transfers; i++) {
        struct transfer *transfer = dev->transfers[i];
        if (!transfer->is_taken)
            continue;
        sim_cancel(dev->facts.sim, &transfer->event);
        transfer_release(transfer);
    }
}

void device_free_transfers(struct trestle_device *dev)
{
    device_forget_transfers(dev);
    queue_unreserve(&dev->facts.sim->queue, dev->num_transfers);
    for (uint32_t i = 0; i < dev->num_transfers; i++)
        free(dev->transfers[i]);
    free(dev->transfers);
}
