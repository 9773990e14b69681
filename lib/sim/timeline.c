/* SPDX-License-Identifier: MIT */
/* A timeline: when the engine runs, and how far, for a guest that moves its time and one that does
 * not. */
#include "timeline.h"

#include <errno.h>

#include "lazy.h"

/* Events that one turn may run for an access that waits: then others get their turn. */
#define EVENTS_PER_TURN 4096u

/* A deferred answer that is due this soon on the host's clock is waited for in place, since a timer
 * would cost more. */
#define SPIN_FOR_EVENT_NS 5000u

void timeline_init(struct timeline *timeline, struct trestle_sim *sim, uint64_t (*host_ns)(void),
                   const struct timeline_outside *outside)
{
    *timeline = (struct timeline){.sim = sim, .host_ns = host_ns, .outside = *outside};
    timeline_start(timeline);
}

void timeline_start(struct timeline *timeline)
{
    timeline->now_ns = timeline->host_ns();
    timeline->start_ns = timeline->now_ns - trestle_sim_now(timeline->sim) / TRESTLE_NS;
}

/* --- guests ---------------------------------------------------------------------------------- */

static void choose_kind(struct timeline *timeline)
{
    timeline->has_several_guests = timeline->guests && timeline->guests->next;
    timeline->kind = !timeline->guests           ? TIMELINE_HOST
                     : timeline->outside.advance ? TIMELINE_OUTSIDE
                                                 : TIMELINE_GUEST;
}

void timeline_join(struct timeline *timeline, struct timeline_guest *guest, trestle_time time)
{
    trestle_time now = trestle_sim_now(timeline->sim);
    guest->time = time;
    guest->stall = now > time ? now - time : 0;
    guest->told_next = TRESTLE_TIME_NEVER;
    guest->next = timeline->guests;
    timeline->guests = guest;
    choose_kind(timeline);
}

void timeline_leave(struct timeline *timeline, struct timeline_guest *guest)
{
    struct timeline_guest **at = &timeline->guests;
    while (*at && *at != guest)
        at = &(*at)->next;
    if (*at)
        *at = guest->next;
    timeline->is_asked = false;
    timeline->asked_by = NULL;
    choose_kind(timeline);
    timeline_start(timeline);
}

trestle_time timeline_least_of_guests(const struct timeline *timeline)
{
    trestle_time least = TRESTLE_TIME_NEVER;
    for (const struct timeline_guest *guest = timeline->guests; guest; guest = guest->next)
        if (guest->time + guest->stall < least)
            least = guest->time + guest->stall;
    return least;
}

trestle_time timeline_guest_time(const struct timeline *timeline, trestle_time now)
{
    const struct timeline_guest *guest = timeline->guests;
    if (!guest || now < guest->stall)
        return TRESTLE_TIME_NEVER;
    /* Guest time stands while the engine is ahead with an answer; up to where the guest is, both
     * pass together. */
    return now - guest->stall < guest->time ? now - guest->stall : guest->time;
}

/* --- the host's clock ------------------------------------------------------------------------ */

void timeline_at_host(struct timeline *timeline)
{
    timeline->now_ns = timeline->host_ns();
    if (timeline->kind == TIMELINE_HOST)
        trestle_sim_run_until(timeline->sim, (timeline->now_ns - timeline->start_ns) * TRESTLE_NS);
}

/* Otherwise nobody can see an event, and the engine catches up at the next access. */
static bool is_seen(const struct timeline *timeline)
{
    return timeline->num_waiting > 0 || (timeline->kind == TIMELINE_HOST && timeline->num_watching);
}

static bool follow_host(struct timeline *timeline)
{
    timeline_at_host(timeline);
    trestle_time next = trestle_sim_next(timeline->sim);
    return next != TRESTLE_TIME_NEVER &&
           next <= trestle_sim_now(timeline->sim) + SPIN_FOR_EVENT_NS * TRESTLE_NS;
}

uint64_t timeline_wake_ns(const struct timeline *timeline)
{
    if (timeline->kind != TIMELINE_HOST || !is_seen(timeline) || timeline->num_outside)
        return UINT64_MAX;
    trestle_time next = trestle_sim_next(timeline->sim);
    if (next == TRESTLE_TIME_NEVER)
        return UINT64_MAX;
    return timeline->start_ns + (next + TRESTLE_NS - 1) / TRESTLE_NS;
}

/* --- a guest that waits ---------------------------------------------------------------------- */

/* False: it has to come there first, and is asked to, on behalf of `guest` or of nobody. */
static bool outside_allows(struct timeline *timeline, trestle_time until,
                           struct timeline_guest *guest)
{
    const struct timeline_outside *outside = &timeline->outside;
    if (timeline->kind != TIMELINE_OUTSIDE || until < outside->expect(outside->ctx))
        return true;
    timeline->is_asked = true;
    timeline->asked_by = guest;
    timeline->num_handed++;
    outside->advance(outside->ctx, until);
    return false;
}

bool timeline_run_on(struct timeline *timeline)
{
    for (unsigned i = 0; i < EVENTS_PER_TURN; i++) {
        /* The outside goes on by itself, and takes the engine along. */
        if (!is_seen(timeline) || timeline->num_outside || timeline->is_asked)
            return false;
        if (timeline->kind == TIMELINE_HOST)
            return follow_host(timeline);
        trestle_time next = trestle_sim_next(timeline->sim);
        if (next == TRESTLE_TIME_NEVER || !outside_allows(timeline, next, NULL))
            return false;
        trestle_sim_run_until(timeline->sim, next);
    }
    return timeline->num_waiting > 0;
}

void timeline_at_advance(struct timeline *timeline, struct timeline_guest *guest, trestle_time time)
{
    if (timeline->kind == TIMELINE_OUTSIDE) {
        if (time > guest->time)
            guest->time = time;
        if (!outside_allows(timeline, timeline_least_of_guests(timeline), guest))
            return;
    }
    timeline_at_access(timeline, guest, time);
    guest->advanced(guest);
}

int timeline_advanced(struct timeline *timeline, trestle_time now)
{
    struct timeline_guest *guest = timeline->asked_by;
    if (!timeline->is_asked)
        return -ENOENT;
    timeline->is_asked = false;
    timeline->asked_by = NULL;
    trestle_sim_run_until(timeline->sim, now);
    if (guest)
        guest->advanced(guest);
    return 0;
}

trestle_time timeline_find_next(const struct timeline *timeline, const struct timeline_guest *guest)
{
    trestle_time next = lazy_next_visible(timeline->sim);
    if (timeline->kind == TIMELINE_OUTSIDE) {
        trestle_time outside = timeline->outside.expect(timeline->outside.ctx);
        next = outside < next ? outside : next;
    }
    /* A guest can have a device wait for centuries; it will not come back then. */
    if (next == TRESTLE_TIME_NEVER || next - guest->stall > TIMELINE_MAX)
        return TRESTLE_TIME_NEVER;
    return next - guest->stall;
}
