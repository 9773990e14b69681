/* SPDX-License-Identifier: MIT */
/* Decides how long a wait spins before it sleeps, and on which processor, and learns from each. */
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

/* A yield that takes so long has let somebody work who would not stop by himself: the kernel took
 * the processor from him, at a tick of some milliseconds. What that tells holds for a while; then
 * one more yield finds out whether it still is so. A peer that copies for its DMA, or QEMU's main
 * loop, has done its work in less. */
#define CROWDED_YIELD_NS NS_PER_MS
#define CROWDED_FOR_NS (NS_PER_S / 5)
#define SUSPECTED_FOR_NS (20 * NS_PER_MS)

/* Then this is long enough for an answer of a peer that runs. One that does not run is not worth
 * waiting for. */
#define CROWDED_SPIN_NS 5000u

/* Both sides seem to share a processor when so many waits within so much time were longer than that
 * spin, yet as short as if the peer had been let in at once. Another try comes a good deal later:
 * where the thread goes, it may have to wait for others, some milliseconds. */
#define SHARED_WAITS 32u
#define SHARED_WITHIN_NS (2 * NS_PER_MS)
#define STAY_NS (50 * NS_PER_MS)

/* Halving ends here: what is shorter than one look at a socket is no spin. */
#define SPIN_MIN_NS 1000u

/* A pause of the processor takes 10 ns on some and 50 on others. Where it is short, looks that have
 * one between them see an answer earlier than those without, which the processor makes ahead of
 * their turn, and has to repeat when the answer comes. */
#define SHORT_PAUSE_NS 15u
#define PAUSES_PER_TRY 32u
#define PAUSE_TRIES 4u

static bool have_one_processor(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1;
}

