/* SPDX-License-Identifier: MIT */
/* The event loop: epoll with a callback per descriptor. Its cost per event does not depend on
 * how many descriptors there are. */
#ifndef TRESTLE_IPC_LOOP_H
#define TRESTLE_IPC_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

/* Embedded in its owner, who sets ready before loop_add(). */
struct loop_source {
    void (*ready)(struct loop_source *source, uint32_t events);
    int fd; /* -1 when not in a loop */
};

#define LOOP_BATCH 64

struct loop {
    int epoll_fd;
    int num_ready, next_ready; /* the batch being dispatched */
    struct epoll_event batch[LOOP_BATCH];
};

int loop_init(struct loop *loop);
void loop_finish(struct loop *loop);
/* events as for epoll_ctl(); 0 watches for errors and hang-up only. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events);
int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events);
/* The source may be freed at once, from inside any callback too. */
void loop_remove(struct loop *loop, struct loop_source *source);
/* Waits at most timeout_ms (-1: without limit) and calls what is ready. Returns the number of
 * callbacks, or a negative errno. A signal ends the wait early and is no error. */
int loop_run(struct loop *loop, int timeout_ms);

#endif
