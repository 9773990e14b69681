/* SPDX-License-Identifier: MIT */
/* Devices of the outside: a simulator gets their accesses with their time, and answers them in its
 * own. */
#include "base/macros.h"
#include "bridge/command.h"
#include "bridge_fixture.h"
#include "sim/command.h"
#include "trace/trace.h"
#include "trestle/sim.h"

#define LATER (10 * TRESTLE_US)

struct outside {
    struct fixture f;
    struct trestle_device *devices[2];
    struct trestle_access access; /* the latest, and what is known of it */
    struct trestle_request *request;
    trestle_time when;
    uint32_t index;
    bool write, answers_at_once;
    unsigned accesses, resets, advances;
    trestle_time until, next;
    int dma_status;
};

/* The state of each of its devices. */
struct face {
    struct outside *outside;
    uint32_t index;
};

/* Time comes to `now`, as it does before anything is done. */
static void go_to(struct outside *o, trestle_time now)
{
    trestle_sim_run_until(trestle_bridge_sim(o->f.bridge), now);
}

static void complete(struct outside *o, trestle_time now, int status, uint64_t data)
{
    struct trestle_request *request = o->request;
    assert_non_null(request);
    o->request = NULL;
    go_to(o, now);
    trestle_request_complete(request, status, data);
}

static int take(struct trestle_device *dev, struct trestle_request *request,
                const struct trestle_access *access, bool write)
{
    struct face *face = trestle_device_state(dev);
    struct outside *o = face->outside;
    o->accesses++;
    o->index = face->index;
    o->access = *access;
    o->write = write;
    o->when = trestle_device_now(dev);
    o->request = request;
    if (o->answers_at_once)
        complete(o, o->when, 0, 0x11);
    return -EINPROGRESS;
}

static int take_read(struct trestle_device *dev, struct trestle_request *request,
                     const struct trestle_access *access, uint64_t *ret_data)
{
    (void)ret_data;
    return take(dev, request, access, false);
}

static int take_write(struct trestle_device *dev, struct trestle_request *request,
                      const struct trestle_access *access)
{
    return take(dev, request, access, true);
}

static void take_reset(struct trestle_device *dev)
{
    struct face *face = trestle_device_state(dev);
    face->outside->resets++;
    face->outside->request = NULL;
}

static void take_dma_done(struct trestle_device *dev, uint64_t tag, int status)
{
    struct face *face = trestle_device_state(dev);
    assert_int_equal(tag, 7);
    face->outside->dma_status = status;
}

static const struct trestle_model outside_model = {.size = sizeof(outside_model),
                                                   .name = "outside",
                                                   .region_size = 4096,
                                                   .access_sizes = 1 | 2 | 4 | 8,
                                                   .irq_lines = 2,
                                                   .state_size = sizeof(struct face),
                                                   .read = take_read,
                                                   .write = take_write,
                                                   .reset = take_reset,
                                                   .dma_done = take_dma_done};

static void take_advance(void *ctx, trestle_time until)
{
    struct fixture *f = ctx;
    struct outside *o = container_of(f, struct outside, f);
    o->advances++;
    o->until = until;
}

static trestle_time say_expected(void *ctx)
{
    struct fixture *f = ctx;
    return container_of(f, struct outside, f)->next;
}

static void add_outside(struct outside *o, uint32_t index)
{
    struct trestle_bridge_device device = {.size = sizeof(device),
                                           .name = index == 0 ? "dev0" : "dev1",
                                           .model = &outside_model,
                                           .base_addr = BASE + index * STRIDE,
                                           .outside = true};
    assert_int_equal(trestle_bridge_add_device(o->f.bridge, &device, &o->devices[index], NULL), 0);
    struct face *face = trestle_device_state(o->devices[index]);
    *face = (struct face){o, index};
}

static int create(void **state)
{
    static struct outside o;
    o = (struct outside){.next = TRESTLE_TIME_NEVER, .dma_status = 1};
    struct trestle_bridge_options options = {.size = sizeof(options),
                                             .wait = TRESTLE_WAIT_SLEEP,
                                             .log = fixture_log,
                                             .ctx = &o.f,
                                             .advance = take_advance,
                                             .expect = say_expected};
    assert_int_equal(trestle_bridge_create(&options, &o.f.bridge, NULL), 0);
    *state = &o;
    return 0;
}

static int listen_with_two(void **state)
{
    create(state);
    struct outside *o = *state;
    add_outside(o, 0);
    add_outside(o, 1);
    return trestle_bridge_listen(o->f.bridge, NULL);
}

