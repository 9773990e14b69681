/* SPDX-License-Identifier: MIT */
/*
 * trestle/virtio.h: for models of virtio devices, what all of them have in common: the transports
 * of virtio 1.x for MMIO (version 2 of the interface) and for PCI, negotiation of features,
 * configuration space, and split queues. A model adds what its kind of device does with a buffer.
 *
 *     struct rng { struct trestle_virtio *virtio; uint64_t next; };      // the pointer comes first
 *
 *     static void rng_notify(struct trestle_device *dev, uint32_t queue)
 *     {
 *         struct trestle_virtio_chain chain;
 *         while (trestle_virtio_pop(dev, queue, &chain) > 0)
 *             ... trestle_virtio_write(dev, &chain, 0, bytes, size); then
 *             trestle_virtio_push(dev, queue, &chain, size);
 *         trestle_virtio_signal(dev, queue);
 *     }
 *     static const struct trestle_virtio_kind rng_kind = {
 *         .size = sizeof(rng_kind), .id = 4, .num_queues = 1, .notify = rng_notify};
 *
 *     static int rng_init(struct trestle_device *dev, const struct trestle_params *params)
 *     {
 *         return trestle_virtio_create(dev, &rng_kind, 0);
 *     }
 *     static const struct trestle_model rng_model = {
 *         .size = sizeof(rng_model), .name = "my-rng", TRESTLE_VIRTIO_MODEL(1),
 *         .pci = TRESTLE_VIRTIO_PCI(4, 0x00ff00), .state_size = sizeof(struct rng),
 *         .init = rng_init, .reset = trestle_virtio_reset, .fini = trestle_virtio_fini};
 *
 * The library does not trust the driver. If a queue lies outside of memory, has a loop, or is wrong
 * in another way, the library logs that once. The device then says DEVICE_NEEDS_RESET, and does
 * nothing until it is reset. Each call reaches guest memory before it returns, as
 * trestle_device_memory_read() does.
 */
#ifndef TRESTLE_VIRTIO_H
#define TRESTLE_VIRTIO_H

#include "trestle/registers.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TRESTLE_VIRTIO_QUEUES_MAX 16
#define TRESTLE_VIRTIO_QUEUE_SIZE 256   /* entries, if the driver wants as many */
#define TRESTLE_VIRTIO_CONFIG_MAX 256   /* bytes */
#define TRESTLE_VIRTIO_SEGMENTS_MAX 130 /* of a chain, in both directions together */

struct trestle_virtio; /* the common part of one device; owned by the library */

/* What a kind of device is. It outlives its devices. Callbacks may be NULL. */
struct trestle_virtio_kind {
    size_t size;         /* sizeof(struct trestle_virtio_kind) */
    uint32_t id;         /* the kind's number in the specification: 2 is a block device */
    uint32_t num_queues; /* 1 to TRESTLE_VIRTIO_QUEUES_MAX */
    /* The driver says that it has made buffers available in a queue. It says so each time, so a
     * model need not look by itself. */
    void (*notify)(struct trestle_device *dev, uint32_t queue);
    /* The driver or the guest has reset the device. Chains that the model has kept are void. */
    void (*reset)(struct trestle_device *dev);
};

/* A chain of buffers that the driver has made available: first those that the device reads, then
 * those that it writes. The library fills the fields. */
struct trestle_virtio_chain {
    uint16_t head;
    uint16_t num_out, num_in;     /* segments that the device reads, and writes */
    uint64_t out_bytes, in_bytes; /* of all of them */
    struct {
        uint64_t addr;
        uint32_t size;
    } segments[TRESTLE_VIRTIO_SEGMENTS_MAX];
};

/* For a model's table: its registers and interrupt lines. At an address, and with INTx, the device
 * has line 0 only. If the driver takes messages, line 0 is for changes of the configuration, and
 * each queue has a line after it. */
#define TRESTLE_VIRTIO_MODEL(queues)                                                           \
    .compatible = "virtio,mmio", .regions = trestle_virtio_regions, .irq_lines = 1 + (queues), \
    .uses_memory = true
