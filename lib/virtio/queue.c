/* SPDX-License-Identifier: MIT */
/* Split queues of virtio: what is available, the chains of descriptors, and what was used. Each
 * number that the driver has put there is looked at before it is used, once. */
#include <errno.h>
#include <stdatomic.h>

#include "state.h"
#include "trestle/le.h"

#define DESC_SIZE 16u
#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define DESC_INDIRECT 4u
#define AVAIL_NO_INTERRUPT 1u
#define RING_OFFSET 4u /* of the entries: behind flags and count */
#define USED_SIZE 8u

struct desc {
    uint64_t addr;
    uint32_t size;
    uint16_t flags, next;
};

static bool fits(uint64_t addr, uint64_t size, unsigned alignment)
{
    return addr % alignment == 0 && addr <= UINT64_MAX - size;
}

bool virtio_queue_is_sound(const struct virtio_queue *queue)
{
    uint64_t size = queue->size;
    return size > 0 && (size & (size - 1)) == 0 && fits(queue->desc, size * DESC_SIZE, 16) &&
           fits(queue->driver, RING_OFFSET + size * 2 + 2, 2) &&
           fits(queue->device, RING_OFFSET + size * USED_SIZE + 2, 4);
}

/* --- guest memory ---------------------------------------------------------------------------- */

/* 0, or negative and said. */
static int check_copy(struct trestle_device *dev, int r, const char *what, uint64_t addr)
{
    if (r == -ENOTSUP)
        trestle_virtio_refuse(dev, "this run gives no access to guest memory");
    else if (r == -EFAULT)
        trestle_virtio_refuse(dev, "%s at 0x%llx is not in guest memory", what,
                              (unsigned long long)addr);
    else if (r < 0)
        trestle_virtio_refuse(dev, "guest memory cannot be reached");
    return r;
}

static int fetch(struct trestle_device *dev, uint64_t addr, void *buf, size_t size,
                 const char *what)
{
    return check_copy(dev, trestle_device_memory_read(dev, addr, buf, size), what, addr);
}

static int store(struct trestle_device *dev, uint64_t addr, const void *buf, size_t size,
                 const char *what)
{
    return check_copy(dev, trestle_device_memory_write(dev, addr, buf, size), what, addr);
}

/* --- chains ---------------------------------------------------------------------------------- */

static int refuse(struct trestle_device *dev, const char *why)
{
    trestle_virtio_refuse(dev, "a chain of buffers %s", why);
    return -EPROTO;
}

static struct desc decode(const uint8_t *bytes)
{
    return (struct desc){.addr = trestle_get_le64(bytes),
                         .size = trestle_get_le32(bytes + 8),
                         .flags = trestle_get_le16(bytes + 12),
                         .next = trestle_get_le16(bytes + 14)};
}

static int add_segment(struct trestle_device *dev, struct trestle_virtio_chain *chain,
                       const struct desc *desc)
{
    unsigned count = chain->num_out + chain->num_in;
    bool is_in = desc->flags & DESC_WRITE;
    if (count == TRESTLE_VIRTIO_SEGMENTS_MAX)
        return refuse(dev, "has too many pieces");
    if (!is_in && chain->num_in > 0)
        return refuse(dev, "has a buffer to read after one to write");
    if (desc->size > UINT64_MAX - desc->addr)
        return refuse(dev, "runs past the end of the address space");
    chain->segments[count].addr = desc->addr;
    chain->segments[count].size = desc->size;
    *(is_in ? &chain->num_in : &chain->num_out) += 1;
    *(is_in ? &chain->in_bytes : &chain->out_bytes) += desc->size;
    return 0;
}

/* A table that one descriptor stands for; it is read at once. */
static int walk_indirect(struct trestle_device *dev, const struct desc *table,
                         struct trestle_virtio_chain *chain)
{
    uint8_t bytes[TRESTLE_VIRTIO_SEGMENTS_MAX * DESC_SIZE];
    uint32_t count = table->size / DESC_SIZE, index = 0;
    if (!(virtio_features(dev) & FEATURE_INDIRECT))
        return refuse(dev, "has a table, which the driver has not asked for");
    if (table->flags & (DESC_NEXT | DESC_WRITE))
        return refuse(dev, "goes on after its table");
    if (table->size == 0 || table->size % DESC_SIZE || table->size > sizeof(bytes))
        return refuse(dev, "has a table of impossible length");
    int r = fetch(dev, table->addr, bytes, table->size, "a table of descriptors");
    for (uint32_t seen = 0; r == 0; seen++) {
        if (index >= count)
            return refuse(dev, "leads out of its table");
        if (seen == count)
            return refuse(dev, "has a loop");
        struct desc desc = decode(bytes + index * DESC_SIZE);
        if (desc.flags & DESC_INDIRECT)
            return refuse(dev, "has a table in a table");
        r = add_segment(dev, chain, &desc);
        if (!(desc.flags & DESC_NEXT))
            break;
        index = desc.next;
    }
    return r;
}

