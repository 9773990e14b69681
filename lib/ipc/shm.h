/* SPDX-License-Identifier: MIT */
/* The memory that a session's two processes share, and the descriptors that go with it. */
#ifndef TRESTLE_IPC_SHM_H
#define TRESTLE_IPC_SHM_H

#include "ipc/ring.h"

/* docs/protocol.md has the layout. */
#define SHM_SIZE 0x440000u
#define SHM_BULK_OFFSET 0x40000u
#define SHM_BULK_SIZE 0x400000u

enum { SHM_FD_MEMORY, SHM_FD_SERVER_DOORBELL, SHM_FD_CLIENT_DOORBELL, SHM_NUM_FDS };

struct shm {
    uint8_t *memory;
    /* Memory, the doorbell that wakes the server (the client rings it), the one that wakes the
     * client. -1: not open. */
    int fds[SHM_NUM_FDS];
};

#define SHM_NONE ((struct shm){.fds = {-1, -1, -1}})

/* The server's side: makes everything, sealed and mapped. */
TRESTLE_CHECK int shm_create(struct shm *shm);
/* The client's side: checks what came from the server before it maps. Takes the descriptors, on
 * failure too. -EPERM: not sealed. -EMSGSIZE: not of the size it should have. -EBADF: not the kinds
 * of descriptor that they should be. */
TRESTLE_CHECK int shm_open_received(struct shm *shm, const int fds[SHM_NUM_FDS]);
/* Fine on SHM_NONE. */
void shm_close(struct shm *shm);

/* needs_fence: what barrier_register() did not give. */
void shm_server_rings(const struct shm *shm, bool needs_fence, struct ring_consumer *ret_requests,
                      struct ring_producer *ret_events);
void shm_client_rings(const struct shm *shm, bool needs_fence, struct ring_producer *ret_requests,
                      struct ring_consumer *ret_events);

#endif
