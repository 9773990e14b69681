/* SPDX-License-Identifier: MIT */
/* The compute model against its register map, alone and linked to echo. */
#include "rig.h"
#include "trestle/bridge.h"
#include "trestle/models.h"
#include "trestle/peer.h"

enum {
    OPERAND_A = 0x00,
    OPERAND_B = 0x04,
    OPERATION = 0x08,
    RESULT = 0x0c,
    STATUS = 0x10,
    CONTROL = 0x14,
    PEER_OUT = 0x18,
    PEER_IN = 0x1c,
    BUSY = 1,
    READY = 2,
    ERROR = 4,
    PEER_READY = 8,
    RESET = 1,
    TRIGGER = 2,
};

static struct trestle_device *dev;

static int setup(void **state)
{
    if (rig_setup(state) < 0)
        return -1;
    dev = rig_device(trestle_model_find("compute"), NULL);
    return 0;
}

static int teardown(void **state)
{
    trestle_device_destroy(dev);
    return rig_teardown(state);
}

static void trigger(uint32_t a, uint32_t operation, uint32_t b)
{
    rig_write(dev, OPERAND_A, a);
    rig_write(dev, OPERAND_B, b);
    rig_write(dev, OPERATION, operation);
    rig_write(dev, CONTROL, TRIGGER);
}

static void finish(void)
{
    rig_run_until(trestle_sim_now(rig.sim) + 100 * TRESTLE_NS);
}

static void test_operations(void **state)
{
    static const struct {
        uint32_t a, operation, b, result;
    } sums[] = {
        {2, 0, 3, 5},  {0xffffffff, 0, 2, 1},
        {7, 1, 3, 4},  {0, 1, 1, 0xffffffff},
        {6, 2, 7, 42}, {0x10000, 2, 0x10001, 0x10000},
        {43, 3, 7, 6}, {0xffffffff, 3, 2, 0x7fffffff},
    };
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        trigger(sums[i].a, sums[i].operation, sums[i].b);
        assert_int_equal(rig_read(dev, STATUS), BUSY);
        finish();
        assert_int_equal(rig_read(dev, STATUS), READY);
        assert_int_equal(rig_read(dev, RESULT), sums[i].result);
    }
    assert_int_equal(rig_read(dev, OPERATION), 3);
    assert_int_equal(rig_read(dev, OPERAND_A), 0xffffffff);
    assert_int_equal(rig_read(dev, OPERAND_B), 2);
    assert_int_equal(rig_read(dev, CONTROL), 0);
    assert_int_equal(rig_read(dev, PEER_OUT), 0);
    assert_int_equal(rig.warnings, 0);
}

static void test_latency_and_clock(void **state)
{
    trigger(1, 0, 1);
    rig_run_until(100 * TRESTLE_NS - 1);
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    assert_int_equal(rig_read(dev, RESULT), 0);
    rig_run_until(100 * TRESTLE_NS);
    assert_int_equal(rig_read(dev, STATUS), READY);

    struct trestle_device *slow =
        rig_device(trestle_model_find("compute"),
                   (const char *const[]){"compute_latency=2", "clock=1MHz", NULL});
    rig_write(slow, CONTROL, TRIGGER);
    rig_run_until(100 * TRESTLE_NS + 2 * TRESTLE_US - 1);
    assert_int_equal(rig_read(slow, STATUS), BUSY);
    rig_run_until(100 * TRESTLE_NS + 2 * TRESTLE_US);
    assert_int_equal(rig_read(slow, STATUS), READY);
    trestle_device_destroy(slow);
}

static void test_errors(void **state)
{
    trigger(5, 0, 5);
    finish();
    trigger(5, 3, 0);
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    assert_int_equal(rig_read(dev, RESULT), 10); /* the old one until then */
    finish();
    assert_int_equal(rig_read(dev, STATUS), ERROR);
    assert_int_equal(rig_read(dev, RESULT), 0);
    trigger(5, 0, 5); /* clears error */
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    finish();
    assert_int_equal(rig_read(dev, STATUS), READY);
    trigger(5, 4, 5); /* no such operation */
    finish();
    assert_int_equal(rig_read(dev, STATUS), ERROR);
    assert_int_equal(rig_read(dev, RESULT), 0);
}

