/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of a session: sending, waiting for answers, and serving what else comes. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "plugin/qemu/biglock.h"
#include "plugin/qemu/say.h"
#include "plugin/v2/inline.h"
#include "plugin/v2/ram.h"
#include "plugin/v2/v2.h"

/* Looks of 4 ns at a ring: 1 us, which is more than an answer takes while both run. */
#define QUICK_LOOKS 256u
/* A spin without end looks for the other side's end, and for its own, every so many looks. */
#define LOOKS_PER_CHECK 4096u
/* A full ring empties without a sign: the socket is watched for so long between two looks. */
#define FULL_RING_NAP_NS 1000000
/* Messages that nobody waits for may come without end: after so many a look at the clock is due. */
#define SERVED_PER_CHECK 256u
/* Where nobody waits for an answer, others wait for QEMU's big lock. */
#define DRAIN_MAX 64u

static uint64_t deadline_after(const struct v2 *v2, uint64_t start_ns)
{
    return v2->dev->timeout_ms ? start_ns + v2->dev->timeout_ms * NS_PER_MS : CLOCK_NEVER;
}

/* The first reason counts. */
static int broken(struct session *session, const char *why)
{
    if (!session->why[0])
        snprintf(session->why, sizeof(session->why), "%s", why);
    return -EPROTO;
}

static int send_message(struct v2 *v2, const struct trestle_v2_message *message);

/* --- taking messages -----------------------------------------------------------------------------
 */

static int event_refused(struct session *session, const struct trestle_v2_message *message)
{
    char why[sizeof(session->why)];
    bool is_known = message->type >= TRESTLE_V2_REPLY && message->type <= TRESTLE_V2_DMA_WRITTEN;
    snprintf(why, sizeof(why), "a message of type 0x%02x%s", message->type,
             is_known ? " with a field out of its values" : "");
    return broken(session, why);
}

/* Each reply says when the guest has to come back. */
static inline void note_next(struct session *session, const struct trestle_v2_message *reply)
{
    if (reply->next != session->next)
        session_set_next(session, reply->next);
}

/* The next receive() gives it, when the ring is empty. */
static void keep_reply(struct session *session, const struct trestle_v2_message *reply)
{
    session->kept = *reply;
    session->has_kept = true;
}

static inline int receive(struct v2 *v2, struct trestle_v2_message *ret_message)
{
    int r = channel_take(v2->channel, ret_message);
    if (r == -EPROTO)
        return broken(v2->session, "a sequence number that is not the next");
    if (r == 0 && v2->session->has_kept) {
        *ret_message = v2->session->kept;
        v2->session->has_kept = false;
        return 1;
    }
    return r > 0 && !trestle_v2_event_is_valid(ret_message)
               ? event_refused(v2->session, ret_message)
               : r;
}

/* --- what the other side wants of the guest ----------------------------------------------------
 */

/* Of a device that has just left there may be transfers under way. */
static int copy_for(const struct session *session, const struct trestle_v2_message *message,
                    void *buf)
{
    const struct v2 *v2 = session_device(session, message->device);
    return v2 ? v2->dev->bus->copy(v2->dev, message->type == TRESTLE_V2_DMA_WRITE, message->addr,
                                   buf, (size_t)message->data)
              : -EFAULT;
}

/* With the payload, which comes behind the message or goes behind the answer. */
static int transfer(struct v2 *v2, const struct trestle_v2_message *message)
{
    static uint8_t buf[TRESTLE_V2_DMA_MAX]; /* under the big lock, like all of this */
    struct channel *channel = v2->channel;
    struct trestle_v2_message done = {
        .type = TRESTLE_V2_DMA_DONE, .device = message->device, .id = message->id};
    bool is_read = message->type == TRESTLE_V2_DMA_READ;
    size_t size = (size_t)message->data;
    uint8_t *place = channel_place(channel, message->extra, message->data, buf);
    if (!place)
        return broken(v2->session, "a DMA outside the bulk area");
    int r = is_read ? 0
                    : channel_take_payload(channel, place, size, deadline_after(v2, clock_ns()),
                                           &v2->wait);
    if (r < 0)
        return r;
    bool is_done = copy_for(v2->session, message, place) == 0;
    done.status = is_done ? TRESTLE_V2_OK : TRESTLE_V2_NOT_RAM;
    r = send_message(v2, &done);
    if (r == 0 && is_done && is_read)
        r = channel_send_payload(channel, place, size, deadline_after(v2, clock_ns()));
    return r == -EPIPE ? -ECONNRESET : r;
}

