/* SPDX-License-Identifier: MIT */
/* The slow paths of a ring: full, empty, going to sleep and waking the peer. */
#include "ipc/ring.h"

#include <sys/socket.h>

#include "ipc/barrier.h"

#define IDLE_DOORBELLS_MAX 1000u
/* More than an honest peer leaves behind: each byte in a socket takes some hundred of the kernel's.
 */
#define RINGS_AT_ONCE 512u

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
    const char byte = 0;
    /* A full doorbell has been rung. One that is closed tells so to whoever listens at this end.
     * Flags of the call's own, since the other side may have a copy of this end. */
    while (send(ring->doorbell_fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EINTR)
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

int ring_hear(struct ring_consumer *ring)
{
    uint8_t rings[RINGS_AT_ONCE];
    ssize_t n;
    do
        n = recv(ring->doorbell_fd, rings, sizeof(rings), MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0; /* not rung */
    if (n <= 0)
        return -ECONNRESET;
    return ++ring->idle_doorbells > IDLE_DOORBELLS_MAX ? -EPROTO : 0;
}
