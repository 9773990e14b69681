/* SPDX-License-Identifier: MIT */
/* Processes that compute for ever, on whichever processor the scheduler gives them. */
#include "bench/neighbours.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void compute(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it ended before that call */
        _exit(EXIT_FAILURE);
    for (volatile unsigned long turns = 0;; turns++)
        continue;
}

int neighbours_start(struct neighbours *neighbours, unsigned count)
{
    pid_t self = getpid();
    neighbours->count = 0;
    while (neighbours->count < count) {
        pid_t pid = fork();
        if (pid == 0)
            compute(self);
        if (pid < 0) {
            int error = errno;
            neighbours_end(neighbours);
            return -error;
        }
        neighbours->pids[neighbours->count++] = pid;
    }
    return 0;
}

void neighbours_end(struct neighbours *neighbours)
{
    for (unsigned i = 0; i < neighbours->count; i++)
        kill(neighbours->pids[i], SIGKILL);
    for (unsigned i = 0; i < neighbours->count; i++)
        while (waitpid(neighbours->pids[i], NULL, 0) < 0 && errno == EINTR)
            continue;
    neighbours->count = 0;
}
