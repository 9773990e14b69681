/* SPDX-License-Identifier: MIT */
/* Starts child processes and ends them. */
#include "base/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>
#include <sys/pidfd.h>

#include "base/clock.h"
#include "base/process.h"

/* A killed process that has not ended by then waits in the kernel, for a disk or the like. */
#define STRAYS_PATIENCE_NS (2 * NS_PER_S)

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
    bool is_ready = true;
    for (int fd = 0; fd < 2; fd++)
        if (options->stdio_fds[fd] >= 0)
            is_ready &= dup2(options->stdio_fds[fd], fd) >= 0;
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < options->num_kept_fds; i++)
        is_ready &= fcntl(options->kept_fds[i], F_SETFD, 0) >= 0;
    if (is_ready)
        execve(options->path, options->argv, options->env ? options->env : environ);
    int r = errno;
    (void)!write(report_fd, &r, sizeof(r));
    _exit(127);
}

static int start_reporting(const struct child_options *options, const int report[2],
                           struct child *child)
{
    int r = 0;
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
        n = read(report[0], &r, sizeof(r));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(r) ? -r : 0;
}

int child_start(const struct child_options *options, struct child *ret_child)
{
    struct child child = CHILD_NONE;
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    int r = start_reporting(options, report, &child);
    if (child.fd < 0)
        close(report[1]);
    close(report[0]);
    if (r)
        child_finish(&child);
    else
        *ret_child = child;
    return r;
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

/* --- families ----------------------------------------------------------------------------------
 */

struct process {
    pid_t pid, parent;
};

/* All processes; malloc'd. */
static struct process *list_processes(size_t *ret_count)
{
    struct process *list = NULL;
    DIR *proc = opendir("/proc");
    size_t count = 0, room = 0;
    for (struct dirent *entry; proc && (entry = readdir(proc)) != NULL;) {
        struct process_info info;
        pid_t pid = atoi(entry->d_name);
        if (pid <= 0 || !process_look(pid, &info) || info.state == 'Z')
            continue;
        if (count == room) {
            struct process *larger = reallocarray(list, room = 2 * room + 64, sizeof(*list));
            if (!larger)
                break;
            list = larger;
        }
        list[count++] = (struct process){pid, info.parent};
    }
    if (proc)
        closedir(proc);
    *ret_count = count;
    return list;
}

/* Signals what descends from pid. */
static void signal_descendants(pid_t pid, int number)
{
    size_t count;
    struct process *list = list_processes(&count);
    pid_t *family = calloc(count + 1, sizeof(*family));
    if (family)
        family[0] = pid;
    for (size_t known = 1, at = 0; family && at < known; at++)
        for (size_t i = 0; i < count; i++)
            if (list[i].parent == family[at] && list[i].pid != pid) {
                family[known++] = list[i].pid;
                kill(list[i].pid, number);
                list[i].parent = -1;
            }
    free(family);
    free(list);
}

void child_signal(const struct child *child, int number)
{
    if (child->pid < 0)
        return;
    signal_descendants(child->pid, number);
    kill(child->pid, number);
}

int child_adopt_strays(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
}

void child_end_strays(int grace_ms)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    uint64_t kill_ns = clock_ns() + (uint64_t)grace_ms * NS_PER_MS;
    uint64_t give_up_ns = kill_ns + STRAYS_PATIENCE_NS;
    bool is_asked = false;
    for (uint64_t now_ns = 0; now_ns < give_up_ns; now_ns = clock_ns()) {
        int number = now_ns >= kill_ns ? SIGKILL : is_asked ? 0 : SIGTERM;
        is_asked = true;
        pid_t reaped;
        while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (reaped < 0)
            return; /* no child is left, not even one whose threads are still ending */
        signal_descendants(getpid(), number);
        nanosleep(&pause, NULL);
    }
}

/* --- end ---------------------------------------------------------------------------------------
 */

void child_ask_to_end(const struct child *child)
{
    child_signal(child, SIGTERM);
    child_signal(child, SIGCONT); /* a stopped process does not see SIGTERM */
}

/* One that may not be killed, as in a sandbox, is left: it dies with this process. */
static void kill_and_reap(struct child *child)
{
    child_signal(child, SIGKILL);
    if (kill(child->pid, SIGKILL) == 0) {
        reap(child, 0);
    } else if (!reap(child, WNOHANG)) {
        child->pid = -1;
        child->wait_status = SIGKILL;
    }
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
    kill_and_reap(child);
}

void child_finish(struct child *child)
{
    if (child->pid > 0)
        kill_and_reap(child);
    if (child->fd >= 0)
        close(child->fd);
    child->fd = -1;
}
