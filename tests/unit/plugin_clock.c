/* SPDX-License-Identifier: MIT */
/* How the plugin looks after QEMU itself, without one: a guest that waits for ever, leaps of the
 * guest's clock, the big lock, and a run that is gone. What is found once in a process, or ends it,
 * is in a process of its own. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "check.h"
#include "plugin/qemu/biglock.h"
#include "plugin/qemu/idle.h"
#include "plugin/qemu/owner.h"
#include "plugin/qemu/qemu_abi.h"
#include "plugin/qemu/say.h"
#include "plugin/qemu/warp.h"

struct qemu_abi qemu;
static bool counts_instructions, all_idle, is_stopped, is_vcpu;
static int64_t deadline_ns = -1, host_ns = 1000;
static struct {
    void (*ready)(void *opaque);
    int64_t at_ns;
    int clock;
    bool is_armed;
} timer;
static struct qemu_notifier *turn;
static qemu_cpu_work work;
static int deadline_attributes, watched_fd = -1;
static void (*on_gone)(void *opaque);
static char said[200];

bool qemu_counts_instructions(void)
{
    return counts_instructions;
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(said, sizeof(said), format, args);
    va_end(args);
}

static int64_t get_deadline(int clock, int attributes)
{
    assert_int_equal(clock, QEMU_CLOCK_VIRTUAL);
    deadline_attributes = attributes;
    return deadline_ns;
}

static int64_t get_host_ns(int clock)
{
    assert_int_equal(clock, QEMU_CLOCK_REALTIME);
    return host_ns;
}

static void init_timer(struct qemu_timer *given, struct qemu_timer_lists *lists, int clock,
                       int scale, int attributes, void (*ready)(void *opaque), void *opaque)
{
    assert_non_null(given);
    assert_int_equal(scale, QEMU_SCALE_NS);
    assert_int_equal(attributes, 0);
    assert_null(opaque);
    assert_int_equal(lists != NULL, clock == QEMU_CLOCK_VIRTUAL); /* one that nobody runs */
    timer.ready = ready;
    timer.clock = clock;
}

static void arm(struct qemu_timer *given, int64_t ns)
{
    assert_non_null(given);
    timer.is_armed = true;
    timer.at_ns = ns;
}

static void disarm(struct qemu_timer *given)
{
    assert_non_null(given);
    timer.is_armed = false;
}

static void init_lists(struct qemu_timer_lists *lists, void (*notify)(void *, int), void *opaque)
{
    assert_non_null(lists);
    notify(opaque, 0);
}

static void add_turn(struct qemu_notifier *notifier)
{
    turn = notifier;
}

static struct qemu_cpu *get_cpu(int number)
{
    assert_int_equal(number, 0);
    return (struct qemu_cpu *)&timer;
}

static void run_on_cpu(struct qemu_cpu *cpu, qemu_cpu_work given, uint64_t data)
{
    assert_ptr_equal(cpu, &timer);
    assert_int_equal(data, 0);
    assert_null(work); /* one at a time */
    work = given;
}

static bool are_idle(void)
{
    return all_idle;
}

static bool is_running(void)
{
    return !is_stopped;
}

static bool in_vcpu_thread(void)
{
    return is_vcpu;
}

static void set_fd_handler(int fd, void (*read)(void *), void (*write)(void *), void *opaque)
{
    assert_null(write);
    assert_null(opaque);
    watched_fd = fd;
    on_gone = read;
}

static pthread_mutex_t bql = PTHREAD_MUTEX_INITIALIZER;

static void lock(const char *file, int line)
{
    assert_non_null(file);
    assert_cmp(line, >, 0);
    pthread_mutex_lock(&bql);
}

static void unlock(void)
{
    pthread_mutex_unlock(&bql);
}

static void set_up(void)
{
    qemu = (struct qemu_abi){.qemu_clock_deadline_ns_all = get_deadline,
                             .qemu_clock_get_ns = get_host_ns,
                             .timer_init_full = init_timer,
                             .timer_mod_ns = arm,
                             .timer_del = disarm,
                             .timerlistgroup_init = init_lists,
                             .main_loop_poll_add_notifier = add_turn,
                             .qemu_get_cpu = get_cpu,
                             .async_run_on_cpu = run_on_cpu,
                             .all_cpu_threads_idle = are_idle,
                             .runstate_is_running = is_running,
                             .qemu_in_vcpu_thread = in_vcpu_thread,
                             .qemu_set_fd_handler = set_fd_handler,
                             .bql_lock = lock,
                             .bql_unlock = unlock};
}

/* --- a guest that waits for ever ------------------------------------------------------------- */

#define MS INT64_C(1000000)

