/* SPDX-License-Identifier: MIT */
/* Another process, which kills what this one has started if this one is killed. */
#ifndef CLI_RUN_KEEPER_H
#define CLI_RUN_KEEPER_H

#include <sys/types.h>

/* What is started from here on carries a mark in its environment, and so does what it starts. A
 * negative errno: there is none, and a killed process may leave something behind. For a process of
 * one thread. */
int keeper_start(pid_t *ret_pid);
/* Once nothing that carries the mark is left. 0: there is none, which is fine. */
void keeper_stop(pid_t *ref_pid);

#endif