/* The second device is a model in the engine. */
static int listen_with_model(void **state)
{
    create(state);
    struct outside *o = *state;
    struct trestle_bridge_device device = {.size = sizeof(device),
                                           .name = "dev1",
                                           .model = &memory_model,
                                           .base_addr = BASE + STRIDE,
                                           .region_size = 4096};
    add_outside(o, 0);
    assert_int_equal(trestle_bridge_add_device(o->f.bridge, &device, NULL, NULL), 0);
    return trestle_bridge_listen(o->f.bridge, NULL);
}

static int destroy(void **state)
{
    struct outside *o = *state;
    trestle_bridge_destroy(o->f.bridge);
    return 0;
}

/* --- a client of version 2, on the socket carrier --------------------------------------------- */

static int join_with(struct outside *o, uint32_t index, uint32_t features)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_welcome welcome;
    struct trestle_v2_hello hello = {.version_min = 2,
                                     .version_max = 2,
                                     .features = features,
                                     .irq_lines = 2,
                                     .client_id = "a client's id..",
                                     .base_addr = BASE + index * STRIDE,
                                     .size = 4096};
    int fd = client_connect(&o->f, index);
    trestle_v2_encode_hello(bytes, &hello);
    client_send(fd, bytes, sizeof(bytes));
    assert_true(client_receive(&o->f, fd, bytes, sizeof(bytes)));
    assert_int_equal(trestle_v2_decode_welcome(bytes, &welcome), 0);
    assert_int_equal(welcome.status, TRESTLE_V2_OK);
    return fd;
}

static int join(struct outside *o, uint32_t index)
{
    return join_with(o, index, TRESTLE_V2_FEATURE_TIME | TRESTLE_V2_FEATURE_IRQ);
}

static void send_message(int fd, uint64_t seq, struct trestle_v2_message m)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    m.seq = m.id = seq;
    trestle_v2_encode(bytes, &m);
    client_send(fd, bytes, sizeof(bytes));
}

static void send_access(int fd, uint32_t index, uint64_t seq, uint8_t type, uint64_t addr,
                        trestle_time time)
{
    send_message(fd, seq,
                 (struct trestle_v2_message){.type = type,
                                             .size = 4,
                                             .device = index,
                                             .addr = addr,
                                             .data = type == TRESTLE_V2_WRITE ? 0x1234 : 0,
                                             .time = time});
}

static void wait_for_access(struct outside *o, unsigned count)
{
    for (unsigned i = 0; i < 100000 && o->accesses < count; i++)
        turn(&o->f);
    assert_int_equal(o->accesses, count);
}

static struct trestle_v2_message receive_reply(struct outside *o, int fd)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m;
    assert_true(client_receive(&o->f, fd, bytes, sizeof(bytes)));
    trestle_v2_decode(bytes, &m);
    assert_int_equal(m.type, TRESTLE_V2_REPLY);
    return m;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void test_time_is_the_outsides(void **state)
{
    struct outside *o = *state;
    int fd = join(o, 1);

    send_access(fd, 1, 1, TRESTLE_V2_WRITE, 0x10, 1000 * TRESTLE_NS);
    wait_for_access(o, 1);
    assert_int_equal(o->index, 1);
    assert_true(o->write);
    assert_int_equal(o->access.offset, 0x10);
    assert_int_equal(o->access.data, 0x1234);
    assert_int_equal(o->access.size, 4);
    assert_int_equal(o->when, 1000 * TRESTLE_NS);

    /* Answered 300 ns later: the guest stood still meanwhile. */
    complete(o, 1300 * TRESTLE_NS, 0, 0);
    struct trestle_v2_message reply = receive_reply(o, fd);
    assert_int_equal(reply.status, TRESTLE_V2_OK);
    assert_int_equal(reply.time, 1300 * TRESTLE_NS);
    assert_int_equal(reply.extra, 300 * TRESTLE_NS);

    /* The next one comes that much later in the embedder's time. */
    send_access(fd, 1, 2, TRESTLE_V2_READ, 0x14, 2000 * TRESTLE_NS);
    wait_for_access(o, 2);
    assert_false(o->write);
    assert_int_equal(o->when, 2300 * TRESTLE_NS);
    complete(o, 2300 * TRESTLE_NS, 0, 0xabcd);
    reply = receive_reply(o, fd);
    assert_int_equal(reply.data, 0xabcd);
    assert_int_equal(reply.extra, 300 * TRESTLE_NS);
    close(fd);
}