/* While its end is announced nothing else is served: whoever sends a second transfer before that
 * breaks the protocol, and could otherwise nest them without a bound. */
static int serve_dma(struct v2 *v2, const struct trestle_v2_message *message)
{
    struct session *session = v2->session;
    session->serves_dma = true;
    int r = transfer(v2, message);
    session->serves_dma = false;
    return r;
}

static int serve_irq(struct session *session, const struct trestle_v2_message *message)
{
    struct v2 *v2 = session_device(session, message->device);
    if (!v2 || message->addr >= v2->dev->num_irqs)
        return broken(session, "an interrupt of a line that is not there");
    device_set_line(v2->dev, (uint32_t)message->addr, message->data);
    return 0;
}

/* A message that nobody waits for. A late answer tells that its device is alive. */
static int serve(struct v2 *v2, const struct trestle_v2_message *message)
{
    struct session *session = v2->session;
    if (message->type == TRESTLE_V2_IRQ)
        return serve_irq(session, message);
    if (message->type == TRESTLE_V2_DMA_WRITTEN)
        return ram_written(message->addr, message->data) < 0
                   ? broken(session, "a DMA outside the guest's RAM")
                   : 0;
    if (message->type != TRESTLE_V2_REPLY)
        return serve_dma(v2, message);
    struct v2 *late = session_device(session, message->device);
    if (late && late->recovery.state == LATE && late->late_id == message->id) {
        late->recovery.state = UP;
        late->dev->bus->set_anew(late->dev);
    }
    note_next(session, message);
    return 0;
}

/* While the bridge works it waits for us: what comes then is not the answer that an access waits
 * for, or is and has to be kept for it. */
static void take_turn(struct session *session)
{
    struct trestle_v2_message message;
    struct v2 *v2 = session->devices;
    int r = 1;
    if (session->serves_dma || session->has_kept)
        return;
    while (r > 0) {
        r = receive(v2, &message);
        if (r > 0 && message.type == TRESTLE_V2_REPLY) {
            keep_reply(session, &message);
            return;
        }
        if (r > 0)
            r = serve(v2, &message) < 0 ? -1 : 1;
    }
}

void sessions_take_turn(void)
{
    for (struct session *session = session_first(); session; session = session->next_session)
        if (session->is_inline)
            take_turn(session);
}

int session_drain(struct v2 *v2)
{
    struct trestle_v2_message message;
    int r = 1;
    for (unsigned i = 0; i < DRAIN_MAX && r > 0; i++) {
        r = receive(v2, &message);
        if (r > 0) {
            r = serve(v2, &message);
            r = r < 0 ? r : 1;
        }
    }
    return r;
}

/* --- while no access waits -----------------------------------------------------------------------
 *
 * An access that waits takes what it is told off QEMU's main loop, which would only be woken to
 * find nothing: from a socket always, from the doorbell when it sleeps at it.
 */

static int hear(struct session *session, struct channel *channel)
{
    int r = channel_hear(channel);
    session->has_heard |= channel_is_shared(channel);
    return r == -EPROTO ? broken(session, "rings without a message") : r;
}

/* At most a full ring. */
static int take_what_has_rung(struct session *session)
{
    int r = 1;
    session->has_heard = false;
    for (unsigned i = 0; r > 0 && i < RING_SLOTS / DRAIN_MAX; i++)
        r = session_drain(session->devices);
    if (r == -ETIMEDOUT)
        return broken(session, "DMA without end, and no answer is taken");
    return r < 0 ? r : 0;
}

static uint32_t socket_events(const struct session *session)
{
    bool has_messages = session->listens && !channel_is_shared(&session->ring);
    return has_messages ? EPOLLIN | EPOLLRDHUP : EPOLLRDHUP;
}

static void socket_ready(struct watched *watched, uint32_t events)
{
    struct v2 *v2 = container_of(watched, struct v2, watched);
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        v2_hung_up(v2);
        return;
    }
    int r = session_drain(v2);
    if (r < 0)
        v2_failed(v2, 0, r);
}

static void look_for_late(struct session *session)
{
    const struct v2 *v2 = session->devices;
    while (v2 && v2->recovery.state != LATE)
        v2 = v2->next;
    session->expects_late = v2;
    if (!v2)
        channel_awake(&session->ring);
}