static void test_operands_are_taken_at_the_trigger(void **state)
{
    trigger(20, 0, 22);
    rig_write(dev, OPERAND_A, 1000);
    rig_run_until(50 * TRESTLE_NS);
    rig_write(dev, CONTROL, TRIGGER); /* busy: ignored */
    assert_int_equal(rig.warnings, 1);
    rig_run_until(100 * TRESTLE_NS);
    assert_int_equal(rig_read(dev, STATUS), READY);
    assert_int_equal(rig_read(dev, RESULT), 42);
    rig_run_until(TRESTLE_US);
    assert_int_equal(rig_read(dev, RESULT), 42);
}

static void test_control_reset(void **state)
{
    trigger(1, 0, 1);
    rig_write(dev, CONTROL, RESET | TRIGGER); /* reset wins */
    static const uint32_t all[] = {OPERAND_A, OPERAND_B, OPERATION, RESULT, STATUS};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(rig_read(dev, all[i]), 0);
    rig_run_until(TRESTLE_US);
    assert_int_equal(rig_read(dev, STATUS), 0);
    trigger(1, 0, 1); /* the latency has survived */
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    finish();
    assert_int_equal(rig_read(dev, STATUS), READY);
    trestle_device_reset(dev);
    assert_int_equal(rig_read(dev, STATUS), 0);
    assert_int_equal(rig_read(dev, RESULT), 0);
}

static void test_widths(void **state)
{
    assert_int_equal(rig_access(dev, false, STATUS, 1, 0, NULL), -EINVAL);
    assert_int_equal(rig_access(dev, false, STATUS, 2, 0, NULL), -EINVAL);
    assert_int_equal(rig_access(dev, false, STATUS, 8, 0, NULL), -EINVAL);
    assert_int_equal(rig_access(dev, false, 0x20, 4, 0, NULL), -ERANGE);
    assert_int_equal(rig_access(dev, true, STATUS, 4, 0xff, NULL), 0); /* read-only: logged */
    assert_int_equal(rig_read(dev, STATUS), 0);
    assert_int_equal(rig.warnings, 5);
}

static void test_peer_exchange_with_echo(void **state)
{
    struct trestle_device *echo =
        rig_device(trestle_model_find("echo"), (const char *const[]){"echo_latency=0", NULL});
    assert_int_equal(trestle_link_create(trestle_device_component(dev), 0,
                                         trestle_device_component(echo), 0, TRESTLE_NS, NULL),
                     0);
    rig_write(echo, 0x00, 0xdeadbeef);
    rig_run_until(0);
    rig_write(dev, PEER_OUT, 1);
    assert_int_equal(rig_read(dev, STATUS), 0);
    rig_run_until(2 * TRESTLE_NS - 1);
    assert_int_equal(rig_read(dev, STATUS), 0);
    rig_run_until(2 * TRESTLE_NS); /* there and back */
    assert_int_equal(rig_read(dev, STATUS), PEER_READY);

    trigger(1, 0, 1); /* keeps peer ready */
    assert_int_equal(rig_read(dev, STATUS), PEER_READY | BUSY);
    finish();
    assert_int_equal(rig_read(dev, STATUS), PEER_READY | READY);
    assert_int_equal(rig_read(dev, PEER_IN), 0xdeadbeef);
    assert_int_equal(rig_read(dev, STATUS), READY);
    assert_int_equal(rig_read(dev, PEER_IN), 0xdeadbeef);
    trestle_device_destroy(echo);
}

static void test_unlinked_peer(void **state)
{
    rig_write(dev, PEER_OUT, 1);
    assert_int_equal(rig_read(dev, STATUS), ERROR);
    assert_string_equal(rig.log, "compute: PEER_OUT: port peer is not linked");
}