/* How long until the next look. */
static int64_t look(void)
{
    assert_true(timer.is_armed);
    assert_int_equal(timer.clock, QEMU_CLOCK_REALTIME);
    host_ns = timer.at_ns;
    timer.is_armed = false;
    timer.ready(NULL);
    return timer.is_armed ? timer.at_ns - host_ns : -1;
}

static void test_a_guest_that_waits_for_ever(void **state)
{
    (void)state;
    all_idle = true;
    idle_watch(false);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(look(), 100 * MS);
    assert_string_equal(said, "");
    assert_int_equal(look(), -1);
    assert_string_equal(said, "the guest waits for ever: it is idle and no timer is armed; only "
                              "console input can wake it");
    assert_int_equal(deadline_attributes, ~QEMU_TIMER_ATTR_EXTERNAL);
}

/* Whatever is seen in between begins the looks again. */
static void test_a_guest_that_lives(void **state)
{
    (void)state;
    all_idle = true;
    idle_watch(false);
    look();
    look();
    look();
    all_idle = false;
    assert_int_equal(look(), 200 * MS);
    all_idle = true;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(look(), 100 * MS);
    is_stopped = true; /* by a debugger, say */
    assert_cmp(look(), >, 0);
    is_stopped = false;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(look(), 100 * MS);
    assert_string_equal(said, "");
    assert_int_equal(look(), -1);
}

/* Looks become rarer, but where the guest uses devices, and none comes before its next timer. */
static void test_looks(void **state)
{
    (void)state;
    idle_watch(false);
    for (int64_t ms = 400; ms < 10000; ms *= 2)
        assert_int_equal(look(), ms * MS);
    assert_int_equal(look(), 10000 * MS);
    assert_int_equal(look(), 10000 * MS);
    idle_device_used = true;
    assert_int_equal(look(), 100 * MS);
    assert_false(idle_device_used);
    assert_int_equal(look(), 200 * MS);
    all_idle = true;
    deadline_ns = 3000 * MS;
    assert_int_equal(look(), 3000 * MS);
    deadline_ns = 60000 * MS;
    assert_int_equal(look(), 10000 * MS);
    idle_device_used = true;
    deadline_ns = 5 * MS;
    assert_int_equal(look(), 100 * MS);
    /* A timer at the end of time is none. */
    deadline_ns = INT64_C(1000000000) * 86400 * 365 * 10;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(look(), 100 * MS);
    assert_int_equal(look(), -1);
}

/* 0: it did not end. */
static int status_of(void (*run)(void))
{
    int result;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        run();
        exit(0);
    }
    assert_int_equal(waitpid(pid, &result, 0), pid);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

static void wait_for_ever(void)
{
    all_idle = true;
    idle_watch(true);
    for (unsigned i = 0; i < 4; i++)
        look();
}

static void test_the_end_of_one_that_waits_for_ever(void **state)
{
    (void)state;
    assert_int_equal(status_of(wait_for_ever), 125);
}

/* --- leaps of the clock ---------------------------------------------------------------------- */

static void do_turn(int poll_state)
{
    struct qemu_main_loop_poll poll = {.state = poll_state};
    turn->notify(turn, &poll);
}

static void test_no_leaps_without_icount(void **state)
{
    (void)state;
    warp_start();
    assert_null(turn);
    warp_hold();
    assert_false(timer.is_armed);
    assert_false(warp_guest_is_halted());
    all_idle = true;
    assert_true(warp_guest_is_halted());
}

static void test_leaps(void **state)
{
    (void)state;
    counts_instructions = true;
    warp_start();
    do_turn(1); /* the guest runs: no leap in this turn */
    assert_true(timer.is_armed);
    assert_int_equal(timer.at_ns, 0);
    do_turn(QEMU_MAIN_LOOP_POLL_FILL); /* while it waits it sees the real timers */
    assert_false(timer.is_armed);
    all_idle = true; /* perhaps in the middle of its wfi: its thread is asked */
    do_turn(1);
    assert_non_null(work);
    assert_false(warp_guest_is_halted());
    do_turn(1); /* once */
    work((struct qemu_cpu *)&timer, 0);
    work = NULL;
    assert_true(warp_guest_is_halted());
    assert_int_equal(deadline_attributes, QEMU_TIMER_ATTR_ALL);
    warp_hold();
    assert_false(timer.is_armed); /* the next turn may leap */
    do_turn(1);
    assert_null(work);
    warp_hold();
    assert_true(timer.is_armed); /* and no other */
    timer.is_armed = false;
    do_turn(1);
    assert_non_null(work);
    all_idle = false; /* it was not so after all */
    work((struct qemu_cpu *)&timer, 0);
    work = NULL;
    assert_false(warp_guest_is_halted());
    all_idle = true;
    deadline_ns = 0; /* the thread is about to run a timer */
    do_turn(1);
    work((struct qemu_cpu *)&timer, 0);
    assert_false(warp_guest_is_halted());
    deadline_ns = -1;
    work((struct qemu_cpu *)&timer, 0);
    assert_true(warp_guest_is_halted());
    all_idle = false;
    do_turn(1);
    assert_false(warp_guest_is_halted());
}