static void doorbell_ready(struct watched *watched, uint32_t events)
{
    struct session *session = container_of(watched, struct session, doorbell);
    (void)events;
    int heard = 0, r = session_drain(session->devices);
    if (r > 0)
        return; /* there may be more; not emptied, the doorbell calls again in another turn */
    if (r == 0) {
        heard = hear(session, &session->ring);
        r = heard == -EPROTO ? heard : take_what_has_rung(session);
    } else if (r == -ETIMEDOUT) {
        r = broken(session, "DMA without end, and no answer is taken");
    }
    if (r < 0)
        v2_failed(session->devices, 0, r);
    else if (heard == -ECONNRESET)
        v2_session_hung_up(session);
    else if (session->expects_late)
        look_for_late(session);
}

int session_watch(struct v2 *v2)
{
    struct session *session = v2->session;
    v2->watched.ready = socket_ready;
    int r = watch_add(&v2->watched, v2->socket.fd, socket_events(session));
    if (r < 0 || !session->listens || !channel_is_shared(&session->ring) ||
        session->doorbell.fd >= 0)
        return r;
    session->doorbell.ready = doorbell_ready;
    return watch_add(&session->doorbell, session->ring.shm.doorbell_fd, EPOLLIN);
}

/* --- waiting -------------------------------------------------------------------------------------
 */

