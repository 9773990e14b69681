/* SPDX-License-Identifier: MIT */
/* The watchdog's thread, and the handlers for a model's crash and exit(). */
#include "run/watchdog.h"

#include <errno.h>
#include <execinfo.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vigil.h"
#include "log.h"
#include "sim/command.h"
#include "util.h"

/* What a clean-up may take before the process ends all the same. */
#define CLEAN_UP_S 10
#define FRAMES_MAX 24
/* Frames of the handler and of the system's way into it, with some to spare. */
#define FRAMES_OURS 4

/* Where a signal came that ends the process. */
enum crash_place { IN_CALLBACK, IN_THREAD, OUTSIDE, FROM_ELSEWHERE };

static struct {
    struct watchdog_options options;
    pthread_mutex_t
        looks; /* held by the thread while it looks at the sim, which must not go then */
    _Atomic(struct trestle_sim *) sim;
    pthread_t thread, served;
    pid_t pid; /* a model may fork: its child is not to end the run */
    bool is_started;
    int wake_fd;
    atomic_bool is_stopping, is_over, is_finishing;

    _Atomic uint64_t deadline_ns;
    _Atomic(const char *) deadline_what;
    atomic_int deadline_code;

    /* What the handler of a crash sets, in this order, the number last. */
    void *frames[FRAMES_MAX];
    int num_frames;
    struct trestle_activity crashed_in;
    bool is_inside; /* of that callback */
    enum crash_place place;
    pid_t sender;     /* 0: none */
    atomic_int crash; /* the signal */
    atomic_bool crash_is_told;
} dog = {.looks = PTHREAD_MUTEX_INITIALIZER, .wake_fd = -1};

static void say(enum trestle_log_level level, const char *sentence)
{
    log_line("trestle: %s: %s", level == TRESTLE_LOG_ERROR ? "error" : "warning", sentence);
}

/* Malloc'd. */
static char *describe(const struct trestle_activity *seen)
{
    char what[160];
    return xstrdup(vigil_describe(seen, what, sizeof(what)));
}

/* --- care --------------------------------------------------------------------------------------
 */

static struct {
    sigjmp_buf back;
    pthread_t thread;
} care;

static void on_trouble(int number)
{
    (void)number;
    if (pthread_equal(pthread_self(), care.thread))
        siglongjmp(care.back, 1);
    for (;;)
        pause(); /* the process is about to end */
}

/* After a crash: what a model has overwritten may be what tells of it, or what is to be cleaned up.
 * A step that meets that ends there. */
static __attribute__((noinline)) void with_care(void (*step)(void))
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGABRT};
    const struct sigaction action = {.sa_handler = on_trouble, .sa_flags = SA_NODEFER | SA_ONSTACK};
    struct sigaction before[3];
    sigset_t troubles, mask;
    sigemptyset(&troubles);
    care.thread = pthread_self();
    for (size_t i = 0; i < 3; i++) {
        sigaddset(&troubles, numbers[i]);
        sigaction(numbers[i], &action, &before[i]);
    }
    pthread_sigmask(SIG_UNBLOCK, &troubles, &mask);
    if (sigsetjmp(care.back, 1) == 0)
        step();
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    for (size_t i = 0; i < 3; i++)
        sigaction(numbers[i], &before[i], NULL);
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* Only the first comes through. */
static bool take_over(void)
{
    return !atomic_exchange(&dog.is_over, true);
}

static void limit_end(void)
{
    struct sigaction as_usual = {.sa_handler = SIG_DFL};
    sigaction(SIGALRM, &as_usual, NULL);
    alarm(CLEAN_UP_S);
}

static void clean_up(void)
{
    limit_end();
    if (!atomic_load(&dog.is_finishing) && dog.options.clean_up)
        dog.options.clean_up(dog.options.ctx);
    else if (atomic_load(&dog.is_finishing) && dog.options.lose)
        dog.options.lose(dog.options.ctx);
    log_end();
}