static int walk(struct trestle_device *dev, const struct virtio_queue *queue,
                struct trestle_virtio_chain *chain)
{
    uint8_t bytes[DESC_SIZE];
    uint32_t index = chain->head;
    for (uint32_t seen = 0;; seen++) {
        if (index >= queue->size)
            return refuse(dev, "leads out of the queue");
        if (seen == queue->size)
            return refuse(dev, "has a loop");
        int r = fetch(dev, queue->desc + index * DESC_SIZE, bytes, sizeof(bytes), "a descriptor");
        if (r < 0)
            return r;
        struct desc desc = decode(bytes);
        if (desc.flags & DESC_INDIRECT)
            return walk_indirect(dev, &desc, chain);
        r = add_segment(dev, chain, &desc);
        if (r < 0 || !(desc.flags & DESC_NEXT))
            return r;
        index = desc.next;
    }
}

/* --- available ------------------------------------------------------------------------------- */

static int find_available(struct trestle_device *dev, struct virtio_queue *queue)
{
    uint8_t bytes[2];
    if (queue->available != queue->taken)
        return 1;
    int r = fetch(dev, queue->driver + 2, bytes, sizeof(bytes), "the ring of available buffers");
    if (r < 0)
        return r;
    uint16_t available = trestle_get_le16(bytes);
    if ((uint16_t)(available - queue->taken) > queue->size) {
        trestle_virtio_refuse(dev, "the driver offers more buffers than the queue can hold");
        return -EPROTO;
    }
    atomic_thread_fence(memory_order_acquire); /* the entries were there before their count */
    queue->available = available;
    return queue->available != queue->taken;
}

int trestle_virtio_pop(struct trestle_device *dev, uint32_t number,
                       struct trestle_virtio_chain *ret_chain)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    uint8_t bytes[2];
    if (number >= virtio->kind->num_queues || !virtio_is_running(virtio) ||
        !virtio->queues[number].is_ready)
        return 0;
    struct virtio_queue *queue = &virtio->queues[number];
    int r = find_available(dev, queue);
    if (r <= 0)
        return r;
    uint64_t place = queue->driver + RING_OFFSET + queue->taken % queue->size * 2u;
    r = fetch(dev, place, bytes, sizeof(bytes), "the ring of available buffers");
    if (r < 0)
        return r;
    ret_chain->head = trestle_get_le16(bytes);
    ret_chain->num_out = ret_chain->num_in = 0;
    ret_chain->out_bytes = ret_chain->in_bytes = 0;
    r = walk(dev, queue, ret_chain);
    if (r < 0)
        return r;
    queue->taken++;
    return 1;
}

/* --- bytes ----------------------------------------------------------------------------------- */

/* Over the segments from `first` on, as many as `count`. */
static int64_t copy(struct trestle_device *dev, const struct trestle_virtio_chain *chain,
                    unsigned first, unsigned count, uint64_t offset, uint8_t *buf, size_t size,
                    bool is_write)
{
    size_t done = 0;
    for (unsigned i = first; i < first + count && done < size; i++) {
        uint64_t length = chain->segments[i].size, addr = chain->segments[i].addr + offset;
        if (offset >= length) {
            offset -= length;
            continue;
        }
        size_t piece = length - offset < size - done ? (size_t)(length - offset) : size - done;
        int r = is_write ? store(dev, addr, buf + done, piece, "a buffer")
                         : fetch(dev, addr, buf + done, piece, "a buffer");
        if (r < 0)
            return r;
        done += piece;
        offset = 0;
    }
    return (int64_t)done;
}

int64_t trestle_virtio_copy(struct trestle_device *dev, bool write,
                            const struct trestle_virtio_chain *chain, uint64_t offset, void *buf,
                            size_t size)
{
    unsigned first = write ? chain->num_out : 0;
    unsigned count = write ? chain->num_in : chain->num_out;
    return copy(dev, chain, first, count, offset, buf, size, write);
}

/* --- used ------------------------------------------------------------------------------------ */

void trestle_virtio_push(struct trestle_device *dev, uint32_t number,
                         const struct trestle_virtio_chain *chain, uint32_t written)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    uint8_t bytes[USED_SIZE];
    struct virtio_queue *queue = &virtio->queues[number];
    if (!virtio_is_running(virtio) || !queue->is_ready)
        return;
    trestle_put_le32(bytes, chain->head);
    trestle_put_le32(bytes + 4, written);
    uint64_t place = queue->device + RING_OFFSET + queue->used % queue->size * USED_SIZE;
    if (store(dev, place, bytes, sizeof(bytes), "the ring of used buffers") < 0)
        return;
    atomic_thread_fence(memory_order_release); /* the entry is there before its count */
    queue->used++;
    trestle_put_le16(bytes, queue->used);
    if (store(dev, queue->device + 2, bytes, 2, "the ring of used buffers") == 0)
        queue->owes_interrupt = true;
}

static void signal_queue(struct trestle_device *dev, uint32_t number)
{
    struct trestle_virtio *virtio = virtio_of(dev);
    struct virtio_queue *queue = &virtio->queues[number];
    uint8_t flags[2];
    if (!queue->owes_interrupt || !virtio_is_running(virtio))
        return;
    queue->owes_interrupt = false;
    atomic_thread_fence(memory_order_seq_cst); /* the driver sets its flag, and looks again */
    if (fetch(dev, queue->driver, flags, sizeof(flags), "the ring of available buffers") == 0 &&
        !(trestle_get_le16(flags) & AVAIL_NO_INTERRUPT))
        virtio_interrupt(dev, INTERRUPT_USED, queue->vector);
}

void trestle_virtio_signal(struct trestle_device *dev, uint32_t queue)
{
    if (queue == TRESTLE_VIRTIO_CONFIG)
        virtio_config_changed(dev);
    else
        signal_queue(dev, queue);
}
