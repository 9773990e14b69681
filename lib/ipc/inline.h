/* SPDX-License-Identifier: MIT */
/*
 * A bridge inside the process of its guest. The plugin loads it from a file and calls it where it
 * would else wait for another process: on one thread at a time, under QEMU's big lock. Connections,
 * messages and rings are those of protocol 2, but a request and its answer pass as arguments.
 */
#ifndef TRESTLE_IPC_INLINE_H
#define TRESTLE_IPC_INLINE_H

#include "trestle/wire.h"

/* Both sides are built together: another number means another build. */
#define INLINE_VERSION 2

struct inline_bridge {
    int fd; /* readable when serve() has something to do unasked; the bridge's */
    void *ctx;
    /* 1: *ret_reply is the answer, though events that were posted before it come first. 0: the
     * answer will be an event. -EAGAIN: post it in the ring, others wait there. */
    int (*call)(void *ctx, const struct trestle_v2_message *request,
                struct trestle_v2_message *ret_reply);
    /* Does what there is to do; waits for something at most timeout_ms. */
    void (*serve)(void *ctx, int timeout_ms);
    /* The process exits with that status. Ends it at once if a model has called exit(). */
    void (*exits)(int status);
    /* The guest has ended, and has said so: tells what was served, and frees all. */
    void (*finish)(void *ctx);
};

/* The one symbol of the file. `given` names descriptors of the run that started QEMU
 * (base/handover.h). client_turn is called where the bridge has to wait for the client: it takes
 * and serves events. 0; or negative, and the run has been told why. */
#define INLINE_START "trestle_inline_start"
typedef int inline_start(unsigned version, const char *given, void (*client_turn)(void),
                         struct inline_bridge *ret_bridge);

#endif