static void test_errors_and_checks(void **state)
{
    struct outside *o = *state;
    int fd = join(o, 0);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0x0, 1);
    wait_for_access(o, 1);
    complete(o, 1, -EIO, 7);
    struct trestle_v2_message reply = receive_reply(o, fd);
    assert_int_equal(reply.status, TRESTLE_V2_REFUSED);
    assert_int_equal(reply.data, 0);

    /* The embedder sees no access that the region does not have. */
    send_access(fd, 0, 2, TRESTLE_V2_READ, 4096, 2);
    assert_int_equal(receive_reply(o, fd).status, TRESTLE_V2_RANGE);
    send_access(fd, 0, 3, TRESTLE_V2_READ, 2, 3);
    assert_int_equal(receive_reply(o, fd).status, TRESTLE_V2_WIDTH);
    assert_int_equal(o->accesses, 1);

    close(fd);
}

static void test_expected_interrupt(void **state)
{
    struct outside *o = *state;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m;
    int fd = join(o, 0);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0, 1000 * TRESTLE_NS);
    wait_for_access(o, 1);
    o->next = 1300 * TRESTLE_NS + LATER;
    complete(o, 1300 * TRESTLE_NS, 0, 0);
    m = receive_reply(o, fd);
    assert_int_equal(m.next, 1000 * TRESTLE_NS + LATER); /* on the guest's clock */

    /* The guest comes to that time without an access: the embedder goes there first. */
    send_message(fd, 2, (struct trestle_v2_message){.type = TRESTLE_V2_ADVANCE, .time = m.next});
    for (unsigned i = 0; i < 100000 && o->advances == 0; i++)
        turn(&o->f);
    assert_int_equal(o->advances, 1);
    assert_int_equal(o->until, 1300 * TRESTLE_NS + LATER);
    go_to(o, 2000 * TRESTLE_NS);
    trestle_device_irq(o->devices[0], 1, true);
    o->next = o->until + LATER;
    assert_int_equal(trestle_bridge_advanced(o->f.bridge, o->until), 0);
    assert_int_equal(trestle_bridge_advanced(o->f.bridge, o->until), -ENOENT);
    assert_true(client_receive(&o->f, fd, bytes, sizeof(bytes)));
    trestle_v2_decode(bytes, &m);
    assert_int_equal(m.type, TRESTLE_V2_IRQ);
    assert_int_equal(m.addr, 1);
    assert_int_equal(m.data, 1);
    m = receive_reply(o, fd);
    assert_int_equal(m.id, 2);
    assert_int_equal(m.next, 1000 * TRESTLE_NS + 2 * LATER);

    close(fd);
}

/* On sockets the client looks at the one that it waits on, whoever interrupts. */
static void test_interrupt_while_another_is_asked(void **state)
{
    struct outside *o = *state;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m;
    int other = join(o, 0), fd = join(o, 1);
    send_access(fd, 1, 1, TRESTLE_V2_READ, 0, TRESTLE_NS);
    wait_for_access(o, 1);
    go_to(o, TRESTLE_NS);
    trestle_device_irq(o->devices[0], 1, true);
    complete(o, TRESTLE_NS, 0, 0);
    assert_true(client_receive(&o->f, fd, bytes, sizeof(bytes)));
    trestle_v2_decode(bytes, &m);
    assert_int_equal(m.type, TRESTLE_V2_IRQ);
    assert_int_equal(m.device, 0);
    receive_reply(o, fd);
    close(fd);
    close(other);
}

/* The guest waits for the embedder, which polls without a limit: nothing else would end this. */
static void test_poll_ends_with_an_access(void **state)
{
    struct outside *o = *state;
    int fd = join(o, 0);
    for (unsigned i = 1; i <= 200; i++) {
        send_access(fd, 0, i, TRESTLE_V2_READ, 0, i);
        while (o->accesses < i)
            assert_int_equal(trestle_bridge_poll(o->f.bridge, -1), 0);
        complete(o, i, 0, 0);
        receive_reply(o, fd);
    }
    close(fd);
}

static void expect_dma(struct outside *o, int fd, uint8_t type, uint64_t addr, uint64_t size)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m;
    assert_true(client_receive(&o->f, fd, bytes, sizeof(bytes)));
    trestle_v2_decode(bytes, &m);
    assert_int_equal(m.type, type);
    assert_int_equal(m.addr, addr);
    assert_int_equal(m.data, size);
}

