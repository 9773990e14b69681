/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A race of QEMU's own, which made one run in twenty differ on a busy machine.
 *
 * Under -icount sleep=off, guest time leaps to the next timer once every vCPU is halted: QEMU's
 * main loop adds what is missing to the clock ("warp"). A vCPU says that it is halted in the middle
 * of its wfi, without the big lock, and only afterwards are the instructions since the last look at
 * the clock added as well. When the main loop comes round in between, for whatever reason, both are
 * added, and the guest wakes as many nanoseconds late.
 *
 * A vCPU with work in its queue does not count as idle, and there is no warp. So each turn of the
 * main loop gives it some, and the next turn may warp when that was done with the guest halted: the
 * vCPU's thread does its work where nothing is left to be added. It cannot run on before that turn
 * is over, since only the main loop can wake it, and holds the big lock then.
 */
#include "warp.h"

#include "qemu_abi.h"

static bool counts_instructions;
static bool is_asked;
static bool was_halted; /* when asked last */
static bool may_warp;   /* in the turn that comes */

static void on_cpu(struct qemu_cpu *cpu, uint64_t data)
{
    (void)cpu;
    (void)data;
    is_asked = false;
    was_halted = may_warp = qemu.all_cpu_threads_idle();
}

static void on_turn(struct qemu_notifier *notifier, void *data)
{
    const struct qemu_main_loop_poll *poll = data;
    (void)notifier;
    if (poll->state == QEMU_MAIN_LOOP_POLL_FILL)
        return;
    if (!may_warp && !is_asked) {
        is_asked = true;
        qemu.async_run_on_cpu(qemu.qemu_get_cpu(0), on_cpu, 0);
    }
    may_warp = false;
}

void warp_start(void)
{
    static struct qemu_notifier turn = {.notify = on_turn};
    counts_instructions = qemu_counts_instructions();
    if (counts_instructions)
        qemu.main_loop_poll_add_notifier(&turn);
}

bool warp_guest_is_halted(void)
{
    return counts_instructions ? was_halted : qemu.all_cpu_threads_idle();
}
