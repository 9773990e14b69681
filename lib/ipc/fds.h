/* SPDX-License-Identifier: MIT */
/* Descriptors that travel with bytes on a Unix socket. */
#ifndef TRESTLE_IPC_FDS_H
#define TRESTLE_IPC_FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "trestle/types.h"

#define FDS_MAX 16 /* as many as QEMU and cloud-hypervisor send at a time */

/* Sends bytes with descriptors, which stay the caller's. All or nothing: -EAGAIN when the socket
 * does not take them whole. */
TRESTLE_CHECK int fds_send(int socket_fd, const void *bytes, size_t size, const int *fds,
                           size_t num_fds);
/* One recvmsg(). Returns the bytes read (0: end of file) or a negative errno. Descriptors that came
 * with them, CLOEXEC, are the caller's; more than FDS_MAX cannot be sent and are closed by the
 * kernel. */
TRESTLE_CHECK ssize_t fds_recv(int socket_fd, void *bytes, size_t size, int ret_fds[FDS_MAX],
                               size_t *ret_num_fds);
void fds_close(const int *fds, size_t num_fds);
/* Does the file have so many bytes, and has it promised to keep them? One that shrinks would kill
 * whoever has it mapped. */
bool fds_holds(int fd, uint64_t bytes);

#endif
