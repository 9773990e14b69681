/* SPDX-License-Identifier: MIT */
/*
 * The event queue: a 4-ary heap ordered by (time, sequence). Keys lie in the heap itself, so that
 * a comparison touches no event; an event knows its slot, so that moving and cancelling it are
 * O(log n). Four children share two cache lines and halve the depth of a binary heap.
 */
#ifndef TRESTLE_SIM_QUEUE_H
#define TRESTLE_SIM_QUEUE_H

#include "event.h"
#include "trestle/sim.h"

#define QUEUE_IDLE SIZE_MAX
#define QUEUE_ARITY 4u

struct queue_entry {
    trestle_time when;
    uint64_t sequence;
    struct trestle_event *event;
};

struct queue {
    struct queue_entry *heap;
    size_t count, capacity;
    bool hole;       /* heap[0] is of an event that was taken; see queue_take() */
    size_t reserved; /* entries that queue_reserve() promised to events of the library's own */
    uint64_t sequence;
};

void queue_finish(struct queue *queue);

/* Room for n more events whose owner cannot deal with a failure later. */
TRESTLE_CHECK int queue_reserve(struct queue *queue, size_t n);
void queue_unreserve(struct queue *queue, size_t n);

/* Room for one more event that reserved nothing. */
TRESTLE_CHECK int queue_make_room(struct queue *queue);

/* Adds an idle event, for which there is room. */
void queue_push(struct queue *queue, struct trestle_event *event, trestle_time when);
/* Gives a pending event another time, behind all that have that time already. */
void queue_move(struct queue *queue, struct trestle_event *event, trestle_time when);
void queue_remove(struct queue *queue, struct trestle_event *event);
/* Takes the first event of a queue that is not empty. Its entry stays at the root as a hole with
 * the least of all keys, so that the heap remains in order: the first push, mostly of the very
 * event that fires, fills it with one descent in place of a descent and a climb. */
static inline struct trestle_event *queue_take(struct queue *queue)
{
    struct trestle_event *event = queue->heap[0].event;
    event->slot = QUEUE_IDLE;
    queue->hole = true;
    return event;
}
/* The hole of a queue that has other entries. */
void queue_close_hole(struct queue *queue);
/* Closes the hole if nothing has filled it; required before the next take. */
static inline void queue_settle(struct queue *queue)
{
    if (!queue->hole)
        return;
    queue->hole = false;
    if (--queue->count > 0)
        queue_close_hole(queue);
}

/* Time of an event, or TRESTLE_TIME_NEVER when it is idle. */
static inline trestle_time queue_when(const struct queue *queue, const struct trestle_event *event)
{
    return trestle_event_pending(event) ? queue->heap[event->slot].when : TRESTLE_TIME_NEVER;
}

/* Time of the first event, or TRESTLE_TIME_NEVER. */
trestle_time queue_next(const struct queue *queue);

#endif
