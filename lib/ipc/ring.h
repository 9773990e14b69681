/* SPDX-License-Identifier: MIT */
/*
 * One direction of the shared-memory carrier: a ring of 64-byte messages with one producer and one
 * consumer, as docs/protocol.md lays it out. The other process is hostile: what it may write is
 * read once, checked, and only then used.
 *
 * A slot is valid when its sequence number is the one that is due, so an access costs one cache
 * line each way and no index is shared in the common case: the producer looks at the consumer's
 * count only when the ring seems full by what it saw last.
 */
#ifndef TRESTLE_IPC_RING_H
#define TRESTLE_IPC_RING_H

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/macros.h"
#include "trestle/wire.h"

#define RING_SLOTS 1024u
/* The consumer has read a slot a lap ago: its line has to be taken back before it is written, which
 * takes as long as the way to the other processor. Asked for so many messages ahead it is there. */
#define RING_AHEAD 4u

struct ring_producer {
    uint8_t *slots;
    const _Atomic uint64_t *consumed; /* the other side writes it */
    const _Atomic uint32_t *sleeps;   /* the other side writes it */
    int doorbell_fd;
    bool needs_fence; /* membarrier() could not be registered */
    uint64_t seq;     /* of the last message posted */
    uint64_t seen;    /* consumed, when last looked at */
};

struct ring_consumer {
    const uint8_t *slots;
    _Atomic uint64_t *consumed;
    _Atomic uint32_t *sleeps;
    int doorbell_fd;
    uint64_t seq;            /* of the last message taken */
    uint32_t idle_doorbells; /* times in a row that the doorbell had rung without a message */
};

static inline _Atomic uint64_t *ring_slot_seq(const uint8_t *slots, uint64_t seq)
{
    return (_Atomic uint64_t *)(uintptr_t)(slots +
                                           ((seq - 1) % RING_SLOTS) * TRESTLE_V2_MESSAGE_SIZE);
}

/* Looks at the other side's count again. -EAGAIN: really full. -EPROTO: it makes no sense. */
int ring_refresh(struct ring_producer *ring);
/* Wakes the consumer. */
void ring_wake(const struct ring_producer *ring);

/* Posts a message, whose seq is set here, and wakes a sleeping consumer. -EAGAIN: the ring is full.
 * -EPROTO: the other side wrote nonsense. */
static inline int ring_post(struct ring_producer *ring, const struct trestle_v2_message *message)
{
    uint64_t seq = ring->seq + 1;
    if (unlikely(seq - ring->seen > RING_SLOTS)) {
        int r = ring_refresh(ring);
        if (r)
            return r;
    }
    _Atomic uint64_t *slot_seq = ring_slot_seq(ring->slots, seq);
    trestle_v2_encode_body((uint8_t *)slot_seq, message);
    /* Release: pairs with the acquire load in ring_take(). */
    atomic_store_explicit(slot_seq, seq, memory_order_release);
    ring->seq = seq;
    prefetch_to_write(ring_slot_seq(ring->slots, seq + RING_AHEAD));
    /* The load below must not pass the store above. When both sides have registered with
     * membarrier(), the sleeper's call in ring_must_sleep() makes it so and this costs nothing. */
    if (ring->needs_fence)
        atomic_thread_fence(memory_order_seq_cst);
    else
        atomic_signal_fence(memory_order_seq_cst);
    if (unlikely(atomic_load_explicit(ring->sleeps, memory_order_relaxed)))
        ring_wake(ring);
    return 0;
}

/* 1: *ret_message is the next one. 0: nothing there. -EPROTO: the other side wrote nonsense. */
static inline int ring_take(struct ring_consumer *ring, struct trestle_v2_message *ret_message)
{
    uint64_t seq = ring->seq + 1;
    const _Atomic uint64_t *slot_seq = ring_slot_seq(ring->slots, seq);
    /* Acquire: pairs with the release store in ring_post(). */
    uint64_t there = atomic_load_explicit(slot_seq, memory_order_acquire);
    if (there != seq)
        return there == (seq > RING_SLOTS ? seq - RING_SLOTS : 0) ? 0 : -EPROTO;
    uint8_t copy[TRESTLE_V2_MESSAGE_SIZE];
    memcpy(copy, (const void *)slot_seq, sizeof(copy));
    trestle_v2_decode(copy, ret_message);
    ret_message->seq = seq;
    ring->seq = seq;
    ring->idle_doorbells = 0;
    /* Release: the copy is done before the producer may reuse the slot. */
    atomic_store_explicit(ring->consumed, seq, memory_order_release);
    return 1;
}

/* Did the producer post another? Only a look: ring_take() finds out what it is. */
static inline bool ring_has_next(const struct ring_consumer *ring)
{
    const _Atomic uint64_t *slot_seq = ring_slot_seq(ring->slots, ring->seq + 1);
    return atomic_load_explicit(slot_seq, memory_order_relaxed) == ring->seq + 1;
}

/* Announces that the consumer is about to sleep, and looks once more: false when something came
 * (or the ring is broken, which the next take tells). Afterwards ring_awake() either way. */
bool ring_must_sleep(struct ring_consumer *ring);
/* Takes the announcement back. */
static inline void ring_awake(struct ring_consumer *ring)
{
    atomic_store_explicit(ring->sleeps, 0, memory_order_relaxed);
}
/* Empties the doorbell, without waiting. -EPROTO: it rang too often for nothing. -ECONNRESET: the
 * other side has closed it; what it posted before may still be taken. */
TRESTLE_CHECK int ring_hear(struct ring_consumer *ring);

#endif
