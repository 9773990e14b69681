/* SPDX-License-Identifier: MIT */
/* Components, links and messages. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "sim/command.h"
#include "sim/sim.h"
#include "trestle/sim.h"

struct end {
    struct trestle_sim *sim;
    struct trestle_component *component;
    size_t count;
    uint32_t port;
    size_t size;
    uint8_t data[TRESTLE_MESSAGE_MAX];
    trestle_time time;
    size_t echoes;        /* how many messages to send back */
    bool forwards;        /* out of port 1 */
    size_t forwards_less; /* bytes that it leaves out at the end */
    const void *seen_at;
    bool in_order; /* the first byte counts the messages */
};

static struct trestle_sim *sim;
static struct end a, b;

static void receive(void *ctx, uint32_t port, const void *data, size_t size)
{
    struct end *end = ctx;
    if (end->in_order)
        assert_int_equal(*(const uint8_t *)data, end->count);
    end->count++;
    end->port = port;
    end->size = size;
    memcpy(end->data, data, size);
    end->time = trestle_sim_now(end->sim);
    end->seen_at = data;
    if (end->forwards)
        assert_int_equal(trestle_component_send(end->component, 1, data, size - end->forwards_less),
                         0);
    if (end->echoes > 0) {
        end->echoes--;
        uint8_t other[TRESTLE_MESSAGE_MAX];
        memset(other, 0xee, sizeof(other));
        assert_int_equal(trestle_component_send(end->component, port, other, 5), 0);
        /* What was received must not have changed under the receiver. */
        assert_memory_equal(end->data, data, size);
    }
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(trestle_sim_create(&sim), 0);
    a = b = (struct end){.sim = sim};
    assert_int_equal(trestle_component_create(sim, 2, receive, &a, &a.component), 0);
    assert_int_equal(trestle_component_create(sim, 3, receive, &b, &b.component), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    trestle_sim_destroy(sim);
    return 0;
}

static void test_message_arrives_after_the_latency(void **state)
{
    (void)state;
    assert_int_equal(trestle_link_create(a.component, 1, b.component, 2, 100, NULL), 0);
    assert_true(component_is_linked(a.component, 1));
    assert_true(component_is_linked(b.component, 2));
    assert_false(component_is_linked(b.component, 0));
    assert_false(component_is_linked(b.component, 3));
    assert_false(component_is_linked(b.component, 99));

    (void)trestle_sim_run_until(sim, 7);
    char text[] = "hello";
    assert_int_equal(trestle_component_send(a.component, 1, text, 5), 0);
    memset(text, 'x', sizeof(text)); /* a copy is on its way */
    (void)trestle_sim_run_until(sim, 106);
    assert_int_equal(b.count, 0);
    (void)trestle_sim_run_until(sim, 107);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.time, 107);
    assert_int_equal(b.port, 2);
    assert_int_equal(b.size, 5);
    assert_memory_equal(b.data, "hello", 5);
    assert_int_equal(a.count, 0);

    assert_int_equal(trestle_component_send(b.component, 2, "back", 4), 0);
    (void)trestle_sim_run_until(sim, 207);
    assert_int_equal(a.count, 1);
    assert_int_equal(a.time, 207);
    assert_int_equal(a.port, 1);
}

static void test_messages_keep_their_order(void **state)
{
    (void)state;
    assert_int_equal(trestle_link_create(a.component, 0, b.component, 0, 10, NULL), 0);
    b.in_order = true;
    for (uint8_t i = 0; i < 200; i++)
        assert_int_equal(trestle_component_send(a.component, 0, &i, 1), 0);
    assert_int_equal(trestle_sim_run_until(sim, 10), 200);
    assert_int_equal(b.count, 200);
}

static void test_no_latency_is_after_the_current_event(void **state)
{
    (void)state;
    assert_int_equal(trestle_link_create(a.component, 0, b.component, 0, 0, NULL), 0);
    b.echoes = a.echoes = 1;
    uint8_t full[TRESTLE_MESSAGE_MAX];
    memset(full, 0x11, sizeof(full));
    assert_int_equal(trestle_component_send(a.component, 0, full, sizeof(full)), 0);
    assert_int_equal(b.count, 0); /* not from inside send() */
    assert_int_equal(trestle_sim_run_until(sim, 0), 3);
    assert_int_equal(a.count, 1);
    assert_int_equal(b.count, 2);
    assert_int_equal(trestle_sim_now(sim), 0);
}