/* The run is to end: its deadline has come, or a signal that nobody takes. */
static const char *find_end(int *ret_code)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t pending;
    sigpending(&pending);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (sigismember(&pending, numbers[i]) == 1) {
            *ret_code = 128 + numbers[i];
            return strsignal(numbers[i]);
        }
    *ret_code = atomic_load(&dog.deadline_code);
    return clock_ns() >= atomic_load(&dog.deadline_ns) ? atomic_load(&dog.deadline_what) : NULL;
}

static void end_from_here(const char *what, int code)
{
    if (!take_over())
        return;
    if (what)
        log_line("trestle: %s ends %s", what, dog.options.ends);
    clean_up();
    _exit(code);
}

/* --- the thread --------------------------------------------------------------------------------
 */

/* What cannot end by itself: an engine is stopped, and so is the wait for a trace that nobody
 * reads; a callback is left where it is. */
static void see_to_end(struct vigil *vigil, uint64_t *ref_end_ns, uint64_t now_ns)
{
    int code;
    const char *what = find_end(&code);
    *ref_end_ns = !what ? 0 : *ref_end_ns ? *ref_end_ns : now_ns;
    /* In a model's fini() everything else is done, and nobody may be there to send a signal. */
    if (atomic_load(&dog.is_finishing) && vigil->told_callback)
        end_from_here(NULL, EXIT_FAILURE);
    /* A process of its own was asked to end by a signal. */
    bool is_known = atomic_load(&dog.is_finishing) && dog.options.fini_patience_ns;
    if (!what || is_known)
        return;
    enum vigil_obstacle obstacle = vigil_look_for_obstacle(vigil, *ref_end_ns, now_ns);
    bool is_enough = atomic_load(&dog.is_finishing) && now_ns - *ref_end_ns >= VIGIL_STUCK_NS;
    if (obstacle == VIGIL_CALLBACK || is_enough)
        end_from_here(what, code);
    else if (obstacle == VIGIL_ENGINE)
        trestle_sim_interrupt(dog.sim);
}

static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE ||
           number == SIGABRT || number == SIGTRAP || number == SIGSYS;
}

/* What is known of a signal that came while no model was called; malloc'd. */
static char *describe_outside(const char *name, const char *meaning)
{
    const struct trestle_activity *last = &dog.crashed_in;
    char *what = last->device[0]
                     ? xformat("; the last was %s, in its %s()", last->device, last->callback_name)
                     : xstrdup("");
    char *text = is_fault(dog.crash)
                     ? xformat("SIG%s (%s) outside of all models%s; a model may have written "
                               "beyond its memory; a build with -fsanitize=address shows where",
                               name, meaning, what)
                     : xformat("SIG%s (%s), perhaps caused by a model, ends %s%s", name, meaning,
                               dog.options.ends, what);
    free(what);
    return text;
}

static char *describe_crash(const char *name, const char *meaning)
{
    switch (dog.place) {
    case IN_CALLBACK: {
        char *what = describe(&dog.crashed_in);
        char *text = xformat("%s ends in SIG%s (%s); %s ends with it", what, name, meaning,
                             dog.options.ends);
        free(what);
        return text;
    }
    case IN_THREAD:
        return xformat("SIG%s (%s) in a thread of a model's own; %s ends with it", name, meaning,
                       dog.options.ends);
    case FROM_ELSEWHERE:
        return dog.sender ? xformat("SIG%s (%s) from process %d ends %s", name, meaning,
                                    (int)dog.sender, dog.options.ends)
                          : xformat("SIG%s (%s) ends %s", name, meaning, dog.options.ends);
    default:
        return describe_outside(name, meaning);
    }
}

static void tell_crash(void)
{
    int number = dog.crash;
    char *what =
        describe_crash(sigabbrev_np(number),
                       number == SIGABRT ? "abort(), a failed assertion, or an exception in C++"
                                         : strsignal(number));
    log_line("trestle: error: %s", what);
    free(what);
}

