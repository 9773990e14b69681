/* SPDX-License-Identifier: MIT */
/* Devices without a model: the embedder gets their accesses, with their time, and answers them in
 * its own. */
#include "bridge_fixture.h"

#define LATER (10 * TRESTLE_US)

struct embedder {
    struct fixture f;
    struct trestle_bridge_access access; /* the latest, and whose it was */
    uint32_t index;
    unsigned accesses, resets, advances;
    trestle_time until;
    bool answers_at_once;
};

static void take_access(void *ctx, uint32_t index, const struct trestle_bridge_access *access)
{
    struct embedder *e = ctx;
    e->accesses++;
    e->index = index;
    e->access = *access;
    if (e->answers_at_once)
        assert_int_equal(trestle_bridge_complete(e->f.bridge, index, access->when, 0, 0x11), 0);
}

static void take_reset(void *ctx, uint32_t index)
{
    struct embedder *e = ctx;
    (void)index;
    e->resets++;
}

static void take_advance(void *ctx, trestle_time until)
{
    struct embedder *e = ctx;
    e->advances++;
    e->until = until;
}

static int add_embedded(struct embedder *e, const char *name, uint64_t base, uint64_t size,
                        char **ret_error)
{
    struct trestle_bridge_device device = {.size = sizeof(device),
                                           .name = name,
                                           .base_addr = base,
                                           .region_size = size,
                                           .access = take_access,
                                           .reset = take_reset,
                                           .ctx = e,
                                           .irq_lines = 2,
                                           .dma = true};
    return trestle_bridge_add_device(e->f.bridge, &device, NULL, ret_error);
}

static int create(void **state)
{
    static struct embedder e;
    e = (struct embedder){0};
    struct trestle_bridge_options options = {
        .size = sizeof(options), .wait = TRESTLE_WAIT_SLEEP, .log = fixture_log, .ctx = &e.f};
    options.advance = take_advance;
    assert_int_equal(trestle_bridge_create(&options, &e.f.bridge, NULL), 0);
    *state = &e;
    return 0;
}

static int listen_with_two(void **state)
{
    create(state);
    struct embedder *e = *state;
    assert_int_equal(add_embedded(e, "dev0", BASE, 4096, NULL), 0);
    assert_int_equal(add_embedded(e, "dev1", BASE + STRIDE, 4096, NULL), 0);
    return trestle_bridge_listen(e->f.bridge, NULL);
}

static int destroy(void **state)
{
    struct embedder *e = *state;
    trestle_bridge_destroy(e->f.bridge);
    return 0;
}

/* --- a client of version 2, on the socket carrier --------------------------------------------- */

static int join_with(struct embedder *e, uint32_t index, uint32_t features)
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
    int fd = client_connect(&e->f, index);
    trestle_v2_encode_hello(bytes, &hello);
    client_send(fd, bytes, sizeof(bytes));
    assert_true(client_receive(&e->f, fd, bytes, sizeof(bytes)));
    assert_int_equal(trestle_v2_decode_welcome(bytes, &welcome), 0);
    assert_int_equal(welcome.status, TRESTLE_V2_OK);
    return fd;
}

