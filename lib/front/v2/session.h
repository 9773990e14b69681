/* SPDX-License-Identifier: MIT */
/* The session of protocol 2: what one guest's connections share, its timeline and its carrier, and
 * what goes out to it. A front has one session at a time. */
#ifndef TRESTLE_FRONT_V2_SESSION_H
#define TRESTLE_FRONT_V2_SESSION_H

#include "front/connection.h"
#include "front/v2/ram.h"
#include "ipc/channel.h"

/* Messages that were put aside. */
struct v2_queue {
    struct trestle_v2_message *messages;
    size_t start, end, size;
};

/* A channel, and the messages that came on it while the end of a transfer was waited for. */
struct v2_path {
    struct channel channel;
    struct v2_queue stash;
};

/* A connection in a session: its state. */
struct v2_client {
    struct v2_session *session;
    struct connection *connection;
    struct port *port;
    struct v2_path own;   /* over the socket */
    struct v2_path *path; /* what its messages take: own, or the session's ring */
    uint32_t irq_lines;   /* that the client has connected */
    uint64_t request_id;  /* of the access under way */
    bool is_posted;       /* the client does not wait for its answer */
    bool is_direct; /* a PCI device whose bus leads to guest memory as it is, and which may go there
                     */
};

struct v2_session {
    struct front *front;
    struct front_intake intake; /* the ring */
    uint8_t client_id[TRESTLE_V2_ID_SIZE], id[TRESTLE_V2_ID_SIZE];
    uint32_t features;
    struct v2_client **clients; /* by port; NULL: not connected */
    uint32_t num_clients;       /* the session ends with the last */
    uint32_t some_client;       /* was one of them when last looked for */
    struct timeline_guest guest;
    struct v2_path ring; /* closed: each client has its own */
    struct loop_source doorbell;
    struct trestle_v2_message held; /* taken from the ring, but its device is busy */
    bool has_held;
    uint32_t num_posted; /* writes in a row that the client has not waited for */
    bool said_goodbye;
    const char *end_reason; /* not NULL: it ends as soon as no model is being called */
    struct v2_client *via;  /* who asks, and so is told what comes of it */
    /* Not NULL: a client in this thread asks, and takes the answer to this id there. */
    struct trestle_v2_message *direct;
    uint64_t direct_id;
    bool is_asked; /* the client waits for the answer to what is being handled */
    uint64_t last_dma_id;
    struct ipc_wait dma_wait; /* for the answer to a transfer by messages */
    struct v2_ram ram;
    struct trestle_v2_message advance; /* under way; type 0: none */
};

static inline bool v2_has_ring(const struct v2_session *session)
{
    return channel_is_shared(&session->ring.channel);
}

static inline bool v2_has_time(const struct v2_session *session)
{
    return session->features & TRESTLE_V2_FEATURE_TIME;
}

/* Could the guest see an event of the engine without asking? Only as an interrupt or a DMA. */
static inline bool v2_sees_events(const struct v2_session *session)
{
    return session->features & (TRESTLE_V2_FEATURE_IRQ | TRESTLE_V2_FEATURE_DMA);
}

/* --- its end --------------------------------------------------------------------------------- */

/* Marks the session for its end. The first reason counts, a constant. Models may be in the middle
 * of a call, and cannot be reset there: so nothing goes out any more, and the rest is
 * v2_session_end_if_broken()'s. */
void v2_session_end(struct v2_session *session, const char *reason);
/* Ends the session now, for the reason that was given; or only if one was given meanwhile. */
void v2_session_end_now(struct v2_session *session);
static inline void v2_session_end_if_broken(struct v2_session *session)
{
    if (unlikely(session->end_reason))
        v2_session_end_now(session);
}
/* Closes all connections of the session, which is then gone. */
void v2_session_close(struct v2_session *session);
/* Frees the client, and with the last one the session. */
void v2_session_leave(struct v2_client *client);
void v2_session_free(struct v2_session *session);

/* --- out ------------------------------------------------------------------------------------- */

/* When the guest has to look after the engine again, which it knows from now on. */
trestle_time v2_tell_next(struct v2_session *session);
void v2_reply(struct v2_client *via, uint32_t device, uint64_t id, enum trestle_v2_status status,
              uint64_t data);
struct v2_client *v2_any_client(struct v2_session *session);
/* Answers the request of a client's port, which has ended. */
void v2_answer(void *client);
/* On sockets: whose the client is listening to, when something becomes of `client`. */
struct v2_client *v2_listener(struct v2_client *client);
/* Sends an event that the client may not be waiting for. */
void v2_send_unasked(struct v2_client *client, const struct trestle_v2_message *message);
/* The guest's ADVANCE has come to its end. */
void v2_advanced(struct timeline_guest *guest);
void v2_send_irq(struct v2_client *client, uint32_t line, bool level);

#endif
