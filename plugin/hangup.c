/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hangup.h"

#include <errno.h>
#include <sys/epoll.h>

#include "qemu_abi.h"
#include "v2.h"

static int epoll_fd = -1;

static void on_ready(void *opaque)
{
    struct epoll_event event;
    (void)opaque;
    /* One at a time: handling it may close others that are ready as well. */
    while (epoll_wait(epoll_fd, &event, 1, 0) == 1)
        v2_hung_up(event.data.ptr);
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

int hangup_watch(struct v2 *v2)
{
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = v2};
    int r = open_epoll();
    if (r < 0)
        return r;
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, v2->fd, &event) < 0 ? -errno : 0;
}

void hangup_unwatch(int fd)
{
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
