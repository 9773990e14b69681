/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is in which session: how devices join it, how they leave it in order or because something
 * failed, and when the session's timer comes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/barrier.h"
#include "ipc/fds.h"
#include "plugin/qemu/say.h"
#include "plugin/v2/v2.h"

#define PS_PER_NS 1000u

static struct session *sessions;
static void (*when_due)(void *session);

/* --- its timer -------------------------------------------------------------------------------- */

static struct qemu_timer *timer_of(struct session *session)
{
    return (struct qemu_timer *)session->timer;
}

static void start_timer(struct session *session)
{
    session->next = TRESTLE_TIME_NEVER;
    qemu.timer_init_full(timer_of(session), NULL, QEMU_CLOCK_VIRTUAL, QEMU_SCALE_NS,
                         QEMU_TIMER_ATTR_NONE, when_due, session);
}

/* What was due before now, or is due always, comes a nanosecond later: QEMU runs its timers until
 * none is due, and would do nothing else any more. */
void session_set_next(struct session *session, trestle_time next)
{
    session->next = next;
    if (next == TRESTLE_TIME_NEVER) {
        qemu.timer_del(timer_of(session));
        return;
    }
    int64_t next_ns = (int64_t)(next / PS_PER_NS) + (next % PS_PER_NS != 0);
    int64_t soon_ns = qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + 1;
    qemu.timer_mod_ns(timer_of(session), next_ns > soon_ns ? next_ns : soon_ns);
}

/* --- the list ----------------------------------------------------------------------------------
 */

void sessions_start(void (*due)(void *session))
{
    when_due = due;
}

struct session *session_first(void)
{
    return sessions;
}

static struct session *session_by_id(const uint8_t id[TRESTLE_V2_ID_SIZE])
{
    struct session *session = sessions;
    while (session && memcmp(session->id, id, TRESTLE_V2_ID_SIZE) != 0)
        session = session->next_session;
    return session;
}

static int session_create(const struct v2 *v2, const struct trestle_v2_welcome *welcome,
                          const int *fds, size_t num_fds, struct session **ret_session)
{
    bool is_shm = welcome->features & TRESTLE_V2_FEATURE_SHM;
    if (num_fds != (is_shm ? SHM_NUM_FDS : 0)) {
        fds_close(fds, num_fds);
        return -ENOMSG;
    }
    struct session *session = aligned_alloc(alignof(struct session), sizeof(*session));
    if (!session)
        refuse("out of memory");
    memset(session, 0, sizeof(*session));
    session->ring = CHANNEL_CLOSED;
    session->doorbell.fd = -1;
    session->features = welcome->features;
    session->is_inline = v2->dev->is_inline;
    session->listens = welcome->features & (TRESTLE_V2_FEATURE_IRQ | TRESTLE_V2_FEATURE_DMA);
    memcpy(session->id, welcome->session_id, sizeof(session->id));
    if (is_shm) {
        int r = channel_open_ring(&session->ring, !barrier_register(), fds);
        if (r < 0) {
            free(session);
            return r;
        }
    }
    start_timer(session);
    session->next_session = sessions;
    sessions = session;
    *ret_session = session;
    return 0;
}

static void session_free(struct session *session)
{
    struct session **place = &sessions;
    while (*place != session)
        place = &(*place)->next_session;
    *place = session->next_session;
    qemu.timer_del(timer_of(session));
    watch_remove(&session->doorbell);
    channel_close(&session->ring);
    free(session->by_number);
    free(session);
}

/* The number is the other side's choice, within bounds. */
static void make_room(struct session *session, uint32_t number)
{
    if (number < session->num_numbers)
        return;
    uint32_t room = number < 8 ? 8 : number;
    if (room < 2 * session->num_numbers)
        room = 2 * session->num_numbers;
    room++;
    struct v2 **by_number = realloc(session->by_number, room * sizeof(*by_number));
    if (!by_number)
        refuse("out of memory");
    memset(by_number + session->num_numbers, 0, (room - session->num_numbers) * sizeof(*by_number));
    session->by_number = by_number;
    session->num_numbers = room;
}

