/* SPDX-License-Identifier: MIT */
/* Wire v2: the handshake, the session that it makes, and its messages on either carrier. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/macros.h"
#include "bridge/internal.h"
#include "ipc/fds.h"

/* Messages that one turn may take from the ring: then the sockets are looked at. */
#define MESSAGES_PER_TURN 256u

/* Where measuring would cost as much as the access, a device's first requests are measured and
 * then one in so many. Each device counts its own: a guest that goes round them in turn must not
 * always meet the same one. */
#define MEASURE_FIRST 64u
#define MEASURE_ONE_IN 16u

/* How long the client may leave its event ring full. */
#define EVENT_RING_PATIENCE_NS NS_PER_S

#define FEATURES                                                                    \
    (TRESTLE_V2_FEATURE_SHM | TRESTLE_V2_FEATURE_POSTED | TRESTLE_V2_FEATURE_TIME | \
     TRESTLE_V2_FEATURE_IRQ | TRESTLE_V2_FEATURE_DMA | TRESTLE_V2_FEATURE_RAM)

/* --- life ------------------------------------------------------------------------------------ */

static void session_free(struct session *session)
{
    loop_remove(&session->bridge->loop, &session->doorbell);
    shm_close(&session->shm);
    ram_finish(session);
    free(session->stash.messages);
    free(session);
}

void session_leave(struct device_info *device)
{
    struct session *session = device->session;
    struct trestle_bridge *bridge = session->bridge;
    device->session = NULL;
    if (session->has_held && session->held.device < bridge->num_devices &&
        bridge->devices[session->held.device] == device)
        session->has_held = false;
    if (session->via == device)
        session->via = NULL;
    if (--session->num_devices > 0)
        return;
    timeline_leave(&bridge->timeline, &session->guest);
    bridge->session = NULL;
    bridge->wait.may_spin_long = false;
    if (!session->end_reason)
        bridge_log(bridge, TRESTLE_LOG_INFO, "%s",
                   session->said_goodbye
                       ? "QEMU has ended"
                       : "QEMU went away without a goodbye: it crashed, was killed, "
                         "or gave its devices up");
    session_free(session);
}

/* The first reason counts. Models may be in the middle of a call, and cannot be reset there: so
 * nothing goes out any more, and the rest is session_end_if_broken()'s. */
void session_end(struct session *session, const char *reason)
{
    if (!session->end_reason)
        session->end_reason = reason;
}

/* Closes all connections of the session, which is then gone. */
static void close_connections(struct session *session)
{
    struct trestle_bridge *bridge = session->bridge;
    for (uint32_t i = 0; i < bridge->num_devices && bridge->session == session; i++)
        if (bridge->devices[i]->session == session)
            close_device_connection(bridge->devices[i]);
}

void session_end_if_broken(struct session *session)
{
    if (!session->end_reason)
        return;
    bridge_log(session->bridge, TRESTLE_LOG_WARNING, "the session with QEMU was ended: %s",
               session->end_reason);
    close_connections(session);
}

/* The client has closed the doorbell, as a process does that ends, before its sockets or after
 * them. What it posted before counts all the same. */
static void session_hung_up(struct session *session)
{
    struct trestle_bridge *bridge = session->bridge;
    session_drain(session);
    if (bridge->session == session)
        close_connections(session);
}

static void doorbell_ready(struct loop_source *source, uint32_t events)
{
    struct session *session = container_of(source, struct session, doorbell);
    (void)events;
    int error = ring_hear(&session->requests);
    if (error == -ECONNRESET) {
        session_hung_up(session);
        return;
    }
    if (error)
        session_end(session, "QEMU rings without a message");
    session_end_if_broken(session);
}

static int create_carrier(struct session *session)
{
    struct trestle_bridge *bridge = session->bridge;
    int error = shm_create(&session->shm);
    if (error)
        return error;
    shm_server_rings(&session->shm, bridge->needs_fence, &session->requests, &session->events);
    session->doorbell.ready = doorbell_ready;
    return loop_add(&bridge->loop, &session->doorbell, session->shm.doorbell_fd, EPOLLIN);
}

