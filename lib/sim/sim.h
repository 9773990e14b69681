/* SPDX-License-Identifier: MIT */
/* The inside of the engine, shared by the files of lib/sim. */
#ifndef TRESTLE_SIM_SIM_H
#define TRESTLE_SIM_SIM_H

#include "activity.h"
#include "base/macros.h"
#include "command.h"
#include "queue.h"
#include "trestle/sim.h"

struct message;
struct payload;
struct register_banks;

/* Sizes that bytes of messages are kept in. */
#define MESSAGE_CLASSES 3

struct trestle_sim {
    trestle_time now; /* first: trestle_sim_now() */
    struct queue queue;
    struct activity activity;
    trestle_observe_fn observe; /* or NULL */
    void *observe_ctx;
    /* What the sim owns, freed with it. */
    struct trestle_component *components;
    struct trestle_link *links;
    struct message_block *message_blocks;
    struct message *free_messages;
    struct message *arriving; /* in receive(), or NULL */
    struct payload *payloads; /* all of them */
    struct payload *free_payloads[MESSAGE_CLASSES];
    /* The register tables of its devices, each freed with the last one that has it. */
    struct register_banks *banks;
};

/* Runs what is due until then, of which there is something. */
uint64_t sim_run_due(struct trestle_sim *sim, trestle_time until);

/* trestle_sim_run_until() for the hot path. */
static inline void sim_run_to(struct trestle_sim *sim, trestle_time until)
{
    const struct activity *activity = &sim->activity;
    const struct queue *queue = &sim->queue;
    bool is_due = queue->count > 0 && queue->heap[0].when <= until;
    bool is_running = atomic_load_explicit(&activity->is_running, memory_order_relaxed);
    bool is_interrupted = atomic_load_explicit(&activity->is_interrupted, memory_order_relaxed);
    if (unlikely(is_running | is_interrupted) || unlikely(until == TRESTLE_TIME_NEVER))
        trestle_sim_run_until(sim, until);
    else if (is_due)
        sim_run_due(sim, until);
    else if (until > sim->now)
        sim->now = until;
}

/* Schedules, moves or cancels an event with a reserved entry: cannot fail. */
void sim_schedule_reserved(struct trestle_sim *sim, struct trestle_event *event, trestle_time when);

static inline trestle_time time_add(trestle_time now, trestle_time delay)
{
    /* The last picosecond rather than never: what was asked for stays pending. */
    return delay < TRESTLE_TIME_NEVER - 1 - now ? now + delay : TRESTLE_TIME_NEVER - 1;
}

/* Fine if it is not pending. */
void sim_cancel(struct trestle_sim *sim, struct trestle_event *event);

bool component_is_linked(const struct trestle_component *component, uint32_t port);
/* Whether messages to it are lazy: lazy.h. */
void component_set_lazy(struct trestle_component *component, bool is_lazy);
bool component_is_lazy(const struct trestle_component *component);
bool component_has_visible_peer(const struct trestle_component *component, uint32_t port);
/* Drops the messages on their way to a component. */
void component_forget_messages(struct trestle_component *component);
/* Cuts its links and drops what is on its way; the sim keeps the husk. */
void component_close(struct trestle_component *component);

void components_free(struct trestle_sim *sim);

#endif
