/* SPDX-License-Identifier: MIT */
/* Names the model that hangs, crashes or exits inside QEMU, and the engine that does not come to
 * rest there. */
#ifndef TRESTLE_INLINE_GUARD_H
#define TRESTLE_INLINE_GUARD_H

#include <stdbool.h>

#include "base/macros.h"
#include "trestle/sim.h"

/* A callback, or a run of the engine, that lasts patience_ms is named (0: never). After a crash or
 * an exit() in a callback, which is named too, `crashed` is called before the process ends. It ends
 * as well if a model closes open_fd. */
void guard_start(const struct trestle_sim *sim, int64_t patience_ms, int open_fd,
                 void (*crashed)(void));
void guard_stop(void);

/* The process exits: ends it with a line if a model has called exit(). */
void guard_exit(int status);

/* A byte of the memory that the loader keeps for such files: it takes no call to reach it. */
extern _Thread_local bool guard_has_thread __attribute__((tls_model("initial-exec")));
void guard_take_thread(void);

/* On each thread that is about to call models. */
static inline void guard_enter(void)
{
    if (unlikely(!guard_has_thread))
        guard_take_thread();
}

#endif
