/* SPDX-License-Identifier: MIT */
/*
 * A store-load barrier whose whole cost falls on the side that is about to sleep. A full fence on
 * every message costs about 24 ns; membarrier(2) lets the sleeper run one on every processor that
 * a registered process runs on.
 */
#ifndef TRESTLE_IPC_BARRIER_H
#define TRESTLE_IPC_BARRIER_H

#include <stdbool.h>

/* Registers this process as a target of barrier_for_all(), its own and others'. False: the kernel
 * cannot, and this process's producers need fences. */
bool barrier_register(void);
/* A full barrier here and in all registered processes. */
void barrier_for_all(void);

#endif
