/* SPDX-License-Identifier: MIT */
/* Measures one side in many processes at once, and adds up what they say. */
#include "bench/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "bench/report.h"
#include "command.h"
#include "signals.h"

struct job {
    pid_t pid;     /* 0: it was not started, or has ended */
    int result_fd; /* a pipe: its struct bench_result */
};

static _Noreturn void measure(const struct bench_setup *setup, const struct bench_side *side,
                              pid_t parent, int result_fd)
{
    struct bench_result result;
    int signal = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it ended before that call */
        _exit(EXIT_FAILURE);
    int code = bench_measure(setup, side, &result, &signal);
    bool is_told = code == 0 && !signal &&
                   write(result_fd, &result, sizeof(result)) == (ssize_t)sizeof(result);
    _exit(is_told ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int start(struct job *job, const struct bench_setup *setup, const struct bench_side *side)
{
    int fds[2];
    pid_t self = getpid();
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        measure(setup, side, self, fds[1]);
    int r = pid < 0 ? -errno : 0;
    close(fds[1]);
    if (r)
        close(fds[0]);
    else
        *job = (struct job){.pid = pid, .result_fd = fds[0]};
    return r;
}

static void end(const struct job *jobs, unsigned count, int signal)
{
    for (unsigned i = 0; i < count; i++)
        if (jobs[i].pid)
            kill(jobs[i].pid, signal);
}

/* Passes on a signal that has come to this process alone: Ctrl-C at a terminal reaches all. Returns
 * it, or 0. */
static int pass_on(const struct job *jobs, unsigned count, int signal_fd)
{
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return 0;
    if (info.ssi_code != SI_KERNEL)
        end(jobs, count, (int)info.ssi_signo);
    return (int)info.ssi_signo;
}

/* Waits for its end. False: it has no result. */
static bool finish(struct job *job, struct bench_result *ret_result)
{
    ssize_t n;
    do
        n = read(job->result_fd, ret_result, sizeof(*ret_result));
    while (n < 0 && errno == EINTR);
    while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(job->result_fd);
    job->pid = 0;
    return n == (ssize_t)sizeof(*ret_result);
}

/* Waits until the job has a result, or has ended. Returns the first signal meanwhile, or 0. */
static int await(const struct job *jobs, unsigned count, const struct job *job, int signal_fd)
{
    struct pollfd fds[] = {{.fd = job->result_fd, .events = POLLIN},
                           {.fd = signal_fd, .events = POLLIN}};
    int signal = 0;
    while (!fds[0].revents) {
        if (poll(fds, 2, -1) > 0 && fds[1].revents) {
            int another = pass_on(jobs, count, signal_fd);
            signal = signal ? signal : another;
        }
    }
    return signal;
}

int bench_measure_jobs(const struct bench_setup *setup, const struct bench_side *side,
                       unsigned count, struct bench_result *ret_result, int *ret_signal)
{
    struct job *jobs = xcalloc(count, sizeof(*jobs));
    struct bench_result *results = xcalloc(count, sizeof(*results));
    double per_second = 0;
    unsigned failed = 0;
    int r = 0, signal_fd = signals_open(); /* without one, signals wait until all have ended */
    *ret_signal = 0;
    for (unsigned i = 0; i < count && r == 0; i++)
        r = start(&jobs[i], setup, side);
    if (r < 0) {
        command_fail("--jobs %u: a process could not be started: %s", count, error_text(r));
        end(jobs, count, SIGTERM);
    }
    for (unsigned i = 0; i < count; i++) {
        int signal = jobs[i].pid ? await(jobs, count, &jobs[i], signal_fd) : 0;
        *ret_signal = *ret_signal ? *ret_signal : signal;
        failed += !jobs[i].pid || !finish(&jobs[i], &results[i]);
        per_second += results[i].per_second;
    }
    if (signal_fd >= 0)
        close(signal_fd);
    if (failed > 0 && r == 0 && !*ret_signal)
        command_fail("--jobs %u: %u of them ended without a result", count, failed);
    *ret_result = bench_median(results, count);
    ret_result->per_second = per_second;
    free(results);
    free(jobs);
    return failed > 0 ? EXIT_FAILURE : 0;
}
