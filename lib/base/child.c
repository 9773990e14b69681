/* SPDX-License-Identifier: MIT */
/* Starts child processes and ends them. */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>
#include <sys/pidfd.h>

/* Between fork and exec: only async-signal-safe calls. */
static void exec_child(const struct child_options *options, pid_t parent, int report_fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (options->has_own_group)
        setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* the parent died before it could be watched */
    for (int fd = 0; fd < 2; fd++)
        if (options->stdio_fds[fd] >= 0)
            dup2(options->stdio_fds[fd], fd);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    if (options->kept_fd >= 0)
        fcntl(options->kept_fd, F_SETFD, 0);
    execve(options->path, options->argv, options->env ? options->env : environ);
    int error = errno;
    (void)!write(report_fd, &error, sizeof(error));
    _exit(127);
}

static int start_reporting(const struct child_options *options, const int report[2],
                           struct child *child)
{
    int error = 0;
    pid_t parent = getpid();
    child->pid = fork();
    if (child->pid == 0)
        exec_child(options, parent, report[1]);
    if (child->pid < 0)
        return -errno;
    child->fd = pidfd_open(child->pid, 0);
    if (child->fd < 0)
        return -errno;
    close(report[1]);
    ssize_t n;
    do
        n = read(report[0], &error, sizeof(error));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(error) ? -error : 0;
}

int child_start(const struct child_options *options, struct child *ret_child)
{
    struct child child = CHILD_NONE;
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    int error = start_reporting(options, report, &child);
    if (child.fd < 0)
        close(report[1]);
    close(report[0]);
    if (error)
        child_finish(&child);
    else
        *ret_child = child;
    return error;
}

static bool reap(struct child *child, int flags)
{
    pid_t reaped;
    do
        reaped = waitpid(child->pid, &child->wait_status, flags);
    while (reaped < 0 && errno == EINTR);
    if (reaped == 0)
        return false;
    child->pid = -1;
    return true;
}

bool child_ended(struct child *child)
{
    return child->pid < 0 || reap(child, WNOHANG);
}

int child_exit_code(const struct child *child)
{
    int status = child->wait_status;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void child_ask_to_end(const struct child *child)
{
    if (child->pid < 0)
        return;
    kill(child->pid, SIGTERM);
    kill(child->pid, SIGCONT); /* a stopped process does not see SIGTERM */
}

void child_stop(struct child *child, int grace_ms)
{
    struct pollfd poll_fd = {.fd = child->fd, .events = POLLIN};
    if (child_ended(child))
        return;
    child_ask_to_end(child);
    poll(&poll_fd, 1, grace_ms);
    if (child_ended(child))
        return;
    kill(child->pid, SIGKILL);
    reap(child, 0);
}

void child_finish(struct child *child)
{
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        reap(child, 0);
    }
    if (child->fd >= 0)
        close(child->fd);
    child->fd = -1;
}
