/* SPDX-License-Identifier: MIT */
/*
 * A thread that looks after the one that serves the devices. It names the model whose callback does
 * not return, the events that an engine does not get past, and the model that crashes or calls
 * exit(), and ends a run that cannot end by itself any more.
 */
#ifndef CLI_WATCHDOG_H
#define CLI_WATCHDOG_H

#include <stdint.h>

#include "trestle/sim.h"

struct watchdog_options {
    const char *ends;          /* with a model that crashes: "the run"; stays the caller's */
    uint64_t patience_ns;      /* how long a callback may take before it is named; 0: for ever */
    uint64_t fini_patience_ns; /* how long a fini() may take at most, whatever signals come; 0: as
                                  long as any other callback, until a signal comes */
    /* Ends what the run has started, says what it has served and removes its sockets: the thread
     * that serves is inside a model, and will do none of it. */
    void (*clean_up)(void *ctx);
    void (*lose)(void *ctx); /* in place of clean_up, if that model is in its fini() */
    void *ctx;
};

/* One at a time; from the thread that will serve. What is watched comes with watchdog_watch(). */
int watchdog_start(const struct watchdog_options *options);
/* When it returns, nobody looks any more at the one before, which may go. */
void watchdog_watch(const struct trestle_sim *sim);
/* When the run is to end, by clock_ns(), what says so, and its exit code then. */
void watchdog_set_deadline(uint64_t deadline_ns, const char *what, int exit_code);
/* All is done but to take the devices away: from now on a signal, or its patience, ends what takes
 * too long, and nothing is cleaned up or said but whose fault it is. */
void watchdog_finish(void);
/* Nothing is watched any more; fine when nothing was. */
void watchdog_stop(void);

#endif
