/* SPDX-License-Identifier: MIT */
/* Components, links and messages. */
#include <errno.h>
#include <string.h>

#include "check.h"
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
    size_t echoes; /* how many messages to send back */
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
