/* SPDX-License-Identifier: MIT */
/* Names the model that hangs, crashes or exits inside QEMU, and the engine that does not come to
 * rest there. */
#ifndef TRESTLE_INLINE_GUARD_H
#define TRESTLE_INLINE_GUARD_H

#include <stdbool.h>

#include "base/macros.h"
#include "trestle/sim.h"

struct guard_options {
    int64_t patience_ms;      /* a callback and a run that last so long are named; 0: never */
    int end_fd;               /* a pipe. At its end QEMU is to end; what does not let it is named */
    int open_fd;              /* QEMU ends if a model closes it */
    void (*last_words)(void); /* before QEMU ends inside a callback, which is named */
};

void guard_start(struct trestle_sim *sim, const struct guard_options *options);
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