int session_join(struct v2 *v2, const struct trestle_v2_welcome *welcome, const int *fds,
                 size_t num_fds)
{
    struct session *session = session_by_id(welcome->session_id);
    if (session && num_fds > 0) {
        fds_close(fds, num_fds);
        return -ENOMSG;
    }
    if (session && session->features != welcome->features)
        return -EINVAL;
    if (session && session_device(session, welcome->device))
        return -EEXIST;
    if (session && (v2->dev->release_lock || session->devices->dev->release_lock))
        return -EXDEV;
    if (!session) {
        int r = session_create(v2, welcome, fds, num_fds, &session);
        if (r < 0)
            return r;
    }
    v2->session = session;
    v2->index = welcome->device;
    channel_open_stream(&v2->own, &v2->socket);
    v2->channel = channel_is_shared(&session->ring) ? &session->ring : &v2->own;
    v2->next = session->devices;
    session->devices = v2;
    make_room(session, v2->index);
    session->by_number[v2->index] = v2;
    session_set_next(session, welcome->next);
    return 0;
}

void v2_disconnect(struct v2 *v2)
{
    struct session *session = v2->session;
    if (v2->socket.fd >= 0) {
        watch_remove(&v2->watched);
        close(v2->socket.fd);
    }
    stream_start(&v2->socket, -1);
    v2->recovery.state = DOWN;
    v2->session = NULL;
    device_drop_lines(v2->dev);
    if (!session)
        return;
    struct v2 **place = &session->devices;
    while (*place != v2)
        place = &(*place)->next;
    *place = v2->next;
    session->by_number[v2->index] = NULL;
    if (session->posted_on == v2)
        session->posted_on = NULL;
    if (!session->devices)
        session_free(session);
}

/* --- failures -------------------------------------------------------------------------------- */

/* The next of a session's devices to be disconnected. The session goes with its last one:
 * *ref_session is NULL then. */
static struct v2 *next_to_leave(struct session **ref_session)
{
    struct v2 *v2 = (*ref_session)->devices;
    if (!v2->next)
        *ref_session = NULL;
    return v2;
}

/* A session whose other side broke the protocol ends with all its devices, for one reason, which
 * is said once. */
static void session_broken(struct v2 *v2)
{
    char what[160];
    struct session *session = v2->session;
    unsigned others = 0;
    for (struct v2 *each = session->devices; each; each = each->next)
        others += each != v2;
    snprintf(what, sizeof(what), "the other side broke the protocol: %s; connection closed",
             session->why);
    if (others > 0)
        snprintf(what + strlen(what), sizeof(what) - strlen(what),
                 ", and those of %u other devices of the same session", others);
    recovery_say_lost(&v2->recovery, v2->dev, what);
    while (session) {
        struct v2 *each = next_to_leave(&session);
        v2_disconnect(each);
        each->recovery.said_lost = true;
        recovery_connect_failed(&each->recovery);
    }
}

void v2_failed(struct v2 *v2, uint64_t id, int error)
{
    if (error == -ETIMEDOUT && v2->own.is_cut) {
        v2_disconnect(v2);
        recovery_lost(&v2->recovery, v2->dev, "it stopped in the middle of a message");
    } else if (error == -ETIMEDOUT) {
        v2->late_id = id;
        v2->owes |= OWES_NOTE;
        recovery_overdue(&v2->recovery, v2->dev);
    } else if (error == -EPROTO) {
        session_broken(v2);
    } else {
        v2_disconnect(v2);
        recovery_lost(&v2->recovery, v2->dev, "the connection was closed");
    }
}

void v2_hung_up(struct v2 *v2)
{
    v2_disconnect(v2);
    recovery_lost_in_peace(&v2->recovery, v2->dev, "the connection was closed");
}

void v2_session_hung_up(struct session *session)
{
    while (session)
        v2_hung_up(next_to_leave(&session));
}
