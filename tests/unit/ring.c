/* SPDX-License-Identifier: MIT */
/* The shared-memory carrier: order, full and empty, sleeping and waking between two threads, and
 * a peer that lies. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "ipc/barrier.h"
#include "ipc/fds.h"
#include "ipc/shm.h"

struct pair {
    struct shm server, client;
    struct ring_consumer requests_in;
    struct ring_producer requests_out;
    struct ring_producer events_out;
    struct ring_consumer events_in;
};

/* Both ends, the client's made from descriptors that went through a socket. */
static int open_pair(void **state)
{
    static struct pair pair;
    int sockets[2], fds[FDS_MAX];
    size_t num_fds;
    char byte = 'x';
    bool needs_fence = !barrier_register();
    assert_int_equal(shm_create(&pair.server, &(const char *){NULL}), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(fds_send(sockets[0], &byte, 1, pair.server.fds, SHM_NUM_FDS), 0);
    shm_handed_over(&pair.server);
    assert_int_equal(fds_recv(sockets[1], &byte, 1, fds, &num_fds), 1);
    assert_int_equal(num_fds, SHM_NUM_FDS);
    assert_int_equal(shm_open_received(&pair.client, fds), 0);
    close(sockets[0]);
    close(sockets[1]);
    shm_server_rings(&pair.server, needs_fence, &pair.requests_in, &pair.events_out);
    shm_client_rings(&pair.client, needs_fence, &pair.requests_out, &pair.events_in);
    *state = &pair;
    return 0;
}

static int close_pair(void **state)
{
    struct pair *pair = *state;
    shm_close(&pair->client);
    shm_close(&pair->server);
    return 0;
}

static void test_order_and_fields(void **state)
{
    struct pair *pair = *state;
    struct trestle_v2_message m, got;
    assert_int_equal(ring_take(&pair->requests_in, &got), 0);
    for (uint64_t i = 0; i < 3 * RING_SLOTS; i++) {
        m = (struct trestle_v2_message){.type = TRESTLE_V2_WRITE,
                                        .size = 8,
                                        .device = 3,
                                        .id = i,
                                        .addr = 8 * i,
                                        .data = ~i,
                                        .time = i + 1,
                                        .next = i + 2,
                                        .extra = i + 3};
        assert_int_equal(ring_post(&pair->requests_out, &m), 0);
        assert_int_equal(ring_take(&pair->requests_in, &got), 1);
        m.seq = i + 1;
        assert_memory_equal(&m, &got, sizeof(m));
        assert_int_equal(ring_take(&pair->requests_in, &got), 0);
    }
}

static void test_full_ring_takes_nothing_and_loses_nothing(void **state)
{
    struct pair *pair = *state;
    struct trestle_v2_message m = {.type = TRESTLE_V2_IRQ}, got;
    for (uint64_t i = 0; i < RING_SLOTS; i++) {
        m.id = i;
        assert_int_equal(ring_post(&pair->events_out, &m), 0);
    }
    assert_int_equal(ring_post(&pair->events_out, &m), -EAGAIN);
    assert_int_equal(ring_take(&pair->events_in, &got), 1);
    m.id = RING_SLOTS;
    assert_int_equal(ring_post(&pair->events_out, &m), 0);
    assert_int_equal(ring_post(&pair->events_out, &m), -EAGAIN);
    for (uint64_t i = 1; i <= RING_SLOTS; i++) {
        assert_int_equal(ring_take(&pair->events_in, &got), 1);
        assert_int_equal(got.id, i);
    }
    assert_int_equal(ring_take(&pair->events_in, &got), 0);
}

static void test_sequence_that_jumps(void **state)
{
    struct pair *pair = *state;
    struct trestle_v2_message m = {.type = TRESTLE_V2_FLUSH}, got;
    _Atomic uint64_t *seq = ring_slot_seq(pair->requests_out.slots, 1);
    static const uint64_t lies[] = {2, 1025, UINT64_MAX, 7};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        atomic_store(seq, lies[i]);
        assert_int_equal(ring_take(&pair->requests_in, &got), -EPROTO);
    }
    atomic_store(seq, 0);
    assert_int_equal(ring_post(&pair->requests_out, &m), 0);
    assert_int_equal(ring_take(&pair->requests_in, &got), 1);
    /* A consumer that claims more than was posted, or less than it had. */
    _Atomic uint64_t *consumed = (_Atomic uint64_t *)(uintptr_t)pair->requests_out.consumed;
    for (unsigned i = 0; i < RING_SLOTS - 1; i++)
        assert_int_equal(ring_post(&pair->requests_out, &m), 0);
    atomic_store(consumed, RING_SLOTS + 1);
    pair->requests_out.seen = 0;
    assert_int_equal(ring_post(&pair->requests_out, &m), -EPROTO);
    atomic_store(consumed, 1);
    assert_int_equal(ring_post(&pair->requests_out, &m), 0);
    atomic_store(consumed, 0);
    pair->requests_out.seen = 0;
    assert_int_equal(ring_post(&pair->requests_out, &m), -EPROTO);
}

