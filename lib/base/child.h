/* SPDX-License-Identifier: MIT */
/* Child processes. They are killed when the thread that started them ends, however it ends. */
#ifndef TRESTLE_BASE_CHILD_H
#define TRESTLE_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct child {
    pid_t pid;       /* -1: there is none, or it has ended */
    int fd;          /* readable once it has ended; -1: there was none */
    int wait_status; /* as waitpid() gives it, once it has ended */
};

#define CHILD_NONE ((struct child){.pid = -1, .fd = -1})

struct child_options {
    const char *path;    /* the program's */
    char *const *argv;   /* ended by NULL */
    char *const *env;    /* ended by NULL; NULL: ours */
    int stdio_fds[2];    /* what its standard input and output become; -1: ours */
    const int *kept_fds; /* inherited in addition to 0, 1 and 2 */
    size_t num_kept_fds;
    bool has_own_group; /* a Ctrl-C at the terminal does not reach it */
};

/* Returns once the program runs. -ENOENT and the like come from execve(). The program ignores the
 * signals that this process ignores, and blocks none. */
int child_start(const struct child_options *options, struct child *ret_child);
/* True once the child has ended; it is then reaped. Does not wait. */
bool child_ended(struct child *child);
/* The exit code of a child that has ended, or 128 + the signal that ended it. */
int child_exit_code(const struct child *child);
/* Sends a signal to the child and to its descendants: it may be a script that has started another
 * program. */
void child_signal(const struct child *child, int number);
/* Asks it and its descendants to end (SIGTERM), even while they are stopped. */
void child_ask_to_end(const struct child *child);
/* The same. Then kills what has not ended within grace_ms. The child has ended afterwards, or it
 * may not be killed: then it dies with this process, and counts as killed. */
void child_stop(struct child *child, int grace_ms);
/* Kills it if it still runs. Fine on CHILD_NONE. */
void child_finish(struct child *child);

/* From now on the descendants of this process stay its descendants, even if processes in between
 * end. -EINVAL where the system has no such thing (qemu-user has none). */
int child_adopt_strays(void);
/* Ends all descendants of this process: asks them to end, and kills them after grace_ms. */
void child_end_strays(int grace_ms);

#endif
