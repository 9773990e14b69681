/* SPDX-License-Identifier: MIT */
/* The echo model against its register map. */
#include "rig.h"
#include "trestle/bridge.h"
#include "trestle/models.h"
#include "trestle/peer.h"

enum {
    DATA_IN = 0x00,
    DATA_OUT = 0x04,
    STATUS = 0x08,
    CONTROL = 0x0c,
    DATA_IN64 = 0x10,
    DATA_OUT64 = 0x18,
    BUSY = 1,
    READY = 2,
};

static struct trestle_device *echo(const char *const *params)
{
    return rig_device(trestle_model_find("echo"), params);
}

static void test_echo_after_the_latency(void **state)
{
    struct trestle_device *dev = echo(NULL);
    assert_int_equal(rig_read(dev, STATUS), 0);
    rig_run_until(5 * TRESTLE_NS);
    rig_write(dev, DATA_IN, 0xcafebabe);
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    assert_int_equal(rig_read(dev, DATA_OUT), 0);
    rig_run_until(15 * TRESTLE_NS - 1);
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    rig_run_until(15 * TRESTLE_NS); /* 10 cycles of 1 GHz */
    assert_int_equal(rig_read(dev, STATUS), READY);
    assert_int_equal(rig_read(dev, DATA_OUT), 0xcafebabe);
    rig_write(dev, DATA_IN, 1); /* sets busy, clears ready, keeps the old echo meanwhile */
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    assert_int_equal(rig_read(dev, DATA_OUT), 0xcafebabe);
    assert_int_equal(rig_read(dev, DATA_IN), 0);
    trestle_device_destroy(dev);
}

static void test_parameters(void **state)
{
    struct trestle_device *dev =
        echo((const char *const[]){"echo_latency=3", "clock=500MHz", NULL});
    rig_write(dev, DATA_IN, 7);
    rig_run_until(6 * TRESTLE_NS - 1);
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    rig_run_until(6 * TRESTLE_NS);
    assert_int_equal(rig_read(dev, STATUS), READY);
    trestle_device_destroy(dev);

    dev = echo((const char *const[]){"echo_latency=0", NULL});
    rig_write(dev, DATA_IN, 8);
    rig_run_until(trestle_sim_now(rig.sim));
    assert_int_equal(rig_read(dev, DATA_OUT), 8);
    trestle_device_destroy(dev);
}

static void test_latency_beyond_time_is_refused(void **state)
{
    struct trestle_param param = {"echo_latency", "0xffffffffffffffff"};
    struct trestle_device_options options = {
        .size = sizeof(options), .name = "e", .params = &param, .num_params = 1};
    struct trestle_device *dev;
    char *error = NULL;
    assert_int_equal(
        trestle_device_create(rig.sim, trestle_model_find("echo"), &options, &dev, &error),
        -EINVAL);
    assert_string_equal(error, "device 'e': parameter 'echo_latency': '0xffffffffffffffff' is not "
                               "as many cycles as simulated time can hold");
    free(error);
}

static void test_write_while_busy_replaces_the_datum_only(void **state)
{
    struct trestle_device *dev = echo(NULL);
    rig_write(dev, DATA_IN, 1);
    rig_run_until(9 * TRESTLE_NS);
    rig_write(dev, DATA_IN, 2);
    rig_run_until(10 * TRESTLE_NS);
    assert_int_equal(rig_read(dev, STATUS), READY);
    assert_int_equal(rig_read(dev, DATA_OUT), 2);
    rig_run_until(30 * TRESTLE_NS);
    assert_int_equal(rig_read(dev, DATA_OUT), 2);
    trestle_device_destroy(dev);
}

