/* SPDX-License-Identifier: MIT */
/* Raw version 2 on both carriers against a live bridge: the same suite for each, and then a QEMU
 * that lies. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>

#include "bridge_fixture.h"
#include "ipc/barrier.h"
#include "ipc/fds.h"
#include "ipc/shm.h"

#define FEATURES_SOCKET (TRESTLE_V2_FEATURE_POSTED | TRESTLE_V2_FEATURE_TIME)
#define FEATURES_SHM (FEATURES_SOCKET | TRESTLE_V2_FEATURE_SHM)
#define FEATURES_GUEST (TRESTLE_V2_FEATURE_TIME | TRESTLE_V2_FEATURE_IRQ | TRESTLE_V2_FEATURE_DMA)

struct client {
    int fds[3];
    uint32_t devices[3];
    uint64_t out_seq[3], in_seq[3]; /* socket carrier */
    uint64_t id;
    struct shm shm;
    struct ring_producer requests;
    struct ring_consumer events;
};

/* --- a client -------------------------------------------------------------------------------- */

static struct trestle_v2_hello hello_for(uint32_t index, uint32_t features)
{
    return (struct trestle_v2_hello){.version_min = 2,
                                     .version_max = 2,
                                     .features = features,
                                     .client_id = "a client's id..",
                                     .base_addr = BASE + index * STRIDE,
                                     .size = 4096,
                                     .irq_lines = 2};
}

static void send_hello(int fd, const struct trestle_v2_hello *hello)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    trestle_v2_encode_hello(bytes, hello);
    client_send(fd, bytes, sizeof(bytes));
}

/* The welcome, and the descriptors that came with it. */
static struct trestle_v2_welcome receive_welcome(struct fixture *f, int fd, int fds[FDS_MAX],
                                                 size_t *ret_num_fds)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_welcome welcome;
    ssize_t n = -EAGAIN;
    for (unsigned i = 0; i < 1000 && n == -EAGAIN; i++) {
        turn(f);
        n = fds_recv(fd, bytes, sizeof(bytes), fds, ret_num_fds);
    }
    assert_int_equal(n, sizeof(bytes));
    assert_int_equal(trestle_v2_decode_welcome(bytes, &welcome), 0);
    return welcome;
}

static void join(struct fixture *f, struct client *c, uint32_t index, uint32_t features)
{
    struct trestle_v2_hello hello = hello_for(index, features);
    int fds[FDS_MAX];
    size_t num_fds;
    c->fds[index] = client_connect(f, index);
    send_hello(c->fds[index], &hello);
    struct trestle_v2_welcome welcome = receive_welcome(f, c->fds[index], fds, &num_fds);
    assert_int_equal(welcome.status, TRESTLE_V2_OK);
    assert_int_equal(welcome.version, 2);
    assert_int_equal(welcome.features, features);
    assert_true(welcome.size == 4096);
    c->devices[index] = welcome.device;
    c->out_seq[index] = c->in_seq[index] = 0;
    if (!(features & TRESTLE_V2_FEATURE_SHM) || c->shm.memory) {
        assert_int_equal(num_fds, 0);
        return;
    }
    assert_int_equal(num_fds, SHM_NUM_FDS);
    assert_int_equal(shm_open_received(&c->shm, fds), 0);
    shm_client_rings(&c->shm, true, &c->requests, &c->events);
}

static void leave(struct client *c)
{
    for (unsigned i = 0; i < 3; i++) {
        if (c->fds[i] >= 0)
            close(c->fds[i]);
        c->fds[i] = -1;
    }
    shm_close(&c->shm);
}

static uint64_t post(struct client *c, uint32_t index, struct trestle_v2_message m)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    m.device = c->devices[index];
    m.id = ++c->id;
    if (c->shm.memory) {
        assert_int_equal(ring_post(&c->requests, &m), 0);
        return m.id;
    }
    m.seq = ++c->out_seq[index];
    trestle_v2_encode(bytes, &m);
    client_send(c->fds[index], bytes, sizeof(bytes));
    return m.id;
}

static struct trestle_v2_message receive_event(struct fixture *f, struct client *c, uint32_t index)
{
    struct trestle_v2_message m;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    if (c->shm.memory) {
        int taken = 0;
        for (unsigned i = 0; i < 100000 && taken == 0; i++) {
            turn(f);
            taken = ring_take(&c->events, &m);
        }
        if (taken != 1)
            fail_msg("no event; the log:\n%s", f->log);
    } else {
        assert_true(client_receive(f, c->fds[index], bytes, sizeof(bytes)));
        trestle_v2_decode(bytes, &m);
        assert_true(m.seq == ++c->in_seq[index]);
    }
    assert_int_equal(trestle_v2_check_event(&m), 0);
    return m;
}

static struct trestle_v2_message ask(struct fixture *f, struct client *c, uint32_t index,
                                     struct trestle_v2_message m)
{
    uint64_t id = post(c, index, m);
    struct trestle_v2_message reply = receive_event(f, c, index);
    assert_int_equal(reply.type, TRESTLE_V2_REPLY);
    assert_true(reply.id == id);
    return reply;
}

static struct trestle_v2_message read_at(uint64_t addr, uint8_t size, trestle_time time)
{
    return (struct trestle_v2_message){
        .type = TRESTLE_V2_READ, .size = size, .addr = addr, .time = time};
}

static struct trestle_v2_message write_at(uint64_t addr, uint64_t data, trestle_time time)
{
    return (struct trestle_v2_message){
        .type = TRESTLE_V2_WRITE, .size = 8, .addr = addr, .data = data, .time = time};
}

/* --- the suite for both carriers ------------------------------------------------------------- */

static uint32_t features; /* of the carrier under test */
static struct client client;

static int open_client(void **state)
{
    int error = open_fixture(state);
    client = (struct client){.fds = {-1, -1, -1}, .shm = SHM_NONE};
    barrier_register();
    if (!error && features)
        for (uint32_t i = 0; i < 3; i++)
            join(*state, &client, i, features);
    return error;
}

