/* SPDX-License-Identifier: MIT */
/* A thread and handlers of signals that look at what models do inside QEMU. */
#include "guard.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vigil.h"
#include "log.h"
#include "sim/command.h"

/* What the end after a crash may take: the model may have died with a lock that it needs. */
#define LAST_WORDS_S 10

/* A fini() has longer than other callbacks, since it may have much to write; but the run kills QEMU
 * 3 s after it has asked it to end, and knows no names. */
#define FINI_MORE_NS (3 * NS_PER_S / 2)

#define FRAMES_MAX 24
/* This file's two, and the system's way into a handler. */
#define FRAMES_OURS 3

static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
#define NUM_NUMBERS (sizeof(numbers) / sizeof(*numbers))

static struct guard {
    _Atomic(struct trestle_sim *) sim; /* NULL: nothing is watched */
    struct guard_options options;
    struct sigaction before[NUM_NUMBERS];
    struct vigil vigil; /* the thread's */
    pthread_t thread;
    pid_t pid; /* a model may fork: its child is not QEMU */
    bool has_thread, has_exit;
    atomic_bool is_stopping, is_over;
    int crash; /* the signal */
} guard;

_Thread_local bool guard_has_thread;

/* --- what takes long -----------------------------------------------------------------------------
 */

static void say(enum trestle_log_level level, const char *sentence)
{
    log_line("trestle: %s: %s", level == TRESTLE_LOG_ERROR ? "error" : "warning", sentence);
}

/* QEMU's are gone as well, and it would stand still for ever. */
static void look_for_closed(void)
{
    const struct trestle_activity *seen = &guard.vigil.seen;
    if (fcntl(guard.options.open_fd, F_GETFD) >= 0 || errno != EBADF ||
        atomic_exchange(&guard.is_over, true))
        return;
    log_line("trestle: error: a model inside QEMU has closed descriptors that are not its own; the "
             "last was %s, in its %s(); QEMU ends with it",
             seen->device, seen->callback_name ? seen->callback_name : "init");
    log_end();
    _exit(EXIT_FAILURE);
}

/* A callback is left where it is, and so is QEMU, which waits for it. */
static void end_from_here(void)
{
    if (atomic_exchange(&guard.is_over, true))
        return;
    guard.options.last_words();
    log_end();
    _exit(EXIT_FAILURE);
}

/* QEMU is to end, and cannot before the thread that has called a model is back. An engine is
 * stopped, and QEMU ends in order. */
static void see_to_end(uint64_t *ref_end_ns, uint64_t now_ns)
{
    bool is_last = guard.vigil.seen.callback == TRESTLE_CALLBACK_FINI;
    /* QEMU has nothing else to do any more, and nobody may be there to end it. */
    if (is_last && guard.vigil.told_callback)
        end_from_here();
    struct pollfd end = {.fd = guard.options.end_fd};
    if (*ref_end_ns == 0 && (poll(&end, 1, 0) <= 0 || !(end.revents & POLLHUP)))
        return;
    *ref_end_ns = *ref_end_ns ? *ref_end_ns : now_ns;
    uint64_t end_ns = *ref_end_ns + (is_last ? FINI_MORE_NS : 0);
    if (now_ns < end_ns)
        return;
    enum vigil_obstacle obstacle = vigil_look_for_obstacle(&guard.vigil, end_ns, now_ns);
    if (obstacle == VIGIL_CALLBACK)
        end_from_here();
    else if (obstacle == VIGIL_ENGINE)
        trestle_sim_interrupt(guard.sim);
}

static void *watch(void *unused)
{
    const struct timespec tick = {.tv_nsec = VIGIL_TICK_MS * (long)NS_PER_MS};
    uint64_t end_ns = 0; /* since when QEMU is to end; 0: it is not */
    (void)unused;
    while (!atomic_load(&guard.is_stopping)) {
        nanosleep(&tick, NULL);
        if (atomic_load(&guard.is_over))
            continue;
        uint64_t now_ns = clock_ns();
        vigil_look(&guard.vigil, guard.sim, now_ns);
        look_for_closed();
        see_to_end(&end_ns, now_ns);
    }
    return NULL;
}

