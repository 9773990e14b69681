/* SPDX-License-Identifier: MIT */
/* What a bridge's devices share on the side of their guests: the loop, the time, the waiting. */
#ifndef TRESTLE_FRONT_FRONT_H
#define TRESTLE_FRONT_FRONT_H

#include "ipc/loop.h"
#include "ipc/wait.h"
#include "sim/timeline.h"

struct port;
struct connection;
struct protocol;
struct trestle_v2_message;

/* Where requests come in without the kernel's help. Whoever waits looks here again and again, and
 * says so before it sleeps, as one does with libwayland's prepare_read() and read_events(). */
struct front_intake {
    /* Handles what is there, within bounds. Returns how much that was. (mandatory) */
    unsigned (*serve)(struct front_intake *intake);
    /* Announces a sleep. False: there is something after all. (mandatory) */
    bool (*prepare_sleep)(struct front_intake *intake);
    /* Takes that back. (mandatory) */
    void (*awake)(struct front_intake *intake);
    /* Handles a request of a client in this thread, as lib/ipc/inline.h says. (mandatory) */
    int (*call)(struct front_intake *intake, const struct trestle_v2_message *request,
                struct trestle_v2_message *ret_reply);
};

struct front {
    const struct protocol *const *protocols; /* ended by NULL; the first that fits is taken */
    void (*log)(void *ctx, enum trestle_log_level level, const char *text);
    void *log_ctx;
    bool log_debug;

    struct loop loop;
    struct timeline timeline;
    enum trestle_wait wait_policy;
    struct ipc_crowd crowd;
    struct ipc_wait wait; /* for requests */
    bool needs_fence;

    struct port **ports;
    uint32_t num_ports, num_connected;
    bool has_irq, has_dma, has_memory; /* some model has, or the program */
    const char *disturbance; /* why no other run will be like this one, a constant; NULL: nothing */
    bool has_no_shm;         /* it is not tried, or not again */

    struct front_intake *intake;    /* or NULL: requests come on sockets */
    struct connection *last_active; /* where spinning looks first then */
    struct connection *resumed;     /* list of those whose buffered frames may go on */
    uint64_t listen_again_ns;  /* not 0: clients wait for a free descriptor; when to look again */
    bool is_starved;           /* and that was said */
    void (*client_turn)(void); /* or NULL: the client has a thread of its own */
    void (*when_safe)(struct front *front); /* or NULL: to be done when no model is being called */
    struct v2_session *session;             /* of protocol 2, one at a time; or NULL */
};

void front_log(struct front *front, enum trestle_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* From then on it is not tried again. `what` has failed. */
void front_say_no_shm(struct front *front, const char *what, int error);

#endif
