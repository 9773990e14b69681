/* SPDX-License-Identifier: MIT */
/* The common part of a virtio device: what the transports set, the queues use. */
#ifndef TRESTLE_VIRTIO_STATE_H
#define TRESTLE_VIRTIO_STATE_H

#include "trestle/virtio.h"

#define STATUS_DRIVER_OK 0x04u
#define STATUS_FEATURES_OK 0x08u
#define STATUS_NEEDS_RESET 0x40u
#define INTERRUPT_USED 1u
#define INTERRUPT_CONFIG 2u
#define VIRTIO_STATUS_FIELDS                                                                 \
    TRESTLE_FIELDS({"acknowledge", 0x01}, {"driver", 0x02}, {"driver_ok", STATUS_DRIVER_OK}, \
                   {"features_ok", STATUS_FEATURES_OK}, {"needs_reset", STATUS_NEEDS_RESET}, \
                   {"failed", 0x80})
#define VIRTIO_INTERRUPT_FIELDS \
    TRESTLE_FIELDS({"used", INTERRUPT_USED}, {"config", INTERRUPT_CONFIG})
#define FEATURE_INDIRECT (UINT64_C(1) << 28)
#define FEATURE_VERSION_1 (UINT64_C(1) << 32)
#define FEATURE_ACCESS_PLATFORM (UINT64_C(1) << 33)

struct virtio_queue {
    uint64_t desc, driver, device; /* where the driver has its three parts */
    uint16_t size;                 /* entries */
    uint16_t taken, available;     /* counts of chains, modulo 65536: popped, and known of */
    uint16_t used;                 /* pushed */
    uint16_t vector;               /* of its message, plus 1; 0: it sends none */
    bool is_ready, owes_interrupt;
};

struct trestle_virtio {
    uint8_t config[TRESTLE_VIRTIO_CONFIG_MAX]; /* first: trestle_virtio_config() */
    const struct trestle_virtio_kind *kind;
    uint64_t offered, accepted; /* features */
    uint32_t device_sel, driver_sel, queue_sel;
    uint32_t status, interrupts, generation;
    uint16_t config_vector; /* as a queue's */
    int num_vectors;        /* how many vectors the driver has set; 0: it waits for the line */
    struct virtio_queue queues[TRESTLE_VIRTIO_QUEUES_MAX];
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

/* --- queue.c --- */

/* All that the driver has set for a queue can be. */
bool virtio_queue_is_sound(const struct virtio_queue *queue);

/* --- transport.c --- */

/* vector: of the queue, or of changes of the configuration. */
void virtio_interrupt(struct trestle_device *dev, uint32_t why, uint16_t vector);
void virtio_config_changed(struct trestle_device *dev);

/* What the driver's registers do, whatever they look like. The features are 32 at a time. */
uint64_t virtio_features(const struct trestle_device *dev); /* agreed on */
uint32_t virtio_offered(const struct trestle_virtio *virtio);
uint32_t virtio_accepted(const struct trestle_virtio *virtio);
void virtio_accept(struct trestle_virtio *virtio, uint32_t features);
void virtio_set_status(struct trestle_device *dev, uint32_t status);
void virtio_notify(struct trestle_device *dev, uint32_t queue);
/* The queue that the driver has selected, or NULL. */
struct virtio_queue *virtio_selected(struct trestle_virtio *virtio);
/* The same, to change its size or its places; NULL, and said, if it is in use. */
struct virtio_queue *virtio_to_set(struct trestle_device *dev);
void virtio_set_size(struct virtio_queue *queue, uint32_t size);
void virtio_set_ready(struct trestle_device *dev, bool is_ready);

/* --- mmio.c, pci.c --- */

extern const struct trestle_region virtio_mmio_region, virtio_pci_region;
/* The bytes of the configuration space, which the device has once, lie in the first. */
#define VIRTIO_MMIO_CONFIG 0x100u

#endif