static void test_doorbell_rings_only_for_a_sleeper(void **state)
{
    struct pair *pair = *state;
    struct trestle_v2_message m = {.type = TRESTLE_V2_FLUSH}, got;
    struct pollfd bell = {.fd = pair->server.doorbell_fd, .events = POLLIN};
    assert_int_equal(ring_post(&pair->requests_out, &m), 0);
    assert_int_equal(poll(&bell, 1, 0), 0);
    assert_false(ring_must_sleep(&pair->requests_in)); /* something is there */
    ring_awake(&pair->requests_in);
    assert_int_equal(ring_take(&pair->requests_in, &got), 1);
    assert_true(ring_must_sleep(&pair->requests_in));
    assert_int_equal(ring_post(&pair->requests_out, &m), 0);
    assert_int_equal(poll(&bell, 1, 0), 1);
    ring_awake(&pair->requests_in);
    assert_int_equal(ring_hear(&pair->requests_in), 0);
    assert_int_equal(poll(&bell, 1, 0), 0);
    assert_int_equal(ring_post(&pair->requests_out, &m), 0);
    assert_int_equal(poll(&bell, 1, 0), 0); /* no sleeper */
}

static void test_doorbell_without_messages(void **state)
{
    struct pair *pair = *state;
    int r = 0;
    unsigned rings = 0;
    while (!r && rings < 2000) {
        ring_wake(&pair->requests_out);
        rings++;
        r = ring_hear(&pair->requests_in);
    }
    assert_int_equal(r, -EPROTO);
    assert_int_equal(rings, 1001);
}

/* Whoever posts while the other side does not come to look rings once for all. */
static void test_many_rings_are_heard_at_once(void **state)
{
    struct pair *pair = *state;
    struct pollfd bell = {.fd = pair->client.doorbell_fd, .events = POLLIN};
    for (unsigned i = 0; i < 10000; i++)
        ring_wake(&pair->events_out);
    assert_int_equal(poll(&bell, 1, 0), 1);
    assert_int_equal(ring_hear(&pair->events_in), 0);
    assert_int_equal(pair->events_in.idle_doorbells, 1);
    assert_int_equal(poll(&bell, 1, 0), 0);
}

/* What is posted before the doorbell is closed counts. */
static void test_doorbell_that_is_closed(void **state)
{
    struct pair *pair = *state;
    struct trestle_v2_message m = {.type = TRESTLE_V2_FLUSH}, got;
    assert_true(ring_must_sleep(&pair->requests_in));
    assert_int_equal(ring_post(&pair->requests_out, &m), 0);
    ring_wake(&pair->events_out); /* unread bytes at the other end make it an error first */
    shm_close(&pair->client);
    ring_wake(&pair->events_out); /* no signal */
    ring_awake(&pair->requests_in);
    while (ring_hear(&pair->requests_in) == 0)
        ;
    assert_int_equal(ring_hear(&pair->requests_in), -ECONNRESET);
    assert_int_equal(ring_take(&pair->requests_in, &got), 1);
    assert_int_equal(ring_hear(&pair->requests_in), -ECONNRESET);
}

static void set_blocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
}

/* The server made the client's end and may have kept a copy of it, flags and all; its own end it
 * never gave away. A call that waited would never come back: the alarm ends it. */
