/* SPDX-License-Identifier: MIT */
/* The engine: order of events, moving and cancelling, and the meaning of "now". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim/event.h"
#include "sim/sim.h"
#include "trestle/sim.h"

/* An event that writes its id and the time into a log. */
struct probe {
    struct trestle_event event;
    struct trestle_sim *sim;
    int id;
    void (*then)(struct probe *probe, trestle_time now);
    struct probe *other;
};

static struct {
    int ids[64];
    trestle_time times[64];
    size_t count;
} fired;

static void probe_fire(struct trestle_event *event, trestle_time now)
{
    struct probe *probe = (struct probe *)event;
    assert_false(trestle_event_pending(event));
    assert_int_equal(now, trestle_sim_now(probe->sim));
    assert_cmp(fired.count, <, 64);
    fired.ids[fired.count] = probe->id;
    fired.times[fired.count++] = now;
    if (probe->then)
        probe->then(probe, now);
}

static struct trestle_sim *sim;
static struct probe probes[8];

static int setup(void **state)
{
    (void)state;
    assert_int_equal(trestle_sim_create(&sim), 0);
    memset(&fired, 0, sizeof(fired));
    for (int i = 0; i < 8; i++) {
        probes[i] = (struct probe){.sim = sim, .id = i};
        trestle_event_init(&probes[i].event, probe_fire);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    trestle_sim_destroy(sim);
    return 0;
}

static void at(int id, trestle_time when)
{
    assert_int_equal(trestle_sim_schedule(sim, &probes[id].event, when), 0);
}

static void expect(size_t n, const int *ids)
{
    assert_int_equal(fired.count, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(fired.ids[i], ids[i]);
}

static void test_order_is_time_then_schedule(void **state)
{
    (void)state;
    at(0, 30);
    at(1, 10);
    at(2, 20);
    at(3, 10);
    at(4, 10);
    assert_int_equal(trestle_sim_run_until(sim, 30), 5);
    expect(5, (int[]){1, 3, 4, 2, 0});
    assert_int_equal(fired.times[0], 10);
    assert_int_equal(fired.times[3], 20);
    assert_int_equal(fired.times[4], 30);
}

static void test_run_until_includes_its_end_and_sets_now(void **state)
{
    (void)state;
    at(0, 10);
    at(1, 11);
    assert_int_equal(trestle_sim_next(sim), 10);
    assert_int_equal(trestle_sim_run_until(sim, 10), 1);
    assert_int_equal(trestle_sim_now(sim), 10);
    assert_int_equal(trestle_sim_next(sim), 11);
    assert_int_equal(trestle_sim_run_until(sim, 100), 1);
    assert_int_equal(trestle_sim_now(sim), 100);
    assert_int_equal(trestle_sim_next(sim), TRESTLE_TIME_NEVER);
    at(0, 50); /* the past: now */
    assert_int_equal(trestle_sim_next(sim), 100);
    assert_int_equal(trestle_sim_run_until(sim, 99), 0);
    assert_int_equal(trestle_sim_now(sim), 100);
    assert_int_equal(trestle_sim_run_until(sim, 100), 1);
}

static void test_run_for_ever_ends_at_the_last_event(void **state)
{
    (void)state;
    at(0, 10);
    at(1, TRESTLE_TIME_NEVER - 1);
    assert_int_equal(trestle_sim_run_until(sim, TRESTLE_TIME_NEVER), 2);
    assert_int_equal(trestle_sim_now(sim), TRESTLE_TIME_NEVER - 1);
}

static void test_move_gives_a_new_place(void **state)
{
    (void)state;
    at(0, 10);
    at(1, 10);
    at(2, 50);
    at(0, 10); /* behind 1 now */
    at(2, 5);
    assert_int_equal(trestle_sim_run_until(sim, 100), 3);
    expect(3, (int[]){2, 1, 0});
}

static void test_cancel(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++)
        at(i, (trestle_time)(10 + i));
    sim_cancel(sim, &probes[0].event);
    sim_cancel(sim, &probes[3].event);
    sim_cancel(sim, &probes[3].event); /* idle: nothing happens */
    at(5, TRESTLE_TIME_NEVER);
    assert_false(trestle_event_pending(&probes[0].event));
    assert_false(trestle_event_pending(&probes[5].event));
    assert_true(trestle_event_pending(&probes[1].event));
    assert_int_equal(trestle_sim_run_until(sim, 100), 3);
    expect(3, (int[]){1, 2, 4});
}

static void again_in_ten(struct probe *probe, trestle_time now)
{
    if (fired.count < 5)
        at(probe->id, now + 10);
}

static void test_event_schedules_itself(void **state)
{
    (void)state;
    probes[0].then = again_in_ten;
    at(0, 1);
    at(1, 21);
    assert_int_equal(trestle_sim_run_until(sim, 31), 5);
    /* 1 was scheduled for 21 before 0 was. */
    expect(5, (int[]){0, 0, 1, 0, 0});
    assert_int_equal(fired.times[3], 21);
}

static void touch_others(struct probe *probe, trestle_time now)
{
    assert_int_equal(trestle_sim_run_until(sim, now + 1000), 0); /* not re-entrant */
    assert_int_equal(trestle_sim_next(sim), 20);
    sim_cancel(sim, &probes[1].event);
    assert_int_equal(trestle_sim_next(sim), 30);
    at(2, now); /* moved from 30 to the same time, after this event */
    assert_int_equal(trestle_sim_next(sim), now);
    at(3, now - 1);
    assert_int_equal(trestle_sim_now(sim), now);
}

static void test_event_cancels_and_moves_others(void **state)
{
    (void)state;
    probes[0].then = touch_others;
    at(0, 10);
    at(1, 20);
    at(2, 30);
    assert_int_equal(trestle_sim_run_until(sim, 15), 3);
    expect(3, (int[]){0, 2, 3});
    assert_int_equal(fired.times[1], 10);
    assert_int_equal(fired.times[2], 10);
    assert_int_equal(trestle_sim_next(sim), TRESTLE_TIME_NEVER);
}

static void only_next(struct probe *probe, trestle_time now)
{
    assert_int_equal(trestle_sim_next(sim), TRESTLE_TIME_NEVER);
}

static void test_next_inside_the_last_event(void **state)
{
    (void)state;
    probes[0].then = only_next;
    at(0, 10);
    assert_int_equal(trestle_sim_run_until(sim, 10), 1);
    assert_int_equal(trestle_sim_next(sim), TRESTLE_TIME_NEVER);
}

static void free_self(struct trestle_event *event, trestle_time now)
{
    free(event);
}

static void test_event_may_be_freed_while_it_fires(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct trestle_event *event = malloc(sizeof(*event));
        assert_non_null(event);
        trestle_event_init(event, free_self);
        assert_int_equal(trestle_sim_schedule(sim, event, 10), 0);
    }
    assert_int_equal(trestle_sim_run_until(sim, 10), 3);
}

