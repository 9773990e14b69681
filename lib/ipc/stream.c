/* SPDX-License-Identifier: MIT */
/* Connects Unix stream sockets, sends and receives whole messages up to a deadline, and buffers
 * what a socket does not take or give at once. */
#include "ipc/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/socket_path.h"

int ipc_connect(const char *path, int *ret_fd)
{
    struct sockaddr_un addr;
    int r = socket_path_address(path, &addr);
    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    do
        r = connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
    while (r < 0 &&
           errno == EINTR); /* on a Unix socket, a connect that was interrupted is undone */
    if (r < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

/* 0: the descriptor is ready, or may be. -ETIMEDOUT. */
static int sleep_until_ready(int fd, short events, uint64_t deadline_ns)
{
    struct pollfd pollfd = {.fd = fd, .events = events};
    struct timespec left, *timeout = NULL;
    if (deadline_ns != CLOCK_NEVER) {
        uint64_t now = clock_ns();
        if (now >= deadline_ns)
            return -ETIMEDOUT;
        left = clock_timespec(deadline_ns - now);
        timeout = &left;
    }
    /* After a time-out the caller looks once more and comes back here for the verdict. */
    return ppoll(&pollfd, 1, timeout, NULL) < 0 && errno != EINTR ? -errno : 0;
}

int ipc_send_all(int fd, const void *buf, size_t size, uint64_t deadline_ns)
{
    const char *next = buf;
    while (size > 0) {
        ssize_t n = send(fd, next, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            next += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) {
            int r = sleep_until_ready(fd, POLLOUT, deadline_ns);
            if (r < 0)
                return r;
        } else if (errno != EINTR) {
            return errno == ECONNRESET ? -EPIPE : -errno;
        }
    }
    return 0;
}

/* What is there, without waiting: a count, -EAGAIN, -ECONNRESET at the end. */
static ssize_t recv_now(int fd, void *buf, size_t size)
{
    ssize_t n;
    do
        n = recv(fd, buf, size, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return -ECONNRESET;
    return n < 0 ? -errno : n;
}

static ssize_t recv_some(int fd, void *buf, size_t size, uint64_t deadline_ns,
                         struct ipc_wait *wait)
{
    struct ipc_spin spin = ipc_spin_start(deadline_ns);
    ssize_t n;
    while ((n = recv_now(fd, buf, size)) == -EAGAIN && ipc_spin_on(wait, &spin))
        ;
    while (n == -EAGAIN) {
        int r = sleep_until_ready(fd, POLLIN, deadline_ns);
        n = r < 0 ? r : recv_now(fd, buf, size);
    }
    ipc_spin_end(wait, &spin);
    return n;
}

int ipc_recv_exact(int fd, void *buf, size_t size, uint64_t deadline_ns, struct ipc_wait *wait)
{
    char *next = buf;
    while (size > 0) {
        ssize_t n = recv_some(fd, next, size, deadline_ns, wait);
        if (n < 0)
            return (int)n;
        next += n;
        size -= (size_t)n;
    }
    return 0;
}

bool ipc_has_input(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    return poll(&pollfd, 1, 0) > 0;
}

/* --- with buffers ---------------------------------------------------------------------------- */

void stream_start(struct stream *stream, int fd)
{
    stream->fd = fd;
    stream->in_start = stream->in_end = 0;
    stream->out_start = stream->out_end = 0;
}

uint8_t *stream_room(struct stream *stream, size_t *ret_size)
{
    if (stream->in_start > 0) {
        memmove(stream->in, stream->in + stream->in_start, stream_buffered(stream));
        stream->in_end -= stream->in_start;
        stream->in_start = 0;
    }
    *ret_size = sizeof(stream->in) - stream->in_end;
    return stream->in + stream->in_end;
}

int stream_fill(struct stream *stream, size_t size)
{
    if (stream_buffered(stream) >= size)
        return 1;
    size_t room;
    uint8_t *bytes = stream_room(stream, &room);
    ssize_t n = recv_now(stream->fd, bytes, size - stream_buffered(stream));
    if (n < 0)
        return n == -EAGAIN ? 0 : -ECONNRESET;
    stream->in_end += (size_t)n;
    return stream_buffered(stream) == size;
}

int stream_push(struct stream *stream)
{
    while (stream_has_output(stream)) {
        ssize_t n = send(stream->fd, stream->out + stream->out_start,
                         stream->out_end - stream->out_start, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            stream->out_start += (size_t)n;
        else if (errno == EAGAIN)
            return 0;
        else if (errno != EINTR)
            return -EPIPE;
    }
    stream->out_start = stream->out_end = 0;
    return 0;
}

int stream_put(struct stream *stream, const uint8_t *bytes, size_t size)
{
    if (stream->out_end + size > sizeof(stream->out))
        return -EAGAIN;
    memcpy(stream->out + stream->out_end, bytes, size);
    stream->out_end += size;
    return stream_push(stream);
}

int stream_flush(struct stream *stream, uint64_t deadline_ns)
{
    int r = ipc_send_all(stream->fd, stream->out + stream->out_start,
                         stream->out_end - stream->out_start, deadline_ns);
    if (r == 0)
        stream->out_start = stream->out_end = 0;
    return r;
}

int stream_read(struct stream *stream, void *buf, size_t size, uint64_t deadline_ns,
                struct ipc_wait *wait)
{
    size_t buffered = stream_buffered(stream) < size ? stream_buffered(stream) : size;
    memcpy(buf, stream->in + stream->in_start, buffered);
    stream->in_start += buffered;
    return ipc_recv_exact(stream->fd, (uint8_t *)buf + buffered, size - buffered, deadline_ns,
                          wait);
}
