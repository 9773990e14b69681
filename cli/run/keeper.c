/* SPDX-License-Identifier: MIT */
/* Waits for the end of its parent, and then kills whatever carries the parent's mark. */
#include "run/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/process.h"

#define MARK "TRESTLE_RUN"
/* What is killed has ended by then, or waits in the kernel. */
#define ROUNDS_MAX 100
#define PAUSE_NS 20000000
/* Where the parent's end cannot be waited for. */
#define LOOK_MS 100

/* --- the mark -------------------------------------------------------------------------------- */

/* Of this process and no other, even once its number is another's. */
static int set_mark(char *ret_mark, size_t size)
{
    struct process_info info;
    if (!process_look(getpid(), &info))
        return -ESRCH;
    snprintf(ret_mark, size, MARK "=%d:%" PRIu64, (int)getpid(), info.start);
    return setenv(MARK, strchr(ret_mark, '=') + 1, 1) < 0 ? -errno : 0;
}

/* Whether a process was started with the mark. Others' environments cannot be read. */
static bool has_mark(const char *pid, const char *mark)
{
    char path[64], *variable = NULL;
    size_t size = 0;
    bool is_found = false;
    snprintf(path, sizeof(path), "/proc/%.20s/environ", pid);
    FILE *file = fopen(path, "re");
    while (file && !is_found && getdelim(&variable, &size, '\0', file) > 0)
        is_found = strcmp(variable, mark) == 0;
    free(variable);
    if (file)
        fclose(file);
    return is_found;
}

/* How many there are. */
static unsigned kill_marked(const char *mark)
{
    unsigned count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc)) != NULL;) {
        pid_t pid = atoi(entry->d_name);
        if (pid <= 0 || pid == getpid() || !has_mark(entry->d_name, mark))
            continue;
        kill(pid, SIGKILL);
        count++;
    }
    if (proc)
        closedir(proc);
    return count;
}

/* --- its process ----------------------------------------------------------------------------- */

/* Holds on to nothing of its parent's, and hears no signal. */
static void let_go(int fd)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    prctl(PR_SET_NAME, "trestle-keeper");
    (void)!chdir("/");
    if (dup2(fd, STDIN_FILENO) < 0)
        _exit(1);
    close_range(STDOUT_FILENO, ~0u, 0);
}

/* Until the parent is gone, or has said that there is nothing to do. */
static void await_end(pid_t parent)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = pidfd_open(parent, 0), .events = POLLIN}};
    char byte;
    ssize_t n = -1;
    while (n != 1 && getppid() == parent) {
        poll(fds, 2, fds[1].fd < 0 ? LOOK_MS : -1);
        n = read(STDIN_FILENO, &byte, 1);
        if (n == 0)
            fds[0].fd = -1; /* its end says nothing: what a model has forked may hold it, too */
    }
    if (n == 1 || read(STDIN_FILENO, &byte, 1) == 1)
        _exit(0);
}

static void keep(pid_t parent, int fd, const char *mark)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    let_go(fd);
    await_end(parent);
    for (unsigned i = 0; i < ROUNDS_MAX && kill_marked(mark) > 0; i++)
        nanosleep(&pause, NULL);
    _exit(0);
}

int keeper_start(struct keeper *ret_keeper)
{
    char mark[64];
    int fds[2];
    pid_t parent = getpid();
    int error = set_mark(mark, sizeof(mark));
    if (error)
        return error;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    pid_t pid = fork();
    error = pid < 0 ? -errno : 0;
    if (pid == 0)
        keep(parent, fds[0], mark);
    close(fds[0]);
    if (error)
        close(fds[1]);
    else
        *ret_keeper = (struct keeper){.pid = pid, .fd = fds[1]};
    return error;
}

void keeper_stop(struct keeper *keeper)
{
    if (keeper->pid == 0)
        return;
    (void)!write(keeper->fd, "", 1);
    close(keeper->fd);
    while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    keeper->pid = 0;
}
