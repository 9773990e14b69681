/* SPDX-License-Identifier: MIT */
/*
 * The shared memory of a session under ThreadSanitizer: two threads stand for the two processes,
 * and both use one mapping, so that every byte one writes and the other reads is seen. It checks
 * the orders of ring.h that the processor of a developer's machine may give for nothing: each slot,
 * each count, and the bulk area, which only the ring's messages order.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ipc/barrier.h"
#include "ipc/shm.h"
#include "require.h"

#define ACCESSES 20000u
#define POSTED_IN_A_ROW 1500u /* more than a ring holds */
#define BULK_BYTES 256u

static struct shm shm, client_shm; /* one mapping, both ends of the doorbell */
static bool needs_fence;

static void take(struct ring_consumer *ring, struct trestle_v2_message *ret_message)
{
    unsigned looks = 0;
    int taken;
    while ((taken = ring_take(ring, ret_message)) == 0) {
        if (++looks % 64 != 0)
            continue;
        struct pollfd doorbell = {.fd = ring->doorbell_fd, .events = POLLIN};
        if (ring_must_sleep(ring))
            REQUIRE(poll(&doorbell, 1, 60000) == 1);
        ring_awake(ring);
        REQUIRE(ring_hear(ring) == 0);
    }
    REQUIRE(taken == 1);
}

static void post(struct ring_producer *ring, const struct trestle_v2_message *message)
{
    int r;
    while ((r = ring_post(ring, message)) == -EAGAIN)
        poll(NULL, 0, 1);
    REQUIRE(r == 0);
}

static uint8_t *bulk_of(uint64_t id)
{
    return shm.memory + SHM_BULK_OFFSET + id % 7 * BULK_BYTES;
}

/* Fills the bulk area now and then, as a DMA does, before the message that tells of it. */
static void *run_server(void *arg)
{
    struct ring_consumer requests;
    struct ring_producer events;
    uint64_t sum = 0;
    (void)arg;
    shm_server_rings(&shm, needs_fence, &requests, &events);
    for (;;) {
        struct trestle_v2_message m, reply = {.type = TRESTLE_V2_REPLY};
        take(&requests, &m);
        if (m.type == TRESTLE_V2_GOODBYE)
            return NULL;
        sum += m.data;
        if (m.flags & TRESTLE_V2_FLAG_POSTED)
            continue;
        memset(bulk_of(m.id), (int)(m.id & 0xff), BULK_BYTES);
        reply.id = m.id;
        reply.data = sum;
        post(&events, &reply);
    }
}

static void check_bulk(uint64_t id)
{
    const uint8_t *bulk = bulk_of(id);
    for (unsigned i = 0; i < BULK_BYTES; i++)
        REQUIRE(bulk[i] == (id & 0xff));
}

static void *run_client(void *arg)
{
    struct ring_producer requests;
    struct ring_consumer events;
    uint64_t sum = 0;
    (void)arg;
    shm_client_rings(&client_shm, needs_fence, &requests, &events);
    for (uint64_t id = 1; id <= ACCESSES; id++) {
        struct trestle_v2_message reply, m = {.type = TRESTLE_V2_WRITE, .id = id, .data = id};
        unsigned posted = id % 5000 == 0 ? POSTED_IN_A_ROW : id % 3 == 0;
        m.flags = TRESTLE_V2_FLAG_POSTED;
        for (unsigned i = 0; i < posted; i++, sum += id)
            post(&requests, &m);
        m.flags = 0;
        post(&requests, &m);
        sum += id;
        take(&events, &reply);
        REQUIRE(reply.id == id && reply.data == sum);
        check_bulk(id);
    }
    post(&requests, &(struct trestle_v2_message){.type = TRESTLE_V2_GOODBYE});
    return NULL;
}

int main(void)
{
    pthread_t server, client;
    needs_fence = !barrier_register();
    REQUIRE(shm_create(&shm, &(const char *){NULL}) == 0);
    client_shm = (struct shm){.memory = shm.memory, .doorbell_fd = shm.fds[SHM_FD_DOORBELL]};
    REQUIRE(pthread_create(&server, NULL, run_server, NULL) == 0);
    REQUIRE(pthread_create(&client, NULL, run_client, NULL) == 0);
    pthread_join(client, NULL);
    pthread_join(server, NULL);
    shm_close(&shm);
    printf("%u accesses\n", ACCESSES);
    return 0;
}
