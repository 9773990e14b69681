/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Watches the connections of devices while no access waits for them. */
#include "plugin/device/watch.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

#include "plugin/qemu/qemu_abi.h"
#include "plugin/qemu/warp.h"

/* Then QEMU's other work has its turn: a device may send without end. */
#define EVENTS_PER_TURN 16

static int epoll_fd = -1;

static void on_ready(void *opaque)
{
    struct epoll_event event;
    (void)opaque;
    warp_hold();
    /* One at a time: handling it may close others that are ready as well. */
    for (int i = 0; i < EVENTS_PER_TURN && epoll_wait(epoll_fd, &event, 1, 0) == 1; i++) {
        struct watched *watched = event.data.ptr;
        watched->ready(watched, event.events);
    }
}

static int open_epoll(void)
{
    if (epoll_fd >= 0)
        return 0;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        return -errno;
    qemu.qemu_set_fd_handler(epoll_fd, on_ready, NULL, NULL);
    return 0;
}

int watch_add(struct watched *watched, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watched};
    int r = open_epoll();
    if (r < 0)
        return r;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    watched->fd = fd;
    return 0;
}

void watch_change(struct watched *watched, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watched};
    if (watched->fd >= 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, watched->fd, &event);
}

void watch_remove(struct watched *watched)
{
    if (watched->fd >= 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watched->fd, NULL);
    watched->fd = -1;
}