/* Interrupts and DMA only where some model has them. */
static uint32_t features_for(const struct trestle_bridge *bridge,
                             const struct trestle_v2_hello *hello)
{
    uint32_t features = hello->features & FEATURES;
    if (!bridge->has_irq)
        features &= ~(uint32_t)TRESTLE_V2_FEATURE_IRQ;
    if (!bridge->has_dma)
        features &= ~(uint32_t)TRESTLE_V2_FEATURE_DMA;
    if (!(features & TRESTLE_V2_FEATURE_DMA))
        features &= ~(uint32_t)TRESTLE_V2_FEATURE_RAM;
    return features;
}

/* Could the guest see an event of the engine without asking? Only as an interrupt or a DMA. */
static bool is_observable(const struct session *session)
{
    return session->features & (TRESTLE_V2_FEATURE_IRQ | TRESTLE_V2_FEATURE_DMA);
}

static int session_create(struct trestle_bridge *bridge, const struct trestle_v2_hello *hello,
                          struct session **ret_session)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->bridge = bridge;
    session->shm = SHM_NONE;
    ipc_wait_init(&session->dma_wait, bridge->options.wait);
    session->doorbell.fd = -1;
    session->features = features_for(bridge, hello);
    memcpy(session->client_id, hello->client_id, sizeof(session->client_id));
    int error = 0;
    if (getrandom(session->id, sizeof(session->id), 0) != sizeof(session->id))
        error = -EIO;
    if (!error && (session->features & TRESTLE_V2_FEATURE_SHM))
        error = create_carrier(session);
    if (error) {
        session_free(session);
        return error;
    }
    session->guest.sees_events = is_observable(session);
    if (session_has_time(session))
        timeline_join(&bridge->timeline, &session->guest, hello->time);
    else
        timeline_at_host(&bridge->timeline);
    bridge->wait.may_spin_long = session_has_time(session) && is_observable(session);
    *ret_session = session;
    return 0;
}

/* When the guest has to look after the engine again, which it knows from now on. */
static trestle_time tell_next(struct session *session)
{
    session->guest.told_next = timeline_next_for_guest(&session->bridge->timeline, &session->guest);
    return session->guest.told_next;
}

/* --- handshake ------------------------------------------------------------------------------- */

static enum trestle_v2_status check_hello(const struct device_info *device, int decode_error,
                                          const struct trestle_v2_hello *hello)
{
    const struct session *session = device->bridge->session;
    if (decode_error)
        return TRESTLE_V2_MALFORMED;
    if (hello->version_min > TRESTLE_V2_VERSION || hello->version_max < TRESTLE_V2_VERSION)
        return TRESTLE_V2_BAD_VERSION;
    if (hello->base_addr != device->base_addr || hello->size != device->size)
        return TRESTLE_V2_GEOMETRY;
    if (hello->time > TIMELINE_MAX)
        return TRESTLE_V2_MALFORMED;
    if (!session)
        return TRESTLE_V2_OK;
    if (memcmp(session->client_id, hello->client_id, sizeof(session->client_id)) != 0)
        return TRESTLE_V2_BUSY;
    if (features_for(device->bridge, hello) != session->features)
        return TRESTLE_V2_MALFORMED;
    return TRESTLE_V2_OK;
}

static void refuse(struct device_info *device, enum trestle_v2_status status,
                   const struct trestle_v2_hello *hello)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_welcome welcome = {
        .version = TRESTLE_V2_VERSION, .status = (uint8_t)status, .next = TRESTLE_TIME_NEVER};
    bridge_log(device->bridge, TRESTLE_LOG_WARNING,
               "%s: a client was refused: %s (it speaks %u to %u and means 0x%" PRIx64
               " bytes at 0x%" PRIx64 ")",
               device->name, trestle_v2_status_text(status), hello->version_min, hello->version_max,
               hello->size, hello->base_addr);
    trestle_v2_encode_welcome(bytes, &welcome);
    connection_send(device, bytes, sizeof(bytes));
    close_device_connection(device);
}