/* The last device has no way to the guest. */
static int open_client_with_quiet(void **state)
{
    static struct trestle_model quiet;
    quiet = memory_model;
    quiet.irq_lines = 0;
    quiet.dma_done = NULL;
    last_model = &quiet;
    int error = open_client(state);
    last_model = &memory_model;
    return error;
}

static int close_client(void **state)
{
    leave(&client);
    return close_fixture(state);
}

static void test_read_and_write(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(ask(f, &client, i, write_at(0, 0x1100 + i, 10)).status, TRESTLE_V2_OK);
    for (uint32_t i = 0; i < 3; i++) {
        struct trestle_v2_message reply = ask(f, &client, i, read_at(0, 8, 20));
        assert_int_equal(reply.status, TRESTLE_V2_OK);
        assert_true(reply.data == 0x1100 + i);
        assert_true(reply.device == client.devices[i]);
        assert_true(reply.time == 20 && reply.next == TRESTLE_TIME_NEVER && reply.extra == 0);
        assert_true(ask(f, &client, i, read_at(0, 1, 20)).data == i);
    }
}

static void test_errors_have_a_status(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, &client, 0, read_at(2, 4, 0)).status, TRESTLE_V2_WIDTH);
    assert_int_equal(ask(f, &client, 0, read_at(REG_END, 4, 0)).status, TRESTLE_V2_RANGE);
    assert_int_equal(ask(f, &client, 0, read_at(UINT64_MAX - 7, 8, 0)).status, TRESTLE_V2_RANGE);
    assert_int_equal(ask(f, &client, 0, read_at(REG_FAIL, 4, 0)).status, TRESTLE_V2_REFUSED);
    assert_int_equal(ask(f, &client, 0, read_at(0, 3, 0)).status, TRESTLE_V2_MALFORMED);
    uint32_t saved = client.devices[1];
    client.devices[1] = 99;
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 0)).status, TRESTLE_V2_NO_DEVICE);
    client.devices[1] = saved;
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 0)).status, TRESTLE_V2_OK);
}

static void test_posted_writes_keep_order(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message posted = write_at(0, 0, 0);
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    for (uint64_t i = 1; i <= 500; i++) {
        posted.data = i;
        post(&client, 0, posted);
        if (i % 8 == 0) /* a socket holds less than all of them */
            turn(f);
    }
    assert_true(ask(f, &client, 0, read_at(0, 8, 0)).data == 500);
    posted.addr = REG_FAIL;
    post(&client, 0, posted);
    struct trestle_v2_message flush = {.type = TRESTLE_V2_FLUSH};
    assert_int_equal(ask(f, &client, 0, flush).status, TRESTLE_V2_OK);
    struct trestle_device_stats stats;
    trestle_bridge_stats(f->bridge, 0, &stats);
    assert_true(stats.writes == 500 && stats.errors == 1);
    assert_true(log_has(f, "refused: Input/output error"));
}

/* The end of the sockets may be seen at any moment: it is made to come at many. */
static void test_posted_writes_outlive_the_client(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message posted = write_at(0, 0, 0);
    const uint64_t count = client.shm.memory ? RING_SLOTS : 100;
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    for (unsigned round = 0; round < 70; round++) {
        f->log[0] = '\0';
        for (uint64_t i = 1; i <= count; i++) {
            posted.data = round + i;
            post(&client, 1, posted);
        }
        leave(&client);
        wait_for_log(f, "Device dev1 disconnected");
        for (uint32_t i = 0; i < 3; i++)
            join(f, &client, i, features);
        assert_true(ask(f, &client, 1, read_at(0, 8, 0)).data == round + count);
    }
}

static void test_deferred_answer_stalls(void **state)
{
    struct fixture *f = *state;
    const trestle_time at = 1000 * TRESTLE_NS;
    struct trestle_v2_message reply = ask(f, &client, 0, read_at(REG_DEFERRED, 4, at));
    assert_true(reply.data == 0xdef);
    assert_true(reply.time == at + 500 * TRESTLE_NS && reply.extra == 500 * TRESTLE_NS);
    /* Guest time stood still; the engine stays ahead by the stall, on all devices. */
    reply = ask(f, &client, 1, read_at(0, 4, at + 1 * TRESTLE_NS));
    assert_true(reply.time == at + 501 * TRESTLE_NS && reply.extra == 500 * TRESTLE_NS);
    reply = ask(f, &client, 0, read_at(REG_DEFERRED, 4, at + 2 * TRESTLE_NS));
    assert_true(reply.extra == 1000 * TRESTLE_NS);
}

static void test_advance(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message advance = {.type = TRESTLE_V2_ADVANCE, .time = 7 * TRESTLE_US};
    struct trestle_v2_message reply = ask(f, &client, 0, advance);
    assert_true(reply.status == TRESTLE_V2_OK && reply.time == 7 * TRESTLE_US);
    advance.time = 3 * TRESTLE_US; /* time never runs backwards */
    assert_true(ask(f, &client, 0, advance).time == 7 * TRESTLE_US);
}

static void test_reset(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message reset = {.type = TRESTLE_V2_RESET, .time = 5};
    uint64_t never = post(&client, 1, read_at(REG_NEVER, 4, 1));
    turn(f);
    uint64_t id = post(&client, 0, reset);
    bool seen[2] = {false, false};
    for (unsigned i = 0; i < 2; i++) {
        struct trestle_v2_message m;
        if (!client.shm.memory && i == 1)
            m = receive_event(f, &client, 1); /* each on the socket that asked */
        else
            m = receive_event(f, &client, 0);
        assert_true(m.id == never || m.id == id);
        assert_int_equal(m.status, m.id == id ? TRESTLE_V2_OK : TRESTLE_V2_CANCELLED);
        seen[m.id == id] = true;
    }
    assert_true(seen[0] && seen[1]);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(ask(f, &client, i, read_at(REG_RESETS, 8, 6)).data == 1);
}

