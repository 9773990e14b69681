/* SPDX-License-Identifier: MIT */
/* A bridge: ports with models behind them, and the loop that serves their guests. */
#ifndef TRESTLE_BRIDGE_STRUCT_H
#define TRESTLE_BRIDGE_STRUCT_H

#include "base/listener.h"
#include "bridge/trace.h"
#include "front/front.h"
#include "trestle/bridge.h"

struct watch;

struct trestle_bridge {
    struct trestle_bridge_options options;
    struct trestle_sim *sim;
    struct front front;
    struct loop_source timer; /* a timerfd: when the engine must go on by itself */
    uint64_t timer_ns;        /* what it is armed for, on the host's clock */
    bool is_listening;
    unsigned num_found;   /* looks that found something */
    struct ipc_spin spin; /* the wait under way */
    struct watch *watches;
    struct bridge_trace trace;

    char *socket_dir;           /* may be own_dir's */
    struct private_dir own_dir; /* ours to remove, or none */
    char *runtime_dir;
};

/* --- serve.c --------------------------------------------------------------------------------- */

/* For a client in this thread (lib/ipc/inline.h). */
int serve_call(struct trestle_bridge *bridge, const struct trestle_v2_message *request,
               struct trestle_v2_message *ret_reply);

TRESTLE_CHECK int serve_create_timer(struct trestle_bridge *bridge);
/* The timer and all watches. */
void serve_finish(struct trestle_bridge *bridge);

#endif
