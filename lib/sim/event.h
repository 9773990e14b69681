/* SPDX-License-Identifier: MIT */
/* Events of the engine. */
#ifndef TRESTLE_SIM_EVENT_H
#define TRESTLE_SIM_EVENT_H

#include "trestle/sim.h"

/* An event is embedded in its owner: scheduling never allocates beyond the growth of the
 * queue. The fields are the engine's. */
struct trestle_event {
    void (*fire)(struct trestle_event *event, trestle_time now);
    size_t slot; /* place in the queue, SIZE_MAX when idle */
    bool is_lazy;
};

static inline bool trestle_event_pending(const struct trestle_event *event)
{
    return event->slot != SIZE_MAX;
}

void trestle_event_init(struct trestle_event *event,
                        void (*fire)(struct trestle_event *, trestle_time));
/* Schedules, or moves, an event: after all others that are scheduled for that time. A time
 * in the past means now. TRESTLE_TIME_NEVER cancels. The event must stay in place until it fired
 * or was cancelled; while it fires it is idle and may be scheduled again or freed. -ENOMEM;
 * never when moving. */
TRESTLE_CHECK int trestle_sim_schedule(struct trestle_sim *sim, struct trestle_event *event,
                                       trestle_time when);

#endif