static void test_one_lost_device_leaves_the_others(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, &client, 0, write_at(0, 42, 0)).status, TRESTLE_V2_OK);
    close(client.fds[0]);
    client.fds[0] = -1;
    wait_for_log(f, "Device dev0 disconnected");
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 1)).status, TRESTLE_V2_OK);
    if (client.shm.memory)
        assert_int_equal(ask(f, &client, 0, read_at(0, 4, 1)).status, TRESTLE_V2_NO_DEVICE);
    join(f, &client, 0, features);
    assert_true(ask(f, &client, 0, read_at(0, 8, 2)).data == 42);
}

static void test_whole_client_comes_back(void **state)
{
    struct fixture *f = *state;
    ask(f, &client, 0, read_at(0, 8, 50 * TRESTLE_US));
    leave(&client);
    for (uint32_t i = 0; i < 3; i++)
        join(f, &client, i, features);
    /* Its guest begins at 0 again; the engine does not. */
    struct trestle_v2_message reply = ask(f, &client, 0, read_at(0, 8, 1 * TRESTLE_US));
    assert_true(reply.time == 51 * TRESTLE_US && reply.extra == 50 * TRESTLE_US);
}

static void test_other_clients_are_refused(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_hello hello = hello_for(0, features);
    int fds[FDS_MAX], fd;
    size_t num_fds;
    close(client.fds[0]);
    client.fds[0] = -1;
    hello.client_id[0] = 'X';
    fd = client_connect(f, 0);
    send_hello(fd, &hello);
    assert_int_equal(receive_welcome(f, fd, fds, &num_fds).status, TRESTLE_V2_BUSY);
    assert_int_equal(num_fds, 0);
    assert_true(client_is_closed(f, fd));
    close(fd);
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 1)).status, TRESTLE_V2_OK);
}

static void test_version_1_beside_a_session(void **state)
{
    struct fixture *f = *state;
    uint8_t frame[TRESTLE_V1_REQUEST_SIZE], answer[TRESTLE_V1_RESPONSE_SIZE];
    struct trestle_v1_request request = {TRESTLE_V1_READ, 8, BASE, 0};
    ask(f, &client, 0, write_at(0, 7, 9 * TRESTLE_US));
    close(client.fds[0]);
    client.fds[0] = client_connect(f, 0);
    trestle_v1_encode_request(frame, &request);
    client_send(client.fds[0], frame, sizeof(frame));
    assert_true(client_receive(f, client.fds[0], answer, sizeof(answer)));
    assert_true(answer[0] == 1 && answer[8] == 7);
    /* It has no time of its own, and leaves the guest's alone. */
    assert_true(ask(f, &client, 1, read_at(0, 4, 9 * TRESTLE_US)).time == 9 * TRESTLE_US);
}

/* --- interrupts, timers and DMA, for both carriers as well ------------------------------------ */

static void expect_irq(struct fixture *f, uint32_t index, uint64_t line, uint64_t level,
                       trestle_time time)
{
    struct trestle_v2_message irq = receive_event(f, &client, index);
    assert_int_equal(irq.type, TRESTLE_V2_IRQ);
    assert_int_equal(irq.device, client.devices[index]);
    assert_true(irq.addr == line && irq.data == level && irq.time == time);
}

static struct trestle_v2_message expect_reply(struct fixture *f, uint32_t index, uint64_t id)
{
    struct trestle_v2_message reply = receive_event(f, &client, index);
    assert_int_equal(reply.type, TRESTLE_V2_REPLY);
    assert_true(reply.id == id && reply.status == TRESTLE_V2_OK);
    return reply;
}

static void test_irq_comes_before_the_reply(void **state)
{
    struct fixture *f = *state;
    uint64_t id = post(&client, 1, write_at(REG_IRQ, 1, 100));
    expect_irq(f, 1, 0, 1, 100);
    expect_reply(f, 1, id);
    ask(f, &client, 1, write_at(REG_IRQ, 1, 110)); /* is up already: nothing but the reply */
    id = post(&client, 1, write_at(REG_IRQ, 0, 120));
    expect_irq(f, 1, 0, 0, 120);
    expect_reply(f, 1, id);
}

static void test_timer_is_announced_and_advanced_to(void **state)
{
    struct fixture *f = *state;
    const trestle_time at = 10 * TRESTLE_US, due = at + 300 * TRESTLE_NS;
    struct trestle_v2_message advance = {.type = TRESTLE_V2_ADVANCE, .time = due};
    assert_true(ask(f, &client, 0, write_at(REG_TIMER, 300, at)).next == due);
    assert_true(ask(f, &client, 2, read_at(0, 4, at + 5)).next == due); /* one timeline */
    uint64_t id = post(&client, 0, advance);
    expect_irq(f, 0, 1, 1, due);
    assert_true(expect_reply(f, 0, id).next == TRESTLE_TIME_NEVER);
}

/* Unasked, since its client has to arm a timer; and not again when that time stays the same. */
static void test_posted_write_tells_the_next_event(void **state)
{
    struct fixture *f = *state;
    const trestle_time at = 10 * TRESTLE_US, due = at + 300 * TRESTLE_NS;
    struct trestle_v2_message posted = write_at(REG_TIMER, 300, at);
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    assert_true(expect_reply(f, 0, post(&client, 0, posted)).next == due);
    if (client.shm.memory) {
        struct pollfd bell = {.fd = client.shm.doorbell_fd, .events = POLLIN};
        assert_int_equal(poll(&bell, 1, 0), 1);
    }
    posted.addr = 0;
    post(&client, 0, posted);
    assert_true(ask(f, &client, 0, read_at(0, 4, at)).next == due); /* the first to come */
}

/* What a device does that has no way to the guest is no event for the client: it happens in time
 * for the next access all the same. */
static void test_quiet_device_is_not_announced(void **state)
{
    struct fixture *f = *state;
    assert_true(ask(f, &client, 2, write_at(REG_TIMER, 300, 0)).next == TRESTLE_TIME_NEVER);
    assert_true(ask(f, &client, 1, write_at(REG_TIMER, 4000, 0)).next == 4000 * TRESTLE_NS);
    assert_true(ask(f, &client, 2, write_at(REG_TIMER, 500, 0)).next == 4000 * TRESTLE_NS);
    struct trestle_v2_message reply = ask(f, &client, 2, read_at(REG_DEFERRED, 8, 0));
    assert_true(reply.data == 0xdef && reply.time == 500 * TRESTLE_NS);
}