static void test_every_access_width(void **state)
{
    struct trestle_device *dev = echo((const char *const[]){"echo_latency=0", NULL});
    static const uint64_t in[] = {DATA_IN, DATA_IN64};
    for (int i = 0; i < 2; i++) {
        for (uint32_t size = 1; size <= 8; size *= 2) {
            uint64_t datum = 0x8877665544332211u >> (64 - 8 * size);
            rig_write_sized(dev, in[i], size, datum);
            rig_run_until(trestle_sim_now(rig.sim));
            assert_int_equal(rig_read_sized(dev, DATA_OUT64, 8), datum);
            assert_int_equal(rig_read_sized(dev, DATA_OUT, 4), (uint32_t)datum);
            assert_int_equal(rig_read_sized(dev, DATA_OUT, 2), (uint16_t)datum);
            assert_int_equal(rig_read_sized(dev, DATA_OUT, 1), (uint8_t)datum);
            assert_int_equal(rig_read_sized(dev, DATA_OUT64, 2), (uint16_t)datum);
        }
    }
    assert_int_equal(rig.warnings, 0);
    trestle_device_destroy(dev);
}

static void test_accesses_that_fail(void **state)
{
    struct trestle_device *dev = echo(NULL);
    assert_int_equal(rig_access(dev, false, DATA_OUT, 8, 0, NULL), -EINVAL); /* misaligned */
    assert_int_equal(rig_access(dev, false, STATUS, 8, 0, NULL), -EINVAL);   /* two registers */
    assert_int_equal(rig_access(dev, true, STATUS, 8, 0, NULL), -EINVAL);
    assert_int_equal(rig_access(dev, false, 0x01, 1, 0, NULL), -EINVAL); /* no register there */
    assert_int_equal(rig_access(dev, true, 0x02, 2, 0, NULL), -EINVAL);
    assert_int_equal(rig_access(dev, false, 0x14, 4, 0, NULL), -EINVAL);
    assert_int_equal(rig_access(dev, false, 0x20, 4, 0, NULL), -ERANGE);
    assert_int_equal(rig.warnings, 7);
    /* A write to a read-only register is a mistake, but no bus error. */
    assert_int_equal(rig_access(dev, true, DATA_OUT, 4, 5, NULL), 0);
    assert_int_equal(rig.warnings, 8);
    assert_string_equal(rig.log, "echo: write to read-only register DATA_OUT ignored");
    assert_int_equal(rig_read(dev, DATA_OUT), 0);
    rig_write(dev, STATUS, READY);
    assert_int_equal(rig.warnings, 9);
    assert_int_equal(rig_read(dev, STATUS), 0);
    trestle_device_destroy(dev);
}

static void test_no_access_latency_is_at_once(void **state)
{
    struct trestle_device *dev = echo(NULL);
    struct trestle_request req = {.access = {.offset = STATUS, .size = 4}};
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    req.write = true;
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    trestle_device_destroy(dev);
}

static void test_control_reset(void **state)
{
    struct trestle_device *dev = echo(NULL);
    rig_write(dev, DATA_IN, 1);
    rig_run_until(10 * TRESTLE_NS);
    rig_write(dev, DATA_IN, 2);
    rig_write(dev, CONTROL, 2); /* no such bit */
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    rig_write(dev, CONTROL, 1);
    assert_int_equal(rig_read(dev, CONTROL), 0);
    assert_int_equal(rig_read(dev, STATUS), 0);
    assert_int_equal(rig_read(dev, DATA_OUT), 0);
    rig_run_until(100 * TRESTLE_NS);
    assert_int_equal(rig_read(dev, STATUS), 0);
    assert_int_equal(rig_read(dev, DATA_OUT), 0);
    trestle_device_destroy(dev);
}

static void test_access_latency(void **state)
{
    struct trestle_device *dev = echo((const char *const[]){"access_latency=50", NULL});
    struct trestle_request req = {
        .access = {.offset = DATA_IN, .size = 4, .data = 0x1234}, .write = true, .done = rig_done};
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    rig_run_until(50 * TRESTLE_NS - 1);
    assert_int_equal(rig.done, 0);
    rig_run_until(50 * TRESTLE_NS);
    assert_int_equal(rig.done, 1);
    assert_int_equal(req.status, 0);
    assert_int_equal(rig_read(dev, DATA_OUT), 0x1234); /* 50 ns later: the echo is there */
    assert_int_equal(trestle_sim_now(rig.sim), 100 * TRESTLE_NS);
    assert_int_equal(rig_access(dev, false, 0x14, 4, 0, NULL), -EINVAL);
    rig_write(dev, CONTROL, 1); /* does not cancel itself */
    assert_int_equal(rig_read(dev, STATUS), 0);
    trestle_device_destroy(dev);
}