static int join(struct embedder *e, uint32_t index)
{
    return join_with(e, index, TRESTLE_V2_FEATURE_TIME | TRESTLE_V2_FEATURE_IRQ);
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

static void wait_for_access(struct embedder *e, unsigned count)
{
    for (unsigned i = 0; i < 100000 && e->accesses < count; i++)
        turn(&e->f);
    assert_int_equal(e->accesses, count);
}

static struct trestle_v2_message receive_reply(struct embedder *e, int fd)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m;
    assert_true(client_receive(&e->f, fd, bytes, sizeof(bytes)));
    trestle_v2_decode(bytes, &m);
    assert_int_equal(m.type, TRESTLE_V2_REPLY);
    return m;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void test_time_is_the_embedders(void **state)
{
    struct embedder *e = *state;
    int fd = join(e, 1);

    send_access(fd, 1, 1, TRESTLE_V2_WRITE, 0x10, 1000 * TRESTLE_NS);
    wait_for_access(e, 1);
    assert_int_equal(e->index, 1);
    assert_true(e->access.write);
    assert_int_equal(e->access.access.offset, 0x10);
    assert_int_equal(e->access.access.data, 0x1234);
    assert_int_equal(e->access.access.size, 4);
    assert_int_equal(e->access.when, 1000 * TRESTLE_NS);

    /* Answered 300 ns later: the guest stood still meanwhile. */
    assert_int_equal(trestle_bridge_complete(e->f.bridge, 1, 1300 * TRESTLE_NS, 0, 0), 0);
    struct trestle_v2_message reply = receive_reply(e, fd);
    assert_int_equal(reply.status, TRESTLE_V2_OK);
    assert_int_equal(reply.time, 1300 * TRESTLE_NS);
    assert_int_equal(reply.extra, 300 * TRESTLE_NS);

    /* The next one comes that much later in the embedder's time. */
    send_access(fd, 1, 2, TRESTLE_V2_READ, 0x14, 2000 * TRESTLE_NS);
    wait_for_access(e, 2);
    assert_false(e->access.write);
    assert_int_equal(e->access.when, 2300 * TRESTLE_NS);
    assert_int_equal(trestle_bridge_complete(e->f.bridge, 1, 2300 * TRESTLE_NS, 0, 0xabcd), 0);
    reply = receive_reply(e, fd);
    assert_int_equal(reply.data, 0xabcd);
    assert_int_equal(reply.extra, 300 * TRESTLE_NS);
    close(fd);
}

static void test_errors_and_checks(void **state)
{
    struct embedder *e = *state;
    int fd = join(e, 0);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0x0, 1);
    wait_for_access(e, 1);
    assert_int_equal(trestle_bridge_complete(e->f.bridge, 0, 1, -EIO, 7), 0);
    struct trestle_v2_message reply = receive_reply(e, fd);
    assert_int_equal(reply.status, TRESTLE_V2_REFUSED);
    assert_int_equal(reply.data, 0);

    /* The embedder sees no access that the region does not have. */
    send_access(fd, 0, 2, TRESTLE_V2_READ, 4096, 2);
    assert_int_equal(receive_reply(e, fd).status, TRESTLE_V2_RANGE);
    send_access(fd, 0, 3, TRESTLE_V2_READ, 2, 3);
    assert_int_equal(receive_reply(e, fd).status, TRESTLE_V2_WIDTH);
    assert_int_equal(e->accesses, 1);

    assert_int_equal(trestle_bridge_complete(e->f.bridge, 0, 4, 0, 0), -ENOENT);
    assert_int_equal(trestle_bridge_complete(e->f.bridge, 9, 4, 0, 0), -ENOENT);
    close(fd);
}

static void expect(struct embedder *e, trestle_time when)
{
    assert_int_equal(trestle_bridge_expect(e->f.bridge, when), 0);
}

static void test_expected_interrupt(void **state)
{
    struct embedder *e = *state;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m;
    int fd = join(e, 0);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0, 1000 * TRESTLE_NS);
    wait_for_access(e, 1);
    expect(e, 1300 * TRESTLE_NS + LATER);
    assert_int_equal(trestle_bridge_complete(e->f.bridge, 0, 1300 * TRESTLE_NS, 0, 0), 0);
    m = receive_reply(e, fd);
    assert_int_equal(m.next, 1000 * TRESTLE_NS + LATER); /* on the guest's clock */

    /* The guest comes to that time without an access: the embedder goes there first. */
    send_message(fd, 2, (struct trestle_v2_message){.type = TRESTLE_V2_ADVANCE, .time = m.next});
    for (unsigned i = 0; i < 100000 && e->advances == 0; i++)
        turn(&e->f);
    assert_int_equal(e->advances, 1);
    assert_int_equal(e->until, 1300 * TRESTLE_NS + LATER);
    assert_int_equal(trestle_bridge_irq(e->f.bridge, 0, 2000 * TRESTLE_NS, 1, true), 0);
    expect(e, e->until + LATER);
    assert_int_equal(trestle_bridge_advanced(e->f.bridge, e->until), 0);
    assert_int_equal(trestle_bridge_advanced(e->f.bridge, e->until), -ENOENT);
    assert_true(client_receive(&e->f, fd, bytes, sizeof(bytes)));
    trestle_v2_decode(bytes, &m);
    assert_int_equal(m.type, TRESTLE_V2_IRQ);
    assert_int_equal(m.addr, 1);
    assert_int_equal(m.data, 1);
    m = receive_reply(e, fd);
    assert_int_equal(m.id, 2);
    assert_int_equal(m.next, 1000 * TRESTLE_NS + 2 * LATER);

    assert_int_equal(trestle_bridge_irq(e->f.bridge, 0, 0, 2, true), -EINVAL);
    assert_int_equal(trestle_bridge_irq(e->f.bridge, 7, 0, 0, true), -EINVAL);
    close(fd);
}

