/* SPDX-License-Identifier: MIT */
/*
 * How one side waits for the other.
 *
 * Two processes that answer each other can wait in two ways. Looking again and again (spinning)
 * sees the answer within a microsecond, but burns a processor and, if there are more runnable
 * threads than processors, keeps the very peer away that is waited for. Sleeping in the kernel
 * costs nothing while it lasts, but putting to sleep and waking up cost 20 to 50 us, ten times an
 * access that was spun for. Which of them pays depends on the model, on the guest and on what else
 * the machine does, so it is learnt:
 *
 * - A wait spins first, for IPC_SPIN_LIMIT_NS at most, about what a sleep costs: so a wait is never
 *   more than twice as dear as the better choice would have been.
 * - A wait that lasted longer halves the next spin, down to none at all: a server whose guest
 *   computes for seconds sleeps at once.
 * - A wait that ended within the limit, asleep or not, brings the whole spin back: spinning would
 *   have paid. The length of a wait is known either way, so nothing has to be tried out.
 * - Where a wait keeps a guest from going on that has not asked for anything yet (the bridge, for
 * the time of its next event), its 50 us are the guest's, and the other processor would be idle.
 * There a wait may spin for IPC_LONG_SPIN_NS, as long as the latest of the waits that were no
 * answers ended within that.
 * - A spin that lasts longer than an answer does while both sides run yields the processor at each
 *   look at the clock, so that a machine with too little to do the work of both still does it.
 * - But where two yields in a row took milliseconds, others have work for all processors. Whoever
 * yields then waits until the kernel takes the processor from them, while one that sleeps is woken
 * at once, since it has left the processor before its own time was up. So for a while nobody
 * yields: a spin is as short as an answer of a peer that runs, and then a sleep keeps the rest of
 * one's time for when the peer runs again. Both then work at the same time, thousands of accesses
 * long.
 * - Beside others the kernel may keep both sides on one processor, and sees nothing wrong with it.
 * Then nobody's spin ever ends with the answer, and each access costs two changes of threads. The
 * side that may (the bridge) leaves the processor when it has seen that for a while: it takes it
 * out of its set of processors, which moves it, and puts it in again.
 * - On a single processor nobody spins, whatever was asked for: the peer could not run meanwhile.
 *
 * One wait goes like this; waits that end at the first look read no clock and teach nothing.
 *
 *     struct ipc_spin spin = ipc_spin_start(deadline_ns);
 *     while (!(here = look()) && ipc_spin_on(&wait, &spin))
 *         ;
 *     if (!here)
 *         here = sleep_until_it_comes_or(deadline_ns);
 *     ipc_spin_end(&wait, &spin);
 */
#ifndef TRESTLE_IPC_WAIT_H
#define TRESTLE_IPC_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "trestle/types.h"

#define IPC_SPIN_LIMIT_NS 50000u
#define IPC_LONG_SPIN_NS 400000u

/* What a process has learnt of others on its processors. One for all its threads that wait. */
struct ipc_crowd {
    /* Host clock. They were seen to want the processors; one more sign of it is believed. */
    atomic_uint_least64_t until_ns, suspected_until_ns;
};

/* What a side has learnt. One per place that waits, since places differ. */
struct ipc_wait {
    struct ipc_crowd *crowd;
    enum trestle_wait policy; /* as it is followed, which may not be what was asked for */
    bool has_short_pause;     /* of this processor: it pays between quick looks */
    uint32_t spin_ns;         /* how long the next wait may spin */
    bool may_spin_long;       /* as the place has it; changes with what is waited for */
    bool spins_long;          /* the latest long wait was not too long for that */
    bool may_go_elsewhere;    /* as the place has it: its thread may change the processor */
    uint32_t num_shared;      /* waits since then that looked like one processor for both sides */
    uint64_t shared_since_ns; /* host clock, as the next */
    uint64_t went_ns;
};

/* One wait under way. */
struct ipc_spin {
    uint64_t deadline_ns;
    uint64_t start_ns;           /* 0: the first look has not failed yet */
    uint64_t until_ns, yield_ns; /* the end; when to let others have the processor, too */
    bool is_crowded;
    uint32_t looks;
    uint32_t quick_looks; /* that come before all that, without the clock */
};

/* Counts the processors that the calling thread may run on. The crowd lives at least as long, and
 * is zero at first. */
void ipc_wait_init(struct ipc_wait *wait, enum trestle_wait policy, struct ipc_crowd *crowd);

static inline struct ipc_spin ipc_spin_start(uint64_t deadline_ns)
{
    return (struct ipc_spin){.deadline_ns = deadline_ns};
}

/* Of one who looks at a ring, which costs next to nothing: a peer that is at work mostly answers
 * before it would be worth while to read the clock. If quick looks ended shortly before the answer,
 * the clock would be read twice, which takes each access 25 ns longer. With a pause between them
 * there are half as many. */
static inline struct ipc_spin ipc_spin_start_quick(const struct ipc_wait *wait,
                                                   uint64_t deadline_ns, uint32_t looks)
{
    return (struct ipc_spin){.deadline_ns = deadline_ns,
                             .quick_looks = looks >> wait->has_short_pause};
}

/* After a look that found nothing: true to look again, false to sleep (or to give up, when the
 * deadline has come). */
bool ipc_spin_on(struct ipc_wait *wait, struct ipc_spin *spin);

/* Leaves the peer alone for so long, without sleeping. */
void ipc_keep_off(uint64_t ns);

/* After the wait, however it ended. */
void ipc_spin_end(struct ipc_wait *wait, const struct ipc_spin *spin);

#endif
