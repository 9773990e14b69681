/* SPDX-License-Identifier: MIT */
/* A session of protocol 2: its end, and what goes out. */
#include "front/v2/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "front/v2/v2.h"

/* How long the client may leave its event ring full. */
#define EVENT_RING_PATIENCE_NS NS_PER_S

/* --- its end --------------------------------------------------------------------------------- */

void v2_session_free(struct v2_session *session)
{
    loop_remove(&session->front->loop, &session->doorbell);
    channel_close(&session->ring.channel);
    v2_ram_finish(&session->ram);
    free(session->ring.stash.messages);
    free(session->clients);
    free(session);
}

void v2_session_leave(struct v2_client *client)
{
    struct v2_session *session = client->session;
    struct front *front = session->front;
    uint32_t index = client->port->index;
    session->clients[index] = NULL;
    if (session->has_held && session->held.device == index)
        session->has_held = false;
    if (session->via == client)
        session->via = NULL;
    free(client->own.stash.messages);
    free(client);
    if (--session->num_clients > 0)
        return;
    /* The next client on the host's clock goes on from where the engine is. */
    timeline_leave(&front->timeline, &session->guest);
    front->session = NULL;
    front->intake = NULL;
    front->wait.may_spin_long = false;
    if (!session->end_reason)
        front_log(front, TRESTLE_LOG_INFO, "%s",
                  session->said_goodbye ? "QEMU has ended"
                                        : "QEMU went away without saying so: it crashed, was "
                                          "killed, or gave its devices up");
    v2_session_free(session);
}

static void end_broken(struct front *front)
{
    if (front->session)
        v2_session_end_if_broken(front->session);
}

void v2_session_end(struct v2_session *session, const char *reason)
{
    if (!session->end_reason)
        session->end_reason = reason;
    session->front->when_safe = end_broken;
}

void v2_session_close(struct v2_session *session)
{
    struct front *front = session->front;
    for (uint32_t i = 0; i < front->num_ports && front->session == session; i++)
        if (session->clients[i])
            connection_close(session->clients[i]->connection);
}

void v2_session_end_now(struct v2_session *session)
{
    front_log(session->front, TRESTLE_LOG_WARNING, "the session with QEMU was ended: %s",
              session->end_reason);
    v2_session_close(session);
}

/* --- out ------------------------------------------------------------------------------------- */

trestle_time v2_tell_next(struct v2_session *session)
{
    session->guest.told_next = timeline_next_for_guest(&session->front->timeline, &session->guest);
    return session->guest.told_next;
}

/* To all clients at once: one that does not take it ends the session. */
static void post_event(struct v2_session *session, const struct trestle_v2_message *message)
{
    uint64_t give_up_ns = 0;
    int r;
    while ((r = channel_post(&session->ring.channel, message)) == -EAGAIN) {
        if (session->front->client_turn)
            session->front->client_turn();
        uint64_t now_ns = clock_ns();
        if (!give_up_ns)
            give_up_ns = now_ns + EVENT_RING_PATIENCE_NS;
        if (now_ns > give_up_ns)
            break;
    }
    if (r)
        v2_session_end(session, r == -EAGAIN ? "QEMU does not take its answers"
                                             : "QEMU wrote nonsense into the event ring");
}

static void send_event(struct v2_client *via, const struct trestle_v2_message *message)
{
    struct v2_session *session = via->session;
    if (session->end_reason)
        return;
    if (likely(channel_is_shared(&via->path->channel)))
        post_event(session, message);
    else
        connection_sent(via->connection, channel_post(&via->path->channel, message));
}

/* Not inlined: most posted writes do without. */
__attribute__((noinline)) void v2_reply(struct v2_client *via, uint32_t device, uint64_t id,
                                        enum trestle_v2_status status, uint64_t data)
{
    struct v2_session *session = via->session;
    trestle_time now = timeline_at_answer(&session->front->timeline, &session->guest);
    bool is_direct = session->direct && id == session->direct_id && !session->end_reason;
    struct trestle_v2_message event, *reply = &event;
    if (is_direct)
        reply = session->direct;
    *reply = (struct trestle_v2_message){.type = TRESTLE_V2_REPLY,
                                         .status = (uint8_t)status,
                                         .device = device,
                                         .id = id,
                                         .data = data,
                                         .time = now,
                                         .next = v2_tell_next(session),
                                         .extra = session->guest.stall};
    if (is_direct)
        session->direct = NULL;
    else
        send_event(via, reply);
}

