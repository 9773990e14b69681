/* SPDX-License-Identifier: MIT */
/* The event loop: epoll with one callback for each descriptor. */
#include "ipc/loop.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

int loop_init(struct loop *loop)
{
    loop->num_ready = loop->next_ready = 0;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_finish(struct loop *loop)
{
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    loop->epoll_fd = -1;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    source->fd = fd;
    return 0;
}

int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    if (source->fd < 0)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = -1;
    /* Its owner may free it now, but the batch may still hold an event for it. */
    for (int i = loop->next_ready; i < loop->num_ready; i++)
        if (loop->batch[i].data.ptr == source)
            loop->batch[i].data.ptr = NULL;
}

int loop_run(struct loop *loop, int timeout_ms)
{
    int called = 0;
    int n = epoll_wait(loop->epoll_fd, loop->batch, LOOP_BATCH, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    loop->num_ready = n;
    for (loop->next_ready = 0; loop->next_ready < n;) {
        struct epoll_event *event = &loop->batch[loop->next_ready++];
        struct loop_source *source = event->data.ptr;
        if (source) {
            source->ready(source, event->events);
            called++;
        }
    }
    loop->num_ready = loop->next_ready = 0;
    return called;
}
