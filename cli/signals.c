/* SPDX-License-Identifier: MIT */
/* Takes the signals that end a command as bytes to read. */
#include "signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>

sigset_t signals_not_ignored(const int *numbers)
{
    struct sigaction action;
    sigset_t set;
    sigemptyset(&set);
    for (; *numbers; numbers++)
        if (sigaction(*numbers, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, *numbers);
    return set;
}

static sigset_t that_end(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, 0};
    return signals_not_ignored(numbers);
}

sigset_t signals_hold(void)
{
    sigset_t set = that_end(), before;
    sigprocmask(SIG_BLOCK, &set, &before);
    return before;
}

void signals_release(const sigset_t *before)
{
    sigprocmask(SIG_SETMASK, before, NULL);
}

int signals_open(void)
{
    sigset_t set = that_end();
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    sigprocmask(SIG_BLOCK, &set, NULL);
    return fd;
}