/* A client that was told of it would come at that time, which is none that a request may have. */
static void test_timer_in_centuries_is_not_announced(void **state)
{
    struct fixture *f = *state;
    const uint64_t last_ns = INT64_MAX / TRESTLE_NS;
    assert_true(ask(f, &client, 0, write_at(REG_TIMER, last_ns, 0)).next == last_ns * TRESTLE_NS);
    assert_true(ask(f, &client, 0, write_at(REG_TIMER, last_ns + 1, 0)).next == TRESTLE_TIME_NEVER);
    assert_true(ask(f, &client, 0, write_at(REG_TIMER, UINT64_MAX / TRESTLE_NS, 0)).next ==
                TRESTLE_TIME_NEVER);
}

static void test_stall_brings_the_next_event_nearer(void **state)
{
    struct fixture *f = *state;
    assert_true(ask(f, &client, 0, write_at(REG_TIMER, 2000, 0)).next == 2000 * TRESTLE_NS);
    struct trestle_v2_message reply = ask(f, &client, 1, read_at(REG_DEFERRED, 4, 0));
    assert_true(reply.extra == 500 * TRESTLE_NS && reply.next == 1500 * TRESTLE_NS);
}

static void test_reset_drops_lines(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message reset = {.type = TRESTLE_V2_RESET, .time = 30};
    uint64_t id = post(&client, 0, write_at(REG_IRQ, 1, 10));
    expect_irq(f, 0, 0, 1, 10);
    expect_reply(f, 0, id);
    ask(f, &client, 0, write_at(REG_TIMER, 100, 20));
    id = post(&client, 0, reset);
    expect_irq(f, 0, 0, 0, 30);
    assert_true(expect_reply(f, 0, id).next == TRESTLE_TIME_NEVER); /* the timer is cancelled */
}

static void test_lines_are_told_to_who_comes_back(void **state)
{
    struct fixture *f = *state;
    uint64_t id = post(&client, 0, write_at(REG_IRQ, 1, 10));
    expect_irq(f, 0, 0, 1, 10);
    expect_reply(f, 0, id);
    close(client.fds[0]);
    wait_for_log(f, "Device dev0 disconnected");
    join(f, &client, 0, features);
    expect_irq(f, 0, 0, 1, 10);
}

static void test_posted_write_that_interrupts_rings(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message posted = write_at(REG_IRQ, 1, 10);
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    post(&client, 0, posted);
    expect_irq(f, 0, 0, 1, 10);
    struct pollfd bell = {.fd = client.shm.doorbell_fd, .events = POLLIN};
    assert_int_equal(poll(&bell, 1, 0), 1); /* nobody was waiting */
}

/* A guest with 1 MiB of memory at 0x80000000, on a thread of its own: the bridge waits for it. */
#define RAM_BASE UINT64_C(0x80000000)
#define RAM_SIZE 0x100000u

static uint8_t ram[RAM_SIZE];

struct guest {
    uint64_t id; /* of the request whose reply ends it */
    bool lies;
    unsigned posts; /* so many writes before each of its answers to a DMA */
    struct trestle_v2_message reply;
    unsigned pieces;
    _Atomic bool is_done;
};

static void transfer_all(int fd, uint8_t *bytes, size_t size, bool is_send)
{
    while (size > 0) {
        ssize_t n = is_send ? send(fd, bytes, size, MSG_NOSIGNAL) : recv(fd, bytes, size, 0);
        if (n <= 0)
            return;
        bytes += n;
        size -= (size_t)n;
    }
}

static bool take_event(struct trestle_v2_message *ret_message)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    int taken = 0;
    if (!client.shm.memory) {
        transfer_all(client.fds[0], bytes, sizeof(bytes), false);
        trestle_v2_decode(bytes, ret_message);
        return ret_message->seq == ++client.in_seq[0];
    }
    while (taken == 0)
        taken = ring_take(&client.events, ret_message);
    return taken > 0;
}

static void answer_dma(struct guest *guest, const struct trestle_v2_message *m)
{
    bool is_ram = m->addr >= RAM_BASE && m->addr - RAM_BASE + m->data <= RAM_SIZE;
    bool is_read = m->type == TRESTLE_V2_DMA_READ;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE], sink[65536];
    uint8_t *at = is_ram ? ram + (m->addr - RAM_BASE) : sink;
    uint8_t *bulk = client.shm.memory + SHM_BULK_OFFSET + m->extra;
    struct trestle_v2_message done = {.type = TRESTLE_V2_DMA_DONE,
                                      .status = is_ram ? TRESTLE_V2_OK : TRESTLE_V2_NOT_RAM,
                                      .device = m->device,
                                      .id = m->id + (guest->lies ? 1 : 0)};
    guest->pieces++;
    for (unsigned i = 0; i < guest->posts; i++) {
        struct trestle_v2_message posted = write_at(REG_VALUE, 100 * guest->pieces + i, 10);
        posted.flags = TRESTLE_V2_FLAG_POSTED;
        post(&client, 0, posted);
    }
    if (client.shm.memory) {
        if (is_ram)
            memcpy(is_read ? bulk : at, is_read ? at : bulk, m->data);
        ring_post(&client.requests, &done);
        return;
    }
    if (!is_read)
        transfer_all(client.fds[0], at, m->data, false);
    done.seq = ++client.out_seq[0];
    trestle_v2_encode(bytes, &done);
    transfer_all(client.fds[0], bytes, sizeof(bytes), true);
    if (is_read && is_ram)
        transfer_all(client.fds[0], at, m->data, true);
}

static void *run_guest(void *arg)
{
    struct guest *guest = arg;
    struct trestle_v2_message m;
    while (take_event(&m)) {
        if (m.type == TRESTLE_V2_DMA_READ || m.type == TRESTLE_V2_DMA_WRITE)
            answer_dma(guest, &m);
        if (m.type == TRESTLE_V2_REPLY && m.id == guest->id)
            break;
        if (guest->lies)
            break;
    }
    guest->reply = m;
    atomic_store(&guest->is_done, true);
    return NULL;
}