static void test_bad_links(void **state)
{
    (void)state;
    struct trestle_link *link = NULL;
    assert_int_equal(trestle_link_create(a.component, 2, b.component, 0, 1, &link), -EINVAL);
    assert_int_equal(trestle_link_create(a.component, 0, b.component, 3, 1, &link), -EINVAL);
    assert_int_equal(trestle_link_create(a.component, 0, a.component, 0, 1, &link), -EINVAL);
    assert_null(link);
    assert_int_equal(trestle_link_create(a.component, 0, b.component, 0, 1, &link), 0);
    assert_int_equal(trestle_link_create(a.component, 0, b.component, 1, 1, NULL), -EBUSY);
    assert_int_equal(trestle_link_create(a.component, 1, b.component, 0, 1, NULL), -EBUSY);
    assert_false(component_is_linked(a.component, 1));

    struct trestle_sim *other;
    struct trestle_component *stranger;
    assert_int_equal(trestle_sim_create(&other), 0);
    assert_int_equal(trestle_component_create(other, 1, NULL, NULL, &stranger), 0);
    assert_int_equal(trestle_link_create(a.component, 1, stranger, 0, 1, NULL), -EINVAL);
    trestle_sim_destroy(other);
}

static void test_bad_messages(void **state)
{
    (void)state;
    uint8_t data[TRESTLE_MESSAGE_MAX + 1] = {0};
    assert_int_equal(trestle_link_create(a.component, 0, b.component, 0, 1, NULL), 0);
    assert_int_equal(trestle_component_send(a.component, 2, data, 1), -EINVAL);
    assert_int_equal(trestle_component_send(a.component, 1, data, 1), -ENOTCONN);
    assert_int_equal(trestle_component_send(a.component, 0, data, 0), -EMSGSIZE);
    assert_int_equal(trestle_component_send(a.component, 0, data, sizeof(data)), -EMSGSIZE);
    assert_int_equal(trestle_sim_next(sim), TRESTLE_TIME_NEVER);
}

static void test_link_between_two_ports_of_one(void **state)
{
    (void)state;
    assert_int_equal(trestle_link_create(b.component, 1, b.component, 2, 1, NULL), 0);
    assert_int_equal(trestle_component_send(b.component, 1, "x", 1), 0);
    (void)trestle_sim_run_until(sim, 1);
    assert_int_equal(b.port, 2);
    assert_int_equal(trestle_component_send(b.component, 2, "x", 1), 0);
    (void)trestle_sim_run_until(sim, 2);
    assert_int_equal(b.port, 1);
}

static void test_component_that_only_sends(void **state)
{
    (void)state;
    struct trestle_component *deaf;
    assert_int_equal(trestle_component_create(sim, 1, NULL, NULL, &deaf), 0);
    assert_int_equal(trestle_link_create(a.component, 0, deaf, 0, 1, NULL), 0);
    assert_int_equal(trestle_component_send(a.component, 0, "x", 1), 0);
    assert_int_equal(trestle_component_send(deaf, 0, "y", 1), 0);
    assert_int_equal(trestle_sim_run_until(sim, 1), 2);
    assert_int_equal(a.count, 1);
}

static void test_message_pending_at_destroy(void **state)
{
    (void)state;
    assert_int_equal(trestle_link_create(a.component, 0, b.component, 0, TRESTLE_TIME_NEVER, NULL),
                     0);
    (void)trestle_sim_run_until(sim, 5);
    assert_int_equal(trestle_component_send(a.component, 0, "x", 1), 0);
    /* A latency beyond the end of time is its last picosecond, not a wrap into the past. */
    assert_int_equal(trestle_sim_next(sim), TRESTLE_TIME_NEVER - 1);
}

static void test_forwarded_without_a_copy(void **state)
{
    struct end c = {.sim = sim};
    uint8_t full[TRESTLE_MESSAGE_MAX];
    (void)state;
    memset(full, 0x5a, sizeof(full));
    assert_int_equal(trestle_component_create(sim, 1, receive, &c, &c.component), 0);
    assert_int_equal(trestle_link_create(a.component, 0, b.component, 0, 1, NULL), 0);
    assert_int_equal(trestle_link_create(b.component, 1, c.component, 0, 1, NULL), 0);
    b.forwards = true;
    static const size_t sizes[] = {1, 256, 257, 1518, 2049, TRESTLE_MESSAGE_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        assert_int_equal(trestle_component_send(a.component, 0, full, sizes[i]), 0);
        (void)trestle_sim_run_until(sim, trestle_sim_now(sim) + 2);
        assert_int_equal(c.count, i + 1);
        assert_int_equal(c.size, sizes[i]);
        assert_memory_equal(c.data, full, sizes[i]);
        assert_ptr_equal(c.seen_at, b.seen_at);
    }
}

