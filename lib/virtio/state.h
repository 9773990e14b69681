/* SPDX-License-Identifier: MIT */
/* The common part of a virtio device: what the transport sets, the queues use. */
#ifndef TRESTLE_VIRTIO_STATE_H
#define TRESTLE_VIRTIO_STATE_H

#include "trestle/virtio.h"

#define STATUS_DRIVER_OK 0x04u
#define STATUS_FEATURES_OK 0x08u
#define STATUS_NEEDS_RESET 0x40u
#define INTERRUPT_USED 1u
#define INTERRUPT_CONFIG 2u
#define FEATURE_INDIRECT (UINT64_C(1) << 28)
#define FEATURE_VERSION_1 (UINT64_C(1) << 32)

struct virtio_queue {
    uint64_t desc, driver, device; /* where the driver has its three parts */
    uint16_t size;                 /* entries */
    uint16_t taken, available;     /* counts of chains, modulo 65536: popped, and known of */
    uint16_t used;                 /* pushed */
    bool is_ready, owes_interrupt;
};

struct trestle_virtio {
    const struct trestle_virtio_kind *kind;
    uint64_t offered, accepted; /* features */
    uint32_t device_sel, driver_sel, queue_sel;
    uint32_t status, interrupts, generation;
    struct virtio_queue queues[TRESTLE_VIRTIO_QUEUES_MAX];
    uint8_t config[TRESTLE_VIRTIO_CONFIG_MAX];
};

static inline struct trestle_virtio *virtio_of(const struct trestle_device *dev)
{
    return *(struct trestle_virtio **)trestle_device_state((struct trestle_device *)dev);
}

/* The driver is there, and nothing is wrong. */
static inline bool virtio_is_running(const struct trestle_virtio *virtio)
{
    return (virtio->status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) == STATUS_DRIVER_OK;
}

void virtio_interrupt(struct trestle_device *dev, uint32_t why);
/* All that the driver has set for a queue can be. */
bool virtio_queue_is_sound(const struct virtio_queue *queue);

#endif
