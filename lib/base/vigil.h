/* SPDX-License-Identifier: MIT */
/* What another thread can tell of models at work: a callback that takes long or does not return, an
 * engine that does not come to rest. */
#ifndef TRESTLE_BASE_VIGIL_H
#define TRESTLE_BASE_VIGIL_H

#include "activity.h"
#include "trestle/sim.h"

/* Between two looks. */
#define VIGIL_TICK_MS 50
/* A callback that lasts so long is the reason why its engine does not come to rest, and why its
 * run, which was to end so long ago, does not. */
#define VIGIL_STUCK_NS UINT64_C(500000000)
#define VIGIL_SUSPECTS_MAX 4
#define VIGIL_TOLD_MAX 64

/* A callback that an engine runs again and again. */
struct vigil_suspect {
    char device[64];
    const char *callback;
};

enum vigil_obstacle {
    VIGIL_NO_OBSTACLE,
    VIGIL_CALLBACK, /* it may never return */
    VIGIL_ENGINE,   /* or its wait for the reader of a trace: trestle_sim_interrupt() ends it */
};

struct vigil {
    /* Set before the first look, zeroes behind it. */
    void (*look)(const struct trestle_sim *sim, struct trestle_activity *ret_seen);
    void (*say)(enum trestle_log_level level, const char *sentence);
    uint64_t patience_ns;  /* a callback and a run that last so long are named; 0: never */
    const char *meanwhile; /* behind the time for which a callback has not returned; "" */

    struct trestle_activity seen; /* at the last look */
    uint64_t callback_ns, run_ns; /* since when; 0: none is under way */
    uint64_t busy_ns;             /* that the callback had a processor or slept */
    uint64_t cpu_ns;              /* of the process, at the last look */
    bool told_callback, told_engine;
    struct vigil_suspect suspects[VIGIL_SUSPECTS_MAX];
    size_t num_suspects;
    char told_slow[VIGIL_TOLD_MAX][64];
    size_t num_told_slow;
};

/* One look, and what there is to say of it. From one thread. */
void vigil_look(struct vigil *vigil, const struct trestle_sim *sim, uint64_t now_ns);
/* After a look, of a run that has been to end since end_ns: what keeps it from that. A callback and
 * an engine have been named then, without patience; the caller does something about them. */
enum vigil_obstacle vigil_look_for_obstacle(struct vigil *vigil, uint64_t end_ns, uint64_t now_ns);
/* "dut: its write() of 4 bytes at offset 0x0" into buf, always ended; returns buf. May be called
 * from a signal's handler. */
char *vigil_describe(const struct trestle_activity *seen, char *buf, size_t size);

#endif
