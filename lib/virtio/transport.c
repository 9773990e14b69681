/* SPDX-License-Identifier: MIT */
/* What the transports of virtio 1.x have in common: status, features, queues, interrupts. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

const struct trestle_region *const trestle_virtio_regions[] = {&virtio_mmio_region,
                                                               &virtio_pci_region, NULL};

/* --- the life of a device -------------------------------------------------------------------- */

int trestle_virtio_create(struct trestle_device *dev, const struct trestle_virtio_kind *kind,
                          uint64_t features)
{
    if (kind->num_queues == 0 || kind->num_queues > TRESTLE_VIRTIO_QUEUES_MAX)
        return -EINVAL;
    struct trestle_virtio *virtio = calloc(1, sizeof(*virtio));
    if (!virtio)
        return -ENOMEM;
    virtio->kind = kind;
    virtio->offered = features | FEATURE_VERSION_1 | FEATURE_INDIRECT;
    /* On PCI there may be an IOMMU, which the driver has to know of. */
    if (trestle_device_base(dev) == TRESTLE_NO_BASE)
        virtio->offered |= FEATURE_ACCESS_PLATFORM;
    *(struct trestle_virtio **)trestle_device_state(dev) = virtio;
    return 0;
}

void trestle_virtio_fini(struct trestle_device *dev)
{
    free(virtio_of(dev));
}

void trestle_virtio_reset(struct trestle_device *dev)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    virtio->accepted = 0;
    virtio->device_sel = virtio->driver_sel = virtio->queue_sel = 0;
    virtio->status = virtio->interrupts = 0;
    virtio->config_vector = 0;
    virtio->num_vectors = 0;
    memset(virtio->queues, 0, sizeof(virtio->queues));
    if (virtio->kind->reset)
        virtio->kind->reset(dev);
}

/* --- interrupts ------------------------------------------------------------------------------ */

/* Messages need no acknowledgement; the line is high until there is one. */
void virtio_interrupt(struct trestle_device *dev, uint32_t why, uint16_t vector)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    if (virtio->num_vectors == 0) {
        virtio->interrupts |= why;
        trestle_irq_update(dev, 0, virtio->interrupts);
    } else if (vector != 0) {
        trestle_device_pulse(dev, vector - 1u);
    }
}

void virtio_config_changed(struct trestle_device *dev)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    virtio->generation++;
    if (virtio->status & STATUS_DRIVER_OK)
        virtio_interrupt(dev, INTERRUPT_CONFIG, virtio->config_vector);
}

void trestle_virtio_refuse(struct trestle_device *dev, const char *format, ...)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    char text[160];
    va_list args;
    if (virtio->status & STATUS_NEEDS_RESET)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    trestle_device_log(dev, TRESTLE_LOG_WARNING, "%s; it needs a reset", text);
    virtio->status |= STATUS_NEEDS_RESET;
    if (virtio->status & STATUS_DRIVER_OK)
        virtio_interrupt(dev, INTERRUPT_CONFIG, virtio->config_vector);
}

/* --- features and status --------------------------------------------------------------------- */

uint64_t virtio_features(const struct trestle_device *dev)
{
    return virtio_of(dev)->accepted & virtio_of(dev)->offered;
}

static uint32_t half(uint64_t features, uint32_t which)
{
    return which > 1 ? 0 : (uint32_t)(features >> 32 * which);
}

uint32_t virtio_offered(const struct trestle_virtio *virtio)
{
    return half(virtio->offered, virtio->device_sel);
}

uint32_t virtio_accepted(const struct trestle_virtio *virtio)
{
    return half(virtio->accepted, virtio->driver_sel);
}

void virtio_accept(struct trestle_virtio *virtio, uint32_t features)
{
    if ((virtio->status & STATUS_FEATURES_OK) || virtio->driver_sel > 1)
        return;
    unsigned shift = 32 * virtio->driver_sel;
    virtio->accepted &= ~(UINT64_C(0xffffffff) << shift);
    virtio->accepted |= (uint64_t)features << shift;
}

void virtio_set_status(struct trestle_device *dev, uint32_t status)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    if (status == 0) {
        trestle_device_self_reset(dev);
        return;
    }
    bool is_agreed =
        (virtio->accepted & FEATURE_VERSION_1) && !(virtio->accepted & ~virtio->offered);
    if ((status & STATUS_FEATURES_OK) && !(virtio->status & STATUS_FEATURES_OK) && !is_agreed) {
        trestle_device_log(
            dev, TRESTLE_LOG_WARNING, "the driver wants features 0x%llx, and there are 0x%llx",
            (unsigned long long)virtio->accepted, (unsigned long long)virtio->offered);
        status &= ~STATUS_FEATURES_OK;
    }
    if (!(status & STATUS_FEATURES_OK))
        status &= ~STATUS_DRIVER_OK;
    virtio->status = (status & 0xff) | (virtio->status & STATUS_NEEDS_RESET);
}

/* --- queues ---------------------------------------------------------------------------------- */

struct virtio_queue *virtio_selected(struct trestle_virtio *virtio)
{
    return virtio->queue_sel < virtio->kind->num_queues ? &virtio->queues[virtio->queue_sel] : NULL;
}

struct virtio_queue *virtio_to_set(struct trestle_device *dev)
{
    struct virtio_queue *queue = virtio_selected(virtio_of(dev));
    if (!queue || !queue->is_ready)
        return queue;
    trestle_device_log(dev, TRESTLE_LOG_WARNING, "the driver changes a queue that is in use");
    return NULL;
}

/* One that is too large becomes one that cannot be. */
void virtio_set_size(struct virtio_queue *queue, uint32_t size)
{
    queue->size = size <= TRESTLE_VIRTIO_QUEUE_SIZE ? (uint16_t)size : UINT16_MAX;
}

void virtio_set_ready(struct trestle_device *dev, bool is_ready)
{
    struct virtio_queue *queue = virtio_selected(virtio_of(dev));
    if (!queue)
        return;
    if (is_ready && !queue->is_ready && !virtio_queue_is_sound(queue)) {
        trestle_virtio_refuse(dev, "the driver gives queue %u an impossible size or address",
                              virtio_of(dev)->queue_sel);
        return;
    }
    if (is_ready && !queue->is_ready)
        queue->taken = queue->available = queue->used = 0;
    queue->is_ready = is_ready;
}

void virtio_notify(struct trestle_device *dev, uint32_t queue)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    bool is_there = queue < virtio->kind->num_queues;
    if (!is_there)
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "the driver notifies queue %u; there are only %u", queue,
                           virtio->kind->num_queues);
    else if (virtio_is_running(virtio) && virtio->queues[queue].is_ready && virtio->kind->notify)
        virtio->kind->notify(dev, queue);
}