/* The socket that goes with a ring has something, which should be its end. */
static int end_of_socket(struct v2 *v2)
{
    char byte;
    if (recv(v2->socket.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0)
        return broken(v2->session, "bytes on a socket that must not carry any");
    return -ECONNRESET;
}

/* Is the other side there? A stream tells as it is taken from. */
static int check_other_side(struct v2 *v2)
{
    if (!channel_is_shared(v2->channel))
        return 0;
    return ipc_has_input(v2->socket.fd) ? end_of_socket(v2) : hear(v2->session, v2->channel);
}

/* release_lock: while others have the big lock, QEMU's main loop leaves the device alone. */
static void leave_lock(struct v2 *v2)
{
    watch_remove(&v2->watched);
    watch_remove(&v2->session->doorbell); /* a closed one calls whatever it is watched for */
    biglock_drop();
}

static void take_lock_back(struct v2 *v2)
{
    biglock_retake();
    if (session_watch(v2) < 0)
        say_device(v2->dev, "out of memory; the end of its connection is noticed late");
}

/* Sleeps until something may have come. -ECONNRESET: the device is gone, though what it left may
 * still be taken. -ETIMEDOUT. */
static int sleep_for_message(struct v2 *v2, uint64_t deadline_ns)
{
    struct session *session = v2->session;
    bool is_end = false;
    if (clock_ns() >= deadline_ns)
        return -ETIMEDOUT;
    watch_change(&session->doorbell, 0);
    if (channel_must_sleep(v2->channel)) {
        bool drops = biglock_may_drop(v2->is_busy);
        if (drops)
            leave_lock(v2);
        is_end =
            channel_sleep(v2->channel, (struct channel_end){v2->socket.fd, POLLIN}, deadline_ns);
        if (drops)
            take_lock_back(v2);
    }
    if (!session->expects_late)
        channel_awake(v2->channel);
    int r = hear(session, v2->channel);
    watch_change(&session->doorbell, EPOLLIN);
    return r != -EPROTO && is_end ? end_of_socket(v2) : r;
}

/* What a spin without end has to look at now and then. */
static int check_while_spinning(struct v2 *v2, uint64_t deadline_ns)
{
    return clock_ns() >= deadline_ns ? -ETIMEDOUT : check_other_side(v2);
}

/* The other side works in this thread, or nobody does. */
static int wait_inline(struct v2 *v2, uint64_t deadline_ns)
{
    if (clock_ns() >= deadline_ns)
        return -ETIMEDOUT;
    inline_serve(INLINE_NAP_MS);
    return ipc_has_input(v2->socket.fd) ? end_of_socket(v2) : 0;
}

/* After a look that found nothing. 0: look again. The deadline is that of the first such look. */
static int wait_a_little(struct v2 *v2, struct ipc_spin *spin, uint64_t *ref_began_ns)
{
    bool goes_on = ipc_spin_on(&v2->wait, spin);
    if (spin->start_ns == 0)
        return 0;
    if (*ref_began_ns == 0)
        *ref_began_ns = spin->start_ns;
    uint64_t deadline_ns = deadline_after(v2, *ref_began_ns);
    if (v2->session->is_inline)
        return wait_inline(v2, deadline_ns);
    if (!goes_on)
        return sleep_for_message(v2, deadline_ns);
    if (v2->wait.policy == TRESTLE_WAIT_SPIN && spin->looks > 0 &&
        spin->looks % LOOKS_PER_CHECK == 0)
        return check_while_spinning(v2, deadline_ns);
    return 0;
}

/* Serves what came instead of the answer, which must not go on for longer than the wait itself. */
static int serve_among(struct v2 *v2, const struct trestle_v2_message *message,
                       unsigned *ref_served, uint64_t *ref_until_ns)
{
    int r = serve(v2, message);
    if (r < 0 || ++*ref_served % SERVED_PER_CHECK != 0)
        return r;
    uint64_t now_ns = clock_ns();
    if (*ref_until_ns == 0)
        *ref_until_ns = deadline_after(v2, now_ns);
    return now_ns < *ref_until_ns ? 0 : -ETIMEDOUT;
}

/* The access is given up. When the device does answer, its high lines are set once more, even if
 * the guest waits for nothing else: so the answer has to ring. */
static void expect_late(struct session *session)
{
    if (!session->listens || !channel_is_shared(&session->ring))
        return;
    session->expects_late = true;
    (void)channel_must_sleep(&session->ring); /* what has come is taken below */
}

static struct ipc_spin start_spin(const struct v2 *v2)
{
    bool is_apart = channel_is_shared(v2->channel) && !v2->session->is_inline;
    return is_apart ? ipc_spin_start_quick(&v2->wait, CLOCK_NEVER, QUICK_LOOKS)
                    : ipc_spin_start(CLOCK_NEVER);
}

static int await(struct v2 *v2, uint64_t id, struct trestle_v2_message *ret_reply)
{
    struct ipc_spin spin = start_spin(v2);
    unsigned served = 0;
    uint64_t began_ns = 0, served_until_ns = 0;
    int r, over = 0;
    for (;;) {
        r = receive(v2, ret_reply);
        if (r > 0 && ret_reply->type == TRESTLE_V2_REPLY && ret_reply->id == id) {
            note_next(v2->session, ret_reply);
            r = 0;
            break;
        }
        if (r > 0) {
            /* The wait for each piece of a long transfer begins from zero. */
            ipc_spin_end(&v2->wait, &spin);
            spin = start_spin(v2);
            r = serve_among(v2, ret_reply, &served, &served_until_ns);
        } else if (r == 0 && over == 0) {
            /* When it is over, what was left behind is taken first. */
            over = wait_a_little(v2, &spin, &began_ns);
            if (over == -ETIMEDOUT)
                expect_late(v2->session);
        } else if (r == 0) {
            r = over;
        }
        if (r < 0)
            break;
    }
    ipc_spin_end(&v2->wait, &spin);
    return r;
}

int session_await(struct v2 *v2, uint64_t id, struct trestle_v2_message *ret_reply)
{
    bool is_heard = socket_events(v2->session) & EPOLLIN;
    if (is_heard)
        watch_change(&v2->watched, EPOLLRDHUP);
    int r = await(v2, id, ret_reply);
    if (is_heard)
        watch_change(&v2->watched, socket_events(v2->session));
    /* The answer has come, perhaps not alone. */
    return unlikely(r == 0 && v2->session->has_heard) ? take_what_has_rung(v2->session) : r;
}

/* --- sending -------------------------------------------------------------------------------------
 */

/* Back-pressure: the guest waits until the other side has taken something. */
static int wait_for_room(struct v2 *v2, struct ipc_spin *spin)
{
    bool goes_on = ipc_spin_on(&v2->wait, spin);
    uint64_t now_ns;
    /* The other side may wait for room as well. */
    int r = v2->session->serves_dma ? 0 : session_drain(v2);
    if (r < 0 || goes_on)
        return r < 0 ? r : 0;
    now_ns = clock_ns();
    if (now_ns >= deadline_after(v2, spin->start_ns))
        return -ETIMEDOUT;
    struct pollfd poll_fd = {.fd = v2->socket.fd, .events = POLLIN};
    struct timespec nap = {.tv_nsec = FULL_RING_NAP_NS};
    ppoll(&poll_fd, 1, &nap, NULL);
    return check_other_side(v2);
}

/* All of it, even where the other side has to make room first. */
static int post_patiently(struct v2 *v2, const struct trestle_v2_message *message)
{
    struct ipc_spin spin = ipc_spin_start(CLOCK_NEVER);
    int r;
    while ((r = channel_post(v2->channel, message)) == -EAGAIN) {
        r = wait_for_room(v2, &spin);
        if (r < 0)
            break;
    }
    ipc_spin_end(&v2->wait, &spin);
    return r;
}

static int send_message(struct v2 *v2, const struct trestle_v2_message *message)
{
    int r = channel_post(v2->channel, message);
    if (unlikely(r == -EAGAIN))
        r = post_patiently(v2, message);
    if (unlikely(r == 0 && channel_has_rest(v2->channel)))
        r = channel_flush(v2->channel, deadline_after(v2, clock_ns()));
    if (unlikely(r == -EPROTO))
        return broken(v2->session, "its count of what it has consumed is wrong");
    return r == -EPIPE ? -ECONNRESET : r;
}

/* What was posted on one socket is done before anything is sent on another: on sockets nothing
 * else would keep the guest's order between devices. A device that fails here loses its posted
 * writes, and its own next access finds out. */
static void flush_posted(struct v2 *posted)
{
    struct trestle_v2_message reply,
        flush = {.type = TRESTLE_V2_FLUSH,
                 .device = posted->index,
                 .id = ++posted->session->last_id,
                 .time = (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) * TRESTLE_NS};
    posted->session->posted_on = NULL;
    int r = send_message(posted, &flush);
    if (r == 0)
        r = session_await(posted, flush.id, &reply);
    if (r < 0)
        v2_hung_up(posted);
}

/* Inside this process. 1: *ret_reply is the answer. 0: it will come. */
static inline int call_inline(struct v2 *v2, const struct trestle_v2_message *message,
                              struct trestle_v2_message *ret_reply)
{
    if (unlikely(v2->session->has_kept))
        session_drain(v2); /* an answer that came too late */
    int r = inline_bridge.call(inline_bridge.ctx, message, ret_reply);
    return unlikely(r == -EAGAIN) ? send_message(v2, message) : r;
}

static inline void stamp(struct v2 *v2, struct trestle_v2_message *message)
{
    message->device = v2->index;
    message->id = ++v2->session->last_id;
}

int session_send(struct v2 *v2, struct trestle_v2_message *message)
{
    struct session *session = v2->session;
    stamp(v2, message);
    if (session->is_inline) {
        struct trestle_v2_message reply;
        int r = call_inline(v2, message, &reply);
        if (r > 0)
            keep_reply(session, &reply);
        return r < 0 ? r : 0;
    }
    if (!channel_is_shared(v2->channel)) {
        if (session->posted_on && session->posted_on != v2)
            flush_posted(session->posted_on);
        session->posted_on = message->flags & TRESTLE_V2_FLAG_POSTED ? v2 : NULL;
    }
    int r = send_message(v2, message);
    /* Nobody waits for an answer, which would be among it. */
    if (unlikely(r == 0 && session->has_heard && (message->flags & TRESTLE_V2_FLAG_POSTED)))
        return take_what_has_rung(session);
    return r;
}

int session_ask(struct v2 *v2, struct trestle_v2_message *message,
                struct trestle_v2_message *ret_reply)
{
    struct session *session = v2->session;
    int r;
    if (session->is_inline) {
        stamp(v2, message);
        r = call_inline(v2, message, ret_reply);
        if (likely(r > 0 && !ring_has_next(&session->ring.in))) {
            note_next(session, ret_reply);
            return 0;
        }
        if (r > 0) /* what was posted before it comes first */
            keep_reply(session, ret_reply);
    } else {
        r = session_send(v2, message);
    }
    return r < 0 ? r : session_await(v2, message->id, ret_reply);
}

/* Nobody waits for what becomes of it. */
static void send_last(struct v2 *v2, struct trestle_v2_message *message)
{
    message->time = (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) * TRESTLE_NS;
    if (v2->channel->is_cut || channel_post(v2->channel, message) < 0 ||
        channel_flush(v2->channel, clock_ns()) < 0)
        v2->channel->is_cut = true; /* what comes next would be read as the rest of it */
}

void session_say_goodbye(struct v2 *v2)
{
    struct session *session = v2->session;
    struct trestle_v2_message goodbye = {.type = TRESTLE_V2_GOODBYE};
    for (const struct v2 *other = session->devices; other; other = other->next) {
        struct trestle_v2_message note = {.type = TRESTLE_V2_NOTE,
                                          .device = other->index,
                                          .id = ++session->last_id,
                                          .addr = TRESTLE_V2_NOTE_GAVE_UP};
        if ((other->owes & OWES_NOTE) && (session->features & TRESTLE_V2_FEATURE_NOTE))
            send_last(v2, &note);
    }
    send_last(v2, &goodbye);
}
