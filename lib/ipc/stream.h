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

#endif
