/* SPDX-License-Identifier: MIT */
/* The messages of protocol 2 that come in, on either carrier. */
#include "front/v2/message.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macros.h"
#include "sim/command.h"
#include "sim/lookup.h"
#include "trestle/registers.h"

/* Messages that one turn may take from the ring: then the sockets are looked at. */
#define MESSAGES_PER_TURN 256u

/* Where measuring would cost as much as the access, a device's first requests are measured and
 * then one in so many. Each device counts its own: a guest that goes round them in turn must not
 * always meet the same one. */
#define MEASURE_FIRST 64u
/* So many posted writes in a row are a stream. */
#define STREAM_MIN 16u
/* A request behind a stream waits for at most that, once. */
#define STREAM_PAUSE_NS 1000u
#define MEASURE_ONE_IN 16u

/* --- what a message asks for ----------------------------------------------------------------- */

static inline void start_access(struct v2_session *session, struct v2_client *client,
                                const struct trestle_v2_message *m)
{
    struct port *port = client->port;
    bool is_measured = port->num_requests % MEASURE_ONE_IN == 0 ||
                       port->num_requests < MEASURE_FIRST || !v2_has_ring(session);
    port->request_ns = is_measured ? clock_ns() : 0;
    client->is_posted = m->flags & TRESTLE_V2_FLAG_POSTED;
    client->request_id = m->id;
    struct trestle_access access = {.offset = m->addr, .data = m->data, .size = m->size};
    if (unlikely(m->extra != 0) && (session->features & TRESTLE_V2_FEATURE_REGIONS))
        access.region = m->extra < TRESTLE_REGIONS_MAX ? (uint32_t)m->extra : TRESTLE_REGIONS_MAX;
    port_access(port, m->type == TRESTLE_V2_WRITE, &access);
}

static void reset_devices(struct v2_session *session)
{
    for (uint32_t i = 0; i < session->front->num_ports; i++)
        if (session->clients[i])
            trestle_device_reset(session->clients[i]->port->device);
}

static bool is_posted(const struct trestle_v2_message *m)
{
    return m->flags & TRESTLE_V2_FLAG_POSTED;
}

static bool is_access(const struct trestle_v2_message *m)
{
    return m->type == TRESTLE_V2_READ || m->type == TRESTLE_V2_WRITE;
}

/* The message belongs to a feature that is not in force. */
static bool is_uncalled(const struct v2_session *session, const struct trestle_v2_message *m)
{
    uint32_t feature = m->type == TRESTLE_V2_RESET_DEVICE ? TRESTLE_V2_FEATURE_RESET_DEVICE
                       : m->type == TRESTLE_V2_BUS        ? TRESTLE_V2_FEATURE_BUS
                                                          : 0;
    return feature & ~session->features;
}

/* READ, WRITE, FLUSH, RESET_DEVICE, BUS. False: the device is busy, and the message must wait. */
static bool handle_device_message(struct v2_session *session, struct v2_client *via,
                                  const struct trestle_v2_message *m)
{
    struct front *front = session->front;
    if (is_uncalled(session, m)) {
        v2_session_end(session, "a message of a feature that is not in force");
        return true;
    }
    struct v2_client *client = m->device < front->num_ports ? session->clients[m->device] : NULL;
    /* On a socket, the message has to be for the device whose socket it is. */
    if (!client || client->path != via->path) {
        if (!(m->flags & TRESTLE_V2_FLAG_POSTED))
            v2_reply(via, m->device, m->id, TRESTLE_V2_NO_DEVICE, 0);
        return true;
    }
    if (timeline_is_waited_for(&front->timeline) && trestle_device_busy(client->port->device))
        return false;
    timeline_at_access(&front->timeline, &session->guest, m->time);
    if (is_access(m)) {
        start_access(session, client, m);
        return true;
    }
    if (m->type == TRESTLE_V2_RESET_DEVICE)
        trestle_device_reset_alone(client->port->device);
    if (m->type == TRESTLE_V2_BUS)
        client->is_direct = m->addr;
    v2_reply(client, m->device, m->id, TRESTLE_V2_OK, 0);
    return true;
}

