/* SPDX-License-Identifier: MIT */
/* What a wait learns. No test here waits: the beginnings of waits are written by hand, and the
 * clock is that of fuzz/clock.h, which goes on by 20 us at each look. */
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "ipc/wait.h"

#define MS 1000000u

static struct ipc_crowd crowd;

/* In place of the C library's: the sets that the thread was given, and the processor it is said to
 * run on. */
static cpu_set_t given[4];
static unsigned num_given;
static int here;
/* Of the next yields, how many let somebody work for more than a millisecond. */
static unsigned num_long_yields;

int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set)
{
    assert_int_equal(pid, 0); /* nobody but this thread */
    if (num_given < sizeof(given) / sizeof(given[0]))
        given[num_given++] = *set;
    return (int)syscall(SYS_sched_setaffinity, pid, size, set);
}

int sched_yield(void)
{
    for (unsigned i = 0; num_long_yields > 0 && i < 100; i++)
        (void)clock_ns();
    num_long_yields -= num_long_yields > 0;
    return 0;
}

int sched_getcpu(void)
{
    return here;
}

/* A wait with a policy of its own, as on a machine with several processors. */
static struct ipc_wait wait_with(enum trestle_wait policy)
{
    return (struct ipc_wait){.crowd = &crowd,
                             .policy = policy,
                             .spin_ns = policy == TRESTLE_WAIT_ADAPTIVE ? IPC_SPIN_LIMIT_NS : 0};
}

/* The end of a wait that has lasted for ns. */
static void end_after(struct ipc_wait *wait, uint64_t ns)
{
    struct ipc_spin spin = {.deadline_ns = CLOCK_NEVER, .start_ns = clock_ns() - ns};
    ipc_spin_end(wait, &spin);
}

static unsigned count_looks(struct ipc_wait *wait, uint64_t deadline_ns, unsigned max)
{
    struct ipc_spin spin = ipc_spin_start(deadline_ns);
    unsigned looks = 0;
    while (looks < max && ipc_spin_on(wait, &spin))
        looks++;
    return looks;
}

/* How long the next wait would spin. */
static uint64_t spin_of(struct ipc_wait *wait)
{
    struct ipc_spin spin = ipc_spin_start(CLOCK_NEVER);
    ipc_spin_on(wait, &spin);
    return spin.until_ns - spin.start_ns;
}

