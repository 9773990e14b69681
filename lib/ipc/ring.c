/* SPDX-License-Identifier: MIT */
#include "ipc/ring.h"

#include <unistd.h>

#include "ipc/barrier.h"

#define IDLE_DOORBELLS_MAX 1000u

int ring_refresh(struct ring_producer *ring)
{
    /* Acquire: pairs with the release in ring_take(); the slot may be written after it. */
    uint64_t consumed = atomic_load_explicit(ring->consumed, memory_order_acquire);
    if (consumed > ring->seq || ring->seq - consumed > RING_SLOTS)
        return -EPROTO;
    ring->seen = consumed;
    return ring->seq - consumed == RING_SLOTS ? -EAGAIN : 0;
}

void ring_wake(const struct ring_producer *ring)
{
    uint64_t one = 1;
    /* Fails only when the counter is full, and then the consumer is awake soon enough. */
    while (write(ring->doorbell_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

bool ring_must_sleep(struct ring_consumer *ring)
{
    uint64_t seq = ring->seq + 1;
    atomic_store_explicit(ring->sleeps, 1, memory_order_relaxed);
    /* Pairs with the (compiler) fence in ring_post(). */
    barrier_for_all();
    uint64_t there = atomic_load_explicit(ring_slot_seq(ring->slots, seq), memory_order_relaxed);
    return there == (seq > RING_SLOTS ? seq - RING_SLOTS : 0);
}

int ring_awake(struct ring_consumer *ring)
{
    uint64_t rings;
    atomic_store_explicit(ring->sleeps, 0, memory_order_relaxed);
    while (read(ring->doorbell_fd, &rings, sizeof(rings)) < 0) {
        if (errno == EINTR)
            continue;
        return 0; /* not rung */
    }
    return ++ring->idle_doorbells > IDLE_DOORBELLS_MAX ? -EPROTO : 0;
}