/* What is transferred is seen by whoever looks: the trace and the hash. */
static void count_bytes(void *ctx, const struct trestle_device *dev,
                        struct trestle_trace_record *record)
{
    (void)dev;
    if (record->kind == TRESTLE_TRACE_DMA_DATA)
        *(unsigned *)ctx += record->size;
}

static int dma_status(struct outside *o)
{
    o->dma_status = 1;
    go_to(o, trestle_sim_now(trestle_bridge_sim(o->f.bridge)));
    return o->dma_status;
}

/* The client's answers are on their way before it is asked, since one thread plays both. */
static void test_dma(void **state)
{
    struct outside *o = *state;
    struct trestle_v2_message done = {.type = TRESTLE_V2_DMA_DONE};
    uint8_t buf[8];
    int fd = join_with(o, 0, TRESTLE_V2_FEATURE_TIME | TRESTLE_V2_FEATURE_DMA);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0, TRESTLE_NS);
    wait_for_access(o, 1);

    uint8_t frame[TRESTLE_V2_MESSAGE_SIZE];
    for (unsigned i = 1; i <= 3; i++) {
        done.id = i;
        done.seq = i + 1;
        done.status = i == 3 ? TRESTLE_V2_NOT_RAM : TRESTLE_V2_OK;
        trestle_v2_encode(frame, &done);
        client_send(fd, frame, sizeof(frame));
        if (i == 1)
            client_send(fd, "abcdefgh", 8);
    }
    unsigned bytes = 0;
    trestle_sim_observe(trestle_bridge_sim(o->f.bridge), count_bytes, &bytes);
    go_to(o, 5 * TRESTLE_NS);
    assert_int_equal(trestle_device_dma_read(o->devices[0], 0x80000010, buf, 8, 7), 0);
    assert_memory_equal(buf, "abcdefgh", 8);
    assert_int_equal(dma_status(o), 0);
    assert_int_equal(trestle_device_dma_write(o->devices[0], 0x80000020, buf, 8, 7), 0);
    assert_int_equal(dma_status(o), 0);
    assert_int_equal(trestle_device_dma_read(o->devices[0], 0x10, buf, 4, 7), 0);
    assert_int_equal(dma_status(o), -EFAULT);
    assert_int_equal(bytes, 16); /* of the two that were done */
    expect_dma(o, fd, TRESTLE_V2_DMA_READ, 0x80000010, 8);
    expect_dma(o, fd, TRESTLE_V2_DMA_WRITE, 0x80000020, 8);
    memset(buf, 0, sizeof(buf));
    assert_true(client_receive(&o->f, fd, buf, 8));
    assert_memory_equal(buf, "abcdefgh", 8);
    expect_dma(o, fd, TRESTLE_V2_DMA_READ, 0x10, 4);
    close(fd);
}

static void test_no_dma(void **state)
{
    struct outside *o = *state;
    uint8_t buf[4];
    assert_int_equal(trestle_device_dma_read(o->devices[0], 0x10, buf, 4, 7), -ENOTSUP);
    int fd = join(o, 0);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0, TRESTLE_NS);
    wait_for_access(o, 1);
    assert_int_equal(trestle_device_dma_read(o->devices[0], 0x10, buf, 4, 7), -ENOTSUP);
    close(fd);
}

static void test_answer_from_inside(void **state)
{
    struct outside *o = *state;
    uint8_t bytes[TRESTLE_V1_RESPONSE_SIZE], frame[TRESTLE_V1_REQUEST_SIZE];
    struct trestle_v1_request request = {.type = TRESTLE_V1_READ, .size = 4, .addr = BASE + 8};
    struct trestle_v1_response response;
    int fd = client_connect(&o->f, 0);
    o->answers_at_once = true;
    trestle_v1_encode_request(frame, &request);
    client_send(fd, frame, sizeof(frame));
    assert_true(client_receive(&o->f, fd, bytes, sizeof(bytes)));
    assert_int_equal(trestle_v1_decode_response(bytes, &response), 0);
    assert_true(response.success);
    assert_int_equal(response.data, 0x11);
    close(fd);
}

static void test_client_goes_away(void **state)
{
    struct outside *o = *state;
    int fd = join(o, 0);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0, 1);
    wait_for_access(o, 1);
    close(fd);
    wait_for_log(&o->f, "Device dev0 disconnected");
    assert_cmp(o->resets, ==, 1);
    assert_null(o->request);
}

/* --- models in the engine ----------------------------------------------------------------------
 */

