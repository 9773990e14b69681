/* SPDX-License-Identifier: MIT */
/* The timer model against its register map. */
#include "rig.h"
#include "trestle/bridge.h"
#include "trestle/models.h"

enum { COUNT = 0x00, COMPARE = 0x08, CONTROL = 0x10, STATUS = 0x14 };

static struct trestle_device *dev;
static unsigned edges;
static trestle_time last_edge;

static void on_irq(void *ctx, struct trestle_device *d, uint32_t line, bool level)
{
    edges++;
    last_edge = trestle_sim_now(rig.sim);
}

static int setup(void **state)
{
    if (rig_setup(state) < 0)
        return -1;
    edges = 0;
    rig.ops.irq = on_irq;
    dev = rig_device(trestle_model_find("timer"), (const char *const[]){"clock=10MHz", NULL});
    return 0;
}

static int teardown(void **state)
{
    trestle_device_destroy(dev);
    return rig_teardown(state);
}

#define CYCLE (100 * TRESTLE_NS)

static bool high(void)
{
    return trestle_device_irq_level(dev, 0);
}

static void test_counts(void **state)
{
    rig_run_until(CYCLE - 1);
    assert_int_equal(rig_read_sized(dev, COUNT, 8), 0);
    rig_run_until(CYCLE);
    assert_int_equal(rig_read_sized(dev, COUNT, 8), 1);
    rig_run_until(CYCLE * 0x500000007);
    assert_int_equal(rig_read_sized(dev, COUNT, 8), 0x500000007);
    assert_int_equal(rig_read(dev, COUNT), 7);
    assert_int_equal(rig_read(dev, COUNT + 4), 5);
}

static void test_interrupt_at_the_compare(void **state)
{
    rig_write_sized(dev, COMPARE, 8, 50);
    assert_int_equal(trestle_sim_next(rig.sim), TRESTLE_TIME_NEVER); /* disabled: costs nothing */
    rig_write(dev, CONTROL, 1);
    assert_int_equal(trestle_sim_next(rig.sim), 50 * CYCLE);
    rig_run_until(50 * CYCLE - 1);
    assert_false(high());
    assert_int_equal(rig_read(dev, STATUS), 0);
    rig_run_until(60 * CYCLE);
    assert_true(high());
    assert_int_equal(edges, 1);
    assert_int_equal(last_edge, 50 * CYCLE);
    assert_int_equal(rig_read(dev, STATUS), 1);

    rig_write_sized(dev, COMPARE, 8, 70); /* lowers the line and arms again */
    assert_false(high());
    assert_int_equal(edges, 2);
    assert_int_equal(rig_read(dev, STATUS), 0);
    rig_run_until(70 * CYCLE);
    assert_true(high());
    assert_int_equal(last_edge, 70 * CYCLE);
    rig_write(dev, CONTROL, 0);
    assert_false(high());
    assert_int_equal(rig_read(dev, STATUS), 1);
    rig_write(dev, CONTROL, 1);
    assert_true(high());
    rig_write_sized(dev, COMPARE, 8, 1); /* in the past: stays */
    assert_true(high());
    assert_int_equal(edges, 5);
}

static void test_halves_and_far_times(void **state)
{
    assert_int_equal(rig_read_sized(dev, COMPARE, 8), UINT64_MAX);
    rig_write(dev, CONTROL, 1);
    assert_int_equal(trestle_sim_next(rig.sim), TRESTLE_TIME_NEVER);
    rig_write(dev, COMPARE + 4, 0x12);
    rig_write(dev, COMPARE, 0x34);
    assert_int_equal(rig_read_sized(dev, COMPARE, 8), 0x1200000034);
    assert_int_equal(rig_read(dev, COMPARE + 4), 0x12);
    assert_int_equal(trestle_sim_next(rig.sim), 0x1200000034 * CYCLE);
    rig_write_sized(dev, COMPARE, 8, UINT64_MAX / CYCLE + 1); /* beyond the end of time */
    assert_int_equal(trestle_sim_next(rig.sim), TRESTLE_TIME_NEVER);
    assert_int_equal(rig.warnings, 0);
}

static void test_bad_accesses(void **state)
{
    assert_int_equal(rig_access(dev, false, CONTROL, 8, 0, NULL), -EINVAL);
    assert_int_equal(rig_access(dev, true, CONTROL, 8, 0, NULL), -EINVAL);
    assert_int_equal(rig_access(dev, false, CONTROL, 2, 0, NULL), -EINVAL);
    assert_int_equal(rig.warnings, 3);
    rig_write(dev, COUNT, 1);
    rig_write(dev, STATUS, 1);
    assert_int_equal(rig.warnings, 5);
}

static void test_guest_reset(void **state)
{
    rig_write_sized(dev, COMPARE, 8, 5);
    rig_write(dev, CONTROL, 1);
    rig_run_until(5 * CYCLE);
    assert_true(high());
    trestle_device_reset(dev);
    assert_false(high());
    assert_int_equal(rig_read_sized(dev, COMPARE, 8), UINT64_MAX);
    assert_int_equal(rig_read(dev, CONTROL), 0);
    assert_int_equal(rig_read_sized(dev, COUNT, 8), 5); /* time runs on */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_counts),
        TEST(test_interrupt_at_the_compare),
        TEST(test_halves_and_far_times),
        TEST(test_bad_accesses),
        TEST(test_guest_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
