/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens to a session without an access of the guest: the time of the engine's next event
 * comes, the guest is reset, or QEMU ends. */
#include <sched.h>
#include <unistd.h>

#include "plugin/device/irq.h"
#include "plugin/v2/inline.h"
#include "plugin/v2/v2.h"

/* Not of one whose access waits without the big lock: its answer will say what comes next. */
static struct v2 *any_up(const struct session *session)
{
    struct v2 *v2 = session->devices;
    while (v2 && (v2->recovery.state != UP || v2->is_busy))
        v2 = v2->next;
    return v2;
}

/* Asks the session for something that concerns it as a whole; false when that failed, and the
 * session may be gone. */
static bool begin_asking(struct session *session, uint8_t type, trestle_time time)
{
    struct trestle_v2_message request = {.type = type, .time = time};
    struct v2 *via = any_up(session);
    session->asked_via = via;
    if (!via)
        return false;
    int r = session_send(via, &request);
    session->asked_id = request.id;
    if (r < 0) {
        session->asked_via = NULL;
        v2_failed(via, request.id, r);
    }
    return r == 0;
}

/* Waits for the answer; the session may be gone afterwards. */
static void end_asking(struct session *session)
{
    struct trestle_v2_message reply;
    struct v2 *via = session->asked_via;
    uint64_t id = session->asked_id;
    if (!via)
        return;
    session->asked_via = NULL;
    int r = session_await(via, id, &reply);
    if (r < 0)
        v2_failed(via, id, r);
}

static bool is_shut_down; /* QEMU's main loop has heard of it */

static void on_shutdown(struct qemu_notifier *notifier, void *data)
{
    (void)notifier;
    (void)data;
    is_shut_down = true;
}

/* After the guest has asked for the end, for how long it runs on is up to the host: what would come
 * then is in no run. */
static void on_due(void *opaque)
{
    struct session *session = opaque;
    trestle_time due = session->next;
    session->next = TRESTLE_TIME_NEVER; /* the reply sets it again */
    if (is_shut_down || qemu.qemu_shutdown_requested_get())
        return;
    if (begin_asking(session, TRESTLE_V2_ADVANCE, due))
        end_asking(session);
}

/* All are asked before the first answer is waited for: those that do not answer are waited for at
 * the same time. */
static void on_reset(void *opaque)
{
    (void)opaque;
    uint64_t now_ns = (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    struct session *next;
    irq_hold();
    for (struct session *session = session_first(); session; session = next) {
        next = session->next_session;
        begin_asking(session, TRESTLE_V2_RESET, now_ns * TRESTLE_NS);
    }
    for (struct session *session = session_first(); session; session = next) {
        next = session->next_session;
        end_asking(session);
    }
    irq_release();
}

static pid_t qemus_pid;

/* Sessions that hear nothing of it were left by a QEMU that crashed or was killed. A model in this
 * process may fork; its child ends with the same handlers, and has no threads to wait for. */
static void say_goodbye(void)
{
    static bool has_said;
    if (has_said || getpid() != qemus_pid)
        return;
    has_said = true;
    for (struct session *session = session_first(); session; session = session->next_session) {
        struct v2 *via = any_up(session);
        /* One that is late reads it when it goes on, if it does. */
        session_say_goodbye(via ? via : session->devices);
    }
    inline_finish();
}

static void on_exit_of_qemu(struct qemu_notifier *notifier, void *data)
{
    (void)notifier;
    (void)data;
    say_goodbye();
}

/* Under -icount the vCPU's thread runs the timers of a guest that is awake, and QEMU wakes its main
 * loop at each of them all the same, which finds nothing to do. On two processors it took the
 * bridge's just then, when the vCPU waited for the bridge with the big lock held, ran into that
 * lock and gave the processor back: 10 us and more for each event. What runs as a batch takes no
 * processor away when it wakes up; the bridge yields soon (ipc/wait.h). */
static void main_loop_gives_way(void)
{
    const struct sched_param none = {0};
    if (qemu_counts_instructions() && sched_getscheduler(0) == SCHED_OTHER)
        sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none);
}

void clockwork_start(void)
{
    static struct qemu_notifier exits = {.notify = on_exit_of_qemu};
    static struct qemu_notifier shutdowns = {.notify = on_shutdown};
    qemus_pid = getpid();
    sessions_start(on_due);
    inline_load(sessions_take_turn, say_goodbye);
    qemu.qemu_register_reset(on_reset, NULL);
    qemu.qemu_add_exit_notifier(&exits);
    qemu.qemu_register_shutdown_notifier(&shutdowns);
    main_loop_gives_way();
}
