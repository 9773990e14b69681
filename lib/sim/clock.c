/* SPDX-License-Identifier: MIT */
/* Periodic clocks of the engine, with one event for each clock. */
#include <errno.h>
#include <stdlib.h>

#include "sim.h"

struct trestle_clock {
    struct trestle_event event;
    struct trestle_clock *next;
    struct trestle_sim *sim;
    trestle_time period;
    uint64_t cycle; /* of the next tick, while running */
    bool running;
    trestle_clock_fn tick;
    void *ctx;
};

static void clock_schedule(struct trestle_clock *clock)
{
    trestle_time when;
    if (__builtin_mul_overflow(clock->cycle, clock->period, &when))
        when = TRESTLE_TIME_NEVER; /* beyond the end of time */
    sim_schedule_reserved(clock->sim, &clock->event, when);
}

static void clock_fire(struct trestle_event *event, trestle_time now)
{
    struct trestle_clock *clock = (struct trestle_clock *)event;
    uint64_t cycle = clock->cycle++;
    if (clock->tick(clock->ctx, cycle, now)) {
        trestle_clock_stop(clock);
        return;
    }
    /* The handler may itself have stopped the clock, and started it again. */
    if (clock->running && !trestle_event_pending(&clock->event))
        clock_schedule(clock);
}

int trestle_clock_create(struct trestle_sim *sim, trestle_time period, trestle_clock_fn tick,
                         void *ctx, struct trestle_clock **ret_clock)
{
    if (period == 0)
        return -EINVAL;
    struct trestle_clock *clock = calloc(1, sizeof(*clock));
    if (!clock)
        return -ENOMEM;
    int r = queue_reserve(&sim->queue, 1);
    if (r < 0) {
        free(clock);
        return r;
    }
    trestle_event_init(&clock->event, clock_fire);
    clock->sim = sim;
    clock->period = period;
    clock->tick = tick;
    clock->ctx = ctx;
    clock->next = sim->clocks;
    sim->clocks = clock;
    *ret_clock = clock;
    return 0;
}

void trestle_clock_start(struct trestle_clock *clock)
{
    if (clock->running)
        return;
    clock->running = true;
    clock->cycle = clock->sim->now / clock->period + 1;
    clock_schedule(clock);
}

void trestle_clock_stop(struct trestle_clock *clock)
{
    clock->running = false;
    trestle_sim_cancel(clock->sim, &clock->event);
}

void clocks_free(struct trestle_sim *sim)
{
    while (sim->clocks) {
        struct trestle_clock *clock = sim->clocks;
        sim->clocks = clock->next;
        free(clock);
    }
}