static void test_peer_cannot_make_a_doorbell_block(void **state)
{
    struct pair *pair = *state;
    char rings[4096];
    set_blocking(pair->server.doorbell_fd);
    set_blocking(pair->client.doorbell_fd);
    alarm(20);
    assert_int_equal(ring_hear(&pair->events_in), 0); /* nobody rings */
    assert_int_equal(ring_hear(&pair->requests_in), 0);
    for (unsigned i = 0; i < 10000; i++) { /* nobody hears */
        ring_wake(&pair->requests_out);
        ring_wake(&pair->events_out);
    }
    while (send(pair->server.doorbell_fd, rings, sizeof(rings), MSG_DONTWAIT) > 0)
        ;
    ring_wake(&pair->events_out);
    int r = 0; /* who rings without end is heard, a bounded while at a time, and given up */
    for (unsigned heard = 0; !r; heard++) {
        assert_cmp(heard, <=, 1000);
        send(pair->server.doorbell_fd, rings, sizeof(rings), MSG_DONTWAIT);
        r = ring_hear(&pair->events_in);
    }
    assert_int_equal(r, -EPROTO);
    alarm(0);
}

/* --- two threads ----------------------------------------------------------------------------- */

#define PING_PONGS 20000u

static void take_or_sleep(struct ring_consumer *ring, struct trestle_v2_message *ret_message)
{
    struct pollfd bell = {.fd = ring->doorbell_fd, .events = POLLIN};
    while (ring_take(ring, ret_message) == 0) {
        /* Without the barriers a wake-up is lost sooner or later, and this poll times out. */
        if (ring_must_sleep(ring))
            assert_int_equal(poll(&bell, 1, 20000), 1);
        ring_awake(ring);
        assert_int_equal(ring_hear(ring), 0);
    }
}

static void *echo_server(void *arg)
{
    struct pair *pair = arg;
    struct trestle_v2_message m;
    for (unsigned i = 0; i < PING_PONGS; i++) {
        take_or_sleep(&pair->requests_in, &m);
        assert_int_equal(m.id, i);
        m.type = TRESTLE_V2_REPLY;
        assert_int_equal(ring_post(&pair->events_out, &m), 0);
    }
    return NULL;
}

static void test_no_wake_up_is_lost(void **state)
{
    struct pair *pair = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, echo_server, pair), 0);
    for (unsigned i = 0; i < PING_PONGS; i++) {
        struct trestle_v2_message m = {.type = TRESTLE_V2_READ, .id = i, .data = ~(uint64_t)i}, got;
        assert_int_equal(ring_post(&pair->requests_out, &m), 0);
        take_or_sleep(&pair->events_in, &got);
        assert_int_equal(got.id, i);
        assert_int_equal(got.data, m.data);
    }
    pthread_join(thread, NULL);
}

/* --- descriptors of a hostile server --------------------------------------------------------- */

static int memfd(off_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void expect_refusal(int memory, int doorbell, int error)
{
    struct shm shm;
    int fds[SHM_NUM_FDS] = {memory, doorbell};
    assert_int_equal(shm_open_received(&shm, fds), error);
    for (int i = 0; i < SHM_NUM_FDS; i++)
        assert_int_equal(fcntl(fds[i], F_GETFD), -1); /* all were closed */
}

static int doorbell(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static void test_received_descriptors_are_checked(void **state)
{
    (void)state;
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    expect_refusal(memfd(SHM_SIZE, 0), doorbell(), -EBADF);
    expect_refusal(memfd(SHM_SIZE, F_SEAL_SHRINK | F_SEAL_GROW), doorbell(), -EBADF);
    expect_refusal(memfd(SHM_SIZE - 4096, seals), doorbell(), -EMSGSIZE);
    expect_refusal(memfd(0, seals), doorbell(), -EMSGSIZE);
    expect_refusal(open("/dev/null", O_RDWR), doorbell(), -EBADF);
    /* What is no such socket could wait in a call, or say nothing of its end. */
    expect_refusal(memfd(SHM_SIZE, seals), open("/dev/zero", O_RDWR | O_NONBLOCK), -EBADF);
    expect_refusal(memfd(SHM_SIZE, seals), eventfd(0, EFD_NONBLOCK), -EBADF);
    expect_refusal(memfd(SHM_SIZE, seals), socket(AF_UNIX, SOCK_DGRAM, 0), -EBADF);
    expect_refusal(memfd(SHM_SIZE, seals), socket(AF_INET, SOCK_STREAM, 0), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_and_fields, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_full_ring_takes_nothing_and_loses_nothing, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(test_sequence_that_jumps, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_doorbell_rings_only_for_a_sleeper, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(test_doorbell_without_messages, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_many_rings_are_heard_at_once, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_doorbell_that_is_closed, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_peer_cannot_make_a_doorbell_block, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(test_no_wake_up_is_lost, open_pair, close_pair),
        cmocka_unit_test(test_received_descriptors_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