/* The outside does nothing before its next access: the engine goes on to the answer by itself. */
static void test_model_answers_later(void **state)
{
    struct outside *o = *state;
    int fd = join(o, 1);
    send_access(fd, 1, 1, TRESTLE_V2_READ, REG_DEFERRED, 1000 * TRESTLE_NS);
    struct trestle_v2_message reply = receive_reply(o, fd);
    assert_int_equal(reply.time, 1500 * TRESTLE_NS);
    assert_int_equal(o->advances, 0);
    close(fd);
}

/* It may do something before that answer: it goes first. */
static void test_model_answers_after_the_outside(void **state)
{
    struct outside *o = *state;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m;
    int other = join(o, 0), fd = join(o, 1);
    o->next = 1200 * TRESTLE_NS;
    send_access(fd, 1, 1, TRESTLE_V2_READ, REG_DEFERRED, 1000 * TRESTLE_NS);
    for (unsigned i = 0; i < 100000 && o->advances == 0; i++)
        turn(&o->f);
    assert_int_equal(o->until, 1500 * TRESTLE_NS);
    turn(&o->f);
    assert_int_equal(o->advances, 1); /* it is asked once */
    go_to(o, o->next);
    trestle_device_irq(o->devices[0], 1, true);
    o->next = TRESTLE_TIME_NEVER;
    assert_int_equal(trestle_bridge_advanced(o->f.bridge, o->until), 0);
    assert_true(client_receive(&o->f, fd, bytes, sizeof(bytes)));
    trestle_v2_decode(bytes, &m);
    assert_int_equal(m.type, TRESTLE_V2_IRQ);
    assert_int_equal(m.time, 1200 * TRESTLE_NS);
    assert_int_equal(receive_reply(o, fd).time, 1500 * TRESTLE_NS);
    close(fd);
    close(other);
}

/* The engine goes where the outside goes, not beyond. */
static void test_model_while_the_outside_is_asked(void **state)
{
    struct outside *o = *state;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m;
    int fd = join(o, 0), other = join(o, 1);
    send_message(other, 1,
                 (struct trestle_v2_message){.type = TRESTLE_V2_WRITE,
                                             .size = 8,
                                             .device = 1,
                                             .addr = REG_TIMER,
                                             .data = 100,
                                             .time = 1000 * TRESTLE_NS});
    assert_int_equal(receive_reply(o, other).next, 1100 * TRESTLE_NS);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0, 1050 * TRESTLE_NS);
    wait_for_access(o, 1);
    turn(&o->f);
    assert_int_equal(trestle_sim_now(trestle_bridge_sim(o->f.bridge)), 1050 * TRESTLE_NS);
    complete(o, 1300 * TRESTLE_NS, 0, 0);
    assert_true(client_receive(&o->f, fd, bytes, sizeof(bytes)));
    trestle_v2_decode(bytes, &m);
    assert_int_equal(m.type, TRESTLE_V2_IRQ);
    assert_int_equal(m.time, 1100 * TRESTLE_NS);
    assert_int_equal(receive_reply(o, fd).extra, 250 * TRESTLE_NS);
    close(fd);
    close(other);
}

static void expect_refused(struct trestle_bridge *bridge,
                           const struct trestle_bridge_device *device, const char *why)
{
    char *error = NULL;
    assert_int_equal(trestle_bridge_add_device(bridge, device, NULL, &error), -EINVAL);
    assert_non_null(strstr(error, why));
    free(error);
}

static void test_outside_is_needed(void **state)
{
    struct trestle_bridge_options options = {.size = sizeof(options)};
    struct trestle_bridge_device device = {
        .size = sizeof(device), .name = "dev", .base_addr = BASE, .outside = true};
    struct trestle_bridge *bridge;
    (void)state;
    assert_int_equal(trestle_bridge_create(&options, &bridge, NULL), 0);
    expect_refused(bridge, &device, "a model");
    device.model = &outside_model;
    expect_refused(bridge, &device, "advance() and expect()");
    trestle_bridge_destroy(bridge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_time_is_the_outsides, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_errors_and_checks, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_expected_interrupt, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_poll_ends_with_an_access, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_interrupt_while_another_is_asked, listen_with_two,
                                        destroy),
        cmocka_unit_test_setup_teardown(test_dma, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_no_dma, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_answer_from_inside, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_client_goes_away, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_model_answers_later, listen_with_model, destroy),
        cmocka_unit_test_setup_teardown(test_model_answers_after_the_outside, listen_with_model,
                                        destroy),
        cmocka_unit_test_setup_teardown(test_model_while_the_outside_is_asked, listen_with_model,
                                        destroy),
        cmocka_unit_test(test_outside_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
