/* SPDX-License-Identifier: MIT */
/* Creates the memory that two processes of a session share, and maps it on both sides. */
#include "ipc/shm.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/memory_file.h"

#define REQUESTS_CONSUMED 0x0u
#define SERVER_SLEEPS 0x40u
#define EVENTS_CONSUMED 0x80u
#define CLIENT_SLEEPS 0xc0u
#define REQUEST_RING 0x1000u
#define EVENT_RING 0x11000u

static_assert(REQUEST_RING + RING_SLOTS * TRESTLE_V2_MESSAGE_SIZE == EVENT_RING,
              "the rings lie one behind the other");
static_assert(SHM_BULK_OFFSET + SHM_BULK_SIZE == SHM_SIZE, "the bulk area is last");

static int map(struct shm *shm, int fd)
{
    void *memory = mmap(NULL, SHM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    shm->memory = memory;
    return 0;
}

static int create_doorbell(struct shm *shm, const char **ret_what)
{
    int doorbell[2], size = 1;
    *ret_what = "socketpair";
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, doorbell) < 0)
        return -errno;
    shm->doorbell_fd = doorbell[0];
    shm->fds[SHM_FD_DOORBELL] = doorbell[1];
    /* Ask for the smallest send buffer: it holds some rings that nobody has heard, and no more. */
    for (int i = 0; i < 2; i++)
        if (setsockopt(doorbell[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
            return -errno;
    return 0;
}

int shm_create(struct shm *shm, const char **ret_what)
{
    *shm = SHM_NONE;
    void *memory;
    int r = memory_file_create("trestle", SHM_SIZE, &shm->fds[SHM_FD_MEMORY], &memory, ret_what);
    if (!r) {
        shm->memory = memory;
        r = create_doorbell(shm, ret_what);
    }
    if (r)
        shm_close(shm);
    return r;
}

static bool is_option(int fd, int option, int expected)
{
    int value;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == expected;
}

/* Calls on such a socket can be told not to wait, whatever its own flags say. */
static bool is_doorbell(int fd)
{
    return is_option(fd, SO_DOMAIN, AF_UNIX) && is_option(fd, SO_TYPE, SOCK_STREAM);
}

static int check_fds(const int fds[SHM_NUM_FDS])
{
    struct stat st;
    int seals = fcntl(fds[SHM_FD_MEMORY], F_GET_SEALS);
    if (seals < 0 || (seals & MEMORY_FILE_SEALS) != MEMORY_FILE_SEALS)
        return -EBADF;
    if (fstat(fds[SHM_FD_MEMORY], &st) < 0 || st.st_size != SHM_SIZE)
        return -EMSGSIZE;
    return is_doorbell(fds[SHM_FD_DOORBELL]) ? 0 : -EBADF;
}

int shm_open_received(struct shm *shm, const int fds[SHM_NUM_FDS])
{
    *shm = SHM_NONE;
    shm->doorbell_fd = fds[SHM_FD_DOORBELL];
    int r = check_fds(fds);
    if (!r)
        r = map(shm, fds[SHM_FD_MEMORY]);
    close(fds[SHM_FD_MEMORY]);
    if (r)
        shm_close(shm);
    return r;
}

void shm_handed_over(struct shm *shm)
{
    for (int i = 0; i < SHM_NUM_FDS; i++) {
        if (shm->fds[i] >= 0)
            close(shm->fds[i]);
        shm->fds[i] = -1;
    }
}

void shm_close(struct shm *shm)
{
    if (shm->memory)
        munmap(shm->memory, SHM_SIZE);
    if (shm->doorbell_fd >= 0)
        close(shm->doorbell_fd);
    shm_handed_over(shm);
    *shm = SHM_NONE;
}

static struct ring_producer producer(const struct shm *shm, uint32_t slots, uint32_t consumed,
                                     uint32_t sleeps, bool needs_fence)
{
    return (struct ring_producer){
        .slots = shm->memory + slots,
        .consumed = (const _Atomic uint64_t *)(void *)(shm->memory + consumed),
        .sleeps = (const _Atomic uint32_t *)(void *)(shm->memory + sleeps),
        .doorbell_fd = shm->doorbell_fd,
        .needs_fence = needs_fence};
}

static struct ring_consumer consumer(const struct shm *shm, uint32_t slots, uint32_t consumed,
                                     uint32_t sleeps)
{
    return (struct ring_consumer){.slots = shm->memory + slots,
                                  .consumed = (_Atomic uint64_t *)(void *)(shm->memory + consumed),
                                  .sleeps = (_Atomic uint32_t *)(void *)(shm->memory + sleeps),
                                  .doorbell_fd = shm->doorbell_fd};
}

void shm_server_rings(const struct shm *shm, bool needs_fence, struct ring_consumer *ret_requests,
                      struct ring_producer *ret_events)
{
    *ret_requests = consumer(shm, REQUEST_RING, REQUESTS_CONSUMED, SERVER_SLEEPS);
    *ret_events = producer(shm, EVENT_RING, EVENTS_CONSUMED, CLIENT_SLEEPS, needs_fence);
}

void shm_client_rings(const struct shm *shm, bool needs_fence, struct ring_producer *ret_requests,
                      struct ring_consumer *ret_events)
{
    *ret_requests = producer(shm, REQUEST_RING, REQUESTS_CONSUMED, SERVER_SLEEPS, needs_fence);
    *ret_events = consumer(shm, EVENT_RING, EVENTS_CONSUMED, CLIENT_SLEEPS);
}