static void await_guest(struct fixture *f, struct guest *guest)
{
    pthread_t thread;
    guest->is_done = false;
    assert_int_equal(pthread_create(&thread, NULL, run_guest, guest), 0);
    while (!atomic_load(&guest->is_done))
        turn(f);
    pthread_join(thread, NULL);
}

static void run_dma(struct fixture *f, struct guest *guest, size_t size)
{
    guest->id = post(&client, 0, write_at(REG_DMA, size, 10));
    await_guest(f, guest);
}

static void test_dma(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {1, 7, 65535, 65536, 65537, 200001, 0x40000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct guest guest = {.lies = false};
        struct trestle_v2_message advance = {.type = TRESTLE_V2_ADVANCE, .time = 10};
        for (size_t j = 0; j < RAM_SIZE; j++)
            ram[j] = (uint8_t)(j * 7 + i + (j >> 8));
        run_dma(f, &guest, sizes[i]);
        /* The end of the first half begins the second, at the same time. */
        guest.id = post(&client, 0, advance);
        await_guest(f, &guest);
        assert_true(ask(f, &client, 0, read_at(REG_DMA_STATUS, 8, 10)).data == 0);
        assert_memory_equal(ram + (DMA_TO - RAM_BASE), ram + (DMA_FROM - RAM_BASE), sizes[i]);
        assert_int_equal(guest.pieces, 2 * ((sizes[i] + 65535) / 65536));
        uint64_t id = post(&client, 0, write_at(REG_IRQ, 0, 10));
        expect_irq(f, 0, 0, 0, 10);
        expect_reply(f, 0, id);
    }
}

/* The start of a DMA, what follows it at once, and what comes before its answers: all posted. */
static void test_writes_posted_during_a_dma(void **state)
{
    struct fixture *f = *state;
    struct guest guest = {.posts = 100};
    struct trestle_v2_message start = write_at(REG_DMA, 70000, 10),
                              value = write_at(REG_VALUE, 1, 10),
                              flush = {.type = TRESTLE_V2_FLUSH, .time = 10};
    start.flags = value.flags = TRESTLE_V2_FLAG_POSTED;
    for (size_t j = 0; j < RAM_SIZE; j++)
        ram[j] = (uint8_t)(j * 7 + (j >> 8));
    post(&client, 0, start);
    for (unsigned i = 0; i < 40; i++)
        post(&client, 0, value);
    guest.id = post(&client, 0, flush);
    await_guest(f, &guest);
    assert_int_equal(guest.reply.status, TRESTLE_V2_OK);
    guest.id = post(&client, 0, flush);
    await_guest(f, &guest);
    assert_int_equal(guest.pieces, 4);
    assert_memory_equal(ram + (DMA_TO - RAM_BASE), ram + (DMA_FROM - RAM_BASE), 70000);
    guest.posts = 0;
    guest.id = post(&client, 0, read_at(REG_VALUE, 8, 10));
    await_guest(f, &guest);
    assert_true(guest.reply.data == 499); /* the last of them, in order */
    guest.id = post(&client, 0, read_at(REG_DMA_STATUS, 8, 10));
    await_guest(f, &guest);
    assert_true(guest.reply.data == 0);
}

static void test_dma_answer_is_a_lie(void **state)
{
    struct fixture *f = *state;
    struct guest guest = {.lies = true};
    run_dma(f, &guest, 100);
    wait_for_log(f, "ended: QEMU broke the protocol of a DMA");
    for (unsigned i = 0; i < 3; i++)
        assert_true(client_is_closed(f, client.fds[i]));
}

/* --- guest RAM that the bridge maps, for both carriers ---------------------------------------- */

static int ram_file(size_t size, int seals)
{
    int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void send_ram(uint64_t addr, uint64_t size, uint64_t offset, int fd)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message ram_message = {.seq = ++client.out_seq[0],
                                             .type = TRESTLE_V2_RAM,
                                             .device = client.devices[0],
                                             .id = ++client.id,
                                             .addr = addr,
                                             .data = size,
                                             .extra = offset};
    trestle_v2_encode(bytes, &ram_message);
    assert_int_equal(fds_send(client.fds[0], bytes, sizeof(bytes), &fd, fd >= 0), 0);
}

static uint8_t share(struct fixture *f, uint64_t addr, uint64_t size, uint64_t offset, int fd)
{
    send_ram(addr, size, offset, fd);
    struct trestle_v2_message reply = receive_event(f, &client, 0);
    assert_int_equal(reply.type, TRESTLE_V2_REPLY);
    assert_true(reply.id == client.id);
    return reply.status;
}

/* Two ranges of one file, the other way round in the guest, so that a transfer crosses from one to
 * the other; at an offset that no page begins with. */
static void test_direct_dma(void **state)
{
    struct fixture *f = *state;
    enum { OFFSET = 0x808, SPLIT = 0x80000 + 0x11111, SIZE = 0x34567 };
    int fd = ram_file(RAM_SIZE + OFFSET, F_SEAL_SHRINK);
    uint8_t *file = mmap(NULL, RAM_SIZE + OFFSET, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (size_t i = 0; i < RAM_SIZE + OFFSET; i++)
        file[i] = (uint8_t)(i * 7 + (i >> 8));
    uint8_t *low = file + OFFSET + (RAM_SIZE - SPLIT), *high = file + OFFSET;
    assert_int_equal(share(f, RAM_BASE, SPLIT, OFFSET + RAM_SIZE - SPLIT, fd), TRESTLE_V2_OK);
    assert_int_equal(share(f, RAM_BASE + SPLIT, RAM_SIZE - SPLIT, OFFSET, fd), TRESTLE_V2_OK);
    close(fd);

    uint64_t write = post(&client, 0, write_at(REG_DMA, SIZE, 10));
    expect_reply(f, 0, write);
    uint64_t advance =
        post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_ADVANCE, .time = 10});
    uint64_t written = DMA_TO;
    while (written < DMA_TO + SIZE) {
        struct trestle_v2_message event = receive_event(f, &client, 0);
        assert_int_equal(event.type, TRESTLE_V2_DMA_WRITTEN);
        assert_true(event.addr == written && event.data <= TRESTLE_V2_DMA_MAX);
        written += event.data;
    }
    assert_true(written == DMA_TO + SIZE);
    expect_irq(f, 0, 0, 1, 10);
    expect_reply(f, 0, advance);
    assert_true(ask(f, &client, 0, read_at(REG_DMA_STATUS, 8, 10)).data == 0);
    const uint8_t *from = low + (DMA_FROM - RAM_BASE);
    for (size_t i = 0; i < SIZE; i++) {
        size_t to = 0x80000 + i;
        assert_int_equal(to < SPLIT ? low[to] : high[to - SPLIT], from[i]);
    }
    munmap(file, RAM_SIZE + OFFSET);
}

