/* SPDX-License-Identifier: MIT */
/* What /proc says of a process. */
#ifndef TRESTLE_BASE_PROCESS_H
#define TRESTLE_BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_info {
    char state; /* 'Z': it has ended */
    pid_t parent;
    uint64_t start; /* clock ticks since boot; with the pid it names a process for good */
};

/* False: there is none. */
bool process_look(pid_t pid, struct process_info *ret_info);
/* A number for the processes that this one can see, or 0: the same number, the same pids. */
uint64_t process_namespace(void);

#endif
