/* SPDX-License-Identifier: MIT */
/* Waits for the end of its parent, and then kills all processes that carry the parent's mark. */
#include "run/keeper.h"

#include <dirent.h>
#include <errno.h>
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

/* A mark of this process and no other, even when another process has its number later. */
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

/* Holds on to nothing of its parent's, and hears no signal but SIGKILL. */
static void let_go(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    prctl(PR_SET_NAME, "trestle-keeper");
    (void)!chdir("/");
    close_range(0, ~0u, 0);
}

static void keep(pid_t parent, const char *mark)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    let_go();
    struct pollfd end = {.fd = pidfd_open(parent, 0), .events = POLLIN};
    while (getppid() == parent)
        poll(&end, 1, end.fd < 0 ? LOOK_MS : -1);
    for (unsigned i = 0; i < ROUNDS_MAX && kill_marked(mark) > 0; i++)
        nanosleep(&pause, NULL);
    _exit(0);
}

int keeper_start(pid_t *ret_pid)
{
    char mark[64];
    pid_t parent = getpid();
    int r = set_mark(mark, sizeof(mark));
    if (r)
        return r;
    pid_t pid = fork();
    if (pid == 0)
        keep(parent, mark);
    if (pid < 0)
        return -errno;
    *ret_pid = pid;
    return 0;
}

/* By its number, which is ours as long as nobody has waited for it: descriptors may be closed by
 * models. */
void keeper_stop(pid_t *ref_pid)
{
    if (*ref_pid == 0)
        return;
    if (kill(*ref_pid, SIGKILL) == 0) /* else it ends after us */
        while (waitpid(*ref_pid, NULL, 0) < 0 && errno == EINTR)
            ;
    *ref_pid = 0;
}