/* QEMU's threads handle its signals. */
static void start_thread(void)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    guard.has_thread = pthread_create(&guard.thread, NULL, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* --- what ends QEMU ------------------------------------------------------------------------------
 */

/* The callback that is under way, if this is the first end of the process. */
static bool take_over(struct trestle_activity *ret_seen)
{
    if (!guard.sim || getpid() != guard.pid || atomic_exchange(&guard.is_over, true))
        return false;
    trestle_sim_look(guard.sim, ret_seen);
    return true;
}

static void on_stuck(int unused)
{
    (void)unused;
    raise(guard.crash);
}

static void end_within(unsigned seconds)
{
    struct sigaction action = {.sa_handler = on_stuck};
    sigset_t alarm_only;
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
    alarm(seconds);
}

/* In a signal's handler: no stream and no memory. */
static void name(const struct trestle_activity *seen, const char *what)
{
    char whose[160], line[320];
    snprintf(line, sizeof(line),
             "trestle: error: %s %s; QEMU, whose process it shares, ends with it\n",
             vigil_describe(seen, whose, sizeof(whose)), what);
    log_text(line);
}

/* Between two callbacks, or in QEMU itself. */
static void name_last(const struct trestle_activity *seen, const char *what)
{
    char line[400];
    snprintf(line, sizeof(line),
             "trestle: error: QEMU %s outside of all models; the last was %s, in its %s(): a model "
             "in its process may have written beyond its memory\n",
             what, seen->device, seen->callback_name);
    log_text(line);
}

static __attribute__((noinline)) void tell_frames(void)
{
    void *frames[FRAMES_MAX];
    int count = backtrace(frames, FRAMES_MAX);
    char **names = backtrace_symbols(frames, count);
    for (int i = FRAMES_OURS; names && i < count; i++)
        log_line("trestle:   %s", names[i]);
    free(names);
}

/* Best effort: the process is about to end. */
static void on_crash(int number)
{
    struct trestle_activity seen;
    char what[80];
    signal(number, SIG_DFL);
    if (take_over(&seen)) {
        guard.crash = number;
        end_within(LAST_WORDS_S);
        snprintf(what, sizeof(what), "ends in SIG%s (%s)", sigabbrev_np(number),
                 number == SIGABRT ? "abort(), a failed assertion, or an exception in C++"
                                   : sigdescr_np(number));
        if (seen.callback != TRESTLE_CALLBACK_NONE) {
            name(&seen, what);
            guard.options.last_words();
            tell_frames();
        } else if (seen.device[0]) {
            name_last(&seen, what); /* and what was served may be as damaged */
        }
        log_end();
    }
    raise(number);
}

/* QEMU ends in order, too; but never while it waits for a model. */
void guard_exit(int status)
{
    struct trestle_activity seen;
    char what[40];
    if (!guard.sim || getpid() != guard.pid)
        return;
    trestle_sim_look(guard.sim, &seen);
    if (seen.callback == TRESTLE_CALLBACK_NONE || !take_over(&seen))
        return;
    snprintf(what, sizeof(what), "calls exit(%d)", status);
    name(&seen, what);
    guard.options.last_words();
    log_end();
    _exit(EXIT_FAILURE);
}

static void on_exit_of_model(int status, void *unused)
{
    (void)unused;
    guard_exit(status);
}

/* QEMU's vCPUs block them, and then the kernel asks no handler. From glibc 2.41 on abort() does not
 * unblock its signal. */
void guard_take_thread(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGBUS);
    sigaddset(&set, SIGABRT);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    guard_has_thread = true;
}

void guard_start(struct trestle_sim *sim, const struct guard_options *options)
{
    guard = (struct guard){
        .sim = sim,
        .options = *options,
        .pid = getpid(),
        .has_exit = guard.has_exit,
        .vigil = {.look = trestle_sim_look,
                  .say = say,
                  .patience_ns = (uint64_t)options->patience_ms * NS_PER_MS,
                  .meanwhile = ", and QEMU stands still with it"},
    };
    start_thread();
    void *frame;
    backtrace(&frame, 1); /* the first call loads a library */
    if (!guard.has_exit)
        guard.has_exit = on_exit(on_exit_of_model, NULL) == 0;
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_NODEFER | SA_ONSTACK};
    for (size_t i = 0; i < NUM_NUMBERS; i++)
        sigaction(numbers[i], &action, &guard.before[i]);
}

void guard_stop(void)
{
    if (!guard.sim)
        return;
    atomic_store(&guard.is_stopping, true);
    if (guard.has_thread)
        pthread_join(guard.thread, NULL);
    for (size_t i = 0; i < NUM_NUMBERS; i++)
        sigaction(numbers[i], &guard.before[i], NULL);
    guard.sim = NULL;
}
