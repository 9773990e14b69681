/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that waits for ever: every vCPU is halted, no interrupt is pending, and no timer of the
 * machine is armed. From then on only the outside world can wake it, through the console, a
 * network or a disk, and a user whose guest waits for an interrupt that nobody will raise should
 * hear of it.
 *
 * QEMU's callbacks for halting and waking vCPUs are no help: they are not called under -icount,
 * and a guest that halts for a microsecond calls them as well. So QEMU's main loop looks now and
 * then. It holds the big lock then, so that no access is under way, and what it sees is final, but
 * for input that is on its way already (a disk's answer, say): only when several looks in a row saw
 * the same is the guest given up. The guest's own time has no part in it.
 *
 * Each look wakes QEMU, which costs more than the look itself. So looks become rarer while the
 * guest leaves the devices alone, and none comes before the guest's next timer, unless that is far
 * away: -icount may make the guest's time pass faster than the host's. A guest that used a device
 * is looked after closely again, since that is who waits for a device for ever.
 */
#include "plugin/qemu/idle.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include "plugin/qemu/qemu_abi.h"
#include "plugin/qemu/say.h"
#include "plugin/qemu/warp.h"

#define EXIT_IDLE 125
#define LOOK_MIN_NS INT64_C(100000000)
#define LOOK_MAX_NS INT64_C(10000000000)
#define LOOKS 5
/* Guests switch a timer off by asking for the end of time, and QEMU arms it all the same. */
#define NEVER_NS (INT64_C(1000000000) * 86400 * 365 * 10)

static alignas(64) unsigned char timer_storage[QEMU_TIMER_BYTES];
static struct qemu_timer *const timer = (struct qemu_timer *)timer_storage;
static unsigned looks;
static int64_t pause_ns = LOOK_MIN_NS;
bool idle_device_used;
static bool exit_when_idle;

/* Until the guest's next timer; NEVER_NS when there is none. The user-mode network that a board has
 * by default keeps a timer of its own on the guest's clock, for packets that no sleeping guest
 * waits for; QEMU marks it as external. */
static int64_t next_timer_ns(void)
{
    int64_t deadline_ns = qemu.qemu_clock_deadline_ns_all(
        QEMU_CLOCK_VIRTUAL, QEMU_TIMER_ATTR_ALL & ~QEMU_TIMER_ATTR_EXTERNAL);
    return deadline_ns >= 0 && deadline_ns < NEVER_NS ? deadline_ns : NEVER_NS;
}

static int64_t at_least(int64_t ns, int64_t min)
{
    return ns > min ? ns : min;
}

static int64_t at_most(int64_t ns, int64_t max)
{
    return ns < max ? ns : max;
}

static void look_again_in(int64_t ns)
{
    qemu.timer_mod_ns(timer, qemu.qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + ns);
}

/* The guest is alive: when to look next. */
static int64_t pause_while_alive(int64_t guest_timer_ns)
{
    pause_ns = idle_device_used ? LOOK_MIN_NS : at_most(pause_ns * 2, LOOK_MAX_NS);
    idle_device_used = false;
    if (guest_timer_ns == NEVER_NS)
        return pause_ns;
    return at_least(pause_ns, at_most(guest_timer_ns, LOOK_MAX_NS));
}

static void look(void *opaque)
{
    (void)opaque;
    bool is_halted = qemu.runstate_is_running() && warp_guest_is_halted();
    int64_t guest_timer_ns = next_timer_ns();
    if (!is_halted || guest_timer_ns != NEVER_NS) {
        looks = 0;
        look_again_in(pause_while_alive(is_halted ? guest_timer_ns : NEVER_NS));
        return;
    }
    if (++looks < LOOKS) {
        look_again_in(LOOK_MIN_NS);
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