/* Only the whole message is there already. */
static void test_a_part_is_a_copy(void **state)
{
    struct end c = {.sim = sim};
    (void)state;
    assert_int_equal(trestle_component_create(sim, 1, receive, &c, &c.component), 0);
    assert_int_equal(trestle_link_create(a.component, 0, b.component, 0, 1, NULL), 0);
    assert_int_equal(trestle_link_create(b.component, 1, c.component, 0, 1, NULL), 0);
    b.forwards = true;
    b.forwards_less = 1;
    assert_int_equal(trestle_component_send(a.component, 0, "head", 4), 0);
    (void)trestle_sim_run_until(sim, 2);
    assert_int_equal(c.size, 3);
    assert_memory_equal(c.data, "hea", 3);
    assert_ptr_not_equal(c.seen_at, b.seen_at);
}

static void test_bandwidth(void **state)
{
    struct trestle_link *link;
    uint8_t full[TRESTLE_MESSAGE_MAX] = {0};
    (void)state;
    assert_int_equal(trestle_link_create(a.component, 0, b.component, 0, 10, &link), 0);
    assert_ptr_equal(trestle_component_link(a.component, 0), link);
    assert_null(trestle_component_link(a.component, 1));
    assert_null(trestle_component_link(a.component, 2));
    assert_int_equal(trestle_link_set_bandwidth(link, TRESTLE_BANDWIDTH_MAX + 1), -EINVAL);
    /* A byte in 8 ns. */
    assert_int_equal(trestle_link_set_bandwidth(link, 1000 * 1000 * 1000), 0);
    assert_int_equal(trestle_component_send(a.component, 0, full, 1500), 0);
    assert_int_equal(trestle_component_send(a.component, 0, full, 1), 0); /* behind it */
    assert_int_equal(trestle_component_send(b.component, 0, full, 2), 0); /* the other way */
    (void)trestle_sim_run_until(sim, 16 * TRESTLE_NS + 10);
    assert_int_equal(a.time, 16 * TRESTLE_NS + 10);
    (void)trestle_sim_run_until(sim, 12000 * TRESTLE_NS + 9);
    assert_int_equal(b.count, 0);
    (void)trestle_sim_run_until(sim, 12000 * TRESTLE_NS + 10);
    assert_int_equal(b.count, 1);
    (void)trestle_sim_run_until(sim, 12008 * TRESTLE_NS + 10);
    assert_int_equal(b.count, 2);
    /* Idle since: it begins at once. */
    (void)trestle_sim_run_until(sim, 20000 * TRESTLE_NS);
    assert_int_equal(trestle_component_send(a.component, 0, full, 1), 0);
    assert_int_equal(trestle_sim_next(sim), 20008 * TRESTLE_NS + 10);
    (void)trestle_sim_run_until(sim, 20008 * TRESTLE_NS + 10);
    /* The slowest that there is ends at the end of time, not before now. */
    assert_int_equal(trestle_link_set_bandwidth(link, 1), 0);
    for (int i = 0; i < 60; i++)
        assert_int_equal(trestle_component_send(a.component, 0, full, sizeof(full)), 0);
    assert_cmp(trestle_sim_next(sim), >, 20008 * TRESTLE_NS + 10);
    assert_int_equal(trestle_link_set_bandwidth(link, 0), 0);
}

static void test_bandwidths_as_text(void **state)
{
    static const struct {
        const char *text;
        uint64_t bits_per_second;
    } good[] = {{"1bit/s", 1},
                {"1Gbit/s", UINT64_C(1000000000)},
                {"2.5 Gbit/s", UINT64_C(2500000000)},
                {"12.5MB/s", UINT64_C(100000000)},
                {"0.125B/s", 1},
                {"1000Tbit/s", TRESTLE_BANDWIDTH_MAX}};
    static const char *const bad[] = {"",
                                      "1",
                                      "0Gbit/s",
                                      "0.5bit/s",
                                      "1Gbit",
                                      "-1Gbit/s",
                                      "1GBit/s",
                                      "Gbit/s",
                                      "1001Tbit/s",
                                      "1e9bit/s",
                                      "99999999999999999999TB/s"};
    uint64_t bits;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_int_equal(trestle_parse_bandwidth(good[i].text, &bits), 0);
        assert_int_equal(bits, good[i].bits_per_second);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(trestle_parse_bandwidth(bad[i], &bits), -EINVAL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_message_arrives_after_the_latency),
        TEST(test_messages_keep_their_order),
        TEST(test_no_latency_is_after_the_current_event),
        TEST(test_bad_links),
        TEST(test_bad_messages),
        TEST(test_link_between_two_ports_of_one),
        TEST(test_component_that_only_sends),
        TEST(test_message_pending_at_destroy),
        TEST(test_forwarded_without_a_copy),
        TEST(test_a_part_is_a_copy),
        TEST(test_bandwidth),
        TEST(test_bandwidths_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
