/* SPDX-License-Identifier: MIT */
/* The goldfish-rtc model, as Linux's driver uses it. */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "trestle/models.h"
#include "trestle/test.h"

enum { TIME_LOW = 0x00, TIME_HIGH = 0x04, ALARM_LOW = 0x08, ALARM_HIGH = 0x0c };
enum { IRQ_ENABLED = 0x10, CLEAR_ALARM = 0x14, ALARM_STATUS = 0x18, CLEAR_INTERRUPT = 0x1c };

#define NS_PER_S UINT64_C(1000000000)
#define START UINT64_C(5000000000) /* seconds: the halves of the time in ns are both in use */

static struct trestle_test *bench;
static struct trestle_device *dev;

static int setup(void **state)
{
    bench = trestle_test_create();
    dev = trestle_test_load(bench, "goldfish-rtc", "start=5000000000", NULL);
    return 0;
}

static int teardown(void **state)
{
    trestle_test_destroy(bench);
    return 0;
}

static uint64_t read_time(void)
{
    uint64_t low = trestle_test_read(dev, TIME_LOW, 4);
    return trestle_test_read(dev, TIME_HIGH, 4) << 32 | low;
}

static void write_pair(uint64_t low_offset, uint64_t value)
{
    trestle_test_write(dev, low_offset + 4, 4, value >> 32);
    trestle_test_write(dev, low_offset, 4, value & UINT32_MAX);
}

static void test_counts_nanoseconds(void **state)
{
    assert_int_equal(read_time(), START * NS_PER_S);
    trestle_test_run(bench, 3 * TRESTLE_S + 7 * TRESTLE_NS);
    assert_int_equal(read_time(), (START + 3) * NS_PER_S + 7);
}

static void test_the_low_half_latches_the_high_one(void **state)
{
    write_pair(TIME_LOW, UINT64_C(0x7fffffffe));
    assert_int_equal(trestle_test_read(dev, TIME_LOW, 4), 0xfffffffe);
    trestle_test_run(bench, 5 * TRESTLE_NS);
    assert_int_equal(trestle_test_read(dev, TIME_HIGH, 4), 7);
    assert_int_equal(trestle_test_read(dev, TIME_LOW, 4), 3);
    assert_int_equal(trestle_test_read(dev, TIME_HIGH, 4), 8);
}

static void test_is_set_and_outlives_a_reset(void **state)
{
    write_pair(TIME_LOW, 12 * NS_PER_S);
    trestle_test_run(bench, TRESTLE_S);
    trestle_test_reset(dev);
    assert_int_equal(read_time(), 13 * NS_PER_S);
}

static void test_rings_at_its_time(void **state)
{
    trestle_test_write(dev, IRQ_ENABLED, 4, 1);
    write_pair(ALARM_LOW, (START + 2) * NS_PER_S);
    assert_int_equal(trestle_test_read(dev, ALARM_STATUS, 4), 1);
    trestle_test_run(bench, 2 * TRESTLE_S - 1);
    assert_false(trestle_test_irq(dev, 0));
    trestle_test_run(bench, 1);
    assert_true(trestle_test_irq(dev, 0));
    assert_int_equal(trestle_test_read(dev, ALARM_STATUS, 4), 0);
    trestle_test_write(dev, CLEAR_INTERRUPT, 4, 1);
    assert_false(trestle_test_irq(dev, 0));
}

static void test_an_alarm_in_the_past_rings_once_it_may(void **state)
{
    write_pair(ALARM_LOW, 1);
    assert_false(trestle_test_irq(dev, 0));
    trestle_test_write(dev, IRQ_ENABLED, 4, 1);
    assert_true(trestle_test_irq(dev, 0));
    trestle_test_write(dev, IRQ_ENABLED, 4, 0);
    assert_false(trestle_test_irq(dev, 0));
}

static void test_setting_the_time_moves_it_to_the_alarm(void **state)
{
    trestle_test_write(dev, IRQ_ENABLED, 4, 1);
    write_pair(ALARM_LOW, (START + 100) * NS_PER_S);
    write_pair(TIME_LOW, (START + 99) * NS_PER_S);
    trestle_test_run(bench, TRESTLE_S);
    assert_true(trestle_test_irq(dev, 0));
}

static void test_is_called_off(void **state)
{
    trestle_test_write(dev, IRQ_ENABLED, 4, 1);
    write_pair(ALARM_LOW, (START + 1) * NS_PER_S);
    trestle_test_write(dev, CLEAR_ALARM, 4, 1);
    assert_int_equal(trestle_test_read(dev, ALARM_STATUS, 4), 0);
    write_pair(ALARM_LOW, UINT64_MAX); /* farther away than the end of time */
    trestle_test_run(bench, 10 * TRESTLE_S);
    assert_false(trestle_test_irq(dev, 0));
    write_pair(ALARM_LOW, (START + 11) * NS_PER_S);
    trestle_test_reset(dev);
    trestle_test_run(bench, 10 * TRESTLE_S);
    assert_int_equal(trestle_test_irq_count(dev, 0), 0);
}

static void test_a_start_beyond_its_range(void **state)
{
    const struct trestle_param param = {"start", "18446744074"};
    const struct trestle_device_options options = {
        .size = sizeof(options), .name = "late", .params = &param, .num_params = 1};
    struct trestle_device *late;
    char *error = NULL;
    assert_int_equal(
        trestle_test_try_add(bench, trestle_model_find("goldfish-rtc"), &options, &late, &error),
        -EINVAL);
    assert_non_null(strstr(error, "before the year 2554"));
    free(error);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_counts_nanoseconds),
        TEST(test_the_low_half_latches_the_high_one),
        TEST(test_is_set_and_outlives_a_reset),
        TEST(test_rings_at_its_time),
        TEST(test_an_alarm_in_the_past_rings_once_it_may),
        TEST(test_setting_the_time_moves_it_to_the_alarm),
        TEST(test_is_called_off),
        TEST(test_a_start_beyond_its_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
