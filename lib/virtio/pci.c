/* SPDX-License-Identifier: MIT */
/* The PCI transport of virtio 1.x: its registers, a BAR of their own, and the capabilities by which
 * a driver finds them. */
#include "state.h"

enum {
    /* The common configuration. */
    DEVICE_FEATURE_SELECT = 0x00,
    DEVICE_FEATURE = 0x04,
    DRIVER_FEATURE_SELECT = 0x08,
    DRIVER_FEATURE = 0x0c,
    CONFIG_MSIX_VECTOR = 0x10,
    NUM_QUEUES = 0x12,
    DEVICE_STATUS = 0x14,
    CONFIG_GENERATION = 0x15,
    QUEUE_SELECT = 0x16,
    QUEUE_SIZE = 0x18,
    QUEUE_MSIX_VECTOR = 0x1a,
    QUEUE_ENABLE = 0x1c,
    QUEUE_NOTIFY_OFF = 0x1e,
    QUEUE_DESC = 0x20,
    QUEUE_DRIVER = 0x28,
    QUEUE_DEVICE = 0x30,
    COMMON_END = 0x38,
    /* The other structures. */
    ISR = 0x38,
    NOTIFY = 0x3c,
    NOTIFY_END = 0x3e,
};

/* --- registers ------------------------------------------------------------------------------- */

/* 0xffff: none. */
static uint16_t vector_read(uint16_t vector)
{
    return (uint16_t)(vector - 1);
}

/* One that the device does not have is none, which the driver reads back. */
static void set_vector(struct trestle_virtio *virtio, uint16_t *ref_vector, uint32_t value)
{
    bool is_there = value <= virtio->kind->num_queues;
    virtio->num_vectors += is_there - (*ref_vector != 0);
    *ref_vector = is_there ? (uint16_t)(value + 1) : 0;
}

static uint64_t *place_of(struct virtio_queue *queue, uint64_t offset)
{
    return offset == QUEUE_DESC     ? &queue->desc
           : offset == QUEUE_DRIVER ? &queue->driver
                                    : &queue->device;
}

/* A register of the selected queue; 0 if there is no such queue. */
static uint64_t read_queue(struct trestle_virtio *virtio, uint64_t offset)
{
    struct virtio_queue *queue = virtio_selected(virtio);
    if (!queue)
        return offset == QUEUE_MSIX_VECTOR ? vector_read(0) : 0;
    switch (offset) {
    case QUEUE_SIZE:
        return queue->size ? queue->size : TRESTLE_VIRTIO_QUEUE_SIZE;
    case QUEUE_MSIX_VECTOR:
        return vector_read(queue->vector);
    case QUEUE_ENABLE:
        return queue->is_ready;
    default:
        return *place_of(queue, offset);
    }
}

/* Reading takes the reasons for the interrupt, and lowers the line. */
static uint32_t take_interrupts(struct trestle_device *dev)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    uint32_t interrupts = virtio->interrupts;
    virtio->interrupts = 0;
    trestle_irq_update(dev, 0, 0);
    return interrupts;
}

static int on_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    switch (access->reg->offset) {
    case DEVICE_FEATURE_SELECT:
        access->value = virtio->device_sel;
        break;
    case DEVICE_FEATURE:
        access->value = virtio_offered(virtio);
        break;
    case DRIVER_FEATURE_SELECT:
        access->value = virtio->driver_sel;
        break;
    case DRIVER_FEATURE:
        access->value = virtio_accepted(virtio);
        break;
    case CONFIG_MSIX_VECTOR:
        access->value = vector_read(virtio->config_vector);
        break;
    case NUM_QUEUES:
        access->value = virtio->kind->num_queues;
        break;
    case DEVICE_STATUS:
        access->value = virtio->status;
        break;
    case CONFIG_GENERATION:
        access->value = virtio->generation & 0xff;
        break;
    case QUEUE_SELECT:
        access->value = virtio->queue_sel;
        break;
    case QUEUE_NOTIFY_OFF:
        break; /* one place for all queues: the driver writes which one it means */
    case ISR:
        access->value = take_interrupts(dev);
        break;
    default:
        access->value = read_queue(virtio, access->reg->offset);
        break;
    }
    return 0;
}

/* A driver that leaves the size alone has a queue of the largest one. */
static void enable(struct trestle_device *dev)
{
    struct virtio_queue *queue = virtio_selected(virtio_of(dev));
    if (queue && queue->size == 0)
        virtio_set_size(queue, TRESTLE_VIRTIO_QUEUE_SIZE);
    virtio_set_ready(dev, true);
}

static void write_vector(struct trestle_virtio *virtio, uint32_t value)
{
    struct virtio_queue *queue = virtio_selected(virtio);
    if (queue)
        set_vector(virtio, &queue->vector, value);
}

/* Of the selected queue. */
static void write_queue(struct trestle_device *dev, const struct trestle_register_access *access)
{
    struct virtio_queue *queue = virtio_to_set(dev);
    if (!queue)
        return;
    if (access->reg->offset == QUEUE_SIZE) {
        virtio_set_size(queue, (uint32_t)access->value);
    } else {
        uint64_t *place = place_of(queue, access->reg->offset);
        *place = (*place & ~access->mask) | (access->value & access->mask);
    }
}

