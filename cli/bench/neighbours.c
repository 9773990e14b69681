/* SPDX-License-Identifier: MIT */
/* Processes that compute for ever, on whichever processor the scheduler gives them. */
#include "bench/neighbours.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void compute(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it ended before that call */
        _exit(EXIT_FAILURE);
    for (;;)
        __asm__ volatile("");
}

int neighbours_start(struct neighbours *neighbours, unsigned count)
{
    pid_t self = getpid();
    neighbours->count = 0;
    while (neighbours->count < count) {
        pid_t pid = fork();
        if (pid == 0)
            compute(self);
        int fd = pid < 0 ? -1 : pidfd_open(pid, 0);
        if (fd < 0) {
            int r = errno;
            if (pid > 0)
                kill(pid, SIGKILL);
            neighbours_end(neighbours);
            return -r;
        }
        neighbours->fds[neighbours->count++] = fd;
    }
    return 0;
}

void neighbours_end(struct neighbours *neighbours)
{
    for (unsigned i = 0; i < neighbours->count; i++) {
        siginfo_t info;
        (void)pidfd_send_signal(neighbours->fds[i], SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t)neighbours->fds[i], &info, WEXITED) < 0 && errno == EINTR)
            continue;
        close(neighbours->fds[i]);
    }
    neighbours->count = 0;
}
