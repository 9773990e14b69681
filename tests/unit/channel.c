/* SPDX-License-Identifier: MIT */
/* Both kinds of carrier do the same: order, payloads, a side that takes nothing, sleeping, hanging
 * up. */
#include "ipc/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "ipc/barrier.h"

static struct fixture {
    int sockets[2]; /* the server's, and the client's */
    struct stream streams[2];
    struct channel server, client;
    struct ipc_crowd crowd;
    struct ipc_wait wait;
} f;

static int open_sockets(void)
{
    ipc_wait_init(&f.wait, TRESTLE_WAIT_ADAPTIVE, &f.crowd);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f.sockets) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        stream_start(&f.streams[i], f.sockets[i]);
    return 0;
}

static int open_streams(void **state)
{
    (void)state;
    if (open_sockets() < 0)
        return -1;
    channel_open_stream(&f.server, &f.streams[0]);
    channel_open_stream(&f.client, &f.streams[1]);
    return 0;
}

static int open_rings(void **state)
{
    const char *what;
    bool needs_fence = !barrier_register();
    (void)state;
    if (open_sockets() < 0 || channel_create_ring(&f.server, needs_fence, &what) < 0)
        return -1;
    int fds[SHM_NUM_FDS];
    for (int i = 0; i < SHM_NUM_FDS; i++)
        fds[i] = dup(f.server.shm.fds[i]);
    shm_handed_over(&f.server.shm);
    return channel_open_ring(&f.client, needs_fence, fds);
}

static int close_both(void **state)
{
    (void)state;
    channel_close(&f.server);
    channel_close(&f.client);
    for (int i = 0; i < 2; i++)
        if (f.sockets[i] >= 0)
            close(f.sockets[i]);
    return 0;
}

static void hang_up(void)
{
    channel_close(&f.server);
    close(f.sockets[0]);
    f.sockets[0] = -1;
}

static struct channel_end end_at_client(void)
{
    return (struct channel_end){f.sockets[1], POLLIN};
}

static void test_order(void **state)
{
    struct trestle_v2_message message = {.type = TRESTLE_V2_READ, .size = 4}, taken;
    (void)state;
    assert_int_equal(channel_take(&f.server, &taken), 0);
    for (uint64_t id = 1; id <= 3; id++) {
        message.id = id;
        assert_int_equal(channel_post(&f.client, &message), 0);
        assert_false(channel_has_rest(&f.client));
    }
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(channel_take(&f.server, &taken), 1);
        assert_int_equal(taken.id, id);
        assert_int_equal(taken.seq, id);
    }
    assert_int_equal(channel_take(&f.server, &taken), 0);
    assert_int_equal(channel_post(&f.server, &message), 0); /* and the other way */
    assert_int_equal(channel_take(&f.client, &taken), 1);
}

/* Posts until there is no room. How many there was room for. */
static uint64_t fill(struct channel *channel)
{
    struct trestle_v2_message message = {.type = TRESTLE_V2_WRITE, .size = 4};
    int r;
    while ((r = channel_post(channel, &message)) == 0)
        message.id++;
    assert_int_equal(r, -EAGAIN);
    return message.id;
}

static void test_nothing_is_lost_where_nobody_takes(void **state)
{
    struct trestle_v2_message taken;
    (void)state;
    uint64_t count = fill(&f.client);
    assert_cmp(count, >=, 16);
    for (uint64_t id = 0; id < count; id++) {
        assert_int_equal(channel_take(&f.server, &taken), 1);
        assert_int_equal(taken.id, id);
        assert_int_equal(channel_flush(&f.client, 0), 0); /* there is room for the rest by now */
    }
    assert_int_equal(channel_take(&f.server, &taken), 0);
    assert_int_equal(channel_post(&f.client, &taken), 0);
    assert_false(f.client.is_cut);
}

static void test_a_message_that_is_cut(void **state)
{
    (void)state;
    fill(&f.client);
    assert_true(channel_has_rest(&f.client));
    assert_int_equal(channel_flush(&f.client, 0), -ETIMEDOUT);
    assert_true(f.client.is_cut);
}

static void test_a_payload_that_is_cut(void **state)
{
    static uint8_t much[1 << 20];
    (void)state;
    assert_int_equal(channel_send_payload(&f.client, much, sizeof(much), clock_ns()), -ETIMEDOUT);
    assert_true(f.client.is_cut);
    assert_int_equal(channel_take_payload(&f.client, much, 1, clock_ns(), &f.wait), -ETIMEDOUT);
    assert_false(f.server.is_cut);
    assert_int_equal(channel_take_payload(&f.server, much, sizeof(much), clock_ns(), &f.wait),
                     -ETIMEDOUT);
    assert_true(f.server.is_cut);
}