static int on_write(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    uint32_t value = (uint32_t)access->value;
    switch (access->reg->offset) {
    case DEVICE_FEATURE_SELECT:
        virtio->device_sel = value;
        break;
    case DRIVER_FEATURE_SELECT:
        virtio->driver_sel = value;
        break;
    case DRIVER_FEATURE:
        virtio_accept(virtio, value);
        break;
    case CONFIG_MSIX_VECTOR:
        set_vector(virtio, &virtio->config_vector, value);
        break;
    case DEVICE_STATUS:
        virtio_set_status(dev, value);
        break;
    case QUEUE_SELECT:
        virtio->queue_sel = value;
        break;
    case QUEUE_MSIX_VECTOR:
        write_vector(virtio, value);
        break;
    case QUEUE_ENABLE:
        if (value == 1) /* only a reset disables it */
            enable(dev);
        break;
    case NOTIFY:
        virtio_notify(dev, value);
        break;
    default:
        write_queue(dev, access);
        break;
    }
    return 0;
}

#define READ .access = TRESTLE_RO, .on_read = on_read
#define BOTH .on_read = on_read, .on_write = on_write

static const struct trestle_register rows[] = {
    {"DEVICE_FEATURE_SELECT", DEVICE_FEATURE_SELECT, BOTH},
    {"DEVICE_FEATURE", DEVICE_FEATURE, READ, .doc = "the 32 that DEVICE_FEATURE_SELECT selects"},
    {"DRIVER_FEATURE_SELECT", DRIVER_FEATURE_SELECT, BOTH},
    {"DRIVER_FEATURE", DRIVER_FEATURE, BOTH, .doc = "the 32 that DRIVER_FEATURE_SELECT selects"},
    {"CONFIG_MSIX_VECTOR", CONFIG_MSIX_VECTOR, .size = 2, BOTH, .doc = "0xffff: none"},
    {"NUM_QUEUES", NUM_QUEUES, .size = 2, READ},
    {"DEVICE_STATUS", DEVICE_STATUS, .size = 1, BOTH, .fields = VIRTIO_STATUS_FIELDS,
     .doc = "writing 0 resets the device"},
    {"CONFIG_GENERATION", CONFIG_GENERATION, .size = 1, READ},
    {"QUEUE_SELECT", QUEUE_SELECT, .size = 2, BOTH,
     .doc = "the queue that the next registers belong to"},
    {"QUEUE_SIZE", QUEUE_SIZE, .size = 2, BOTH, .doc = "0: there is no such queue"},
    {"QUEUE_MSIX_VECTOR", QUEUE_MSIX_VECTOR, .size = 2, BOTH, .doc = "0xffff: none"},
    {"QUEUE_ENABLE", QUEUE_ENABLE, .size = 2, BOTH},
    {"QUEUE_NOTIFY_OFF", QUEUE_NOTIFY_OFF, .size = 2, READ},
    {"QUEUE_DESC", QUEUE_DESC, .size = 8, .widths = 4 | 8, BOTH},
    {"QUEUE_DRIVER", QUEUE_DRIVER, .size = 8, .widths = 4 | 8, BOTH},
    {"QUEUE_DEVICE", QUEUE_DEVICE, .size = 8, .widths = 4 | 8, BOTH},
    {"ISR", ISR, .size = 1, READ, .fields = VIRTIO_INTERRUPT_FIELDS,
     .doc = "reading clears it, and lowers the line"},
    {"NOTIFY", NOTIFY, .size = 2, .access = TRESTLE_TRIGGER, .on_write = on_write,
     .doc = "the queue that has new buffers"},
};
const struct trestle_region virtio_pci_region = {TRESTLE_REGION(rows), .name = "pci"};

/* --- capabilities ---------------------------------------------------------------------------- */

#define LE32(value) (value) & 0xff, (value) >> 8 & 0xff, (value) >> 16 & 0xff, (value) >> 24
#define SIZE 16
#define NOTIFY_SIZE 20 /* with how far a queue's place is from the next one's */
#define PCI_SIZE 20    /* with the data: the driver says what it is of, and reads or writes it */
/* cfg_type, the BAR, an id and padding, where in the BAR. */
#define STRUCTURE(type, bar, offset, length) (type), (bar), 0, 0, 0, LE32(offset), LE32(length)

enum { BAR_MMIO, BAR_PCI };
enum { COMMON_CFG = 1, NOTIFY_CFG = 2, ISR_CFG = 3, DEVICE_CFG = 4, PCI_CFG = 5 };

const uint8_t trestle_virtio_capabilities[] = {
    SIZE,
    STRUCTURE(COMMON_CFG, BAR_PCI, 0, COMMON_END),
    NOTIFY_SIZE,
    STRUCTURE(NOTIFY_CFG, BAR_PCI, NOTIFY, NOTIFY_END - NOTIFY),
    LE32(0),
    SIZE,
    STRUCTURE(ISR_CFG, BAR_PCI, ISR, 1),
    SIZE,
    STRUCTURE(DEVICE_CFG, BAR_MMIO, VIRTIO_MMIO_CONFIG, TRESTLE_VIRTIO_CONFIG_MAX),
    PCI_SIZE,
    STRUCTURE(PCI_CFG, 0, 0, 0),
    LE32(0),
    0};
