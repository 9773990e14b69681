/* SPDX-License-Identifier: MIT */
/* Takes the output of a device to the host, in a thread that may wait for the reader. */
#include "run/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"
#include "log.h"
#include "util.h"

#define BUFFER_SIZE ((size_t)64 * 1024)
#define PIECE_SIZE ((size_t)4096)
/* At the end, a reader that takes nothing for so long will not take anything any more. */
#define END_PATIENCE_NS (2 * NS_PER_S)

struct backend {
    int fd;
    char *name; /* the device's */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t filled, emptied;
    size_t start, used; /* of the ring in buffer; the thread takes out what it has written */
    uint64_t lost;      /* bytes */
    int error;          /* a negative errno: nothing is written any more */
    bool is_ending;
    char buffer[BUFFER_SIZE];
};

/* --- the reader's side ----------------------------------------------------------------------- */

/* The only place where the thread may be cancelled: it holds no lock there. */
static ssize_t wait_and_write(int fd, const char *bytes, size_t size)
{
    ssize_t n;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    do {
        n = write(fd, bytes, size < PIECE_SIZE ? size : PIECE_SIZE);
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (n < 0 && errno == EAGAIN) /* somebody who shares it, as QEMU, does not wait */
            n = poll(&room, 1, -1) < 0 ? -1 : 0;
    } while (n < 0 && errno == EINTR);
    int error = errno;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    return n < 0 ? -error : n;
}

static void fail(struct backend *backend, int error)
{
    log_line("trestle: warning: %s: its output cannot be written: %s; the rest is lost",
             backend->name, strerror(-error));
    backend->error = error;
    backend->lost += backend->used;
    backend->used = 0;
}

static void *drain(void *argument)
{
    struct backend *backend = argument;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_mutex_lock(&backend->lock);
    for (;;) {
        while (backend->used == 0 && !backend->is_ending)
            pthread_cond_wait(&backend->filled, &backend->lock);
        if (backend->used == 0)
            break;
        size_t size = BUFFER_SIZE - backend->start;
        size = size < backend->used ? size : backend->used;
        const char *bytes = backend->buffer + backend->start;
        pthread_mutex_unlock(&backend->lock);
        ssize_t n = wait_and_write(backend->fd, bytes, size);
        pthread_mutex_lock(&backend->lock);
        if (n < 0) {
            fail(backend, (int)n);
        } else {
            backend->start = (backend->start + (size_t)n) % BUFFER_SIZE;
            backend->used -= (size_t)n;
        }
        pthread_cond_signal(&backend->emptied);
    }
    pthread_mutex_unlock(&backend->lock);
    return NULL;
}

/* Signals are for the threads that wait for them. */
static int start_thread(struct backend *backend)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&backend->thread, NULL, drain, backend);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

/* --- the device's side ----------------------------------------------------------------------- */

/* A FIFO without a reader is refused rather than waited for; waiting is fine once it is open.
 * Several devices may share a file. */
static int open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                  (mode_t)0666);
    if (fd < 0)
        return -errno;
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    return fd;
}

int backend_open(const char *text, const char *name, struct backend **ret_backend)
{
    *ret_backend = NULL;
    if (strcmp(text, "null") == 0)
        return 0;
    bool is_file = strncmp(text, BACKEND_FILE, strlen(BACKEND_FILE)) == 0;
    int fd = is_file ? open_file(text + strlen(BACKEND_FILE))
                     : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0)
        return is_file ? fd : -errno;
    struct backend *backend = xcalloc(1, sizeof(*backend));
    backend->fd = fd;
    backend->name = xstrdup(name);
    pthread_mutex_init(&backend->lock, NULL);
    pthread_cond_init(&backend->filled, NULL);
    pthread_cond_init(&backend->emptied, NULL);
    int status = start_thread(backend);
    if (status < 0) {
        close(fd);
        free(backend->name);
        free(backend);
        return status;
    }
    *ret_backend = backend;
    return 0;
}

static void append(struct backend *backend, const char *bytes, size_t size)
{
    size_t end = (backend->start + backend->used) % BUFFER_SIZE, first = BUFFER_SIZE - end;
    first = first < size ? first : size;
    memcpy(backend->buffer + end, bytes, first);
    memcpy(backend->buffer, bytes + first, size - first);
    backend->used += size;
    pthread_cond_signal(&backend->filled);
}

int backend_write(struct backend *backend, const void *data, size_t size)
{
    if (!backend)
        return 0;
    pthread_mutex_lock(&backend->lock);
    size_t room = backend->error ? 0 : BUFFER_SIZE - backend->used;
    size_t taken = size < room ? size : room;
    if (taken > 0)
        append(backend, data, taken);
    if (taken < size && backend->lost == 0 && !backend->error)
        log_line("trestle: warning: %s: nobody reads its output in time; what does not fit is lost",
                 backend->name);
    backend->lost += size - taken;
    pthread_mutex_unlock(&backend->lock);
    return taken < size ? -ENOBUFS : 0;
}

void backend_close(struct backend *backend)
{
    int result = 0;
    if (!backend)
        return;
    pthread_mutex_lock(&backend->lock);
    backend->is_ending = true;
    pthread_cond_signal(&backend->filled);
    while (backend->used > 0 && result == 0) {
        struct timespec until = clock_timespec(clock_ns() + END_PATIENCE_NS);
        result = pthread_cond_clockwait(&backend->emptied, &backend->lock, CLOCK_MONOTONIC, &until);
    }
    bool is_stuck = backend->used > 0;
    pthread_mutex_unlock(&backend->lock);
    if (is_stuck)
        pthread_cancel(backend->thread);
    pthread_join(backend->thread, NULL);
    backend->lost += backend->used;
    if (backend->lost > 0)
        log_line("trestle: warning: %s: lost bytes of its output: %" PRIu64, backend->name,
                 backend->lost);
    close(backend->fd);
    pthread_cond_destroy(&backend->emptied);
    pthread_cond_destroy(&backend->filled);
    pthread_mutex_destroy(&backend->lock);
    free(backend->name);
    free(backend);
}
