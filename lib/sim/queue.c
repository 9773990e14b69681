/* SPDX-License-Identifier: MIT */
/* The event queue: a 4-ary heap that is ordered by time and sequence. */
#include <errno.h>
#include <stdlib.h>

#include "event.h"
#include "queue.h"

void queue_finish(struct queue *queue)
{
    free(queue->heap);
    *queue = (struct queue){0};
}

static int queue_grow(struct queue *queue, size_t wanted)
{
    if (wanted <= queue->capacity)
        return 0;
    size_t capacity = queue->capacity ? queue->capacity : 16;
    while (capacity < wanted)
        capacity *= 2;
    struct queue_entry *heap = reallocarray(queue->heap, capacity, sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    queue->heap = heap;
    queue->capacity = capacity;
    return 0;
}

int queue_reserve(struct queue *queue, size_t n)
{
    int r = queue_grow(queue, queue->count + queue->reserved + n);
    if (r == 0)
        queue->reserved += n;
    return r;
}

void queue_unreserve(struct queue *queue, size_t n)
{
    queue->reserved -= n;
}

int queue_make_room(struct queue *queue)
{
    /* All reserved entries count, though some may be in use: events with a reservation must
     * always find room. */
    size_t wanted = queue->count + queue->reserved + 1;
    return wanted <= queue->capacity ? 0 : queue_grow(queue, wanted);
}

/* One comparison without a branch: which of two events comes first is a coin toss, and a wrong
 * guess of the processor costs more than all the rest of a step. */
static inline unsigned __int128 entry_key(const struct queue_entry *entry)
{
    return (unsigned __int128)entry->when << 64 | entry->sequence;
}

static inline bool entry_before(const struct queue_entry *a, const struct queue_entry *b)
{
    return entry_key(a) < entry_key(b);
}

static inline void entry_put(struct queue *queue, size_t slot, const struct queue_entry *entry)
{
    queue->heap[slot] = *entry;
    entry->event->slot = slot;
}

static void sift_up(struct queue *queue, size_t slot, const struct queue_entry *entry)
{
    while (slot > 0) {
        size_t parent = (slot - 1) / QUEUE_ARITY;
        if (!entry_before(entry, &queue->heap[parent]))
            break;
        entry_put(queue, slot, &queue->heap[parent]);
        slot = parent;
    }
    entry_put(queue, slot, entry);
}

static inline size_t least_child(const struct queue *queue, size_t first)
{
    const struct queue_entry *heap = queue->heap;
    if (first + QUEUE_ARITY <= queue->count) {
        size_t a = first + entry_before(&heap[first + 1], &heap[first]);
        size_t b = first + 2 + entry_before(&heap[first + 3], &heap[first + 2]);
        size_t from_b = entry_before(&heap[b], &heap[a]);
        return a ^ ((a ^ b) & -from_b);
    }
    size_t least = first;
    for (size_t child = first + 1; child < queue->count; child++) {
        if (entry_before(&heap[child], &heap[least]))
            least = child;
    }
    return least;
}

static void sift_down(struct queue *queue, size_t slot, const struct queue_entry *entry)
{
    for (;;) {
        size_t first = slot * QUEUE_ARITY + 1;
        if (first >= queue->count)
            break;
        size_t least = least_child(queue, first);
        if (!entry_before(&queue->heap[least], entry))
            break;
        entry_put(queue, slot, &queue->heap[least]);
        slot = least;
    }
    entry_put(queue, slot, entry);
}

static void sift(struct queue *queue, size_t slot, struct queue_entry entry)
{
    if (slot > 0 && entry_before(&entry, &queue->heap[(slot - 1) / QUEUE_ARITY]))
        sift_up(queue, slot, &entry);
    else
        sift_down(queue, slot, &entry);
}

void queue_push(struct queue *queue, struct trestle_event *event, trestle_time when)
{
    struct queue_entry entry = {when, queue->sequence++, event};
    if (queue->hole) {
        queue->hole = false;
        sift_down(queue, 0, &entry);
    } else {
        sift_up(queue, queue->count++, &entry);
    }
}

void queue_move(struct queue *queue, struct trestle_event *event, trestle_time when)
{
    sift(queue, event->slot, (struct queue_entry){when, queue->sequence++, event});
}

void queue_remove(struct queue *queue, struct trestle_event *event)
{
    size_t slot = event->slot;
    event->slot = QUEUE_IDLE;
    queue->count--;
    if (slot < queue->count)
        sift(queue, slot, queue->heap[queue->count]);
}

void queue_close_hole(struct queue *queue)
{
    struct queue_entry last = queue->heap[queue->count];
    sift_down(queue, 0, &last);
}

trestle_time queue_next(const struct queue *queue)
{
    if (!queue->hole)
        return queue->count ? queue->heap[0].when : TRESTLE_TIME_NEVER;
    return queue->count > 1 ? queue->heap[least_child(queue, 1)].when : TRESTLE_TIME_NEVER;
}