static void test_ram_that_cannot_be_shared(void **state)
{
    struct fixture *f = *state;
    int shrinks = ram_file(RAM_SIZE, 0), fd = ram_file(RAM_SIZE, F_SEAL_SHRINK), pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(share(f, RAM_BASE, RAM_SIZE, 0, shrinks), TRESTLE_V2_NOT_RAM);
    assert_int_equal(share(f, RAM_BASE, RAM_SIZE, 0, pipes[0]), TRESTLE_V2_NOT_RAM);
    assert_int_equal(share(f, RAM_BASE, RAM_SIZE + 1, 0, fd), TRESTLE_V2_NOT_RAM);
    assert_int_equal(share(f, RAM_BASE, RAM_SIZE, 1, fd), TRESTLE_V2_NOT_RAM);
    assert_true(log_has(f, "guest RAM at 0x80000000 is not shared"));
    /* It goes by messages. */
    struct guest guest = {0};
    run_dma(f, &guest, 100);
    guest.id =
        post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_ADVANCE, .time = 10});
    await_guest(f, &guest);
    assert_int_equal(guest.pieces, 2);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(share(f, RAM_BASE + i * 4096, 4096, i * 4096, fd), TRESTLE_V2_OK);
    assert_int_equal(share(f, RAM_BASE + 16 * 4096, 4096, 0, fd), TRESTLE_V2_NO_MEMORY);
    close(pipes[0]);
    close(pipes[1]);
    close(shrinks);
    close(fd);
}

static void expect_end(struct fixture *f, const char *reason);

static void test_ram_that_makes_no_sense(void **state)
{
    static const struct {
        uint64_t addr, size, offset;
        bool has_fd;
    } wrong[] = {{RAM_BASE, 4096, 0, false},
                 {RAM_BASE, 0, 0, true},
                 {UINT64_MAX - 4095, 4097, 0, true},
                 {RAM_BASE, 4096, INT64_MAX - 4095, true},
                 {RAM_BASE, UINT64_MAX, 0, true}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int fd = wrong[i].has_fd ? ram_file(RAM_SIZE, F_SEAL_SHRINK) : -1;
        send_ram(wrong[i].addr, wrong[i].size, wrong[i].offset, fd);
        if (fd >= 0)
            close(fd);
        expect_end(f, "ended: guest RAM that cannot be");
        f->log[0] = '\0';
    }
}

/* In the ring there is no descriptor, and without the feature in force no RAM. */
static void test_ram_where_it_does_not_belong(void **state)
{
    post(&client, 0,
         (struct trestle_v2_message){.type = TRESTLE_V2_RAM, .addr = RAM_BASE, .data = 4096});
    expect_end(*state, client.shm.memory ? "ended: guest RAM without a descriptor"
                                         : "ended: guest RAM that cannot be");
}

static void test_descriptors_that_nobody_wants(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    int fd = ram_file(RAM_SIZE, F_SEAL_SHRINK), fds[FDS_MAX];
    for (size_t i = 0; i < FDS_MAX; i++)
        fds[i] = fd;
    send_ram(RAM_BASE, 4096, 0, fd);
    expect_reply(f, 0, client.id);
    int before = dup(fd);
    for (unsigned i = 0; i < 100; i++) {
        struct trestle_v2_message m = {.seq = ++client.out_seq[0],
                                       .type = TRESTLE_V2_RAM,
                                       .id = ++client.id,
                                       .addr = RAM_BASE,
                                       .data = 1,
                                       .extra = RAM_SIZE};
        trestle_v2_encode(bytes, &m);
        assert_int_equal(fds_send(client.fds[0], bytes, sizeof(bytes), fds, FDS_MAX), 0);
        assert_int_equal(receive_event(f, &client, 0).status, TRESTLE_V2_NOT_RAM);
    }
    int after = dup(fd);
    assert_int_equal(after, before + 1); /* none is left open */
    close(before);
    close(after);
    close(fd);
}

/* --- what ends a session --------------------------------------------------------------------- */

static void expect_end(struct fixture *f, const char *reason)
{
    wait_for_log(f, reason);
    for (unsigned i = 0; i < 3; i++)
        assert_true(client_is_closed(f, client.fds[i]));
    assert_null(strstr(strstr(f->log, "was ended") + 1, "was ended")); /* one reason */
    leave(&client);
    /* And the bridge serves the next one. */
    for (uint32_t i = 0; i < 3; i++)
        join(f, &client, i, features);
    assert_int_equal(ask(f, &client, 0, read_at(0, 4, 0)).status, TRESTLE_V2_OK);
}

static void test_unknown_type(void **state)
{
    post(&client, 0, (struct trestle_v2_message){.type = 0x55});
    expect_end(*state, "ended: a message that this version does not have");
}

static void test_event_from_a_client(void **state)
{
    post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_REPLY});
    expect_end(*state, "ended: a message that this version does not have");
}

static void test_time_beyond_reason(void **state)
{
    post(&client, 0, read_at(0, 4, UINT64_MAX - 1));
    expect_end(*state, "ended: a message that this version does not have");
}