TRESTLE_API extern const struct trestle_region *const trestle_virtio_regions[];

/* For .pci in a model's table, in C: the kind's number, and the class that it has on PCI. */
#define TRESTLE_VIRTIO_PCI(id, class_)                               \
    (&(const struct trestle_pci){.size = sizeof(struct trestle_pci), \
                                 .vendor = 0x1af4,                   \
                                 .device = 0x1040 + (id),            \
                                 .subsystem_vendor = 0x1af4,         \
                                 .subsystem = 0x1100,                \
                                 .class_code = (class_),             \
                                 .revision = 1,                      \
                                 .vendor_capabilities = trestle_virtio_capabilities})
TRESTLE_API extern const uint8_t trestle_virtio_capabilities[];

/* Call it in init(). It sets the pointer with which the state begins. features: the kind's own that
 * this device offers. The library adds VIRTIO_F_VERSION_1, VIRTIO_F_INDIRECT_DESC and, on PCI,
 * VIRTIO_F_ACCESS_PLATFORM. -EINVAL: the kind has no queue, or too many. -ENOMEM. */
TRESTLE_API TRESTLE_CHECK int trestle_virtio_create(struct trestle_device *dev,
                                                    const struct trestle_virtio_kind *kind,
                                                    uint64_t features);
/* Use them as the model's reset() and fini(), or call them from there. */
TRESTLE_API void trestle_virtio_reset(struct trestle_device *dev);
TRESTLE_API void trestle_virtio_fini(struct trestle_device *dev);

/* The configuration space: TRESTLE_VIRTIO_CONFIG_MAX bytes, little-endian, zeroed. The model fills
 * it. The driver can read it, but not write it. The common part begins with it. */
static inline uint8_t *trestle_virtio_config(struct trestle_device *dev)
{
    return *(uint8_t **)trestle_device_state(dev);
}

/* Takes the next chain that the driver has made available. 1: it is in *ret_chain; give it back
 * with trestle_virtio_push(), now or later. 0: there is none, or the driver is not ready. Negative:
 * the device needs a reset. */
TRESTLE_API int trestle_virtio_pop(struct trestle_device *dev, uint32_t queue,
                                   struct trestle_virtio_chain *ret_chain);
/* Copies from the buffers that the device reads, or to those that it writes, from `offset` bytes
 * on. Returns the number of bytes, which is less than size if the chain ends before; negative: the
 * device needs a reset. */
TRESTLE_API int64_t trestle_virtio_copy(struct trestle_device *dev, bool write,
                                        const struct trestle_virtio_chain *chain, uint64_t offset,
                                        void *buf, size_t size);
static inline int64_t trestle_virtio_read(struct trestle_device *dev,
                                          const struct trestle_virtio_chain *chain, uint64_t offset,
                                          void *buf, size_t size)
{
    return trestle_virtio_copy(dev, false, chain, offset, buf, size);
}
static inline int64_t trestle_virtio_write(struct trestle_device *dev,
                                           const struct trestle_virtio_chain *chain,
                                           uint64_t offset, const void *buf, size_t size)
{
    return trestle_virtio_copy(dev, true, chain, offset, (void *)buf, size);
}
/* Gives the chain back. written: how many bytes the device has written. */
TRESTLE_API void trestle_virtio_push(struct trestle_device *dev, uint32_t queue,
                                     const struct trestle_virtio_chain *chain, uint32_t written);
/* Call it after one or more pushes. It raises the interrupt, unless the driver does not want it. */
TRESTLE_API void trestle_virtio_signal(struct trestle_device *dev, uint32_t queue);
#define TRESTLE_VIRTIO_CONFIG UINT32_MAX
/* Call it after a change of the configuration space that a driver could see. */
static inline void trestle_virtio_config_changed(struct trestle_device *dev)
{
    trestle_virtio_signal(dev, TRESTLE_VIRTIO_CONFIG);
}

/* Call it when the driver has broken a rule of the kind. It logs that, and the device then needs a
 * reset. */
TRESTLE_API void trestle_virtio_refuse(struct trestle_device *dev, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
