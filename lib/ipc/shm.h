/* SPDX-License-Identifier: MIT */
/* The memory that a session's two processes share, and the descriptors that go with it. */
#ifndef TRESTLE_IPC_SHM_H
#define TRESTLE_IPC_SHM_H

#include "ipc/ring.h"

/* docs/protocol.md has the layout. */
#define SHM_SIZE 0x440000u
#define SHM_BULK_OFFSET 0x40000u
#define SHM_BULK_SIZE 0x400000u

/* What the server sends to the client: the memory, and the client's end of the doorbell. */
enum { SHM_FD_MEMORY, SHM_FD_DOORBELL, SHM_NUM_FDS };

struct shm {
    uint8_t *memory;
    int doorbell_fd;      /* this side's end: rings the other side, and is rung by it */
    int fds[SHM_NUM_FDS]; /* the server's, until shm_handed_over(); -1: not open */
};

#define SHM_NONE ((struct shm){.doorbell_fd = -1, .fds = {-1, -1}})

/* The server's side: makes everything, sealed and mapped. *ret_what: the call that failed. */
TRESTLE_CHECK int shm_create(struct shm *shm, const char **ret_what);
/* The client has its descriptors: closes the server's copies, without which the end of the client's
 * doorbell could not be seen. */
void shm_handed_over(struct shm *shm);
/* The client's side: checks what came from the server before it maps. Takes the descriptors, on
 * failure too. -EMSGSIZE: not of the size it should have. -EBADF: not sealed, or not the kinds of
 * descriptor that they should be. */
TRESTLE_CHECK int shm_open_received(struct shm *shm, const int fds[SHM_NUM_FDS]);
/* Fine on SHM_NONE. */
void shm_close(struct shm *shm);

/* needs_fence: what barrier_register() did not give. */
void shm_server_rings(const struct shm *shm, bool needs_fence, struct ring_consumer *ret_requests,
                      struct ring_producer *ret_events);
void shm_client_rings(const struct shm *shm, bool needs_fence, struct ring_producer *ret_requests,
                      struct ring_consumer *ret_events);

#endif