/* --- the big lock ---------------------------------------------------------------------------- */

static void test_big_locks_that_cannot_be_left(void **state)
{
    (void)state;
    assert_null(biglock_refusal());
    counts_instructions = true;
    assert_string_equal(biglock_refusal(),
                        "with -icount the vCPUs take turns, so this would gain nothing");
    qemu.bql_lock = NULL;
    assert_string_equal(biglock_refusal(), "this QEMU does not export its big lock");
    qemu.bql_lock = lock;
    qemu.bql_unlock = NULL;
    assert_string_equal(biglock_refusal(), "this QEMU does not export its big lock");
}

static bool is_busy;

static void *access_too(void *unused)
{
    (void)unused;
    lock("test", 1);
    int r = biglock_begin(&is_busy);
    biglock_end(&is_busy);
    unlock();
    return (void *)(intptr_t)r;
}

/* A second access to the same device waits without the lock. */
static void test_one_access_at_a_time(void **state)
{
    pthread_t other;
    void *result = &other;
    (void)state;
    is_vcpu = true;
    lock("test", 1);
    assert_false(biglock_may_drop(is_busy));
    assert_int_equal(biglock_begin(&is_busy), 0);
    assert_true(is_busy);
    assert_true(biglock_may_drop(is_busy));
    assert_int_equal(pthread_create(&other, NULL, access_too, NULL), 0);
    biglock_drop();  /* as one that sleeps */
    lock("test", 1); /* which the other one leaves, sooner or later */
    unlock();
    biglock_retake();
    assert_true(is_busy);
    biglock_end(&is_busy);
    biglock_drop();
    assert_int_equal(pthread_join(other, &result), 0);
    assert_null(result);
    assert_false(is_busy);
    is_busy = true;
    is_vcpu = false; /* QEMU's main loop does not wait */
    assert_false(biglock_may_drop(is_busy));
    assert_int_equal(biglock_begin(&is_busy), -EBUSY);
}

/* --- the run that started it ----------------------------------------------------------------- */

static void own(pid_t pid, int64_t later, uint64_t space)
{
    struct process_info info = {.start = 1000000};
    char value[100];
    (void)process_look(pid, &info);
    snprintf(value, sizeof(value), "%d:%llu:%llu", (int)pid,
             (unsigned long long)(info.start + (uint64_t)later), (unsigned long long)space);
    assert_true(owner_set(value));
    owner_watch();
}

static void belong_to_parent(void)
{
    own(getppid(), 0, process_namespace());
    if (watched_fd < 0)
        exit(9);
    on_gone(NULL);
}

static void belong_to_another_namespace(void)
{
    own(1, 5000, process_namespace() + 1);
    exit(watched_fd >= 0);
}

static void belong_to_one_that_started_later(void)
{
    own(getppid(), 501, process_namespace());
}

static void belong_to_one_that_started_earlier(void)
{
    own(getppid(), -501, process_namespace());
}

static void belong_to_one_that_started_a_little_earlier(void)
{
    own(getppid(), -500, process_namespace());
    exit(watched_fd >= 0 ? 7 : 8);
}

static void belong_to_one_of_an_emulator(void)
{
    own(getppid(), 500, process_namespace());
    exit(watched_fd >= 0 ? 7 : 8);
}

static void belong_to_nobody(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    own(pid, 0, process_namespace());
}

static void test_owners(void **state)
{
    static const char *const wrong[] = {"", "0:1:1", "-1:1:1", "1:1", "1:1:1:", "x:1:1"};
    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(owner_set(wrong[i]));
    assert_int_equal(status_of(belong_to_parent), 1);
    assert_int_equal(status_of(belong_to_another_namespace), 0);
    assert_int_equal(status_of(belong_to_one_that_started_later), 1);
    assert_int_equal(status_of(belong_to_one_of_an_emulator), 7);
    struct process_info info;
    if (!process_look(getpid(), &info) || info.start < 1000)
        return; /* under an emulator */
    assert_int_equal(status_of(belong_to_one_that_started_earlier), 1);
    assert_int_equal(status_of(belong_to_one_that_started_a_little_earlier), 7);
    assert_int_equal(status_of(belong_to_nobody), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_guest_that_waits_for_ever),
        cmocka_unit_test(test_a_guest_that_lives),
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_the_end_of_one_that_waits_for_ever),
        cmocka_unit_test(test_no_leaps_without_icount),
        cmocka_unit_test(test_leaps),
        cmocka_unit_test(test_big_locks_that_cannot_be_left),
        cmocka_unit_test(test_one_access_at_a_time),
        cmocka_unit_test(test_owners),
    };
    return check_run_apart(tests, set_up);
}
