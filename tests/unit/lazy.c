/* SPDX-License-Identifier: MIT */
/* Lazy events: which devices have them, and the time of the next event that is not. */
#include <stdlib.h>

#include "check.h"
#include "sim/event.h"
#include "sim/lazy.h"
#include "sim/sim.h"

static struct trestle_sim *sim;

static int setup(void **state)
{
    (void)state;
    return trestle_sim_create(&sim);
}

static int teardown(void **state)
{
    (void)state;
    trestle_sim_destroy(sim);
    return 0;
}

/* --- events ---------------------------------------------------------------------------------- */

static void check_next(void);

static void fire(struct trestle_event *event, trestle_time now)
{
    (void)event;
    (void)now;
    check_next(); /* its own entry does not count any more */
}

#define NUM_EVENTS 200
static struct trestle_event events[NUM_EVENTS];
static trestle_time times[NUM_EVENTS];

/* Never too late, and exact where few lazy events are pending. */
static void check_next(void)
{
    trestle_time next = TRESTLE_TIME_NEVER;
    unsigned num_lazy = 0;
    for (size_t i = 0; i < NUM_EVENTS; i++)
        if (trestle_event_pending(&events[i]) && !events[i].is_lazy && times[i] < next)
            next = times[i];
    for (size_t i = 0; i < NUM_EVENTS; i++)
        num_lazy += trestle_event_pending(&events[i]) && events[i].is_lazy;
    trestle_time found = lazy_next_visible(sim);
    assert_cmp(found, <=, next);
    assert_cmp(found, >=, trestle_sim_next(sim));
    if (num_lazy <= 32)
        assert_int_equal(found, next);
}

static void run_at_random(size_t count, unsigned one_in)
{
    for (size_t i = 0; i < count; i++) {
        trestle_event_init(&events[i], fire);
        events[i].is_lazy = (unsigned)rand() % one_in != 0;
        times[i] = trestle_sim_now(sim) + (trestle_time)(rand() % 1000);
        assert_int_equal(trestle_sim_schedule(sim, &events[i], times[i]), 0);
        check_next();
    }
    for (unsigned i = 0; i < 1000; i++) {
        size_t moved = (size_t)rand() % count;
        times[moved] = trestle_sim_now(sim) + (trestle_time)(rand() % 1000);
        assert_int_equal(trestle_sim_schedule(sim, &events[moved], times[moved]), 0);
        check_next();
        trestle_sim_run_until(sim, trestle_sim_now(sim) + 2);
        check_next();
    }
    trestle_sim_run_until(sim, TRESTLE_TIME_NEVER);
    check_next();
}

static void test_next_visible(void **state)
{
    static const size_t counts[] = {5, 32, 60, NUM_EVENTS};
    (void)state;
    srand(1);
    for (size_t i = 0; i < NUM_EVENTS; i++)
        trestle_event_init(&events[i], fire);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (unsigned one_in = 1; one_in <= 64; one_in *= 2)
            run_at_random(counts[i], one_in);
}

static void test_nothing_but_lazy_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < 30; i++) {
        trestle_event_init(&events[i], fire);
        events[i].is_lazy = true;
        assert_int_equal(trestle_sim_schedule(sim, &events[i], 5 + i), 0);
    }
    assert_int_equal(lazy_next_visible(sim), TRESTLE_TIME_NEVER);
    for (size_t i = 0; i < 30; i++)
        sim_cancel(sim, &events[i]);
}

/* --- devices --------------------------------------------------------------------------------- */

static void forget(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    (void)dev;
    (void)port;
    (void)data;
    (void)size;
}

static void dma_done(struct trestle_device *dev, uint64_t tag, int status)
{
    (void)dev;
    (void)tag;
    (void)status;
}

static const struct trestle_model quiet = {.size = sizeof(quiet),
                                           .name = "quiet",
                                           .region_size = 8,
                                           .access_sizes = 4,
                                           .peer_ports = 2,
                                           .timers = 1,
                                           .message = forget};
static const struct trestle_model interrupts = {.size = sizeof(interrupts),
                                                .name = "interrupts",
                                                .region_size = 8,
                                                .access_sizes = 4,
                                                .irq_lines = 1,
                                                .peer_ports = 2,
                                                .timers = 1,
                                                .message = forget};
static const struct trestle_model copies = {.size = sizeof(copies),
                                            .name = "copies",
                                            .region_size = 8,
                                            .access_sizes = 4,
                                            .timers = 1,
                                            .dma_done = dma_done};

static struct trestle_device *device(const struct trestle_model *model)
{
    struct trestle_device_options options = {.size = sizeof(options), .name = "d"};
    struct trestle_device *dev;
    assert_int_equal(trestle_device_create(sim, model, &options, &dev, NULL), 0);
    return dev;
}

static void join(struct trestle_device *a, uint32_t a_port, struct trestle_device *b,
                 uint32_t b_port)
{
    assert_int_equal(trestle_link_create(trestle_device_component(a), a_port,
                                         trestle_device_component(b), b_port, 5, NULL),
                     0);
}

/* Is the device's timer, and a message to it if it has a peer, something that can be seen? */
static bool is_seen(struct trestle_device *dev)
{
    trestle_device_wake_at(dev, 0, 1000);
    bool seen = lazy_next_visible(sim) == 1000;
    trestle_device_wake_at(dev, 0, TRESTLE_TIME_NEVER);
    return seen;
}

static void test_which_devices(void **state)
{
    (void)state;
    struct trestle_device *devs[] = {device(&quiet), device(&quiet), device(&quiet),
                                     device(&quiet), device(&quiet), device(&interrupts),
                                     device(&copies)};
    const size_t count = sizeof(devs) / sizeof(devs[0]);
    for (size_t i = 0; i < count; i++)
        assert_true(is_seen(devs[i])); /* as long as nobody has asked */
    join(devs[0], 0, devs[1], 0);      /* two that only have each other */
    join(devs[2], 1, devs[3], 0);      /* the interrupt, two links away */
    join(devs[3], 1, devs[5], 0);
    lazy_find(devs, count);
    static const bool seen[] = {false, false, true, true, false, true, true};
    for (size_t i = 0; i < count; i++)
        assert_int_equal(is_seen(devs[i]), seen[i]);
    uint8_t byte = 0;
    assert_int_equal(trestle_device_send(devs[0], 0, &byte, 1), 0);
    assert_int_equal(lazy_next_visible(sim), TRESTLE_TIME_NEVER);
    assert_int_equal(trestle_device_send(devs[2], 1, &byte, 1), 0);
    assert_int_equal(lazy_next_visible(sim), 5);
    trestle_sim_run_until(sim, 10);
    /* The same message's place serves another receiver. */
    assert_int_equal(trestle_device_send(devs[1], 0, &byte, 1), 0);
    assert_int_equal(trestle_device_send(devs[0], 0, &byte, 1), 0);
    assert_int_equal(lazy_next_visible(sim), TRESTLE_TIME_NEVER);
    for (size_t i = 0; i < count; i++)
        trestle_device_destroy(devs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_next_visible, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_but_lazy_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(test_which_devices, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
