/* SPDX-License-Identifier: MIT */
/* Measures one side in many processes at once, and adds up what they say. */
#include "bench/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "bench/report.h"
#include "command.h"

struct job {
    pid_t pid;     /* 0: it was not started */
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

/* Waits for its end. False: it has no result. */
static bool finish(const struct job *job, struct bench_result *ret_result)
{
    ssize_t n;
    if (job->pid == 0)
        return false;
    do
        n = read(job->result_fd, ret_result, sizeof(*ret_result));
    while (n < 0 && errno == EINTR);
    while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(job->result_fd);
    return n == (ssize_t)sizeof(*ret_result);
}

int bench_measure_jobs(const struct bench_setup *setup, const struct bench_side *side,
                       unsigned count, struct bench_result *ret_result)
{
    struct job *jobs = xcalloc(count, sizeof(*jobs));
    struct bench_result *results = xcalloc(count, sizeof(*results));
    double per_second = 0;
    unsigned failed = 0;
    int r = 0;
    for (unsigned i = 0; i < count && r == 0; i++)
        r = start(&jobs[i], setup, side);
    if (r < 0)
        command_fail("--jobs %u: a process could not be started: %s", count, error_text(r));
    for (unsigned i = 0; i < count && r < 0; i++)
        if (jobs[i].pid)
            kill(jobs[i].pid, SIGTERM);
    for (unsigned i = 0; i < count; i++) {
        failed += !finish(&jobs[i], &results[i]);
        per_second += results[i].per_second;
    }
    if (failed > 0 && r == 0)
        command_fail("--jobs %u: %u of them ended without a result", count, failed);
    *ret_result = bench_median(results, count);
    ret_result->per_second = per_second;
    free(results);
    free(jobs);
    return failed > 0 ? EXIT_FAILURE : 0;
}