/* On sockets the client looks at the one that it waits on, whoever interrupts. */
static void test_interrupt_while_another_is_asked(void **state)
{
    struct embedder *e = *state;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m;
    int other = join(e, 0), fd = join(e, 1);
    send_access(fd, 1, 1, TRESTLE_V2_READ, 0, TRESTLE_NS);
    wait_for_access(e, 1);
    assert_int_equal(trestle_bridge_irq(e->f.bridge, 0, TRESTLE_NS, 1, true), 0);
    assert_int_equal(trestle_bridge_complete(e->f.bridge, 1, TRESTLE_NS, 0, 0), 0);
    assert_true(client_receive(&e->f, fd, bytes, sizeof(bytes)));
    trestle_v2_decode(bytes, &m);
    assert_int_equal(m.type, TRESTLE_V2_IRQ);
    assert_int_equal(m.device, 0);
    receive_reply(e, fd);
    close(fd);
    close(other);
}

/* The guest waits for the embedder, which polls without a limit: nothing else would end this. */
static void test_poll_ends_with_an_access(void **state)
{
    struct embedder *e = *state;
    int fd = join(e, 0);
    for (unsigned i = 1; i <= 200; i++) {
        send_access(fd, 0, i, TRESTLE_V2_READ, 0, i);
        while (e->accesses < i)
            assert_int_equal(trestle_bridge_poll(e->f.bridge, -1), 0);
        assert_int_equal(trestle_bridge_complete(e->f.bridge, 0, i, 0, 0), 0);
        receive_reply(e, fd);
    }
    close(fd);
}

static void expect_dma(struct embedder *e, int fd, uint8_t type, uint64_t addr, uint64_t size)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m;
    assert_true(client_receive(&e->f, fd, bytes, sizeof(bytes)));
    trestle_v2_decode(bytes, &m);
    assert_int_equal(m.type, type);
    assert_int_equal(m.addr, addr);
    assert_int_equal(m.data, size);
}

/* The client's answers are on their way before it is asked, since one thread plays both. */
static void test_dma(void **state)
{
    struct embedder *e = *state;
    struct trestle_v2_message done = {.type = TRESTLE_V2_DMA_DONE};
    uint8_t buf[8];
    int fd = join_with(e, 0, TRESTLE_V2_FEATURE_TIME | TRESTLE_V2_FEATURE_DMA);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0, TRESTLE_NS);
    wait_for_access(e, 1);

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
    trestle_time now = 5 * TRESTLE_NS;
    assert_int_equal(trestle_bridge_dma(e->f.bridge, 0, now, false, 0x80000010, buf, 8), 0);
    assert_memory_equal(buf, "abcdefgh", 8);
    assert_int_equal(trestle_bridge_dma(e->f.bridge, 0, now, true, 0x80000020, buf, 8), 0);
    assert_int_equal(trestle_bridge_dma(e->f.bridge, 0, now, false, 0x10, buf, 4), -EFAULT);
    expect_dma(e, fd, TRESTLE_V2_DMA_READ, 0x80000010, 8);
    expect_dma(e, fd, TRESTLE_V2_DMA_WRITE, 0x80000020, 8);
    memset(buf, 0, sizeof(buf));
    assert_true(client_receive(&e->f, fd, buf, 8));
    assert_memory_equal(buf, "abcdefgh", 8);
    expect_dma(e, fd, TRESTLE_V2_DMA_READ, 0x10, 4);

    assert_int_equal(trestle_bridge_dma(e->f.bridge, 9, now, false, 0x10, buf, 4), -EINVAL);
    assert_int_equal(trestle_bridge_dma(e->f.bridge, 0, now, false, 0x10, buf, 0), -EINVAL);
    assert_int_equal(trestle_bridge_dma(e->f.bridge, 0, now, false, UINT64_MAX, buf, 2), -EINVAL);
    close(fd);
}

