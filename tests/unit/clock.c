/* SPDX-License-Identifier: MIT */
/* Clocks: ticks at multiples of the period, in step with time over pauses. */
#include <errno.h>

#include "check.h"
#include "trestle/sim.h"

struct counter {
    struct trestle_sim *sim;
    struct trestle_clock *clock;
    uint64_t ticks, last_cycle;
    trestle_time last_time;
    uint64_t stop_at; /* return true at this cycle */
    bool restart;     /* stop and start again in every tick */
    bool stop_inside; /* stop in the tick, yet return false */
};

static struct trestle_sim *sim;
static struct counter c;

static bool tick(void *ctx, uint64_t cycle, trestle_time now)
{
    struct counter *counter = ctx;
    counter->ticks++;
    counter->last_cycle = cycle;
    counter->last_time = now;
    assert_int_equal(now, trestle_sim_now(counter->sim));
    if (counter->stop_inside || counter->restart)
        trestle_clock_stop(counter->clock);
    if (counter->restart)
        trestle_clock_start(counter->clock);
    return cycle == counter->stop_at;
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(trestle_sim_create(&sim), 0);
    c = (struct counter){.sim = sim};
    assert_int_equal(trestle_clock_create(sim, 1000, tick, &c, &c.clock), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    trestle_sim_destroy(sim);
    return 0;
}

static void test_ticks_at_multiples(void **state)
{
    (void)state;
    (void)trestle_sim_run_until(sim, 500);
    assert_int_equal(c.ticks, 0); /* created stopped */
    trestle_clock_start(c.clock);
    trestle_clock_start(c.clock); /* running: nothing happens */
    (void)trestle_sim_run_until(sim, 999);
    assert_int_equal(c.ticks, 0);
    (void)trestle_sim_run_until(sim, 1000);
    assert_int_equal(c.ticks, 1);
    assert_int_equal(c.last_cycle, 1);
    assert_int_equal(c.last_time, 1000);
    assert_int_equal(trestle_sim_run_until(sim, 10500), 9);
    assert_int_equal(c.ticks, 10);
    assert_int_equal(c.last_cycle, 10);
    assert_int_equal(c.last_time, 10000);
}

static void test_handler_stops_it(void **state)
{
    (void)state;
    c.stop_at = 3;
    trestle_clock_start(c.clock);
    assert_int_equal(trestle_sim_run_until(sim, 10000), 3);
    assert_int_equal(trestle_sim_next(sim), TRESTLE_TIME_NEVER);
}

static void test_cycle_counts_over_a_pause(void **state)
{
    (void)state;
    trestle_clock_start(c.clock);
    (void)trestle_sim_run_until(sim, 2000);
    trestle_clock_stop(c.clock);
    trestle_clock_stop(c.clock); /* stopped: nothing happens */
    (void)trestle_sim_run_until(sim, 7000);
    assert_int_equal(c.ticks, 2);
    trestle_clock_start(c.clock); /* on a multiple: the tick is the next one */
    (void)trestle_sim_run_until(sim, 8000);
    assert_int_equal(c.ticks, 3);
    assert_int_equal(c.last_cycle, 8);
    assert_int_equal(c.last_time, 8000);
}

static void test_stop_inside_the_handler(void **state)
{
    (void)state;
    c.stop_inside = true;
    trestle_clock_start(c.clock);
    (void)trestle_sim_run_until(sim, 5000);
    assert_int_equal(c.ticks, 1);
}

static void test_restart_inside_the_handler(void **state)
{
    (void)state;
    c.restart = true;
    c.stop_at = 3; /* returning true wins */
    trestle_clock_start(c.clock);
    assert_int_equal(trestle_sim_run_until(sim, 10000), 3);
    assert_int_equal(c.last_cycle, 3);
    assert_int_equal(c.last_time, 3000);
}

static void test_bad_period_and_the_end_of_time(void **state)
{
    (void)state;
    struct trestle_clock *clock = NULL;
    assert_int_equal(trestle_clock_create(sim, 0, tick, &c, &clock), -EINVAL);
    assert_null(clock);
    assert_int_equal(trestle_clock_create(sim, UINT64_MAX / 2, tick, &c, &clock), 0);
    trestle_clock_start(clock);
    assert_int_equal(trestle_sim_run_until(sim, TRESTLE_TIME_NEVER), 2);
    assert_int_equal(c.last_cycle, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ticks_at_multiples),         TEST(test_handler_stops_it),
        TEST(test_cycle_counts_over_a_pause),  TEST(test_stop_inside_the_handler),
        TEST(test_restart_inside_the_handler), TEST(test_bad_period_and_the_end_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
