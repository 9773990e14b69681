/* SPDX-License-Identifier: MIT */
/* What a sim is doing, as another thread sees it. */
#ifndef TRESTLE_BASE_ACTIVITY_H
#define TRESTLE_BASE_ACTIVITY_H

#include "trestle/types.h"

enum trestle_callback {
    TRESTLE_CALLBACK_NONE,
    TRESTLE_CALLBACK_INIT,
    TRESTLE_CALLBACK_START,
    TRESTLE_CALLBACK_READ,
    TRESTLE_CALLBACK_WRITE,
    TRESTLE_CALLBACK_WAKE,
    TRESTLE_CALLBACK_MESSAGE,
    TRESTLE_CALLBACK_DMA_DONE,
    TRESTLE_CALLBACK_RESET,
    TRESTLE_CALLBACK_FINI,
    TRESTLE_CALLBACK_INPUT,
};

/* What a sim is doing. If two looks show the same number of callbacks, or of runs, they have seen
 * the same one. */
struct trestle_activity {
    uint64_t callbacks; /* of models, begun so far */
    uint64_t runs;      /* of the engine (trestle_sim_run_until()), begun so far */
    bool is_running;    /* the engine runs */
    bool is_waiting;    /* the engine or a callback waits for the file of a trace */
    trestle_time now;
    enum trestle_callback callback; /* the one that runs, or NONE */
    const char *callback_name;      /* "write"; of the latest, if none runs */
    char device[64];                /* its device, cut to fit; empty: not known */
    uint64_t offset;                /* of the access in read() and write(); size 0: none */
    uint32_t size;
};

#endif
