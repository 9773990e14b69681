/* SPDX-License-Identifier: MIT */
/* What a sim is doing right now, kept so that another thread can see it: which callback of which
 * model runs, and whether the engine does. Written by the sim's thread alone, a handful of plain
 * stores for each callback. */
#ifndef TRESTLE_SIM_ACTIVITY_H
#define TRESTLE_SIM_ACTIVITY_H

#include <stdatomic.h>

#include "base/activity.h"
#include "trestle/sim.h"

struct activity {
    _Atomic(struct trestle_device *) device; /* whose callback runs; NULL: none */
    _Atomic(struct trestle_device *) latest; /* whose ran last */
    atomic_uint lookers;                     /* other threads that look at one of the two */
    _Atomic uint64_t callbacks;              /* begun so far */
    _Atomic uint64_t runs;                   /* of the engine, begun so far */
    atomic_bool is_running;                  /* the engine */
    atomic_bool is_interrupted;
    atomic_bool is_waiting;   /* the sim's thread, for the file of a trace */
    _Atomic uintptr_t thread; /* that used the sim last */
    bool has_lost;            /* a model has failed in its fini() */
};

/* Whether one of its models has failed in its fini(). */
bool activity_has_lost(const struct trestle_sim *sim);

/* No callback runs. When this returns, no other thread looks at a device, which may go. */
void activity_forget(struct activity *activity);

/* For code that makes the sim's thread wait: what to set meanwhile, and what ends the wait. */
void activity_of_waiting(struct trestle_sim *sim, atomic_bool **ret_is_waiting,
                         const atomic_bool **ret_is_over);

static inline uintptr_t activity_this_thread(void)
{
    uintptr_t thread = 0;
#if defined(__x86_64__)
    __asm__("mov %%fs:0, %0" : "=r"(thread));
#elif defined(__aarch64__)
    __asm__("mrs %0, tpidr_el0" : "=r"(thread));
#endif
    return thread;
}

static inline void activity_here(struct activity *activity)
{
    atomic_store_explicit(&activity->thread, activity_this_thread(), memory_order_relaxed);
}

/* Only this thread counts. */
static inline void activity_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* "write" */
const char *activity_name(enum trestle_callback callback);

#endif
