/* SPDX-License-Identifier: MIT */
/* The engine: schedules events and runs them in order of time. */
#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "command.h"
#include "sim.h"

void trestle_sim_observe(struct trestle_sim *sim, trestle_observe_fn observe, void *ctx)
{
    sim->observe = observe;
    sim->observe_ctx = ctx;
}

trestle_time trestle_sim_next(const struct trestle_sim *sim)
{
    return queue_next(&sim->queue);
}

size_t trestle_sim_pending(const struct trestle_sim *sim)
{
    return sim->queue.count - sim->queue.hole;
}

void trestle_event_init(struct trestle_event *event,
                        void (*fire)(struct trestle_event *, trestle_time))
{
    *event = (struct trestle_event){.fire = fire, .slot = QUEUE_IDLE};
}

void sim_schedule_reserved(struct trestle_sim *sim, struct trestle_event *event, trestle_time when)
{
    if (when == TRESTLE_TIME_NEVER) {
        sim_cancel(sim, event);
        return;
    }
    if (when < sim->now)
        when = sim->now;
    if (trestle_event_pending(event))
        queue_move(&sim->queue, event, when);
    else
        queue_push(&sim->queue, event, when);
}

int trestle_sim_schedule(struct trestle_sim *sim, struct trestle_event *event, trestle_time when)
{
    if (!trestle_event_pending(event)) {
        int r = queue_make_room(&sim->queue);
        if (r < 0)
            return r;
    }
    sim_schedule_reserved(sim, event, when);
    return 0;
}

void sim_cancel(struct trestle_sim *sim, struct trestle_event *event)
{
    if (trestle_event_pending(event))
        queue_remove(&sim->queue, event);
}

/* What is due until then has fired. */
static inline void move_to(struct trestle_sim *sim, trestle_time until)
{
    if (until != TRESTLE_TIME_NEVER &&
        !atomic_load_explicit(&sim->activity.is_interrupted, memory_order_relaxed))
        sim->now = until;
}

uint64_t sim_run_due(struct trestle_sim *sim, trestle_time until)
{
    struct activity *activity = &sim->activity;
    uint64_t fired = 0;
    activity_here(activity);
    activity_count(&activity->runs);
    atomic_store_explicit(&activity->is_running, true, memory_order_relaxed);
    do {
        sim->now = sim->queue.heap[0].when;
        struct trestle_event *event = queue_take(&sim->queue);
        event->fire(event, sim->now);
        queue_settle(&sim->queue);
        fired++;
    } while (sim->queue.count > 0 && sim->queue.heap[0].when <= until &&
             !atomic_load_explicit(&activity->is_interrupted, memory_order_relaxed));
    atomic_store_explicit(&activity->is_running, false, memory_order_relaxed);
    move_to(sim, until);
    return fired;
}

uint64_t trestle_sim_run_until(struct trestle_sim *sim, trestle_time until)
{
    struct activity *activity = &sim->activity;
    activity_here(activity);
    if (until < sim->now || atomic_load_explicit(&activity->is_running, memory_order_relaxed))
        return 0;
    if (sim->queue.count > 0 && sim->queue.heap[0].when <= until &&
        !atomic_load_explicit(&activity->is_interrupted, memory_order_relaxed))
        return sim_run_due(sim, until);
    move_to(sim, until);
    return 0;
}