static void test_one_processor_never_spins(void **state)
{
    (void)state;
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    for (int policy = TRESTLE_WAIT_ADAPTIVE; policy <= TRESTLE_WAIT_SPIN; policy++) {
        struct ipc_wait wait;
        ipc_wait_init(&wait, (enum trestle_wait)policy, &crowd);
        assert_int_equal(wait.policy, TRESTLE_WAIT_SLEEP);
        assert_int_equal(count_looks(&wait, CLOCK_NEVER, 10), 0);
    }
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* Before it has learned anything, a wait spins where its policy allows it. */
static void test_at_first(void **state)
{
    (void)state;
    struct ipc_wait wait;
    ipc_wait_init(&wait, TRESTLE_WAIT_ADAPTIVE, &crowd);
    if (wait.policy == TRESTLE_WAIT_SLEEP) { /* on one processor */
        assert_int_equal(count_looks(&wait, CLOCK_NEVER, 10), 0);
        return;
    }
    assert_int_equal(spin_of(&wait), IPC_SPIN_LIMIT_NS);
    ipc_wait_init(&wait, TRESTLE_WAIT_SLEEP, &crowd);
    assert_int_equal(count_looks(&wait, CLOCK_NEVER, 10), 0);
    ipc_wait_init(&wait, TRESTLE_WAIT_SPIN, &crowd);
    assert_int_equal(count_looks(&wait, CLOCK_NEVER, 100000), 100000);
}

static unsigned count_quick_looks(struct ipc_wait *wait, uint32_t quick_looks)
{
    struct ipc_spin spin = ipc_spin_start_quick(wait, CLOCK_NEVER, quick_looks);
    unsigned looks = 0;
    while (ipc_spin_on(wait, &spin) && spin.start_ns == 0)
        looks++;
    return looks;
}

/* They come first, and only where somebody may spin. A pause between them makes them fewer. */
static void test_quick_looks(void **state)
{
    (void)state;
    struct ipc_wait adaptive = wait_with(TRESTLE_WAIT_ADAPTIVE);
    struct ipc_wait sleep = wait_with(TRESTLE_WAIT_SLEEP);
    adaptive.has_short_pause = false;
    assert_int_equal(count_quick_looks(&adaptive, 10), 10);
    adaptive.has_short_pause = true;
    assert_int_equal(count_quick_looks(&adaptive, 10), 5);
    assert_int_equal(count_quick_looks(&sleep, 10), 0);
}

/* Where others want the processors, nobody spins who may sleep. */
static void test_crowded(void **state)
{
    (void)state;
    struct ipc_wait adaptive = wait_with(TRESTLE_WAIT_ADAPTIVE);
    struct ipc_wait spin = wait_with(TRESTLE_WAIT_SPIN);
    unsigned alone = count_looks(&adaptive, CLOCK_NEVER, UINT32_MAX);
    assert_int_equal(crowd.until_ns, 0); /* no yield has taken long */
    crowd.until_ns = clock_ns() + 1000 * MS;
    assert_cmp(spin_of(&adaptive), >, 0); /* the peer may run */
    assert_cmp(spin_of(&adaptive), <, IPC_SPIN_LIMIT_NS / 2);
    adaptive.may_spin_long = adaptive.spins_long = true;
    assert_cmp(spin_of(&adaptive), <, IPC_SPIN_LIMIT_NS / 2);
    adaptive.may_spin_long = false;
    assert_int_equal(count_looks(&spin, CLOCK_NEVER, 10000), 10000);
    crowd.until_ns = 0;
    assert_int_equal(count_looks(&adaptive, CLOCK_NEVER, UINT32_MAX), alone);
}

static void test_two_long_yields_tell_of_others(void **state)
{
    (void)state;
    struct ipc_wait wait = wait_with(TRESTLE_WAIT_ADAPTIVE);
    crowd.until_ns = crowd.suspected_until_ns = 0;
    for (int i = 0; i < 3; i++) {
        num_long_yields = 1;
        count_looks(&wait, CLOCK_NEVER, UINT32_MAX);
        assert_int_equal(num_long_yields, 0);
        assert_int_equal(crowd.until_ns, 0); /* a hiccup, far from the one before */
        for (unsigned looks = 0; looks < 2000; looks++)
            (void)clock_ns();
    }
    num_long_yields = 2;
    count_looks(&wait, CLOCK_NEVER, UINT32_MAX);
    assert_cmp(crowd.until_ns, >, clock_ns());
    while (clock_ns() < crowd.until_ns)
        ;
    num_long_yields = 1; /* they are still there */
    count_looks(&wait, CLOCK_NEVER, UINT32_MAX);
    assert_cmp(crowd.until_ns, >, clock_ns());
    crowd.until_ns = crowd.suspected_until_ns = 0;
}

/* A wait of the bridge that a sleep has ended soon, beside others or not. */
static void sleep_soon(struct ipc_wait *wait, bool is_crowded)
{
    struct ipc_spin spin = {.start_ns = clock_ns(), .is_crowded = is_crowded};
    ipc_spin_end(wait, &spin);
}

static void test_leaves_the_peers_processor(void **state)
{
    (void)state;
    cpu_set_t all;
    struct ipc_wait stays = wait_with(TRESTLE_WAIT_ADAPTIVE);
    struct ipc_wait wait = stays;
    struct ipc_wait others = stays;
    wait.may_go_elsewhere = others.may_go_elsewhere = true;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    for (here = 0; !CPU_ISSET((size_t)here, &all); here++)
        ;
    num_given = 0;
    for (unsigned i = 0; i < 1000; i++)
        sleep_soon(&stays, true);
    for (unsigned i = 0; i < 1000; i++)
        sleep_soon(&wait, false);
    for (unsigned i = 0; i < 1000; i++)
        sleep_soon(&wait, i % 10 == 0);   /* now and then: the kernel let somebody in */
    for (unsigned i = 0; i < 1000; i++) { /* for long: the peer is at work, or waits for others */
        struct ipc_spin spin = {.start_ns = clock_ns() - MS, .is_crowded = true};
        ipc_spin_end(&others, &spin);
    }
    assert_int_equal(num_given, 0);
    for (unsigned i = 0; i < 100; i++)
        sleep_soon(&wait, true);
    if (CPU_COUNT(&all) == 1) {
        assert_int_equal(num_given, 0);
        return;
    }
    assert_int_equal(num_given, 2); /* once: another try comes later */
    assert_false(CPU_ISSET((size_t)here, &given[0]));
    assert_true(CPU_EQUAL(&given[1], &all));
    for (unsigned i = 0; i < 2000; i++)
        sleep_soon(&wait, true);
    assert_int_equal(num_given, 4);
}

static void test_spin_ends(void **state)
{
    (void)state;
    struct ipc_wait adaptive = wait_with(TRESTLE_WAIT_ADAPTIVE);
    struct ipc_wait spin = wait_with(TRESTLE_WAIT_SPIN);
    struct ipc_wait sleep = wait_with(TRESTLE_WAIT_SLEEP);
    unsigned bounded = count_looks(&adaptive, CLOCK_NEVER, UINT32_MAX);
    assert_cmp(bounded, >, 0);
    assert_cmp(bounded, <, UINT32_MAX);
    assert_int_equal(count_looks(&spin, CLOCK_NEVER, 100000), 100000);
    assert_cmp(count_looks(&spin, clock_ns() + MS, UINT32_MAX), <, UINT32_MAX);
    assert_int_equal(count_looks(&sleep, CLOCK_NEVER, 10), 0);
    assert_int_equal(count_looks(&adaptive, clock_ns() - 1, 10), 0);
}

static void test_long_waits_end_spinning(void **state)
{
    (void)state;
    struct ipc_wait wait = wait_with(TRESTLE_WAIT_ADAPTIVE);
    end_after(&wait, 10 * MS);
    assert_int_equal(wait.spin_ns, IPC_SPIN_LIMIT_NS / 2);
    for (int i = 0; i < 20; i++)
        end_after(&wait, 10 * MS);
    assert_int_equal(wait.spin_ns, 0);
    assert_int_equal(count_looks(&wait, CLOCK_NEVER, 10), 0);
}

static void test_short_wait_brings_spinning_back(void **state)
{
    (void)state;
    struct ipc_wait wait = wait_with(TRESTLE_WAIT_ADAPTIVE);
    wait.spin_ns = 0;
    end_after(&wait, 1);
    assert_int_equal(wait.spin_ns, IPC_SPIN_LIMIT_NS);
}

static void test_long_spins(void **state)
{
    (void)state;
    struct ipc_wait wait = wait_with(TRESTLE_WAIT_ADAPTIVE);
    end_after(&wait, IPC_LONG_SPIN_NS / 2);
    assert_cmp(spin_of(&wait), <=, IPC_SPIN_LIMIT_NS); /* not every place may */
    wait.may_spin_long = true;
    assert_int_equal(spin_of(&wait), IPC_LONG_SPIN_NS);
    end_after(&wait, 1);
    assert_int_equal(spin_of(&wait), IPC_LONG_SPIN_NS); /* says nothing of the events */
    end_after(&wait, MS);
    assert_cmp(spin_of(&wait), <=, IPC_SPIN_LIMIT_NS);
    end_after(&wait, 1);
    assert_int_equal(spin_of(&wait), IPC_SPIN_LIMIT_NS);
    struct ipc_wait sleep = wait_with(TRESTLE_WAIT_SLEEP);
    sleep.may_spin_long = true;
    end_after(&sleep, IPC_LONG_SPIN_NS / 2);
    assert_int_equal(count_looks(&sleep, CLOCK_NEVER, 10), 0);
}

static void test_first_look_teaches_nothing(void **state)
{
    (void)state;
    struct ipc_wait wait = wait_with(TRESTLE_WAIT_ADAPTIVE);
    wait.spin_ns = 7;
    struct ipc_spin spin = ipc_spin_start(CLOCK_NEVER);
    ipc_spin_end(&wait, &spin);
    assert_int_equal(wait.spin_ns, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_processor_never_spins),
        cmocka_unit_test(test_at_first),
        cmocka_unit_test(test_quick_looks),
        cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_two_long_yields_tell_of_others),
        cmocka_unit_test(test_leaves_the_peers_processor),
        cmocka_unit_test(test_spin_ends),
        cmocka_unit_test(test_long_waits_end_spinning),
        cmocka_unit_test(test_short_wait_brings_spinning_back),
        cmocka_unit_test(test_long_spins),
        cmocka_unit_test(test_first_look_teaches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