static void reply(struct rig_peer *peer, uint32_t tag, uint32_t data)
{
    struct trestle_peer message = {TRESTLE_PEER_REPLY, tag, data};
    uint8_t buf[TRESTLE_PEER_SIZE];
    trestle_peer_encode(buf, &message);
    assert_int_equal(trestle_component_send(peer->component, 0, buf, sizeof(buf)), 0);
    rig_run_until(trestle_sim_now(rig.sim) + 1);
}

static uint32_t asked_tag(const struct rig_peer *peer)
{
    struct trestle_peer message = {0};
    assert_true(trestle_peer_decode(peer->data, peer->size, &message));
    assert_int_equal(message.type, TRESTLE_PEER_REQUEST);
    return message.tag;
}

static void test_answers_to_older_questions_are_dropped(void **state)
{
    struct rig_peer peer = {0};
    rig_link_peer(&peer, dev, 1);
    rig_write(dev, PEER_OUT, 0xabcd);
    rig_run_until(1);
    uint32_t first = asked_tag(&peer);
    assert_int_equal(peer.data[8], 0xcd); /* what was written goes along */
    rig_write(dev, PEER_OUT, 2);
    rig_run_until(2);
    uint32_t second = asked_tag(&peer);
    reply(&peer, first, 111);
    assert_int_equal(rig_read(dev, STATUS), 0);
    rig_write(dev, CONTROL, TRIGGER);
    reply(&peer, second, 222);
    assert_int_equal(rig_read(dev, STATUS), PEER_READY | BUSY);
    finish();
    assert_int_equal(rig_read(dev, STATUS), PEER_READY | READY);
    assert_int_equal(rig_read(dev, PEER_IN), 222);
    rig_write(dev, CONTROL, RESET);
    rig_write(dev, PEER_OUT, 3);
    rig_run_until(trestle_sim_now(rig.sim) + 1);
    reply(&peer, asked_tag(&peer), 333);
    assert_int_equal(rig_read(dev, STATUS), PEER_READY);
    rig_write(dev, PEER_OUT, 4); /* asks again: not ready until the answer */
    assert_int_equal(rig_read(dev, STATUS), 0);
    rig_run_until(trestle_sim_now(rig.sim) + 1);
    uint32_t third = asked_tag(&peer);
    rig_write(dev, CONTROL, RESET);
    reply(&peer, third, 444);
    assert_int_equal(rig_read(dev, STATUS), 0);
    assert_int_equal(rig_read(dev, PEER_IN), 0);
}

static void test_answers_its_peer_with_the_result(void **state)
{
    struct rig_peer peer = {0};
    struct trestle_peer message = {TRESTLE_PEER_REQUEST, 5, 0};
    uint8_t buf[TRESTLE_PEER_SIZE];
    rig_link_peer(&peer, dev, 1);
    trigger(40, 0, 2);
    finish();
    trestle_peer_encode(buf, &message);
    assert_int_equal(trestle_component_send(peer.component, 0, buf, sizeof(buf)), 0);
    finish();
    assert_true(trestle_peer_decode(peer.data, peer.size, &message));
    assert_int_equal(message.type, TRESTLE_PEER_REPLY);
    assert_int_equal(message.tag, 5);
    assert_int_equal(message.data, 42);
    assert_int_equal(trestle_component_send(peer.component, 0, "?", 1), 0);
    finish();
    assert_int_equal(peer.heard, 1);
    assert_int_equal(rig.warnings, 1);
}

static void test_reply_to_nobody(void **state)
{
    struct trestle_peer message = {TRESTLE_PEER_REQUEST, 1, 0};
    uint8_t buf[TRESTLE_PEER_SIZE];
    trestle_peer_encode(buf, &message);
    assert_int_equal(trestle_device_deliver(dev, 0, buf, sizeof(buf)), 0);
    assert_int_equal(rig.warnings, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_operations),
        TEST(test_latency_and_clock),
        TEST(test_errors),
        TEST(test_operands_are_taken_at_the_trigger),
        TEST(test_control_reset),
        TEST(test_widths),
        TEST(test_peer_exchange_with_echo),
        TEST(test_unlinked_peer),
        TEST(test_answers_to_older_questions_are_dropped),
        TEST(test_answers_its_peer_with_the_result),
        TEST(test_reply_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
