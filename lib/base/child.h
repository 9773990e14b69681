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
    const int *kept_fds; /* inherited beside 0, 1 and 2 */
    size_t num_kept_fds;
    bool has_own_group; /* a Ctrl-C at the terminal does not reach it */
};

/* Returns once the program runs: -ENOENT and the like are execve()'s. Signals that are ignored here
 * are ignored there; none is blocked there. */
int child_start(const struct child_options *options, struct child *ret_child);
/* True once it has ended, and then it is reaped. Does not wait. */
bool child_ended(struct child *child);
/* Of one that has ended: its exit code, or 128 + the signal that ended it. */
int child_exit_code(const struct child *child);
/* Sends a signal to it and to all that descends from it: it may be a script that started another
 * program as its child. */
void child_signal(const struct child *child, int number);
/* Asks it and its descendants to end (SIGTERM), even while they are stopped. */
void child_ask_to_end(const struct child *child);
/* The same, then kills what has not ended within grace_ms. It has ended afterwards. */
void child_stop(struct child *child, int grace_ms);
/* Kills it if it still runs. Fine on CHILD_NONE. */
void child_finish(struct child *child);

/* From now on what descends from this process stays its descendant, whatever ends in between. */
void child_adopt_strays(void);
/* Ends whatever descends from this process: asks it, and kills it after grace_ms. */
void child_end_strays(int grace_ms);

#endif
