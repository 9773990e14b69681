/* SPDX-License-Identifier: MIT */
/*
 * The connecting side of a Unix stream socket. Short I/O and EINTR end here; SIGPIPE is never
 * raised. All descriptors are non-blocking: who waits does it here, up to a deadline on
 * clock_ns() (CLOCK_NEVER for none).
 */
#ifndef TRESTLE_IPC_STREAM_H
#define TRESTLE_IPC_STREAM_H

#include <stddef.h>

#include "ipc/wait.h"

/* -ENAMETOOLONG: longer than SOCKET_PATH_MAX. -EINVAL: empty. -ENOENT, -ECONNREFUSED: nobody
 * listens there. -EAGAIN: somebody does, but accepts nobody (his backlog is full). Never waits. */
TRESTLE_CHECK int ipc_connect(const char *path, int *ret_fd);

/* All of it. -EPIPE: the peer is gone. -ETIMEDOUT: how much was sent is not known. */
TRESTLE_CHECK int ipc_send_all(int fd, const void *buf, size_t size, uint64_t deadline_ns);

/* Exactly size bytes. -ECONNRESET: the peer is gone, in the middle or not. -ETIMEDOUT: bytes that
 * came before the deadline are lost, and so is the framing. */
TRESTLE_CHECK int ipc_recv_exact(int fd, void *buf, size_t size, uint64_t deadline_ns,
                                 struct ipc_wait *wait);

/* True when the socket has something to read or has reached its end. Consumes nothing. */
bool ipc_has_input(int fd);

/* --- with buffers ---------------------------------------------------------------------------- */

/* Bytes that may wait in user space, each way; more wait in the socket. */
#define STREAM_BUFFER 1024

/* A connected socket, what came and is not handled yet, and what the socket did not take yet. The
 * descriptor is its owner's, who closes it. */
struct stream {
    int fd;
    size_t in_start, in_end;
    size_t out_start, out_end;
    uint8_t in[STREAM_BUFFER], out[STREAM_BUFFER];
};

static inline size_t stream_buffered(const struct stream *stream)
{
    return stream->in_end - stream->in_start;
}

static inline bool stream_has_output(const struct stream *stream)
{
    return stream->out_end > stream->out_start;
}

/* Without a byte in its buffers. */
void stream_start(struct stream *stream, int fd);

/* None of these waits. */

/* Where the next bytes go, and how many there is room for. */
uint8_t *stream_room(struct stream *stream, size_t *ret_size);
/* Reads until `size` bytes are buffered, and never more. 1: they are. 0: not yet. -ECONNRESET. */
TRESTLE_CHECK int stream_fill(struct stream *stream, size_t size);
/* All of it, or nothing: -EAGAIN, there is no room. -EPIPE: the peer is gone. */
TRESTLE_CHECK int stream_put(struct stream *stream, const uint8_t *bytes, size_t size);
/* As much as the socket takes of what it did not take before. -EPIPE. */
TRESTLE_CHECK int stream_push(struct stream *stream);

/* These do: all of ipc_send_all() and ipc_recv_exact() holds, and what is buffered comes first. */

TRESTLE_CHECK int stream_flush(struct stream *stream, uint64_t deadline_ns);
TRESTLE_CHECK int stream_read(struct stream *stream, void *buf, size_t size, uint64_t deadline_ns,
                              struct ipc_wait *wait);

#endif
