/* SPDX-License-Identifier: MIT */
/* The MMIO transport of virtio 1.x: its registers, version 2 of the interface. */
#include "state.h"

#define MAGIC 0x74726976u  /* "virt" */
#define VENDOR 0x52545354u /* "TSTR" */

enum {
    MAGIC_VALUE = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    VENDOR_ID = 0x00c,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    QUEUE_SEL = 0x030,
    QUEUE_SIZE_MAX = 0x034,
    QUEUE_SIZE = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC_LOW = 0x080,
    QUEUE_DESC_HIGH = 0x084,
    QUEUE_DRIVER_LOW = 0x090,
    QUEUE_DRIVER_HIGH = 0x094,
    QUEUE_DEVICE_LOW = 0x0a0,
    QUEUE_DEVICE_HIGH = 0x0a4,
    SHM_SEL = 0x0ac,
    SHM = 0x0b0,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = VIRTIO_MMIO_CONFIG,
};

static int on_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    const struct virtio_queue *queue = virtio_selected(virtio);
    switch (access->reg->offset) {
    case DEVICE_ID:
        access->value = virtio->kind->id;
        break;
    case DEVICE_FEATURES:
        access->value = virtio_offered(virtio);
        break;
    case QUEUE_SIZE_MAX:
        access->value = queue ? TRESTLE_VIRTIO_QUEUE_SIZE : 0;
        break;
    case QUEUE_READY:
        access->value = queue && queue->is_ready;
        break;
    case INTERRUPT_STATUS:
        access->value = virtio->interrupts;
        break;
    case STATUS:
        access->value = virtio->status;
        break;
    case CONFIG_GENERATION:
        access->value = virtio->generation;
        break;
    case CONFIG:
        access->value = virtio->config[access->index];
        break;
    default:
        break;
    }
    return 0;
}

static void set_half(uint64_t *ref_value, bool is_high, uint32_t half)
{
    unsigned shift = is_high ? 32 : 0;
    *ref_value = (*ref_value & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)half << shift;
}

/* Of the selected queue. */
static void set_queue(struct trestle_device *dev, uint64_t offset, uint32_t value)
{
    struct virtio_queue *queue = virtio_to_set(dev);
    if (!queue)
        return;
    if (offset == QUEUE_SIZE)
        virtio_set_size(queue, value);
    else
        set_half(offset < QUEUE_DRIVER_LOW   ? &queue->desc
                 : offset < QUEUE_DEVICE_LOW ? &queue->driver
                                             : &queue->device,
                 offset >> 2 & 1, value);
}

static int on_write(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    uint32_t value = (uint32_t)access->value;
    switch (access->reg->offset) {
    case DEVICE_FEATURES_SEL:
        virtio->device_sel = value;
        break;
    case DRIVER_FEATURES:
        virtio_accept(virtio, value);
        break;
    case DRIVER_FEATURES_SEL:
        virtio->driver_sel = value;
        break;
    case QUEUE_SEL:
        virtio->queue_sel = value;
        break;
    case QUEUE_READY:
        virtio_set_ready(dev, value & 1);
        break;
    case QUEUE_NOTIFY:
        virtio_notify(dev, value);
        break;
    case INTERRUPT_ACK:
        virtio->interrupts &= ~value;
        trestle_irq_update(dev, 0, virtio->interrupts);
        break;
    case STATUS:
        virtio_set_status(dev, value);
        break;
    case SHM_SEL:
        break;
    default:
        set_queue(dev, access->reg->offset, value);
        break;
    }
    return 0;
}

#define READ .access = TRESTLE_RO, .on_read = on_read
#define WRITE .access = TRESTLE_TRIGGER, .on_write = on_write
#define BOTH .on_read = on_read, .on_write = on_write

static int constant(struct trestle_device *dev, struct trestle_register_access *access)
{
    access->value = access->reg->reset;
    return 0;
}
#define CONSTANT(value) .access = TRESTLE_RO, .reset = (value), .on_read = constant

static const struct trestle_register rows[] = {
    {"MAGIC", MAGIC_VALUE, CONSTANT(MAGIC)},
    {"VERSION", VERSION, CONSTANT(2)},
    {"DEVICE_ID", DEVICE_ID, READ, .doc = "the kind of device"},
    {"VENDOR_ID", VENDOR_ID, CONSTANT(VENDOR)},
    {"DEVICE_FEATURES", DEVICE_FEATURES, READ, .doc = "the 32 that DEVICE_FEATURES_SEL selects"},
    {"DEVICE_FEATURES_SEL", DEVICE_FEATURES_SEL, WRITE},
    {"DRIVER_FEATURES", DRIVER_FEATURES, WRITE, .doc = "the 32 that DRIVER_FEATURES_SEL selects"},
    {"DRIVER_FEATURES_SEL", DRIVER_FEATURES_SEL, WRITE},
    {"QUEUE_SEL", QUEUE_SEL, WRITE, .doc = "the queue that the next registers belong to"},
    {"QUEUE_SIZE_MAX", QUEUE_SIZE_MAX, READ, .doc = "0: there is no such queue"},
    {"QUEUE_SIZE", QUEUE_SIZE, WRITE},
    {"QUEUE_READY", QUEUE_READY, BOTH},
    {"QUEUE_NOTIFY", QUEUE_NOTIFY, WRITE, .doc = "the queue that has new buffers"},
    {"INTERRUPT_STATUS", INTERRUPT_STATUS, READ, .fields = VIRTIO_INTERRUPT_FIELDS},
    {"INTERRUPT_ACK", INTERRUPT_ACK, WRITE},
    {"STATUS", STATUS, BOTH, .fields = VIRTIO_STATUS_FIELDS, .doc = "writing 0 resets the device"},
    {"QUEUE_DESC_LOW", QUEUE_DESC_LOW, WRITE},
    {"QUEUE_DESC_HIGH", QUEUE_DESC_HIGH, WRITE},
    {"QUEUE_DRIVER_LOW", QUEUE_DRIVER_LOW, WRITE},
    {"QUEUE_DRIVER_HIGH", QUEUE_DRIVER_HIGH, WRITE},
    {"QUEUE_DEVICE_LOW", QUEUE_DEVICE_LOW, WRITE},
    {"QUEUE_DEVICE_HIGH", QUEUE_DEVICE_HIGH, WRITE},
    {"SHM_SEL", SHM_SEL, WRITE},
    {"SHM", SHM, CONSTANT(0xffffffff), .count = 4, .doc = "there is no shared memory"},
    {"CONFIG_GENERATION", CONFIG_GENERATION, READ},
    {"CONFIG", CONFIG, .size = 1, .count = TRESTLE_VIRTIO_CONFIG_MAX, .widths = 1 | 2 | 4 | 8,
     READ},
};
const struct trestle_region virtio_mmio_region = {TRESTLE_REGION(rows), .name = "mmio"};