/* The answer says which widths the device has: a debugger asks for what it likes. */
static void take_note(struct v2_session *session, struct v2_client *via,
                      const struct trestle_v2_message *m)
{
    struct front *front = session->front;
    struct v2_client *client = m->device < front->num_ports ? session->clients[m->device] : NULL;
    if (!(session->features & TRESTLE_V2_FEATURE_NOTE)) {
        v2_session_end(session, "a note without the feature");
        return;
    }
    if (!front->disturbance)
        front->disturbance = m->addr == TRESTLE_V2_NOTE_DEBUGGER
                                 ? "a debugger has looked at its devices"
                                 : "QEMU did not wait for an answer any longer";
    v2_reply(via, m->device, m->id, client ? TRESTLE_V2_OK : TRESTLE_V2_NO_DEVICE,
             client ? trestle_device_model(client->port->device)->access_sizes : 0);
}

/* `via`: whose socket it came on, or any device of the session. False: must wait. */
static bool perform_message(struct v2_session *session, struct v2_client *via,
                            const struct trestle_v2_message *m)
{
    struct timeline *timeline = &session->front->timeline;
    if (!trestle_v2_request_is_valid(m) || m->time > TIMELINE_MAX) {
        if (is_access(m) && m->time <= TIMELINE_MAX)
            v2_reply(via, m->device, m->id, TRESTLE_V2_MALFORMED, 0);
        else
            v2_session_end(session, "a message that this version does not have");
        return true;
    }
    switch (m->type) {
    case TRESTLE_V2_READ:
    case TRESTLE_V2_WRITE:
    case TRESTLE_V2_FLUSH:
    case TRESTLE_V2_RESET_DEVICE:
    case TRESTLE_V2_BUS:
        return handle_device_message(session, via, m);
    case TRESTLE_V2_ADVANCE:
        session->advance = *m;
        timeline_at_advance(timeline, &session->guest, m->time);
        return true;
    case TRESTLE_V2_RESET:
        timeline_at_access(timeline, &session->guest, m->time);
        reset_devices(session);
        v2_reply(via, m->device, m->id, TRESTLE_V2_OK, 0);
        return true;
    case TRESTLE_V2_NOTE:
        take_note(session, via, m);
        return true;
    case TRESTLE_V2_GOODBYE:
        session->said_goodbye = true; /* the connections end next */
        return true;
    case TRESTLE_V2_RAM:
    case TRESTLE_V2_MEMORY:
        v2_session_end(session, "memory without a descriptor");
        return true;
    default:
        v2_session_end(session, "a DMA answer that nobody asked for");
        return true;
    }
}

static bool handle_message(struct v2_session *session, struct v2_client *via,
                           const struct trestle_v2_message *m)
{
    session->via = via;
    session->is_asked = !(m->flags & TRESTLE_V2_FLAG_POSTED);
    bool is_handled = perform_message(session, via, m);
    session->is_asked = false;
    return is_handled;
}

static bool take_stashed(struct v2_queue *stash, struct trestle_v2_message *ret_message)
{
    if (stash->start == stash->end)
        return false;
    *ret_message = stash->messages[stash->start++];
    if (stash->start == stash->end)
        stash->start = stash->end = 0;
    return true;
}

bool v2_handle_stashed(struct v2_client *client)
{
    struct trestle_v2_message message;
    struct v2_session *session = client->session;
    if (!take_stashed(&client->own.stash, &message))
        return false;
    handle_message(session, client, &message);
    v2_session_end_if_broken(session);
    return true;
}

static enum trestle_v2_status add_ram(struct v2_session *session,
                                      const struct trestle_v2_message *m, int fd)
{
    enum trestle_v2_status status = v2_ram_add(&session->ram, m, fd);
    if (status == TRESTLE_V2_OK)
        front_log(session->front, TRESTLE_LOG_INFO,
                  "QEMU shares 0x%" PRIx64 " bytes of guest RAM at 0x%" PRIx64, m->data, m->addr);
    else
        front_log(session->front, TRESTLE_LOG_WARNING,
                  "guest RAM at 0x%" PRIx64 " is not shared: %s; DMA there goes by messages",
                  m->addr,
                  status == TRESTLE_V2_NOT_RAM
                      ? "its file is too short, or may become so (no memfd with seal=on)"
                      : "it cannot be mapped");
    return status;
}

