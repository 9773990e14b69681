/* SPDX-License-Identifier: MIT */
/* A thread and handlers of signals that look at what models do inside QEMU. */
#include "guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define TICK_NS (100 * (long)NS_PER_MS)

static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
#define NUM_NUMBERS (sizeof(numbers) / sizeof(*numbers))

static struct guard {
    _Atomic(const struct trestle_sim *) sim; /* NULL: nothing is watched */
    uint64_t patience_ns;
    void (*crashed)(void);
    struct sigaction before[NUM_NUMBERS];
    pthread_t thread;
    bool has_thread;
    atomic_bool is_stopping, has_crashed;
} guard;

static int describe(const struct trestle_activity *seen, char *text, size_t size)
{
    if (seen->size == 0)
        return snprintf(text, size, "%s: its %s()", seen->device, seen->callback_name);
    return snprintf(text, size, "%s: its %s() of %u bytes at offset 0x%llx", seen->device,
                    seen->callback_name, seen->size, (unsigned long long)seen->offset);
}

/* --- a callback that does not return ------------------------------------------------------------
 */

static void *watch(void *unused)
{
    struct trestle_activity seen, before = {0};
    uint64_t since_ns = 0;
    bool is_told = false;
    (void)unused;
    while (!atomic_load(&guard.is_stopping)) {
        const struct timespec tick = {.tv_nsec = TICK_NS};
        nanosleep(&tick, NULL);
        trestle_sim_look(guard.sim, &seen);
        uint64_t now_ns = clock_ns();
        if (seen.callback == TRESTLE_CALLBACK_NONE || seen.callbacks != before.callbacks) {
            since_ns = now_ns;
            is_told = false;
        } else if (!is_told && now_ns - since_ns >= guard.patience_ns) {
            char what[160];
            describe(&seen, what, sizeof(what));
            fprintf(stderr,
                    "trestle: error: %s has not returned for %.1f s, and QEMU stands still with "
                    "it; gdb -p %d shows where it is\n",
                    what, (double)(now_ns - since_ns) / (double)NS_PER_S, (int)getpid());
            is_told = true;
        }
        before = seen;
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

/* --- crashes -------------------------------------------------------------------------------------
 */

/* Best effort: the process is about to end. */
static void on_crash(int number)
{
    struct trestle_activity seen = {0};
    char what[160], line[320];
    signal(number, SIG_DFL);
    if (guard.sim && !atomic_exchange(&guard.has_crashed, true)) {
        trestle_sim_look(guard.sim, &seen);
        if (seen.callback != TRESTLE_CALLBACK_NONE) {
            describe(&seen, what, sizeof(what));
            int length = snprintf(line, sizeof(line),
                                  "trestle: error: %s ends in SIG%s (%s); QEMU, whose process it "
                                  "shares, ends with it\n",
                                  what, sigabbrev_np(number), sigdescr_np(number));
            (void)!write(STDERR_FILENO, line, (size_t)length);
        }
        guard.crashed();
    }
    raise(number);
}

void guard_start(const struct trestle_sim *sim, int64_t patience_ms, void (*crashed)(void))
{
    guard = (struct guard){
        .sim = sim, .patience_ns = (uint64_t)patience_ms * NS_PER_MS, .crashed = crashed};
    if (patience_ms > 0)
        start_thread();
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