static void tell_frames(void)
{
    char **names = backtrace_symbols(dog.frames, dog.num_frames);
    for (int i = FRAMES_OURS; names && i < dog.num_frames; i++)
        log_line("trestle:   %s", names[i]);
    free(names);
}

static void limit_patience(struct vigil *vigil)
{
    uint64_t limit_ns = dog.options.fini_patience_ns;
    if (limit_ns && (vigil->patience_ns == 0 || vigil->patience_ns > limit_ns))
        vigil->patience_ns = limit_ns;
}

static void *watch(void *unused)
{
    struct vigil vigil = {.look = trestle_sim_look,
                          .say = say,
                          .patience_ns = dog.options.patience_ns,
                          .meanwhile = ""};
    uint64_t end_ns = 0; /* since when the run is to end; 0: it is not */
    (void)unused;
    for (;;) {
        struct pollfd poll_fd = {.fd = dog.wake_fd, .events = POLLIN};
        poll(&poll_fd, 1, VIGIL_TICK_MS);
        if (atomic_load(&dog.is_stopping))
            return NULL;
        if (atomic_load(&dog.crash)) {
            limit_end();
            with_care(tell_crash);
            if (dog.place != FROM_ELSEWHERE)
                with_care(tell_frames);
            with_care(clean_up);
            with_care(log_end);
            atomic_store(&dog.crash_is_told, true);
            return NULL;
        }
        if (atomic_load(&dog.is_over))
            continue;
        uint64_t now_ns = clock_ns();
        if (atomic_load(&dog.is_finishing))
            limit_patience(&vigil);
        pthread_mutex_lock(&dog.looks);
        vigil_look(&vigil, dog.sim, now_ns);
        see_to_end(&vigil, &end_ns, now_ns);
        pthread_mutex_unlock(&dog.looks);
    }
}

/* --- crashes and exits -------------------------------------------------------------------------
 */

static bool is_inside_model(struct trestle_activity *ret_seen)
{
    if (!atomic_load(&dog.sim) || !pthread_equal(pthread_self(), dog.served))
        return false;
    trestle_sim_look(dog.sim, ret_seen);
    return ret_seen->callback != TRESTLE_CALLBACK_NONE;
}

static void look(void)
{
    dog.is_inside = is_inside_model(&dog.crashed_in);
}

static __attribute__((noinline)) void take_frames(void)
{
    dog.num_frames = backtrace(dog.frames, FRAMES_MAX);
}

/* Not by a mistake of a model's: a user, a limit for processor time, another process. */
static bool is_from_elsewhere(int number, const siginfo_t *info)
{
    if (info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE)
        return info->si_pid != dog.pid;
    return number == SIGQUIT || number == SIGXCPU;
}

static enum crash_place find_place(int number, const siginfo_t *info)
{
    with_care(look);
    if (is_from_elsewhere(number, info))
        return FROM_ELSEWHERE;
    if (dog.is_inside)
        return IN_CALLBACK;
    return is_fault(number) && !pthread_equal(pthread_self(), dog.served) ? IN_THREAD : OUTSIDE;
}

/* In the thread that crashed. The rest is the watchdog's: here nothing may be allocated. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    const uint64_t one = 1;
    (void)context;
    signal(number, SIG_DFL);
    if (getpid() == dog.pid && atomic_load(&dog.sim) &&
        !pthread_equal(pthread_self(), dog.thread)) {
        if (take_over()) {
            dog.place = find_place(number, info);
            dog.sender = info->si_code == SI_KERNEL ? 0 : info->si_pid;
            with_care(take_frames);
            atomic_store(&dog.crash, number);
            (void)!write(dog.wake_fd, &one, sizeof(one));
        }
        for (unsigned i = 0; !atomic_load(&dog.crash_is_told) && i < CLEAN_UP_S * 200; i++)
            nanosleep(&pause, NULL);
    }
    raise(number);
}

/* A model has no business to end the process that serves it. Trestle itself ends when nothing is
 * watched any more, or because it is out of memory and has said so. */