/* As a model reads from the guest's memory, and as it writes there. */
static void test_payloads(void **state)
{
    enum { SIZE = 40000 };
    static uint8_t given[SIZE], buf[2][SIZE];
    struct trestle_v2_message message = {.type = TRESTLE_V2_DMA_WRITE, .data = SIZE, .extra = 64};
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        given[i] = (uint8_t)(i * 7);
    uint8_t *from = channel_place(&f.server, message.extra, SIZE, buf[0]);
    memcpy(from, given, SIZE);
    assert_int_equal(channel_post(&f.server, &message), 0);
    assert_int_equal(channel_send_payload(&f.server, from, SIZE, CLOCK_NEVER), 0);
    assert_int_equal(channel_take(&f.client, &message), 1);
    uint8_t *to = channel_place(&f.client, message.extra, message.data, buf[1]);
    assert_int_equal(channel_take_payload(&f.client, to, SIZE, CLOCK_NEVER, &f.wait), 0);
    assert_memory_equal(to, given, SIZE);
    assert_int_equal(channel_take(&f.client, &message), 0);
}

static void test_a_payload_outside_of_the_memory(void **state)
{
    (void)state;
    assert_non_null(channel_place(&f.client, SHM_BULK_SIZE - 8, 8, NULL));
    assert_non_null(channel_place(&f.client, SHM_BULK_SIZE, 0, NULL));
    assert_null(channel_place(&f.client, SHM_BULK_SIZE - 8, 9, NULL));
    assert_null(channel_place(&f.client, SHM_BULK_SIZE + 1, 0, NULL));
    assert_null(channel_place(&f.client, UINT64_MAX, 8, NULL));
    assert_null(channel_place(&f.client, 8, UINT64_MAX, NULL));
}

/* A place that the peer names is nowhere else. */
static void test_places_lie_one_behind_the_other(void **state)
{
    uint8_t *first = channel_place(&f.server, 0, SHM_BULK_SIZE, NULL);
    (void)state;
    memset(first, 0, SHM_BULK_SIZE);
    assert_ptr_equal(channel_place(&f.server, 64, 8, NULL), first + 64);
    memcpy(channel_place(&f.client, 64, 8, NULL), "from 64.", 8);
    assert_memory_equal(first + 64, "from 64.", 8);
}

/* As many rings as nobody may have heard, so that a peer cannot make the system keep more. */
static void test_doorbells_hold_few_rings(void **state)
{
    const int fds[] = {f.server.shm.doorbell_fd, f.client.shm.doorbell_fd};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        unsigned rings = 0;
        while (send(fds[i], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
            rings++;
        assert_cmp(rings, >, 0);
        assert_cmp(rings, <, 64);
    }
}

/* The reason is that of the call that has failed. */
static void test_a_ring_that_cannot_be(void **state)
{
    struct rlimit files, none, size;
    struct channel channel;
    const char *what = NULL;
    int lowest = dup(STDERR_FILENO);
    (void)state;
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &size), 0);
    none = (struct rlimit){(rlim_t)lowest, files.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(channel_create_ring(&channel, false, &what), -EMFILE);
    assert_string_equal(what, "memfd_create");
    none.rlim_cur++;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(channel_create_ring(&channel, false, &what), -EMFILE);
    assert_string_equal(what, "socketpair");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    none = (struct rlimit){SHM_SIZE - 1, size.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(channel_create_ring(&channel, false, &what), -EFBIG);
    assert_string_equal(what, "the limit for the size of files");
    assert_int_equal(channel.kind, CHANNEL_CLOSED.kind);
    assert_int_equal(dup(STDERR_FILENO), lowest); /* nothing is left open */
    close(lowest);
    none.rlim_cur++; /* which is just enough */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(channel_create_ring(&channel, false, &what), 0);
    channel_close(&channel);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &size), 0);
    assert_int_equal(channel.kind, CHANNEL_CLOSED.kind);
}

/* His socket ends before his rings do. */
static void test_a_sleeper_hears_of_the_end(void **state)
{
    (void)state;
    close(f.sockets[0]);
    f.sockets[0] = -1;
    assert_true(channel_must_sleep(&f.client));
    assert_true(channel_sleep(&f.client, end_at_client(), CLOCK_NEVER));
}

