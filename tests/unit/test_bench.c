/* SPDX-License-Identifier: MIT */
/* The bench of trestle/test.h, with bundled models and loaded ones on it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "trestle/bridge.h"
#include "trestle/models.h"
#include "trestle/peer.h"
#include "trestle/test.h"

static struct trestle_test *bench;

static int setup(void **state)
{
    bench = trestle_test_create();
    return 0;
}

static int teardown(void **state)
{
    trestle_test_destroy(bench);
    return 0;
}

static void test_a_loaded_model_and_time(void **state)
{
    struct trestle_device *dev = trestle_test_load(bench, FIXTURES "/good.so", NULL);
    trestle_test_run(bench, 5 * TRESTLE_NS);
    assert_int_equal(trestle_test_now(bench), 5 * TRESTLE_NS);
    assert_int_equal(trestle_test_read(dev, 0, 8), 5);
    assert_int_equal(trestle_test_try_write(dev, 0, 8, 1), -EACCES);
    assert_int_equal(trestle_test_logged(bench, TRESTLE_LOG_WARNING), 1);
    assert_memory_equal(trestle_test_log(bench), "good: write", 11);
}

static void test_a_parameter_and_an_interrupt(void **state)
{
    struct trestle_device *dev = trestle_test_load(bench, "timer", "clock=1MHz", NULL);
    trestle_test_write(dev, 0x08, 8, 10);
    trestle_test_write(dev, 0x10, 4, 1);
    assert_false(trestle_test_wait_irq(dev, 0, 9 * TRESTLE_US));
    assert_int_equal(trestle_test_now(bench), 9 * TRESTLE_US);
    assert_true(trestle_test_wait_irq(dev, 0, TRESTLE_S));
    assert_int_equal(trestle_test_now(bench), 10 * TRESTLE_US);
    assert_int_equal(trestle_test_irq_count(dev, 0), 1);
    trestle_test_reset(dev);
    assert_false(trestle_test_irq(dev, 0));
}

static void test_guest_memory(void **state)
{
    uint8_t *ram = trestle_test_ram(bench, 0x80000000, 64);
    uint8_t buf[4];
    strcpy((char *)ram, "abc");
    struct trestle_device *dev = trestle_test_load(bench, "dma", NULL);
    trestle_test_write(dev, 0x10, 4, 0x80000000);
    trestle_test_write(dev, 0x14, 4, 0x80000020);
    trestle_test_write(dev, 0x18, 4, 4);
    trestle_test_write(dev, 0x00, 4, 1);
    trestle_test_run(bench, TRESTLE_MS);
    assert_string_equal((char *)ram + 32, "abc");
    assert_int_equal(trestle_test_copy(bench, false, 0x8000003d, buf, 4), -EFAULT);
    assert_int_equal(trestle_test_copy(bench, false, 0x80000020, buf, 4), 0);
    assert_int_equal(trestle_test_copy(bench, false, 0x7fffffff, buf, 4), -EFAULT);
}

static void test_a_peer(void **state)
{
    struct trestle_device *dev = trestle_test_load(bench, "compute", NULL);
    struct trestle_test_peer *peer = trestle_test_peer(dev, 0, TRESTLE_NS);
    struct trestle_peer message = {0};
    uint8_t buf[TRESTLE_PEER_SIZE];
    size_t size;
    assert_int_equal(trestle_test_heard(peer), 0);
    trestle_test_write(dev, 0x18, 4, 0);
    trestle_test_run(bench, TRESTLE_NS);
    assert_int_equal(trestle_test_heard(peer), 1);
    const void *heard = trestle_test_message(peer, &size);
    assert_true(trestle_peer_decode(heard, size, &message));
    assert_int_equal(message.type, TRESTLE_PEER_REQUEST);
    message.type = TRESTLE_PEER_REPLY;
    message.data = 1234;
    trestle_peer_encode(buf, &message);
    trestle_test_send(peer, buf, sizeof(buf));
    trestle_test_run(bench, TRESTLE_NS);
    assert_int_equal(trestle_test_read(dev, 0x1c, 4), 1234);
}

static void test_a_model_that_never_answers(void **state)
{
    struct trestle_device *dev = trestle_test_load(bench, FIXTURES "/never.so", NULL);
    uint64_t data;
    assert_int_equal(trestle_test_try_read(dev, 0, 4, &data), -ETIME);
    assert_int_equal(trestle_test_try_read(dev, 0, 4, &data), -ETIME);
}

static void test_what_is_to_be_refused(void **state)
{
    struct trestle_param param = {"clok", "1MHz"};
    struct trestle_device_options options = {.size = sizeof(options),
                                             .name = "t",
                                             .base_addr = 0x1000,
                                             .params = &param,
                                             .num_params = 1};
    struct trestle_device *dev = NULL;
    char *error = NULL;
    assert_int_equal(
        trestle_test_try_add(bench, trestle_model_find("timer"), &options, &dev, &error), -EINVAL);
    assert_non_null(strstr(error, "clok"));
    free(error);
}

static unsigned lines;

static void count_line(void *ctx, enum trestle_log_level level, const char *text)
{
    lines++;
}

static void test_a_listener_of_the_log(void **state)
{
    struct trestle_device *dev = trestle_test_load(bench, "echo", NULL);
    trestle_test_on_log(bench, count_line, NULL);
    uint64_t data;
    assert_int_not_equal(trestle_test_try_read(dev, 0xfff0, 4, &data), 0);
    assert_int_equal(lines, 1);
    trestle_test_on_log(bench, NULL, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_loaded_model_and_time),
        TEST(test_a_parameter_and_an_interrupt),
        TEST(test_guest_memory),
        TEST(test_a_peer),
        TEST(test_a_model_that_never_answers),
        TEST(test_what_is_to_be_refused),
        TEST(test_a_listener_of_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