static void test_guest_reset(void **state)
{
    struct trestle_device *dev = echo((const char *const[]){"access_latency=50", NULL});
    struct trestle_request req = {.access = {.offset = STATUS, .size = 4}, .done = rig_done};
    rig_write(dev, DATA_IN, 3);
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_device_reset(dev);
    assert_int_equal(req.status, -ECANCELED);
    assert_int_equal(rig_read(dev, DATA_OUT), 0);
    assert_int_equal(rig_read(dev, STATUS), 0);
    assert_int_equal(rig.errors, 0);
    trestle_device_destroy(dev);
}

static void test_answers_its_peer(void **state)
{
    struct trestle_device *dev = echo((const char *const[]){"echo_latency=0", NULL});
    struct rig_peer peer = {0};
    struct trestle_peer message = {TRESTLE_PEER_REQUEST, 77, 0xdead};
    uint8_t buf[TRESTLE_PEER_SIZE];
    rig_link_peer(&peer, dev, 3 * TRESTLE_NS);
    rig_write_sized(dev, DATA_IN64, 8, 0x1122334455667788);
    trestle_peer_encode(buf, &message);
    assert_int_equal(trestle_component_send(peer.component, 0, buf, sizeof(buf)), 0);
    rig_run_until(6 * TRESTLE_NS);
    assert_int_equal(peer.heard, 1);
    assert_int_equal(peer.when, 6 * TRESTLE_NS);
    /* Byte for byte: type 2, tag 77, data. */
    static const uint8_t reply[] = {2,    0,    0,    0,    77,   0,    0,    0,
                                    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
    assert_int_equal(peer.size, sizeof(reply));
    assert_memory_equal(peer.data, reply, sizeof(reply));

    buf[0] = 9; /* no such message: no answer, one line */
    assert_int_equal(trestle_component_send(peer.component, 0, buf, sizeof(buf)), 0);
    assert_int_equal(trestle_component_send(peer.component, 0, buf, 3), 0);
    message.type = TRESTLE_PEER_REPLY; /* nobody asked */
    trestle_peer_encode(buf, &message);
    assert_int_equal(trestle_component_send(peer.component, 0, buf, sizeof(buf)), 0);
    rig_run_until(60 * TRESTLE_NS);
    assert_int_equal(peer.heard, 1);
    assert_int_equal(rig.warnings, 3);
    trestle_device_destroy(dev);
}

static void test_reply_to_nobody(void **state)
{
    struct trestle_device *dev = echo(NULL);
    struct trestle_peer message = {TRESTLE_PEER_REQUEST, 1, 0};
    uint8_t buf[TRESTLE_PEER_SIZE];
    trestle_peer_encode(buf, &message);
    assert_int_equal(trestle_device_deliver(dev, 0, buf, sizeof(buf)), 0);
    assert_int_equal(rig.warnings, 1);
    trestle_device_destroy(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_echo_after_the_latency),
        RIG_TEST(test_parameters),
        RIG_TEST(test_latency_beyond_time_is_refused),
        RIG_TEST(test_write_while_busy_replaces_the_datum_only),
        RIG_TEST(test_every_access_width),
        RIG_TEST(test_accesses_that_fail),
        RIG_TEST(test_no_access_latency_is_at_once),
        RIG_TEST(test_control_reset),
        RIG_TEST(test_access_latency),
        RIG_TEST(test_guest_reset),
        RIG_TEST(test_answers_its_peer),
        RIG_TEST(test_reply_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
