/* SPDX-License-Identifier: MIT */
/* Processes that compute for ever, so that a bench can measure on a busy machine. */
#ifndef CLI_BENCH_NEIGHBOURS_H
#define CLI_BENCH_NEIGHBOURS_H

#define NEIGHBOURS_MAX 64

struct neighbours {
    unsigned count;
    int fds[NEIGHBOURS_MAX]; /* of processes */
};

/* Starts `count`, at most NEIGHBOURS_MAX. They end with the calling thread at the latest. 0, or a
 * negative errno; then none runs. */
int neighbours_start(struct neighbours *neighbours, unsigned count);
/* Ends them. Fine if none was started, or if somebody else has ended and reaped them. */
void neighbours_end(struct neighbours *neighbours);

#endif
