/* SPDX-License-Identifier: MIT */
/* Speaks wire version 2 to the bridge, over sockets and over shared memory. */
#include "v2_client.h"

uint32_t features;
struct client client;

struct trestle_v2_hello hello_for(uint32_t index, uint32_t wanted)
{
    return (struct trestle_v2_hello){.version_min = 2,
                                     .version_max = 2,
                                     .features = wanted,
                                     .client_id = "a client's id..",
                                     .base_addr = index ? BASE + index * STRIDE : first_base,
                                     .size = 4096,
                                     .irq_lines = lines_that_lead};
}

void send_hello(int fd, const struct trestle_v2_hello *hello)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    trestle_v2_encode_hello(bytes, hello);
    client_send(fd, bytes, sizeof(bytes));
}

struct trestle_v2_welcome receive_welcome(struct fixture *f, int fd, int fds[FDS_MAX],
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

void join(struct fixture *f, struct client *c, uint32_t index, uint32_t wanted)
{
    struct trestle_v2_hello hello = hello_for(index, wanted);
    int fds[FDS_MAX];
    size_t num_fds;
    c->fds[index] = client_connect(f, index);
    send_hello(c->fds[index], &hello);
    struct trestle_v2_welcome welcome = receive_welcome(f, c->fds[index], fds, &num_fds);
    assert_int_equal(welcome.status, TRESTLE_V2_OK);
    assert_int_equal(welcome.version, 2);
    assert_int_equal(welcome.features, wanted);
    assert_int_equal(welcome.size, 4096);
    c->devices[index] = welcome.device;
    c->out_seq[index] = c->in_seq[index] = 0;
    if (!(wanted & TRESTLE_V2_FEATURE_SHM) || c->shm.memory) {
        assert_int_equal(num_fds, 0);
        return;
    }
    assert_int_equal(num_fds, SHM_NUM_FDS);
    assert_int_equal(shm_open_received(&c->shm, fds), 0);
    shm_client_rings(&c->shm, true, &c->requests, &c->events);
}

void leave(struct client *c)
{
    for (unsigned i = 0; i < 3; i++) {
        if (c->fds[i] >= 0)
            close(c->fds[i]);
        c->fds[i] = -1;
    }
    shm_close(&c->shm);
}

uint64_t post(struct client *c, uint32_t index, struct trestle_v2_message m)
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

struct trestle_v2_message receive_event(struct fixture *f, struct client *c, uint32_t index)
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
        assert_int_equal(m.seq, ++c->in_seq[index]);
    }
    assert_true(trestle_v2_event_is_valid(&m));
    return m;
}

struct trestle_v2_message ask(struct fixture *f, struct client *c, uint32_t index,
                              struct trestle_v2_message m)
{
    uint64_t id = post(c, index, m);
    struct trestle_v2_message reply = receive_event(f, c, index);
    assert_int_equal(reply.type, TRESTLE_V2_REPLY);
    assert_int_equal(reply.id, id);
    return reply;
}

struct trestle_v2_message read_at(uint64_t addr, uint8_t size, trestle_time time)
{
    return (struct trestle_v2_message){
        .type = TRESTLE_V2_READ, .size = size, .addr = addr, .time = time};
}

struct trestle_v2_message write_at(uint64_t addr, uint64_t data, trestle_time time)
{
    return (struct trestle_v2_message){
        .type = TRESTLE_V2_WRITE, .size = 8, .addr = addr, .data = data, .time = time};
}

int open_client(void **state)
{
    int r = open_fixture(state);
    client = (struct client){.fds = {-1, -1, -1}, .shm = SHM_NONE};
    barrier_register();
    if (!r && features)
        for (uint32_t i = 0; i < 3; i++)
            join(*state, &client, i, features);
    return r;
}

int close_client(void **state)
{
    leave(&client);
    return close_fixture(state);
}

struct trestle_v2_message expect_reply(struct fixture *f, uint32_t index, uint64_t id)
{
    struct trestle_v2_message reply = receive_event(f, &client, index);
    assert_int_equal(reply.type, TRESTLE_V2_REPLY);
    assert_int_equal(reply.id, id);
    assert_int_equal(reply.status, TRESTLE_V2_OK);
    return reply;
}

void expect_irq(struct fixture *f, uint32_t index, uint64_t line, uint64_t level, trestle_time time)
{
    struct trestle_v2_message irq = receive_event(f, &client, index);
    assert_int_equal(irq.type, TRESTLE_V2_IRQ);
    assert_int_equal(irq.device, client.devices[index]);
    assert_int_equal(irq.addr, line);
    assert_int_equal(irq.data, level);
    assert_int_equal(irq.time, time);
}

void expect_end(struct fixture *f, const char *reason)
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