static void end_by_model(const char *format, int status)
{
    struct trestle_activity seen;
    if (getpid() != dog.pid || !atomic_load(&dog.sim) ||
        pthread_equal(pthread_self(), dog.thread) || !take_over())
        return;
    bool is_inside = is_inside_model(&seen);
    bool is_named = is_inside || !pthread_equal(pthread_self(), dog.served);
    if (is_named) {
        char *what = is_inside ? describe(&seen) : xstrdup("a thread of a model's own");
        char *call = xformat(format, status);
        log_line("trestle: error: %s calls %s; %s ends with it", what, call, dog.options.ends);
        free(call);
        free(what);
    }
    clean_up();
    syscall(SYS_exit_group, is_named ? EXIT_FAILURE : status);
}

static void on_exit_of_model(int status, void *unused)
{
    (void)unused;
    end_by_model("exit(%d)", status);
}

static void on_quick_exit(void)
{
    end_by_model("quick_exit()", 0);
}

/* Nothing is called at the C library's _exit(). A model's call comes here instead, since symbols of
 * the executable come first. */
__attribute__((visibility("default"))) void _exit(int status)
{
    end_by_model("_exit(%d)", status);
    for (;;)
        syscall(SYS_exit_group, status);
}

/* AddressSanitizer, in a model that was built with it, says more. */
extern void __asan_init(void) __attribute__((weak));

static void handle_crashes(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS,  SIGILL,    SIGFPE,  SIGABRT, SIGTRAP, SIGSYS,
                                  SIGALRM, SIGPROF, SIGVTALRM, SIGUSR1, SIGUSR2, SIGQUIT, SIGXCPU};
    static char stack[65536];
    static bool is_done;
    const stack_t alternative = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_sigaction = on_crash,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    void *frame;
    if (is_done)
        return;
    is_done = true;
    backtrace(&frame, 1); /* the first call loads a library */
    on_exit(on_exit_of_model, NULL);
    (void)at_quick_exit(on_quick_exit);
    if (__asan_init)
        return;
    sigaltstack(&alternative, NULL);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        struct sigaction before;
        sigaction(numbers[i], NULL, &before);
        if (before.sa_handler == SIG_DFL) /* what is ignored stays ignored */
            sigaction(numbers[i], &action, NULL);
    }
}

/* --- start and stop ----------------------------------------------------------------------------
 */

int watchdog_start(const struct watchdog_options *options)
{
    sigset_t all, before;
    dog.options = *options;
    dog.served = pthread_self();
    dog.pid = getpid();
    atomic_store(&dog.deadline_ns, CLOCK_NEVER);
    atomic_store(&dog.is_stopping, false);
    atomic_store(&dog.is_finishing, false);
    dog.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (dog.wake_fd < 0)
        return -errno;
    handle_crashes();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&dog.thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    dog.is_started = r == 0;
    if (r)
        watchdog_stop();
    return -r;
}

void watchdog_watch(const struct trestle_sim *sim)
{
    pthread_mutex_lock(&dog.looks);
    atomic_store(&dog.sim, (struct trestle_sim *)(uintptr_t)sim);
    pthread_mutex_unlock(&dog.looks);
}

void watchdog_set_deadline(uint64_t deadline_ns, const char *what, int exit_code)
{
    atomic_store(&dog.deadline_what, what);
    atomic_store(&dog.deadline_code, exit_code);
    atomic_store(&dog.deadline_ns, deadline_ns);
}

void watchdog_finish(void)
{
    atomic_store(&dog.deadline_ns, CLOCK_NEVER);
    atomic_store(&dog.is_finishing, true);
}

void watchdog_stop(void)
{
    const uint64_t one = 1;
    atomic_store(&dog.sim, NULL);
    if (dog.is_started) {
        atomic_store(&dog.is_stopping, true);
        (void)!write(dog.wake_fd, &one, sizeof(one));
        pthread_join(dog.thread, NULL);
    }
    dog.is_started = false;
    if (dog.wake_fd >= 0)
        close(dog.wake_fd);
    dog.wake_fd = -1;
}