static enum trestle_v2_status add_memory(struct v2_client *client,
                                         const struct trestle_v2_message *m, int fd)
{
    struct trestle_device *device = client->port->device;
    uint32_t region = (uint32_t)m->addr;
    void *memory = trestle_device_region_memory(device, region);
    if (m->device != client->port->index || !memory) {
        close(fd);
        return m->device == client->port->index ? TRESTLE_V2_RANGE : TRESTLE_V2_NO_DEVICE;
    }
    uint64_t size = trestle_model_region_bytes(trestle_device_model(device), region);
    return v2_memory_replace(memory, size, m, fd);
}

/* With either carrier the message comes on a socket, because of its descriptor. */
static void take_memory(struct v2_session *session, struct v2_client *via,
                        const struct trestle_v2_message *m)
{
    bool is_ram = m->type == TRESTLE_V2_RAM;
    uint32_t feature = is_ram ? TRESTLE_V2_FEATURE_RAM : TRESTLE_V2_FEATURE_MEMORY;
    int fd = connection_take_fd(via->connection);
    if (!(session->features & feature) || !trestle_v2_request_is_valid(m) || fd < 0) {
        if (fd >= 0)
            close(fd);
        v2_session_end(session, "memory that cannot be");
        return;
    }
    v2_reply(via, m->device, m->id, is_ram ? add_ram(session, m, fd) : add_memory(via, m, fd), 0);
}

void v2_handle_message(struct v2_client *client, const uint8_t *frame)
{
    struct trestle_v2_message message;
    struct v2_session *session = client->session;
    trestle_v2_decode(frame, &message);
    bool has_descriptor = message.type == TRESTLE_V2_RAM || message.type == TRESTLE_V2_MEMORY;
    if (v2_has_ring(session) && !has_descriptor)
        v2_session_end(session, "bytes on a socket that must not carry any");
    else if (message.seq != ++client->own.channel.in_seq)
        v2_session_end(session, "a sequence number that jumps");
    else if (has_descriptor)
        take_memory(session, client, &message);
    else
        handle_message(session, client, &message);
    v2_session_end_if_broken(session);
}

/* --- shared memory --------------------------------------------------------------------------- */

/* Messages taken from the ring that wait for their turn. */
static bool has_aside(const struct v2_session *session)
{
    return session->has_held || session->ring.stash.start != session->ring.stash.end;
}

/* The next message: what waited, then what came during a DMA, then the ring's. */
static int take_message(struct v2_session *session)
{
    if (session->has_held || take_stashed(&session->ring.stash, &session->held))
        return 1;
    return channel_take(&session->ring.channel, &session->held);
}

/* A look at the slot where the next message will be takes its cache line from the client. One that
 * waits for an answer loses nothing by it; one that posts waits for the line, at each write. So a
 * stream of posted writes is taken in batches, with no look between them. */
static void keep_off_stream(struct v2_session *session, unsigned handled)
{
    if (likely(session->num_posted < STREAM_MIN))
        return;
    if (handled == 0)
        session->num_posted = 0;
    else if (session->front->wait.policy != TRESTLE_WAIT_SLEEP)
        ipc_keep_off(STREAM_PAUSE_NS);
}

/* Most messages in shared memory: handle_message() of an access to a device that is there, while
 * none waits. */
static inline bool handle_access(struct v2_session *session, const struct trestle_v2_message *m)
{
    struct front *front = session->front;
    struct v2_client *client = m->device < front->num_ports ? session->clients[m->device] : NULL;
    if (!client || !is_access(m) || !trestle_v2_request_is_valid(m) || m->time > TIMELINE_MAX ||
        timeline_is_waited_for(&front->timeline))
        return false;
    session->via = client;
    session->is_asked = !is_posted(m);
    timeline_at_access(&front->timeline, &session->guest, m->time);
    start_access(session, client, m);
    session->is_asked = false;
    return true;
}