/* False: the connection is closed. */
static bool send_welcome(struct device_info *device)
{
    struct session *session = device->session;
    bool with_memory = session->shm.fds[SHM_FD_MEMORY] >= 0; /* the first */
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_welcome welcome = {.version = TRESTLE_V2_VERSION,
                                         .features = session->features,
                                         .device = device->index,
                                         .irq_lines =
                                             trestle_device_model(device->device)->irq_lines,
                                         .size = device->size,
                                         .time = trestle_sim_now(device->bridge->sim),
                                         .next = tell_next(session)};
    memcpy(welcome.session_id, session->id, sizeof(welcome.session_id));
    trestle_v2_encode_welcome(bytes, &welcome);
    int error = fds_send(device->client_fd, bytes, sizeof(bytes), session->shm.fds,
                         with_memory ? SHM_NUM_FDS : 0);
    shm_handed_over(&session->shm);
    if (!error)
        return true;
    bridge_log(device->bridge, TRESTLE_LOG_WARNING, "%s: cannot answer a client: %s", device->name,
               strerror(-error));
    close_device_connection(device);
    return false;
}

static void handle_hello(struct device_info *device, const uint8_t *frame)
{
    struct trestle_bridge *bridge = device->bridge;
    struct trestle_v2_hello hello = {0};
    int error = trestle_v2_decode_hello(frame, &hello);
    enum trestle_v2_status status = check_hello(device, error, &hello);
    bool is_first = !bridge->session;
    if (status == TRESTLE_V2_OK && is_first && session_create(bridge, &hello, &bridge->session) < 0)
        status = TRESTLE_V2_NO_MEMORY;
    if (status != TRESTLE_V2_OK) {
        refuse(device, status, &hello);
        return;
    }
    device->session = bridge->session;
    device->session->num_devices++;
    device->protocol = PROTOCOL_V2;
    device->irq_lines = hello.irq_lines;
    if (!send_welcome(device))
        return;
    if (is_first)
        bridge_log(bridge, TRESTLE_LOG_INFO, "QEMU speaks protocol 2 over %s",
                   device->session->shm.memory ? "shared memory" : "sockets");
    for (uint32_t line = 0; line < 32; line++)
        if (trestle_device_irq_level(device->device, line))
            session_irq(device, line, true);
}

/* --- messages out ---------------------------------------------------------------------------- */

static void post_event(struct session *session, const struct trestle_v2_message *message)
{
    uint64_t give_up_ns = 0;
    int error;
    while ((error = ring_post(&session->events, message)) == -EAGAIN) {
        uint64_t now_ns = clock_ns();
        if (!give_up_ns)
            give_up_ns = now_ns + EVENT_RING_PATIENCE_NS;
        if (now_ns > give_up_ns)
            break;
    }
    if (error)
        session_end(session, error == -EAGAIN ? "QEMU does not take its answers"
                                              : "QEMU wrote nonsense into the event ring");
}

static void send_event(struct device_info *via, struct trestle_v2_message *message)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    if (via->session->end_reason)
        return;
    if (via->session->shm.memory) {
        post_event(via->session, message);
        return;
    }
    message->seq = ++via->out_seq;
    trestle_v2_encode(bytes, message);
    connection_send(via, bytes, sizeof(bytes));
}

static void send_reply(struct device_info *via, uint32_t device, uint64_t id,
                       enum trestle_v2_status status, uint64_t data)
{
    struct session *session = via->session;
    timeline_at_answer(&session->bridge->timeline, &session->guest);
    struct trestle_v2_message reply = {.type = TRESTLE_V2_REPLY,
                                       .status = (uint8_t)status,
                                       .device = device,
                                       .id = id,
                                       .data = data,
                                       .time = trestle_sim_now(session->bridge->sim),
                                       .next = tell_next(session),
                                       .extra = session->guest.stall};
    send_event(via, &reply);
}

/* A client that waits for nothing has not said that it sleeps. */
static void wake_client(struct session *session)
{
    if (session->shm.memory && !session->is_asked && !session->end_reason)
        ring_wake(&session->events);
}

/* On sockets: the client looks at the one that it asked on, and at no other, while its request is
 * handled or waits for a model or the outside. */
struct device_info *session_listener(struct device_info *device)
{
    const struct session *session = device->session;
    struct device_info *via = session->via;
    if (!via)
        return device;
    if (session->is_asked || session->advance.type == TRESTLE_V2_ADVANCE)
        return via;
    return trestle_device_busy(via->device) && !via->request_is_posted ? via : device;
}

