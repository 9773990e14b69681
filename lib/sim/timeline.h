/* SPDX-License-Identifier: MIT */
/*
 * Who moves the time of an engine, and how far.
 *
 *   HOST     No guest says its time: the engine follows the host's clock.
 *   GUEST    The guest says its time. While it waits for an answer its time stands, and the engine
 *            runs on to the answer as fast as it can.
 *   OUTSIDE  As GUEST, but some devices belong to a simulator with time of its own. It says how far
 *            the engine may go on without it.
 *
 * Guest time plus stall is engine time. Several guests may join: the engine then goes as far as the
 * one that is furthest behind. (Links between their devices would add their latency to that.)
 */
#ifndef TRESTLE_SIM_TIMELINE_H
#define TRESTLE_SIM_TIMELINE_H

#include "base/macros.h"
#include "sim/sim.h"

/* Sums with this stay below never; as a time it is 106 days. */
#define TIMELINE_MAX (UINT64_MAX / 2)

enum timeline_kind { TIMELINE_HOST, TIMELINE_GUEST, TIMELINE_OUTSIDE };

/* A simulator that some of the devices belong to. */
struct timeline_outside {
    /* Go to `until`, then call timeline_advanced(); (mandatory, or there is no outside) */
    void (*advance)(void *ctx, trestle_time until);
    /* The time at which it may next have an interrupt or a transfer. (mandatory) */
    trestle_time (*expect)(void *ctx);
    void *ctx;
};

struct timeline_guest {
    struct timeline_guest *next;
    trestle_time time;      /* of the latest request */
    trestle_time stall;     /* how far deferred answers have put the engine ahead */
    trestle_time told_next; /* what the guest knows of the next event */
    bool sees_events;       /* without asking: it takes interrupts or transfers */
    /* What it asked timeline_at_advance() for has come. (mandatory for who asks) */
    void (*advanced)(struct timeline_guest *guest);
};

struct timeline {
    struct trestle_sim *sim;
    enum timeline_kind kind;
    struct timeline_guest *guests;
    bool has_several_guests;
    struct timeline_outside outside;
    uint64_t (*host_ns)(void);       /* the host's clock */
    uint64_t start_ns;               /* its time when the engine's was 0 */
    uint64_t now_ns;                 /* its time when last read */
    uint32_t num_waiting;            /* accesses that wait for a model in the engine */
    uint32_t num_watching;           /* guests on the host's clock that see events unasked */
    uint32_t num_outside;            /* that wait for a device of the outside */
    bool is_asked;                   /* the outside is to advance */
    struct timeline_guest *asked_by; /* or NULL: the engine itself */
    uint64_t num_handed;             /* accesses and advances that the outside was given so far */
};

void timeline_init(struct timeline *timeline, struct trestle_sim *sim, uint64_t (*host_ns)(void),
                   const struct timeline_outside *outside);
/* On the host's clock, the engine goes on from now. */
void timeline_start(struct timeline *timeline);

/* The guest's time is `time`, and it has sees_events set. */
void timeline_join(struct timeline *timeline, struct timeline_guest *guest, trestle_time time);
/* Fine if it has not joined. */
void timeline_leave(struct timeline *timeline, struct timeline_guest *guest);

/* --- at an access ---------------------------------------------------------------------------- */

/* Reads the host's clock, and brings the engine up to it if that is who moves it. */
void timeline_at_host(struct timeline *timeline);

/* Where the engine may go, as far as the guests are concerned. */
trestle_time timeline_least_of_guests(const struct timeline *timeline);

/* The guest has come to `time`, at most TIMELINE_MAX: runs what was due before. */
static inline void timeline_at_access(struct timeline *timeline, struct timeline_guest *guest,
                                      trestle_time time)
{
    if (timeline->kind == TIMELINE_HOST) {
        timeline_at_host(timeline);
        return;
    }
    if (time > guest->time)
        guest->time = time;
    sim_run_to(timeline->sim, unlikely(timeline->has_several_guests)
                                  ? timeline_least_of_guests(timeline)
                                  : guest->time + guest->stall);
}

/* The guest has come to `time` without an access. Calls its advanced() when the engine has come
 * there as well: now, or from timeline_advanced(). */
void timeline_at_advance(struct timeline *timeline, struct timeline_guest *guest,
                         trestle_time time);

/* An access waits for its device, or does so no longer. */
static inline void timeline_wait(struct timeline *timeline, bool is_outside)
{
    timeline->num_waiting += !is_outside;
    timeline->num_outside += is_outside;
    timeline->num_handed += is_outside;
}

static inline void timeline_wait_end(struct timeline *timeline, bool is_outside)
{
    timeline->num_waiting -= !is_outside;
    timeline->num_outside -= is_outside;
}

static inline bool timeline_is_waited_for(const struct timeline *timeline)
{
    return timeline->num_waiting | timeline->num_outside;
}

/* The guest gets an answer: it stood still while the engine went on to that. Returns the engine's
 * time. */
static inline trestle_time timeline_at_answer(const struct timeline *timeline,
                                              struct timeline_guest *guest)
{
    trestle_time now = timeline->sim->now;
    if (timeline->kind != TIMELINE_HOST && now > guest->time + guest->stall)
        guest->stall = now - guest->time;
    return now;
}

/* A guest on the host's clock takes interrupts and transfers, or does so no longer. */
static inline void timeline_watch(struct timeline *timeline)
{
    timeline->num_watching++;
}

static inline void timeline_unwatch(struct timeline *timeline)
{
    timeline->num_watching--;
}

/* --- between accesses ------------------------------------------------------------------------ */

/* Lets the engine go on while an access waits for its model. True: more is due at once. */
bool timeline_run_on(struct timeline *timeline);

/* When the engine has to go on by itself, on the host's clock; UINT64_MAX: not before the next
 * access. */
uint64_t timeline_wake_ns(const struct timeline *timeline);

/* The outside has come to `now`. -ENOENT: it was not asked. */
int timeline_advanced(struct timeline *timeline, trestle_time now);

/* When the guest has to look after the engine again: the time of the next event that it could see,
 * on its own clock. */
trestle_time timeline_find_next(const struct timeline *timeline,
                                const struct timeline_guest *guest);
static inline trestle_time timeline_next_for_guest(const struct timeline *timeline,
                                                   const struct timeline_guest *guest)
{
    bool is_told = guest->sees_events && timeline->kind != TIMELINE_HOST;
    return is_told ? timeline_find_next(timeline, guest) : TRESTLE_TIME_NEVER;
}

/* True: the guest sees no events, and knows so. There is nothing to find out for it. */
static inline bool timeline_expects_nothing(const struct timeline_guest *guest)
{
    return !guest->sees_events && guest->told_next == TRESTLE_TIME_NEVER;
}

/* The guest's time when the engine's is `now`, or never: it says none. */
trestle_time timeline_guest_time(const struct timeline *timeline, trestle_time now);

#endif