static bool handle_in_memory(struct v2_session *session, const struct trestle_v2_message *m)
{
    return likely(handle_access(session, m)) || handle_message(session, v2_any_client(session), m);
}

static unsigned serve_ring(struct v2_session *session)
{
    unsigned handled = 0;
    while (handled < MESSAGES_PER_TURN && !session->end_reason) {
        int taken = take_message(session);
        if (taken == 0)
            break;
        if (taken < 0) {
            v2_session_end(session, "QEMU wrote nonsense into the request ring");
            break;
        }
        session->has_held = !handle_in_memory(session, &session->held);
        if (session->has_held)
            break;
        session->num_posted = is_posted(&session->held) ? session->num_posted + 1 : 0;
        handled++;
    }
    keep_off_stream(session, handled);
    v2_session_end_if_broken(session);
    return handled;
}

void v2_drain(struct v2_session *session)
{
    struct front *front = session->front;
    unsigned handled = 1;
    if (!v2_has_ring(session))
        return;
    for (unsigned left = RING_SLOTS; left > 0 && handled > 0;
         left -= handled < left ? handled : left) {
        handled = serve_ring(session);
        if (front->session != session)
            return; /* it ended */
    }
}

/* The client has closed the doorbell, as a process does that ends, before its sockets or after
 * them. What it posted before counts all the same. */
static void hung_up(struct v2_session *session)
{
    struct front *front = session->front;
    v2_drain(session);
    if (front->session == session)
        v2_session_close(session);
}

static void doorbell_ready(struct loop_source *source, uint32_t events)
{
    struct v2_session *session = container_of(source, struct v2_session, doorbell);
    (void)events;
    int r = channel_hear(&session->ring.channel);
    if (r == -ECONNRESET) {
        hung_up(session);
        return;
    }
    if (r)
        v2_session_end(session, "QEMU rings without a message");
    v2_session_end_if_broken(session);
}

/* --- the ring as an intake ------------------------------------------------------------------- */

static unsigned intake_serve(struct front_intake *intake)
{
    struct v2_session *session = container_of(intake, struct v2_session, intake);
    return serve_ring(session);
}

static bool intake_prepare_sleep(struct front_intake *intake)
{
    struct v2_session *session = container_of(intake, struct v2_session, intake);
    return !has_aside(session) && channel_must_sleep(&session->ring.channel);
}

static void intake_awake(struct front_intake *intake)
{
    channel_awake(&container_of(intake, struct v2_session, intake)->ring.channel);
}

/* What is in the ring was there before. */
static bool has_backlog(const struct v2_session *session)
{
    return has_aside(session) || ring_has_next(&session->ring.channel.in);
}

static int intake_call(struct front_intake *intake, const struct trestle_v2_message *request,
                       struct trestle_v2_message *ret_reply)
{
    struct v2_session *session = container_of(intake, struct v2_session, intake);
    if (unlikely(has_backlog(session)))
        return -EAGAIN;
    session->direct = ret_reply;
    session->direct_id = request->id;
    if (!handle_in_memory(session, request)) {
        session->held = *request;
        session->has_held = true;
    }
    bool is_answered = !session->direct;
    session->direct = NULL;
    v2_session_end_if_broken(session);
    return is_answered;
}

/* Where there is no shared memory, sockets do as well; a client that can use nothing else finds
 * that the answer does not offer it. */
void v2_open_ring(struct v2_session *session)
{
    struct front *front = session->front;
    const char *what;
    struct channel *ring = &session->ring.channel;
    int r = channel_create_ring(ring, front->needs_fence, &what);
    if (!r) {
        session->intake =
            (struct front_intake){intake_serve, intake_prepare_sleep, intake_awake, intake_call};
        session->doorbell.ready = doorbell_ready;
        what = "epoll";
        r = loop_add(&front->loop, &session->doorbell, ring->shm.doorbell_fd, EPOLLIN);
    }
    if (!r)
        return;
    channel_close(ring);
    session->features &= ~(uint32_t)TRESTLE_V2_FEATURE_SHM;
    front_say_no_shm(front, what, r);
}