/* A client that waits for nothing has not said that it sleeps. */
static void wake_client(struct v2_session *session)
{
    if (!session->is_asked && !session->end_reason)
        channel_wake(&session->ring.channel);
}

/* While its request is handled, or waits for a model or the outside, the client looks only at the
 * connection that it asked on. */
struct v2_client *v2_listener(struct v2_client *client)
{
    const struct v2_session *session = client->session;
    struct v2_client *via = session->via;
    if (!via)
        return client;
    if (session->is_asked || session->advance.type == TRESTLE_V2_ADVANCE)
        return via;
    return trestle_device_busy(via->port->device) && !via->is_posted ? via : client;
}

struct v2_client *v2_any_client(struct v2_session *session)
{
    while (!session->clients[session->some_client])
        session->some_client = (session->some_client + 1) % session->front->num_ports;
    return session->clients[session->some_client];
}

void v2_tell_unasked(struct v2_session *session)
{
    trestle_time next = timeline_next_for_guest(&session->front->timeline, &session->guest);
    struct v2_client *via = v2_listener(v2_any_client(session));
    if (!v2_has_time(session) || next == session->guest.told_next)
        return;
    v2_reply(via, via->port->index, TRESTLE_V2_ID_UNASKED, TRESTLE_V2_OK, 0);
    wake_client(session);
}

void v2_send_unasked(struct v2_client *client, const struct trestle_v2_message *message)
{
    send_event(v2_listener(client), message);
    wake_client(client->session);
}

static_assert(TRESTLE_IRQ_LINES_MAX <= TRESTLE_V2_IRQ_LINES_MAX, "a plugin refuses other lines");

void v2_send_irq(struct v2_client *client, uint32_t line, bool level)
{
    bool is_heard = client->session->features & TRESTLE_V2_FEATURE_IRQ && line < client->irq_lines;
    if (!is_heard && level)
        port_say_unheard(client->port, line, "it leads nowhere; give the device an \"irq\" for it");
    if (!is_heard)
        return;
    struct trestle_v2_message irq = {.type = TRESTLE_V2_IRQ,
                                     .device = client->port->index,
                                     .addr = line,
                                     .data = level,
                                     .time = trestle_sim_now(client->session->front->timeline.sim)};
    v2_send_unasked(client, &irq);
}

static cold enum trestle_v2_status status_of(int error)
{
    switch (error) {
    case -EINVAL:
        return TRESTLE_V2_WIDTH;
    case -ERANGE:
        return TRESTLE_V2_RANGE;
    case -ECANCELED:
        return TRESTLE_V2_CANCELLED;
    default:
        return TRESTLE_V2_REFUSED;
    }
}

static inline void answer_now(struct v2_client *client)
{
    const struct trestle_request *request = &client->port->request;
    enum trestle_v2_status status = TRESTLE_V2_OK;
    if (unlikely(request->status != 0))
        status = status_of(request->status);
    v2_reply(client, client->port->index, client->request_id, status, request->ret_data);
}

/* The client gets an answer only if it has to come back at another time than it knows. */
__attribute__((noinline)) static void answer_posted(struct v2_client *client)
{
    struct v2_session *session = client->session;
    if (likely(timeline_next_for_guest(&session->front->timeline, &session->guest) ==
               session->guest.told_next))
        return;
    answer_now(client);
    wake_client(session);
}

void v2_answer(void *asker)
{
    struct v2_client *client = asker;
    if (unlikely(!connection_is_open(client->connection)))
        return;
    if (!client->is_posted)
        answer_now(client);
    else if (!timeline_expects_nothing(&client->session->guest))
        answer_posted(client);
}

void v2_advanced(struct timeline_guest *guest)
{
    struct v2_session *session = container_of(guest, struct v2_session, guest);
    struct trestle_v2_message m = session->advance;
    session->advance.type = 0;
    if (session->via)
        v2_reply(session->via, m.device, m.id, TRESTLE_V2_OK, 0);
}