static void test_no_dma(void **state)
{
    struct embedder *e = *state;
    uint8_t buf[4];
    assert_int_equal(trestle_bridge_dma(e->f.bridge, 0, 0, false, 0x10, buf, 4), -ENOTSUP);
    int fd = join(e, 0);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0, TRESTLE_NS);
    wait_for_access(e, 1);
    assert_int_equal(trestle_bridge_dma(e->f.bridge, 0, 0, false, 0x10, buf, 4), -ENOTSUP);
    close(fd);
}

static void test_answer_from_inside(void **state)
{
    struct embedder *e = *state;
    uint8_t bytes[TRESTLE_V1_RESPONSE_SIZE], frame[TRESTLE_V1_REQUEST_SIZE];
    struct trestle_v1_request request = {.type = TRESTLE_V1_READ, .size = 4, .addr = BASE + 8};
    struct trestle_v1_response response;
    int fd = client_connect(&e->f, 0);
    e->answers_at_once = true;
    trestle_v1_encode_request(frame, &request);
    client_send(fd, frame, sizeof(frame));
    assert_true(client_receive(&e->f, fd, bytes, sizeof(bytes)));
    assert_int_equal(trestle_v1_decode_response(bytes, &response), 0);
    assert_true(response.success);
    assert_int_equal(response.data, 0x11);
    close(fd);
}

static void test_client_goes_away(void **state)
{
    struct embedder *e = *state;
    int fd = join(e, 0);
    send_access(fd, 0, 1, TRESTLE_V2_READ, 0, 1);
    wait_for_access(e, 1);
    close(fd);
    wait_for_log(&e->f, "Device dev0 disconnected");
    assert_int_equal(e->resets, 1);
    assert_int_equal(trestle_bridge_complete(e->f.bridge, 0, 5, 0, 0), -ENOENT);
}

static void expect_refused(struct embedder *e, const struct trestle_bridge_device *device,
                           const char *why)
{
    char *error = NULL;
    assert_int_equal(trestle_bridge_add_device(e->f.bridge, device, NULL, &error), -EINVAL);
    assert_non_null(strstr(error, why));
    free(error);
}

static void test_kinds_do_not_mix(void **state)
{
    struct embedder *e = *state;
    struct trestle_bridge_device device = {.size = sizeof(device),
                                           .name = "other",
                                           .model = &memory_model,
                                           .base_addr = BASE + STRIDE,
                                           .region_size = 4096};
    char *error = NULL;
    assert_int_equal(add_embedded(e, "dev0", BASE, 0, &error), -EINVAL);
    assert_non_null(strstr(error, "give it a size"));
    free(error);
    assert_int_equal(add_embedded(e, "dev0", BASE, 4096, NULL), 0);
    expect_refused(e, &device, "all models or all the embedder's");
    device.model = NULL;
    expect_refused(e, &device, "a model or an access()");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_time_is_the_embedders, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_errors_and_checks, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_expected_interrupt, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_poll_ends_with_an_access, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_interrupt_while_another_is_asked, listen_with_two,
                                        destroy),
        cmocka_unit_test_setup_teardown(test_dma, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_no_dma, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_answer_from_inside, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_client_goes_away, listen_with_two, destroy),
        cmocka_unit_test_setup_teardown(test_kinds_do_not_mix, create, destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
