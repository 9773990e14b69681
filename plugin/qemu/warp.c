/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A race of QEMU's own, which made one run in twenty differ on a busy machine.
 *
 * Under -icount sleep=off, guest time leaps to the next timer once every vCPU is halted: QEMU's
 * main loop adds what is missing to the clock ("warp"). A vCPU says that it is halted in the middle
 * of its wfi, without the big lock. Only afterwards it adds the instructions since the last look at
 * the clock. If the main loop comes round in between, both add to the clock, and the guest wakes as
 * many nanoseconds late.
 *
 * If a timer is due already, there is no leap. So this file shows the main loop a timer that is
 * due, from the moment the loop wakes up until it goes to wait again. The timer belongs to a list
 * that nobody runs. The vCPUs do not notice: they look for their next timer when they have the big
 * lock, and if they have found one due, they come back for it.
 *
 * The vCPU's own thread can tell whether the guest is halted for good: when it does the work in its
 * queue, nothing is left to be added. If that work saw every vCPU halted, and no due timer that the
 * thread is about to run, the next turn of the main loop may leap. The guest cannot run on before
 * that turn is over: only the main loop can wake it, and the main loop then holds the big lock.
 */
#include "plugin/qemu/warp.h"

#include <stdalign.h>

#include "plugin/qemu/qemu_abi.h"

static alignas(64) unsigned char timer_storage[QEMU_TIMER_BYTES];
static struct qemu_timer *const due_timer = (struct qemu_timer *)timer_storage;
static bool counts_instructions;
static bool is_asked;
static bool is_halted; /* for good; when looked at last */
static bool may_warp;  /* in the turn that comes */

static bool is_timer_due(void)
{
    return qemu.qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL, QEMU_TIMER_ATTR_ALL) == 0;
}

static void on_cpu(struct qemu_cpu *cpu, uint64_t data)
{
    (void)cpu;
    (void)data;
    is_asked = false;
    is_halted = may_warp = qemu.all_cpu_threads_idle() && !is_timer_due();
}

static void say_nothing(void *opaque, int clock)
{
    (void)opaque;
    (void)clock;
}

void warp_hold(void)
{
    if (counts_instructions && !may_warp)
        qemu.timer_mod_ns(due_timer, 0);
}

/* Work in the queue of a vCPU keeps the clock from leaping as well. */
static void after_wait(void)
{
    if (!qemu.all_cpu_threads_idle()) {
        is_halted = false;
        warp_hold();
    } else if (!may_warp && !is_asked) {
        is_asked = true;
        qemu.async_run_on_cpu(qemu.qemu_get_cpu(0), on_cpu, 0);
    }
    may_warp = false;
}

static void on_turn(struct qemu_notifier *notifier, void *data)
{
    const struct qemu_main_loop_poll *poll = data;
    (void)notifier;
    if (poll->state == QEMU_MAIN_LOOP_POLL_FILL)
        qemu.timer_del(due_timer);
    else
        after_wait();
}

void warp_start(void)
{
    static struct qemu_notifier turn = {.notify = on_turn};
    static struct qemu_timer_lists lists;
    counts_instructions = qemu_counts_instructions();
    if (!counts_instructions)
        return;
    qemu.timerlistgroup_init(&lists, say_nothing, NULL);
    qemu.timer_init_full(due_timer, &lists, QEMU_CLOCK_VIRTUAL, QEMU_SCALE_NS, QEMU_TIMER_ATTR_NONE,
                         NULL, NULL);
    qemu.main_loop_poll_add_notifier(&turn);
}

bool warp_guest_is_halted(void)
{
    return counts_instructions ? is_halted : qemu.all_cpu_threads_idle();
}