static inline void relax_processor(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The best of some tries, since somebody else may run in between. */
static bool has_short_pause(void)
{
    uint64_t least_ns = UINT64_MAX;
    for (unsigned i = 0; i < PAUSE_TRIES; i++) {
        uint64_t start_ns = clock_ns();
        for (unsigned k = 0; k < PAUSES_PER_TRY; k++)
            relax_processor();
        least_ns = earlier(least_ns, clock_ns() - start_ns);
    }
    return least_ns <= (uint64_t)SHORT_PAUSE_NS * PAUSES_PER_TRY;
}

void ipc_wait_init(struct ipc_wait *wait, enum trestle_wait policy, struct ipc_crowd *crowd)
{
    *wait = (struct ipc_wait){.crowd = crowd,
                              .policy = have_one_processor() ? TRESTLE_WAIT_SLEEP : policy};
    if (wait->policy == TRESTLE_WAIT_ADAPTIVE)
        wait->spin_ns = IPC_SPIN_LIMIT_NS;
    wait->has_short_pause = wait->policy != TRESTLE_WAIT_SLEEP && has_short_pause();
}

void ipc_keep_off(uint64_t ns)
{
    uint64_t until_ns = clock_ns() + ns;
    while (clock_ns() < until_ns)
        relax_processor();
}

static bool is_long(const struct ipc_wait *wait)
{
    return wait->policy == TRESTLE_WAIT_ADAPTIVE && wait->may_spin_long && wait->spins_long;
}

/* Beside others a wait of any kind is short, and ends in a sleep. */
static uint64_t longest_spin_ns(const struct ipc_wait *wait, bool is_crowded)
{
    uint64_t ns = is_long(wait) ? IPC_LONG_SPIN_NS : wait->spin_ns;
    return is_crowded ? earlier(ns, CROWDED_SPIN_NS) : ns;
}

static uint64_t crowded_until_ns(struct ipc_crowd *crowd)
{
    return atomic_load_explicit(&crowd->until_ns, memory_order_relaxed);
}

static void begin(const struct ipc_wait *wait, struct ipc_spin *spin)
{
    spin->start_ns = clock_ns();
    if (wait->policy == TRESTLE_WAIT_SPIN) {
        spin->until_ns = spin->deadline_ns;
    } else {
        spin->is_crowded = spin->start_ns < crowded_until_ns(wait->crowd);
        uint64_t end_ns = spin->start_ns + longest_spin_ns(wait, spin->is_crowded);
        spin->until_ns = earlier(spin->deadline_ns, end_ns);
    }
    spin->yield_ns = spin->is_crowded ? UINT64_MAX
                     : is_long(wait)  ? spin->start_ns + LONG_YIELD_AFTER_NS
                                      : spin->start_ns + YIELD_AFTER_NS;
}

/* One long yield may be a hiccup of the machine, such as a host that takes a processor from its
 * guest. Two in a row are others. */
static void note_long_yield(struct ipc_crowd *crowd, uint64_t now_ns)
{
    uint64_t suspected_until_ns = now_ns + SUSPECTED_FOR_NS;
    if (now_ns < atomic_load_explicit(&crowd->suspected_until_ns, memory_order_relaxed)) {
        atomic_store_explicit(&crowd->until_ns, now_ns + CROWDED_FOR_NS, memory_order_relaxed);
        suspected_until_ns += CROWDED_FOR_NS;
    }
    atomic_store_explicit(&crowd->suspected_until_ns, suspected_until_ns, memory_order_relaxed);
}

static void yield(struct ipc_wait *wait, uint64_t now_ns)
{
    sched_yield();
    uint64_t back_ns = clock_ns();
    if (back_ns - now_ns > CROWDED_YIELD_NS)
        note_long_yield(wait->crowd, back_ns);
}

bool ipc_spin_on(struct ipc_wait *wait, struct ipc_spin *spin)
{
    if (spin->quick_looks > 0 && wait->policy != TRESTLE_WAIT_SLEEP) {
        spin->quick_looks--;
        if (wait->has_short_pause)
            relax_processor();
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

static void go_elsewhere(void)
{
    cpu_set_t set, others;
    int here = sched_getcpu();
    if (here < 0 || sched_getaffinity(0, sizeof(set), &set) < 0)
        return;
    others = set;
    CPU_CLR((size_t)here, &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof(others), &others) == 0)
        sched_setaffinity(0, sizeof(set), &set);
}

/* A peer that runs elsewhere is seen by a spin, and one that others keep from running stays away
 * for milliseconds. */
static void note_sleep_beside_others(struct ipc_wait *wait, uint64_t now_ns)
{
    if (now_ns - wait->shared_since_ns > SHARED_WITHIN_NS) {
        wait->shared_since_ns = now_ns;
        wait->num_shared = 0;
    }
    if (++wait->num_shared < SHARED_WAITS || now_ns - wait->went_ns < STAY_NS)
        return;
    wait->went_ns = now_ns;
    go_elsewhere();
}

void ipc_spin_end(struct ipc_wait *wait, const struct ipc_spin *spin)
{
    if (spin->start_ns == 0 || wait->policy != TRESTLE_WAIT_ADAPTIVE)
        return;
    uint64_t now_ns = clock_ns(), waited_ns = now_ns - spin->start_ns;
    if (waited_ns > IPC_SPIN_LIMIT_NS)
        wait->spins_long = waited_ns <= IPC_LONG_SPIN_NS;
    /* A sleep makes a wait look longer by the time it takes to wake up. */
    if (waited_ns <= 2 * IPC_SPIN_LIMIT_NS)
        wait->spin_ns = IPC_SPIN_LIMIT_NS;
    else
        wait->spin_ns = wait->spin_ns / 2 < SPIN_MIN_NS ? 0 : wait->spin_ns / 2;
    if (spin->is_crowded && wait->may_go_elsewhere && waited_ns > CROWDED_SPIN_NS &&
        waited_ns < IPC_SPIN_LIMIT_NS)
        note_sleep_beside_others(wait, now_ns);
}
