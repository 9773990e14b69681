/* SPDX-License-Identifier: MIT */
/* A process beside this one that kills what this one has started, should this one be killed. */
#ifndef CLI_RUN_KEEPER_H
#define CLI_RUN_KEEPER_H

#include <sys/types.h>

struct keeper {
    pid_t pid; /* 0: none */
    int fd;    /* a pipe on which it hears that there is nothing to do */
};

/* What is started from here on carries a mark in its environment, and so does what it starts. A
 * negative errno: there is none, and a killed process may leave something behind. For a process of
 * one thread. */
int keeper_start(struct keeper *ret_keeper);
/* Once nothing that carries the mark is left. Fine where there is none. */
void keeper_stop(struct keeper *keeper);

#endif
