/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens to a session without an access of the guest: the time of the engine's next event
 * comes, or the guest is reset. */
#include "v2.h"

#define PS_PER_NS 1000u

static struct qemu_timer *timer_of(struct session *session)
{
    return (struct qemu_timer *)session->timer;
}

/* Asks the session for something that concerns it as a whole. */
static void ask(struct session *session, uint8_t type, trestle_time time)
{
    struct v2 *via = session->devices;
    while (via && via->recovery.state != UP)
        via = via->next;
    if (!via)
        return;
    struct trestle_v2_message reply, request = {.type = type, .time = time};
    int r = session_send(via, &request);
    if (r == 0)
        r = session_await(via, request.id, &reply);
    if (r < 0)
        v2_failed(via, request.id, r);
}

static void on_timer(void *opaque)
{
    struct session *session = opaque;
    trestle_time due = session->next;
    session->next = TRESTLE_TIME_NEVER; /* the reply sets it anew */
    ask(session, TRESTLE_V2_ADVANCE, due);
}

void session_start_timer(struct session *session)
{
    session->next = TRESTLE_TIME_NEVER;
    qemu.timer_init_full(timer_of(session), NULL, QEMU_CLOCK_VIRTUAL, QEMU_SCALE_NS,
                         QEMU_TIMER_ATTR_NONE, on_timer, session);
}

void session_stop_timer(struct session *session)
{
    qemu.timer_del(timer_of(session));
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

/* A session may end while it is asked, and its neighbours in the list with it: so each is asked
 * by its place, and the list is looked at anew. */
static void on_reset(void *opaque)
{
    (void)opaque;
    uint64_t now_ns = (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    struct session *session = session_first();
    irq_hold();
    for (unsigned i = 0; session; i++) {
        ask(session, TRESTLE_V2_RESET, now_ns * TRESTLE_NS);
        session = session_first();
        for (unsigned j = 0; j <= i && session; j++)
            session = session->next_session;
    }
    irq_release();
}

void clockwork_start(void)
{
    qemu.qemu_register_reset(on_reset, NULL);
}
