/* SPDX-License-Identifier: MIT */
/* The MMIO transport of virtio 1.x: registers, status, features, configuration space. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    CONFIG = 0x100,
};

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
    memset(virtio->queues, 0, sizeof(virtio->queues));
    if (virtio->kind->reset)
        virtio->kind->reset(dev);
}

uint64_t trestle_virtio_features(const struct trestle_device *dev)
{
    return virtio_of(dev)->accepted & virtio_of(dev)->offered;
}

uint8_t *trestle_virtio_config(struct trestle_device *dev)
{
    return virtio_of(dev)->config;
}

void virtio_interrupt(struct trestle_device *dev, uint32_t why)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    virtio->interrupts |= why;
    trestle_irq_update(dev, 0, virtio->interrupts);
}

void trestle_virtio_config_changed(struct trestle_device *dev)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    virtio->generation++;
    if (virtio->status & STATUS_DRIVER_OK)
        virtio_interrupt(dev, INTERRUPT_CONFIG);
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
        virtio_interrupt(dev, INTERRUPT_CONFIG);
}

/* --- registers ------------------------------------------------------------------------------- */

/* The one that the driver has selected, or NULL. */
static struct virtio_queue *selected(struct trestle_virtio *virtio)
{
    return virtio->queue_sel < virtio->kind->num_queues ? &virtio->queues[virtio->queue_sel] : NULL;
}

static uint32_t half(uint64_t value, uint32_t which)
{
    return which > 1 ? 0 : (uint32_t)(value >> 32 * which);
}

static void set_half(uint64_t *ref_value, uint32_t which, uint64_t half)
{
    if (which == 0)
        *ref_value = (*ref_value & ~UINT64_C(0xffffffff)) | half;
    else if (which == 1)
        *ref_value = (*ref_value & 0xffffffff) | half << 32;
}

static int on_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    const struct virtio_queue *queue = selected(virtio);
    switch (access->reg->offset) {
    case DEVICE_ID:
        access->value = virtio->kind->id;
        break;
    case DEVICE_FEATURES:
        access->value = half(virtio->offered, virtio->device_sel);
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

static void set_status(struct trestle_device *dev, uint32_t status)
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

static void set_ready(struct trestle_device *dev, struct virtio_queue *queue, bool is_ready)
{
    if (is_ready && !queue->is_ready && !virtio_queue_is_sound(queue)) {
        trestle_virtio_refuse(dev, "the driver gives queue %u a size or an address that cannot be",
                              virtio_of(dev)->queue_sel);
        return;
    }
    if (is_ready && !queue->is_ready)
        queue->taken = queue->available = queue->used = 0;
    queue->is_ready = is_ready;
}

static void notify(struct trestle_device *dev, uint64_t number)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    bool is_there = number < virtio->kind->num_queues;
    if (!is_there)
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "the driver notifies of queue %llu; there are %u",
                           (unsigned long long)number, virtio->kind->num_queues);
    else if (virtio_is_running(virtio) && virtio->queues[number].is_ready && virtio->kind->notify)
        virtio->kind->notify(dev, (uint32_t)number);
}

/* Of the selected queue. */
static void set_queue(struct trestle_device *dev, uint64_t offset, uint64_t value)
{
    struct virtio_queue *queue = selected(virtio_of(dev));
    if (!queue)
        return;
    if (offset == QUEUE_READY)
        set_ready(dev, queue, value & 1);
    else if (queue->is_ready)
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "the driver changes a queue that is in use");
    else if (offset == QUEUE_SIZE)
        queue->size = value <= TRESTLE_VIRTIO_QUEUE_SIZE ? (uint16_t)value : 0;
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
        if (!(virtio->status & STATUS_FEATURES_OK))
            set_half(&virtio->accepted, virtio->driver_sel, value);
        break;
    case DRIVER_FEATURES_SEL:
        virtio->driver_sel = value;
        break;
    case QUEUE_SEL:
        virtio->queue_sel = value;
        break;
    case QUEUE_NOTIFY:
        notify(dev, value);
        break;
    case INTERRUPT_ACK:
        virtio->interrupts &= ~value;
        trestle_irq_update(dev, 0, virtio->interrupts);
        break;
    case STATUS:
        set_status(dev, value);
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
    {"DEVICE_FEATURES", DEVICE_FEATURES, READ, .doc = "32 of them, as DEVICE_FEATURES_SEL says"},
    {"DEVICE_FEATURES_SEL", DEVICE_FEATURES_SEL, WRITE},
    {"DRIVER_FEATURES", DRIVER_FEATURES, WRITE, .doc = "32 of them, as DRIVER_FEATURES_SEL says"},
    {"DRIVER_FEATURES_SEL", DRIVER_FEATURES_SEL, WRITE},
    {"QUEUE_SEL", QUEUE_SEL, WRITE, .doc = "the queue that the next registers are of"},
    {"QUEUE_SIZE_MAX", QUEUE_SIZE_MAX, READ, .doc = "0: there is no such queue"},
    {"QUEUE_SIZE", QUEUE_SIZE, WRITE},
    {"QUEUE_READY", QUEUE_READY, BOTH},
    {"QUEUE_NOTIFY", QUEUE_NOTIFY, WRITE, .doc = "the queue that has new buffers"},
    {"INTERRUPT_STATUS", INTERRUPT_STATUS, READ,
     .fields = TRESTLE_FIELDS({"used", INTERRUPT_USED}, {"config", INTERRUPT_CONFIG})},
    {"INTERRUPT_ACK", INTERRUPT_ACK, WRITE},
    {"STATUS", STATUS, BOTH,
     .fields = TRESTLE_FIELDS({"acknowledge", 0x01}, {"driver", 0x02},
                              {"driver_ok", STATUS_DRIVER_OK}, {"features_ok", STATUS_FEATURES_OK},
                              {"needs_reset", STATUS_NEEDS_RESET}, {"failed", 0x80}),
     .doc = "writing 0 resets the device"},
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
static const struct trestle_region region = {TRESTLE_REGION(rows)};

const struct trestle_region *const trestle_virtio_regions[] = {&region, NULL};
