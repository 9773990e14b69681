/* SPDX-License-Identifier: MIT */
/* Decides how long a wait spins before it sleeps, and learns from each wait. */
#include "ipc/wait.h"

#include <sched.h>

/* A look at a ring takes some nanoseconds and a look at a socket some hundred: the clock, at 25 ns,
 * is read at every sixteenth only. */
#define LOOKS_PER_CLOCK 16u

/* A peer that answers at once while both run answers sooner than this. From then on the processor
 * is offered to whoever else wants it at every look at the clock: it may be the peer, which the
 * kernel leaves on the same processor for as long as others keep the rest busy. Where nobody wants
 * it, that costs some hundred nanoseconds. A long spin is for no answer, and QEMU's main loop,
 * which takes what is offered, would keep the guest from going on: it waits with that for longer.
 */
#define YIELD_AFTER_NS 1000u
#define LONG_YIELD_AFTER_NS 10000u

/* A yield that takes so long has let somebody work. What that tells holds for a while: then one
 * more yield finds out whether it still is so, and costs at most a few milliseconds. */
#define CROWDED_YIELD_NS 100000u
#define CROWDED_FOR_NS (NS_PER_S / 5)

/* Halving ends here: what is shorter than one look at a socket is no spin. */
#define SPIN_MIN_NS 1000u

static bool have_one_processor(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1;
}

void ipc_wait_init(struct ipc_wait *wait, enum trestle_wait policy)
{
    wait->policy = have_one_processor() ? TRESTLE_WAIT_SLEEP : policy;
    wait->spin_ns = wait->policy == TRESTLE_WAIT_ADAPTIVE ? IPC_SPIN_LIMIT_NS : 0;
    wait->may_spin_long = wait->spins_long = false;
    wait->crowded_until_ns = 0;
}

static inline void relax_processor(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void ipc_keep_off(uint64_t ns)
{
    uint64_t until_ns = clock_ns() + ns;
    while (clock_ns() < until_ns)
        relax_processor();
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_long(const struct ipc_wait *wait)
{
    return wait->policy == TRESTLE_WAIT_ADAPTIVE && wait->may_spin_long && wait->spins_long;
}

static void begin(const struct ipc_wait *wait, struct ipc_spin *spin)
{
    spin->start_ns = clock_ns();
    bool is_crowded = spin->start_ns < wait->crowded_until_ns;
    uint64_t longest_ns = is_crowded ? 0 : is_long(wait) ? IPC_LONG_SPIN_NS : wait->spin_ns;
    spin->until_ns = wait->policy == TRESTLE_WAIT_SPIN
                         ? spin->deadline_ns
                         : earlier(spin->deadline_ns, spin->start_ns + longest_ns);
    spin->yield_ns = spin->start_ns + (is_long(wait) ? LONG_YIELD_AFTER_NS : YIELD_AFTER_NS);
}

static void yield(struct ipc_wait *wait, uint64_t now_ns)
{
    sched_yield();
    uint64_t back_ns = clock_ns();
    if (back_ns - now_ns > CROWDED_YIELD_NS)
        wait->crowded_until_ns = back_ns + CROWDED_FOR_NS;
}

bool ipc_spin_on(struct ipc_wait *wait, struct ipc_spin *spin)
{
    if (spin->quick_looks > 0 && wait->policy != TRESTLE_WAIT_SLEEP) {
        spin->quick_looks--;
        return true;
    }
    if (spin->start_ns == 0) {
        begin(wait, spin);
        return spin->until_ns > spin->start_ns;
    }
    relax_processor();
    if (++spin->looks % LOOKS_PER_CLOCK != 0)
        return true;
    uint64_t now_ns = clock_ns();
    if (now_ns > spin->yield_ns)
        yield(wait, now_ns);
    return now_ns < spin->until_ns;
}

void ipc_spin_end(struct ipc_wait *wait, const struct ipc_spin *spin)
{
    if (spin->start_ns == 0 || wait->policy != TRESTLE_WAIT_ADAPTIVE)
        return;
    uint64_t waited_ns = clock_ns() - spin->start_ns;
    if (waited_ns > IPC_SPIN_LIMIT_NS)
        wait->spins_long = waited_ns <= IPC_LONG_SPIN_NS;
    /* A sleep makes a wait look longer by the time it takes to wake up. */
    if (waited_ns <= 2 * IPC_SPIN_LIMIT_NS)
        wait->spin_ns = IPC_SPIN_LIMIT_NS;
    else
        wait->spin_ns = wait->spin_ns / 2 < SPIN_MIN_NS ? 0 : wait->spin_ns / 2;
}
