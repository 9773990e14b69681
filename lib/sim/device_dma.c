/* SPDX-License-Identifier: MIT */
/* Transfers between a model's buffers and guest memory, which the host carries out. */
#include <errno.h>
#include <stdlib.h>

#include "device.h"

/* Under way at a time, of one device: whoever carries them out may take long. */
#define TRANSFERS_MAX 4096u

struct transfer {
    struct trestle_event event; /* brings dma_done() */
    struct trestle_device *dev;
    struct transfer *next_free;
    uint32_t index, generation; /* together the id; the generation changes with each use */
    bool active;                /* until dma_done() is due */
    bool is_read;               /* from guest memory */
    void *buf;
    size_t size;
    uint64_t tag;
    int status;
};

static void transfer_release(struct transfer *transfer)
{
    struct trestle_device *dev = transfer->dev;
    transfer->active = false;
    transfer->generation++;
    transfer->next_free = dev->free_transfers;
    dev->free_transfers = transfer;
}

static void transfer_fire(struct trestle_event *event, trestle_time now)
{
    (void)now;
    struct transfer *transfer = (struct transfer *)event;
    struct trestle_device *dev = transfer->dev;
    uint64_t tag = transfer->tag;
    int status = transfer->status;
    transfer_release(transfer);
    if (!dev->model.dma_done)
        return;
    device_enter(dev, TRESTLE_CALLBACK_DMA_DONE);
    dev->model.dma_done(dev, tag, status);
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
    int r = queue_reserve(&dev->sim->queue, 1);
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

static int dma_start(struct trestle_device *dev, bool write, uint64_t addr, void *buf, size_t size,
                     uint64_t tag, struct transfer **ret_transfer)
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
    transfer->active = true;
    transfer->is_read = !write;
    transfer->buf = buf;
    transfer->size = size;
    transfer->tag = tag;
    uint64_t id = (uint64_t)transfer->generation << 32 | transfer->index;
    if (device_is_observed(dev))
        observe_dma(dev, write, transfer->index, addr, buf, size);
    int r = dev->ops.dma(dev->ctx, dev, write, addr, buf, size, id);
    if (r < 0) {
        if (device_is_observed(dev))
            observe_dma_refused(dev, transfer->index, r);
        sim_cancel(dev->sim, &transfer->event);
        transfer_release(transfer);
    }
    *ret_transfer = transfer;
    return r < 0 ? r : 0;
}

int trestle_device_dma_read(struct trestle_device *dev, uint64_t addr, void *buf, size_t size,
                            uint64_t tag)
{
    struct transfer *unused;
    if (device_is_elsewhere(dev, "trestle_device_dma_read"))
        return -EPERM;
    return dma_start(dev, false, addr, buf, size, tag, &unused);
}

int trestle_device_dma_write(struct trestle_device *dev, uint64_t addr, const void *buf,
                             size_t size, uint64_t tag)
{
    struct transfer *unused;
    if (device_is_elsewhere(dev, "trestle_device_dma_write"))
        return -EPERM;
    return dma_start(dev, true, addr, (void *)buf, size, tag, &unused);
}

/* --- within the call ------------------------------------------------------------------------- */

/* A host that copies at once has done so by now, and only the event that would tell is left. */
static int memory_move(struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                       size_t size)
{
    struct transfer *transfer;
    int r = dma_start(dev, write, addr, buf, size, 0, &transfer);
    if (r < 0)
        return r;
    r = transfer->active ? -ENOTSUP : transfer->status;
    sim_cancel(dev->sim, &transfer->event);
    transfer_release(transfer);
    return r;
}

int trestle_device_memory_read(struct trestle_device *dev, uint64_t addr, void *buf, size_t size)
{
    if (device_is_elsewhere(dev, "trestle_device_memory_read"))
        return -EPERM;
    return memory_move(dev, false, addr, buf, size);
}

int trestle_device_memory_write(struct trestle_device *dev, uint64_t addr, const void *buf,
                                size_t size)
{
    if (device_is_elsewhere(dev, "trestle_device_memory_write"))
        return -EPERM;
    return memory_move(dev, true, addr, (void *)buf, size);
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
    sim_schedule_reserved(dev->sim, &transfer->event, dev->sim->now);
    return 0;
}

void device_forget_transfers(struct trestle_device *dev)
{
    for (uint32_t i = 0; i < dev->num_transfers; i++) {
        struct transfer *transfer = dev->transfers[i];
        if (!transfer->active && !trestle_event_pending(&transfer->event))
            continue;
        sim_cancel(dev->sim, &transfer->event);
        transfer_release(transfer);
    }
}

void device_free_transfers(struct trestle_device *dev)
{
    device_forget_transfers(dev);
    queue_unreserve(&dev->sim->queue, dev->num_transfers);
    for (uint32_t i = 0; i < dev->num_transfers; i++)
        free(dev->transfers[i]);
    free(dev->transfers);
}
