/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that waits for ever: every vCPU is halted, no interrupt is pending, and no timer of the
 * machine is armed. From then on only the outside world can wake it, through the console, a
 * network or a disk, and a user whose guest waits for an interrupt that nobody will raise should
 * hear of it.
 *
 * QEMU's callbacks for halting and waking vCPUs are no help: they are not called under -icount,
 * and a guest that halts for a microsecond calls them as well. So QEMU's main loop looks every
 * 100 ms of the host's time. It holds the big lock then, so that no access is under way, and what
 * it sees is final, but for input that is on its way already (a disk's answer, say): only when
 * several looks in a row saw the same is the guest given up. A look costs under a microsecond and
 * the guest's own time has no part in it.
 */
#include "idle.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include "qemu_abi.h"
#include "say.h"

#define EXIT_IDLE 125
#define LOOK_EVERY_NS INT64_C(100000000)
#define LOOKS 5
/* Guests switch a timer off by asking for the end of time, and QEMU arms it all the same. */
#define NEVER_NS (INT64_C(1000000000) * 86400 * 365 * 10)

static alignas(64) unsigned char timer_storage[QEMU_TIMER_BYTES];
static struct qemu_timer *const timer = (struct qemu_timer *)timer_storage;
static unsigned looks;
static bool exit_when_idle;

/* The user-mode network that a board has by default keeps a timer of its own on the guest's clock,
 * for packets that no sleeping guest waits for; QEMU marks it as external. */
static bool timer_is_armed(void)
{
    int64_t deadline_ns = qemu.qemu_clock_deadline_ns_all(
        QEMU_CLOCK_VIRTUAL, QEMU_TIMER_ATTR_ALL & ~QEMU_TIMER_ATTR_EXTERNAL);
    return deadline_ns >= 0 && deadline_ns < NEVER_NS;
}

static void look(void *opaque)
{
    (void)opaque;
    if (qemu.runstate_is_running() && qemu.all_cpu_threads_idle() && !timer_is_armed())
        looks++;
    else
        looks = 0;
    if (looks < LOOKS) {
        qemu.timer_mod_ns(timer, qemu.qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + LOOK_EVERY_NS);
        return;
    }
    say("the guest waits for ever: it is idle and no timer is armed; only console input can wake "
        "it");
    if (exit_when_idle)
        exit(EXIT_IDLE);
}

void idle_watch(bool exit_then)
{
    exit_when_idle = exit_then;
    qemu.timer_init_full(timer, NULL, QEMU_CLOCK_REALTIME, QEMU_SCALE_NS, 0, look, NULL);
    look(NULL);
}
