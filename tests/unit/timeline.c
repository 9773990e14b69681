/* SPDX-License-Identifier: MIT */
/* Timelines: how far the engine goes for the host's clock, for one guest and for several. */
#include "sim/timeline.h"
#include "check.h"
#include "sim/event.h"

static struct trestle_sim *sim;
static struct timeline timeline;
static uint64_t host_ns;

static uint64_t read_host(void)
{
    return host_ns;
}

static int setup(void **state)
{
    (void)state;
    host_ns = 1000;
    assert_int_equal(trestle_sim_create(&sim), 0);
    timeline_init(&timeline, sim, read_host, &(struct timeline_outside){0});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    trestle_sim_destroy(sim);
    return 0;
}

static void do_nothing(struct trestle_event *event, trestle_time now)
{
    (void)event;
    (void)now;
}

static struct trestle_event the_event;

static void schedule(trestle_time when)
{
    trestle_event_init(&the_event, do_nothing);
    assert_int_equal(trestle_sim_schedule(sim, &the_event, when), 0);
}

static void test_host(void **state)
{
    (void)state;
    host_ns = 1500;
    timeline_at_host(&timeline);
    assert_int_equal(trestle_sim_now(sim), 500 * TRESTLE_NS);
    schedule(700 * TRESTLE_NS);
    assert_int_equal(timeline_wake_ns(&timeline), UINT64_MAX); /* nobody could see it */
    timeline_wait(&timeline, false);
    assert_int_equal(timeline_wake_ns(&timeline), 1700);
    assert_true(timeline_run_on(&timeline)); /* soon: not worth a sleep */
    host_ns = 1700;
    assert_false(timeline_run_on(&timeline));
    assert_int_equal(timeline_wake_ns(&timeline), UINT64_MAX);
    assert_int_equal(timeline_guest_time(&timeline, 0), TRESTLE_TIME_NEVER);
}

static void test_guest(void **state)
{
    struct timeline_guest guest = {.sees_events = true};
    (void)state;
    timeline_join(&timeline, &guest, 0);
    host_ns = 5000;
    timeline_at_host(&timeline); /* is not who moves it */
    timeline_at_access(&timeline, &guest, 100);
    assert_int_equal(trestle_sim_now(sim), 100);
    schedule(150);
    assert_int_equal(timeline_next_for_guest(&timeline, &guest), 150);
    timeline_wait(&timeline, false);
    assert_false(timeline_run_on(&timeline)); /* nothing more to run */
    assert_int_equal(trestle_sim_now(sim), 150);
    timeline_wait_end(&timeline, false);
    timeline_at_answer(&timeline, &guest);
    assert_int_equal(guest.stall, 50);
    assert_int_equal(timeline_guest_time(&timeline, 120), 70);
    timeline_at_access(&timeline, &guest, 110);
    assert_int_equal(trestle_sim_now(sim), 160);
    timeline_leave(&timeline, &guest);
    host_ns = 5001; /* the host's clock goes on from there */
    timeline_at_host(&timeline);
    assert_int_equal(trestle_sim_now(sim), 160 / TRESTLE_NS * TRESTLE_NS + TRESTLE_NS);
}

static void test_several_guests(void **state)
{
    struct timeline_guest a = {0}, b = {0};
    (void)state;
    timeline_join(&timeline, &a, 0);
    timeline_join(&timeline, &b, 0);
    timeline_at_access(&timeline, &a, 1000);
    assert_int_equal(trestle_sim_now(sim), 0);
    timeline_at_access(&timeline, &b, 300);
    assert_int_equal(trestle_sim_now(sim), 300);
    timeline_leave(&timeline, &b);
    timeline_at_access(&timeline, &a, 1000);
    assert_int_equal(trestle_sim_now(sim), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several_guests, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