void session_send_unasked(struct device_info *device, struct trestle_v2_message *message)
{
    send_event(session_listener(device), message);
    wake_client(device->session);
}

void session_irq(struct device_info *device, uint32_t line, bool level)
{
    if (!device->session || !(device->session->features & TRESTLE_V2_FEATURE_IRQ) ||
        line >= device->irq_lines)
        return;
    struct trestle_v2_message irq = {.type = TRESTLE_V2_IRQ,
                                     .device = device->index,
                                     .addr = line,
                                     .data = level,
                                     .time = trestle_sim_now(device->bridge->sim)};
    session_send_unasked(device, &irq);
}

static enum trestle_v2_status status_of(int error)
{
    switch (error) {
    case 0:
        return TRESTLE_V2_OK;
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

/* Of a posted write the client hears only when it has to come back at another time for it. */
void session_answer(struct device_info *device, uint64_t data)
{
    struct session *session = device->session;
    if (!device->socket_ready)
        return;
    if (device->request_is_posted &&
        timeline_next_for_guest(&session->bridge->timeline, &session->guest) ==
            session->guest.told_next)
        return;
    send_reply(device, device->index, device->request_id, status_of(device->request.status), data);
    if (device->request_is_posted)
        wake_client(session);
}

/* --- messages in ----------------------------------------------------------------------------- */

static void start_access(struct session *session, struct device_info *device,
                         const struct trestle_v2_message *m)
{
    bool is_measured = !session->shm.memory || device->num_requests < MEASURE_FIRST ||
                       device->num_requests % MEASURE_ONE_IN == 0;
    device->request_ns = is_measured ? clock_ns() : 0;
    device->request_is_v2 = true;
    device->request_is_posted = m->flags & TRESTLE_V2_FLAG_POSTED;
    device->request_id = m->id;
    perform_access(device, m->type == TRESTLE_V2_WRITE, m->addr, m->data, m->size);
}

static void reset_devices(struct session *session)
{
    struct trestle_bridge *bridge = session->bridge;
    for (uint32_t i = 0; i < bridge->num_devices; i++)
        if (bridge->devices[i]->session == session)
            trestle_device_reset(bridge->devices[i]->device);
}

/* READ, WRITE, FLUSH. False: the device is busy, and the message must wait. */
static bool handle_device_message(struct session *session, struct device_info *via,
                                  const struct trestle_v2_message *m)
{
    struct trestle_bridge *bridge = session->bridge;
    struct device_info *device =
        m->device < bridge->num_devices ? bridge->devices[m->device] : NULL;
    /* On a socket, the message has to be for the device whose socket it is. */
    if (!device || device->session != session || (!session->shm.memory && device != via)) {
        if (!(m->flags & TRESTLE_V2_FLAG_POSTED))
            send_reply(via, m->device, m->id, TRESTLE_V2_NO_DEVICE, 0);
        return true;
    }
    if (trestle_device_busy(device->device))
        return false;
    timeline_at_access(&bridge->timeline, &session->guest, m->time);
    if (m->type == TRESTLE_V2_FLUSH)
        send_reply(device, m->device, m->id, TRESTLE_V2_OK, 0);
    else
        start_access(session, device, m);
    return true;
}

static bool is_access(const struct trestle_v2_message *m)
{
    return m->type == TRESTLE_V2_READ || m->type == TRESTLE_V2_WRITE;
}

void session_advanced(struct session *session)
{
    struct trestle_v2_message m = session->advance;
    session->advance.type = 0;
    if (m.type == TRESTLE_V2_ADVANCE && session->via)
        send_reply(session->via, m.device, m.id, TRESTLE_V2_OK, 0);
}

/* `via`: whose socket it came on, or any device of the session. False: must wait. */
static bool perform_message(struct session *session, struct device_info *via,
                            const struct trestle_v2_message *m)
{
    struct timeline *timeline = &session->bridge->timeline;
    if (!v2_request_is_valid(m) || m->time > TIMELINE_MAX) {
        if (is_access(m) && m->time <= TIMELINE_MAX)
            send_reply(via, m->device, m->id, TRESTLE_V2_MALFORMED, 0);
        else
            session_end(session, "a message that this version does not have");
        return true;
    }
    switch (m->type) {
    case TRESTLE_V2_READ:
    case TRESTLE_V2_WRITE:
    case TRESTLE_V2_FLUSH:
        return handle_device_message(session, via, m);
    case TRESTLE_V2_ADVANCE:
        session->advance = *m;
        if (timeline_at_advance(timeline, &session->guest, m->time))
            session_advanced(session);
        return true;
    case TRESTLE_V2_RESET:
        timeline_at_access(timeline, &session->guest, m->time);
        reset_devices(session);
        send_reply(via, m->device, m->id, TRESTLE_V2_OK, 0);
        return true;
    case TRESTLE_V2_GOODBYE:
        session->said_goodbye = true; /* the connections end next */
        return true;
    case TRESTLE_V2_RAM:
        session_end(session, "guest RAM without a descriptor");
        return true;
    default:
        session_end(session, "a DMA answer that nobody asked for");
        return true;
    }
}

static bool handle_message(struct session *session, struct device_info *via,
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

bool session_handle_stashed(struct device_info *device)
{
    struct trestle_v2_message message;
    struct session *session = device->session;
    if (!take_stashed(&device->stash, &message))
        return false;
    handle_message(session, device, &message);
    session_end_if_broken(session);
    return true;
}

/* Comes on a socket on either carrier, for the sake of its descriptor. */
static void take_ram(struct session *session, struct device_info *via,
                     const struct trestle_v2_message *m)
{
    int fd = via->in_fd;
    via->in_fd = -1;
    if (!(session->features & TRESTLE_V2_FEATURE_RAM) || !v2_request_is_valid(m) || fd < 0) {
        if (fd >= 0)
            close(fd);
        session_end(session, "guest RAM that cannot be");
        return;
    }
    send_reply(via, m->device, m->id, ram_add(session, m, fd), 0);
}

void session_handle_frame(struct device_info *device, const uint8_t *frame)
{
    struct trestle_v2_message message;
    if (device->protocol == PROTOCOL_HELLO) {
        handle_hello(device, frame);
        return;
    }
    struct session *session = device->session;
    trestle_v2_decode(frame, &message);
    bool is_ram = message.type == TRESTLE_V2_RAM;
    if (session->shm.memory && !is_ram)
        session_end(session, "bytes on a socket that only tells liveness");
    else if (message.seq != ++device->in_seq)
        session_end(session, "a sequence number that jumps");
    else if (is_ram)
        take_ram(session, device, &message);
    else
        handle_message(session, device, &message);
    session_end_if_broken(session);
}

/* --- shared memory --------------------------------------------------------------------------- */

static struct device_info *any_device(struct session *session)
{
    const struct trestle_bridge *bridge = session->bridge;
    while (bridge->devices[session->some_device]->session != session)
        session->some_device = (session->some_device + 1) % bridge->num_devices;
    return bridge->devices[session->some_device];
}

/* The next message: what waited, then what came during a DMA, then the ring's. */
static int take_message(struct session *session)
{
    if (session->has_held || take_stashed(&session->stash, &session->held))
        return 1;
    return ring_take(&session->requests, &session->held);
}

unsigned session_serve_ring(struct session *session)
{
    struct device_info *via = NULL;
    unsigned handled = 0;
    while (handled < MESSAGES_PER_TURN && !session->end_reason) {
        int taken = take_message(session);
        if (taken == 0)
            break;
        if (taken < 0) {
            session_end(session, "QEMU wrote nonsense into the request ring");
            break;
        }
        if (!via)
            via = any_device(session);
        session->has_held = !handle_message(session, via, &session->held);
        if (session->has_held)
            break;
        handled++;
    }
    session_end_if_broken(session);
    return handled;
}

void session_drain(struct session *session)
{
    struct trestle_bridge *bridge = session->bridge;
    unsigned handled = 1;
    if (!session->shm.memory)
        return;
    for (unsigned left = RING_SLOTS; left > 0 && handled > 0;
         left -= handled < left ? handled : left) {
        handled = session_serve_ring(session);
        if (bridge->session != session)
            return; /* it ended */
    }
}