static void test_dma_answer_unasked(void **state)
{
    post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_DMA_DONE});
    expect_end(*state, "ended: a DMA answer that nobody asked for");
}

static void test_second_hello(void **state)
{
    struct trestle_v2_hello hello = hello_for(0, features);
    send_hello(client.fds[0], &hello);
    expect_end(*state, client.shm.memory ? "ended: bytes on a socket that only tells liveness"
                                         : "ended: a sequence number that jumps");
}

static void test_peer_stops_in_mid_message(void **state)
{
    struct fixture *f = *state;
    uint8_t half[30] = {1};
    client_send(client.fds[0], half, sizeof(half));
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 0)).status, TRESTLE_V2_OK);
    close(client.fds[0]);
    client.fds[0] = -1;
    wait_for_log(f, "dev0: the connection ended inside a request, after 30 bytes of it");
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 0)).status, TRESTLE_V2_OK);
}

static void test_socket_sequence_jumps(void **state)
{
    client.out_seq[0]++;
    post(&client, 0, read_at(0, 4, 0));
    expect_end(*state, "ended: a sequence number that jumps");
}

static void test_ring_sequence_jumps(void **state)
{
    struct trestle_v2_message m = read_at(0, 4, 0);
    client.requests.seq += 3;
    assert_int_equal(ring_post(&client.requests, &m), 0);
    atomic_store(ring_slot_seq(client.requests.slots, 1), 77);
    expect_end(*state, "ended: QEMU wrote nonsense into the request ring");
}

static void test_doorbell_without_a_message(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2000 && !log_has(f, "was ended"); i++) {
        ring_wake(&client.requests);
        turn(f);
    }
    expect_end(f, "ended: QEMU rings without a message");
}

/* It lives on, and its sockets are open: the bridge neither waits for it nor is called for ever. */
static void test_doorbell_that_is_closed(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message posted = write_at(0, 0x77, 0);
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    post(&client, 1, posted); /* counts, though nobody is rung for it */
    close(client.shm.doorbell_fd);
    client.shm.doorbell_fd = -1;
    wait_for_log(f, "QEMU went away without a goodbye");
    for (unsigned i = 0; i < 3; i++)
        assert_true(client_is_closed(f, client.fds[i]));
    leave(&client);
    for (uint32_t i = 0; i < 3; i++)
        join(f, &client, i, features);
    assert_true(ask(f, &client, 1, read_at(0, 8, 0)).data == 0x77);
}

/* It blocks, and the client says for ever that it sleeps. */
static void test_doorbell_that_nobody_empties(void **state)
{
    struct fixture *f = *state;
    struct pollfd bell = {.fd = client.shm.doorbell_fd, .events = POLLIN};
    assert_int_equal(fcntl(bell.fd, F_SETFL, 0), 0);
    alarm(60); /* a bridge that waited would wait for ever */
    for (unsigned i = 0; i < 5000; i++) {
        assert_true(ring_must_sleep(&client.events));
        ask(f, &client, 0, read_at(0, 4, 0));
    }
    alarm(0);
    assert_int_equal(poll(&bell, 1, 0), 1);
    assert_int_equal(ring_hear(&client.events), 0);
}

/* The client lives on without its memory: what it asked for last is done and answered, and the
 * session waits for its end. */
static void test_memory_that_is_unmapped(void **state)
{
    struct fixture *f = *state;
    post(&client, 1, write_at(0, 0x88, 0));
    assert_int_equal(munmap(client.shm.memory, SHM_SIZE), 0);
    client.shm.memory = NULL;
    for (unsigned i = 0; i < 100; i++)
        turn(f);
    assert_false(log_has(f, "was ended"));
    leave(&client);
    wait_for_log(f, "QEMU went away without a goodbye");
    for (uint32_t i = 0; i < 3; i++)
        join(f, &client, i, features);
    assert_true(ask(f, &client, 1, read_at(0, 8, 0)).data == 0x88);
}

static void test_events_consumed_is_a_lie(void **state)
{
    /* The client's count says more than there was: seen once the ring looks full. */
    struct fixture *f = *state;
    for (unsigned i = 0; i < RING_SLOTS; i++)
        ask(f, &client, 0, read_at(0, 4, 0));
    atomic_store(client.events.consumed, UINT64_MAX);
    post(&client, 0, read_at(0, 4, 0));
    expect_end(f, "ended: QEMU wrote nonsense into the event ring");
}

static void test_events_not_taken(void **state)
{
    for (unsigned i = 0; i < RING_SLOTS; i++) {
        post(&client, 0, read_at(0, 4, 0));
        turn(*state);
    }
    post(&client, 0, read_at(0, 4, 0));
    expect_end(*state, "ended: QEMU does not take its answers");
}

/* --- handshakes that are refused ------------------------------------------------------------- */

static void expect_refusal(struct fixture *f, const struct trestle_v2_hello *hello,
                           enum trestle_v2_status status, const char *log)
{
    int fds[FDS_MAX], fd = client_connect(f, 0);
    size_t num_fds;
    send_hello(fd, hello);
    assert_int_equal(receive_welcome(f, fd, fds, &num_fds).status, status);
    assert_int_equal(num_fds, 0);
    assert_true(client_is_closed(f, fd));
    wait_for_log(f, log);
    close(fd);
}

static void test_refused_handshakes(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_hello hello = hello_for(0, FEATURES_SHM);
    hello.version_min = hello.version_max = 99;
    expect_refusal(f, &hello, TRESTLE_V2_BAD_VERSION, "no protocol version in common");
    hello = hello_for(0, FEATURES_SHM);
    hello.version_min = 3;
    expect_refusal(f, &hello, TRESTLE_V2_MALFORMED, "malformed request");
    hello = hello_for(1, FEATURES_SHM);
    expect_refusal(f, &hello, TRESTLE_V2_GEOMETRY, "base address or size differ");
    hello = hello_for(0, FEATURES_SHM);
    hello.size = 8192;
    expect_refusal(f, &hello, TRESTLE_V2_GEOMETRY, "base address or size differ");
    hello = hello_for(0, FEATURES_SHM);
    hello.time = UINT64_MAX;
    expect_refusal(f, &hello, TRESTLE_V2_MALFORMED, "malformed request");
    /* The highest version in common is chosen. */
    hello = hello_for(0, FEATURES_SOCKET);
    hello.version_max = 99;
    int fds[FDS_MAX], fd = client_connect(f, 0);
    size_t num_fds;
    send_hello(fd, &hello);
    struct trestle_v2_welcome welcome = receive_welcome(f, fd, fds, &num_fds);
    assert_true(welcome.status == TRESTLE_V2_OK && welcome.version == 2);
    close(fd);
}