static void test_destroy_takes_null_and_pending_events(void **state)
{
    (void)state;
    trestle_sim_destroy(NULL);
    at(0, 10); /* left for teardown */
}

/* --- the queue against a list that is searched from end to end ------------------------------ */

#define ITEMS 150

static struct reference {
    struct trestle_event event[ITEMS];
    bool pending[ITEMS];
    trestle_time when[ITEMS];
    uint64_t order[ITEMS];
    uint64_t next_order;
    uint64_t random;
    trestle_time until;
    unsigned compared;
    uint64_t seed; /* 0 when its run has ended well */
} ref;

static uint64_t draw(uint64_t below)
{
    ref.random ^= ref.random << 13;
    ref.random ^= ref.random >> 7;
    ref.random ^= ref.random << 17;
    return (ref.random >> 16) % below;
}

static int ref_first(void)
{
    int first = -1;
    for (int i = 0; i < ITEMS; i++) {
        if (!ref.pending[i])
            continue;
        if (first < 0 || ref.when[i] < ref.when[first] ||
            (ref.when[i] == ref.when[first] && ref.order[i] < ref.order[first]))
            first = i;
    }
    return first;
}

/* Does one random thing to both queues. */
static void act(void)
{
    int i = (int)draw(ITEMS);
    trestle_time now = trestle_sim_now(sim);
    if (draw(4) == 0) {
        sim_cancel(sim, &ref.event[i]);
        ref.pending[i] = false;
    } else {
        /* Small times, so that many are equal; some lie in the past. */
        trestle_time when = now + draw(40);
        when = when > 4 ? when - 4 : 0;
        assert_int_equal(trestle_sim_schedule(sim, &ref.event[i], when), 0);
        ref.pending[i] = true;
        ref.when[i] = when < now ? now : when;
        ref.order[i] = ref.next_order++;
    }
    int first = ref_first();
    assert_int_equal(trestle_sim_next(sim), (first < 0 ? TRESTLE_TIME_NEVER : ref.when[first]));
}

static void ref_fire(struct trestle_event *event, trestle_time now)
{
    int first = ref_first();
    assert_ptr_equal(event, &ref.event[first]);
    assert_int_equal(now, ref.when[first]);
    assert_cmp(now, <=, ref.until);
    ref.pending[first] = false;
    ref.compared++;
    for (uint64_t n = draw(3); n > 0; n--)
        act();
}

static void run_seed(uint64_t seed)
{
    struct trestle_sim *outer = sim;
    assert_int_equal(trestle_sim_create(&sim), 0);
    memset(&ref, 0, sizeof(ref));
    ref.seed = seed;
    ref.random = seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < ITEMS; i++)
        trestle_event_init(&ref.event[i], ref_fire);
    for (int round = 0; round < 60; round++) {
        for (uint64_t n = draw(12); n > 0; n--)
            act();
        ref.until = trestle_sim_now(sim) + draw(12);
        (void)trestle_sim_run_until(sim, ref.until);
        int first = ref_first();
        if (first >= 0)
            assert_cmp(ref.when[first], >, ref.until);
        for (int i = 0; i < ITEMS; i++)
            assert_int_equal(trestle_event_pending(&ref.event[i]), ref.pending[i]);
    }
    assert_cmp(ref.compared, >, 0);
    trestle_sim_destroy(sim);
    sim = outer;
    ref.seed = 0;
}

static void test_random_against_reference(void **state)
{
    (void)state;
    const char *one = getenv("TRESTLE_TEST_SEED");
    uint64_t from = one ? strtoull(one, NULL, 0) : 1;
    uint64_t to = one ? from : 200;
    for (uint64_t seed = from; seed <= to; seed++)
        run_seed(seed);
}

static int teardown_random(void **state)
{
    if (ref.seed)
        print_error("TRESTLE_TEST_SEED=%llu runs it again\n", (unsigned long long)ref.seed);
    return teardown(state);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_order_is_time_then_schedule),
        TEST(test_run_until_includes_its_end_and_sets_now),
        TEST(test_run_for_ever_ends_at_the_last_event),
        TEST(test_move_gives_a_new_place),
        TEST(test_cancel),
        TEST(test_event_schedules_itself),
        TEST(test_event_cancels_and_moves_others),
        TEST(test_next_inside_the_last_event),
        TEST(test_event_may_be_freed_while_it_fires),
        TEST(test_destroy_takes_null_and_pending_events),
        cmocka_unit_test_setup_teardown(test_random_against_reference, setup, teardown_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