static void test_a_sleeper_wakes(void **state)
{
    struct trestle_v2_message message = {.type = TRESTLE_V2_IRQ};
    (void)state;
    assert_true(channel_must_sleep(&f.client));
    assert_false(channel_sleep(&f.client, end_at_client(), 0)); /* nothing comes */
    assert_int_equal(channel_post(&f.server, &message), 0);
    assert_false(channel_sleep(&f.client, end_at_client(), CLOCK_NEVER));
    channel_awake(&f.client);
    assert_int_equal(channel_hear(&f.client), 0);
    assert_int_equal(channel_take(&f.client, &message), 1);
}

static void test_what_was_left_behind_comes_first(void **state)
{
    struct trestle_v2_message message = {.type = TRESTLE_V2_IRQ, .id = 5};
    (void)state;
    assert_int_equal(channel_post(&f.server, &message), 0);
    hang_up();
    message.id = 0;
    assert_int_equal(channel_take(&f.client, &message), 1);
    assert_int_equal(message.id, 5);
    bool is_end =
        !channel_must_sleep(&f.client) || channel_sleep(&f.client, end_at_client(), CLOCK_NEVER);
    int r = channel_hear(&f.client);
    assert_int_equal(r ? r : channel_take(&f.client, &message), -ECONNRESET);
    assert_int_equal(is_end, channel_is_shared(&f.client));
}

static void test_rings_leave_no_memory(void **state)
{
    unsigned char pages[(SHM_SIZE + 4095) / 4096];
    uint8_t *memory = f.client.shm.memory;
    (void)state;
    assert_int_equal(mincore(memory, SHM_SIZE, pages), 0);
    channel_close(&f.client);
    assert_int_equal(mincore(memory, SHM_SIZE, pages), -1);
    assert_int_equal(errno, ENOMEM); /* nothing is there */
}

/* Descriptor 0 is the server's memory, and then the client's end of the doorbell. */
static void test_rings_with_descriptor_0(void **state)
{
    struct trestle_v2_message message = {.type = TRESTLE_V2_READ, .size = 4};
    const char *what;
    int fds[SHM_NUM_FDS], saved = free_stdin();
    (void)state;
    assert_int_equal(channel_create_ring(&f.server, false, &what), 0);
    assert_int_equal(f.server.shm.fds[SHM_FD_MEMORY], 0);
    for (int i = 0; i < SHM_NUM_FDS; i++)
        fds[i] = dup(f.server.shm.fds[i]);
    shm_handed_over(&f.server.shm);
    assert_int_equal(dup2(fds[SHM_FD_DOORBELL], 0), 0); /* which is free again */
    close(fds[SHM_FD_DOORBELL]);
    fds[SHM_FD_DOORBELL] = 0;
    assert_int_equal(channel_open_ring(&f.client, false, fds), 0);
    assert_int_equal(channel_post(&f.client, &message), 0);
    assert_int_equal(channel_take(&f.server, &message), 1);
    channel_close(&f.client);
    restore_stdin(saved);
    channel_close(&f.server);
}

#define BOTH(test)                                                 \
    cmocka_unit_test_setup_teardown(test, open_rings, close_both), \
        cmocka_unit_test_setup_teardown(test, open_streams, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_order),
        BOTH(test_nothing_is_lost_where_nobody_takes),
        cmocka_unit_test_setup_teardown(test_a_message_that_is_cut, open_streams, close_both),
        cmocka_unit_test_setup_teardown(test_a_payload_that_is_cut, open_streams, close_both),
        BOTH(test_payloads),
        cmocka_unit_test_setup_teardown(test_a_payload_outside_of_the_memory, open_rings,
                                        close_both),
        cmocka_unit_test_setup_teardown(test_places_lie_one_behind_the_other, open_rings,
                                        close_both),
        cmocka_unit_test_setup_teardown(test_doorbells_hold_few_rings, open_rings, close_both),
        cmocka_unit_test(test_a_ring_that_cannot_be),
        cmocka_unit_test(test_rings_with_descriptor_0),
        cmocka_unit_test_setup_teardown(test_rings_leave_no_memory, open_rings, close_both),
        cmocka_unit_test_setup_teardown(test_a_sleeper_hears_of_the_end, open_rings, close_both),
        BOTH(test_a_sleeper_wakes),
        BOTH(test_what_was_left_behind_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