static void test_carrier_is_decided_once(void **state)
{
    struct fixture *f = *state;
    int fds[FDS_MAX], fd;
    size_t num_fds;
    struct trestle_v2_hello hello = hello_for(1, FEATURES_SOCKET);
    join(f, &client, 0, FEATURES_SHM);
    fd = client_connect(f, 1);
    send_hello(fd, &hello);
    assert_int_equal(receive_welcome(f, fd, fds, &num_fds).status, TRESTLE_V2_MALFORMED);
    close(fd);
}

#define CLIENT_TEST(test) cmocka_unit_test_setup_teardown(test, open_client, close_client)

#define CARRIER_TESTS                                                                           \
    CLIENT_TEST(test_read_and_write), CLIENT_TEST(test_errors_have_a_status),                   \
        CLIENT_TEST(test_posted_writes_keep_order),                                             \
        CLIENT_TEST(test_posted_writes_outlive_the_client),                                     \
        CLIENT_TEST(test_deferred_answer_stalls), CLIENT_TEST(test_advance),                    \
        CLIENT_TEST(test_reset), CLIENT_TEST(test_one_lost_device_leaves_the_others),           \
        CLIENT_TEST(test_whole_client_comes_back), CLIENT_TEST(test_other_clients_are_refused), \
        CLIENT_TEST(test_version_1_beside_a_session), CLIENT_TEST(test_unknown_type),           \
        CLIENT_TEST(test_event_from_a_client), CLIENT_TEST(test_time_beyond_reason),            \
        CLIENT_TEST(test_dma_answer_unasked), CLIENT_TEST(test_second_hello),                   \
        CLIENT_TEST(test_peer_stops_in_mid_message)

#define GUEST_TESTS                                                                                \
    CLIENT_TEST(test_irq_comes_before_the_reply),                                                  \
        CLIENT_TEST(test_timer_is_announced_and_advanced_to),                                      \
        cmocka_unit_test_setup_teardown(test_quiet_device_is_not_announced,                        \
                                        open_client_with_quiet, close_client),                     \
        CLIENT_TEST(test_timer_in_centuries_is_not_announced),                                     \
        CLIENT_TEST(test_posted_write_tells_the_next_event),                                       \
        CLIENT_TEST(test_stall_brings_the_next_event_nearer), CLIENT_TEST(test_reset_drops_lines), \
        CLIENT_TEST(test_lines_are_told_to_who_comes_back), CLIENT_TEST(test_dma),                 \
        CLIENT_TEST(test_writes_posted_during_a_dma), CLIENT_TEST(test_dma_answer_is_a_lie)

#define RAM_TESTS                                                                                  \
    CLIENT_TEST(test_direct_dma), CLIENT_TEST(test_ram_that_cannot_be_shared),                     \
        CLIENT_TEST(test_ram_that_makes_no_sense), CLIENT_TEST(test_ram_where_it_does_not_belong), \
        CLIENT_TEST(test_descriptors_that_nobody_wants)

int main(void)
{
    const struct CMUnitTest ram_tests[] = {RAM_TESTS};
    const struct CMUnitTest socket_guest_tests[] = {GUEST_TESTS};
    const struct CMUnitTest shm_guest_tests[] = {
        GUEST_TESTS,
        CLIENT_TEST(test_posted_write_that_interrupts_rings),
    };
    const struct CMUnitTest socket_tests[] = {
        CARRIER_TESTS,
        CLIENT_TEST(test_socket_sequence_jumps),
    };
    const struct CMUnitTest shm_tests[] = {
        CARRIER_TESTS,
        CLIENT_TEST(test_ring_sequence_jumps),
        CLIENT_TEST(test_doorbell_without_a_message),
        CLIENT_TEST(test_doorbell_that_is_closed),
        CLIENT_TEST(test_doorbell_that_nobody_empties),
        CLIENT_TEST(test_memory_that_is_unmapped),
        CLIENT_TEST(test_events_consumed_is_a_lie),
        CLIENT_TEST(test_events_not_taken),
    };
    const struct CMUnitTest handshake_tests[] = {
        CLIENT_TEST(test_refused_handshakes),
        CLIENT_TEST(test_carrier_is_decided_once),
    };
    features = FEATURES_SOCKET;
    int failed = cmocka_run_group_tests_name("v2 over sockets", socket_tests, NULL, NULL);
    features = FEATURES_SHM;
    failed += cmocka_run_group_tests_name("v2 over shared memory", shm_tests, NULL, NULL);
    features = FEATURES_GUEST;
    failed +=
        cmocka_run_group_tests_name("v2 to the guest, sockets", socket_guest_tests, NULL, NULL);
    features = FEATURES_GUEST | TRESTLE_V2_FEATURE_SHM;
    failed +=
        cmocka_run_group_tests_name("v2 to the guest, shared memory", shm_guest_tests, NULL, NULL);
    features = FEATURES_GUEST | TRESTLE_V2_FEATURE_RAM;
    failed += cmocka_run_group_tests_name("v2 with guest RAM, sockets", ram_tests, NULL, NULL);
    features |= TRESTLE_V2_FEATURE_SHM;
    failed +=
        cmocka_run_group_tests_name("v2 with guest RAM, shared memory", ram_tests, NULL, NULL);
    features = 0;
    failed += cmocka_run_group_tests_name("v2 handshakes", handshake_tests, NULL, NULL);
    return failed;
}
