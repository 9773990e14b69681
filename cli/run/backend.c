/* SPDX-License-Identifier: MIT */
/* Carries bytes between a device and the host, in a thread that may wait for the other side. */
#include "run/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/listener.h"
#include "config/config.h"
#include "log.h"
#include "util.h"

#define BUFFER_SIZE ((size_t)64 * 1024)
#define PIECE_SIZE ((size_t)4096)
#define LENT "fds:" /* what another process has opened */
/* At the end of a run, a reader that takes nothing for this long is given up. */
#define END_PATIENCE_NS (2 * NS_PER_S)

/* In a ring, each frame has its length in front of it: 4 bytes, the highest first. */
#define LENGTH_SIZE ((size_t)4)
#define FRAME_MAX (BUFFER_SIZE - LENGTH_SIZE)

/* One thread may add while another takes. Neither touches the piece that the other has found. */
struct ring {
    size_t start, used;
    size_t begun; /* behind those: the beginning of a frame whose rest is still to come */
    uint8_t bytes[BUFFER_SIZE];
};

struct backend {
    char *name;               /* the device's */
    int in_fd, out_fd;        /* -1: none, or none now; they may be one */
    struct listener listener; /* of a socket, for one client at a time */
    bool is_resting;          /* the listener: no descriptor was left for its client */
    bool is_starved;          /* that was said */
    int pty_fd;               /* the other side of a terminal, kept open; -1 */
    int wake_fd;              /* the thread has something new to look at */
    int ready_fd;             /* there is input */
    bool has_input, has_output;
    bool has_frames; /* which pass whole or not at all */
    bool is_tap;     /* an interface of the host's, which gives and takes one frame at a time */
    bool is_file;    /* the output is one, to be emptied */
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows, and of the descriptors */
    pthread_cond_t emptied;
    uint64_t lost; /* bytes */
    bool is_ending, has_failed;
    bool has_erred; /* the model, which was said */
    struct ring output, input;
    uint8_t frame[FRAME_MAX]; /* the thread's, on its way from or to a tap */
};

/* --- rings ----------------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The longest piece of it that lies in one place. */
static uint8_t *ring_used(struct ring *ring, size_t *ret_size)
{
    *ret_size = least(ring->used, BUFFER_SIZE - ring->start);
    return ring->bytes + ring->start;
}

static uint8_t *ring_free(struct ring *ring, size_t *ret_size)
{
    size_t end = (ring->start + ring->used + ring->begun) % BUFFER_SIZE;
    *ret_size = least(BUFFER_SIZE - ring->used - ring->begun, BUFFER_SIZE - end);
    return ring->bytes + end;
}

static bool ring_is_full(const struct ring *ring)
{
    return ring->used + ring->begun == BUFFER_SIZE;
}

static void ring_take(struct ring *ring, size_t size)
{
    ring->start = (ring->start + size) % BUFFER_SIZE;
    ring->used -= size;
}

static void ring_add(struct ring *ring, const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t piece;
        uint8_t *at = ring_free(ring, &piece);
        piece = least(piece, size);
        memcpy(at, data, piece);
        ring->used += piece;
        data += piece;
        size -= piece;
    }
}

/* Copies size bytes, from `skip` bytes behind the first on. */
static void ring_look(const struct ring *ring, size_t skip, uint8_t *ret_data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ret_data[i] = ring->bytes[(ring->start + skip + i) % BUFFER_SIZE];
}

static size_t decode_length(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

static size_t frame_length(const struct ring *ring, size_t skip)
{
    uint8_t bytes[LENGTH_SIZE];
    ring_look(ring, skip, bytes, sizeof(bytes));
    return decode_length(bytes);
}

/* n more bytes have come. Those of whole frames now count as used. False: they are not frames. */
static bool ring_end_frames(struct ring *ring, size_t n)
{
    ring->begun += n;
    while (ring->begun >= LENGTH_SIZE) {
        size_t length = frame_length(ring, ring->used);
        if (length == 0 || length > FRAME_MAX)
            return false;
        if (ring->begun < LENGTH_SIZE + length)
            break;
        ring->used += LENGTH_SIZE + length;
        ring->begun -= LENGTH_SIZE + length;
    }
    return true;
}

/* --- the thread ------------------------------------------------------------------------------ */

/* It is rung already if there is no room. Another failure is not the end: whoever is not woken
 * would be waited for without one. */
static void ring_bell(int fd)
{
    const uint64_t one = 1;
    for (unsigned tries = 0; tries < 3; tries++)
        if (write(fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN)
            return;
}

static void hush_bell(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));
    (void)n;
}

/* The only places where the thread may be cancelled: it holds no lock there. */
static ssize_t wait_and_write(int fd, const void *bytes, size_t size)
{
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    ssize_t n = write(fd, bytes, size);
    int r = errno;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    return n < 0 ? -r : n;
}

static ssize_t wait_and_read(int fd, void *bytes, size_t size)
{
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    ssize_t n = read(fd, bytes, size);
    int r = errno;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    return n < 0 ? -r : n;
}

static void wait_for_any(struct pollfd *fds, size_t count, int timeout_ms)
{
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    poll(fds, count, timeout_ms);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
}

static bool is_transient(ssize_t n)
{
    return n == -EAGAIN || n == -EINTR;
}

/* The client has gone, and the next one may come. If there are frames, it begins with a whole one.
 */
static void hang_up(struct backend *backend)
{
    close(backend->out_fd);
    backend->in_fd = backend->out_fd = -1;
    backend->input.begun = 0;
    if (backend->has_frames)
        backend->output.used = 0;
}

static void accept_client(struct backend *backend)
{
    int fd, r = listener_accept(backend->listener.fd, &fd);
    if (r < 0 && r != -EAGAIN && r != -EKEYREJECTED) {
        if (!backend->is_starved)
            log_line("trestle: warning: %s: a client must wait: %s", backend->name, error_text(r));
        backend->is_starved = backend->is_resting = true;
    }
    if (r < 0)
        return;
    backend->is_starved = false;
    backend->out_fd = fd;
    backend->in_fd = backend->has_input ? fd : -1;
}

static void end_input(struct backend *backend)
{
    if (backend->listener.fd >= 0) {
        hang_up(backend);
        return;
    }
    if (backend->in_fd != backend->out_fd)
        close(backend->in_fd);
    backend->in_fd = -1;
}

static void fail_output(struct backend *backend, int error)
{
    if (backend->listener.fd >= 0) {
        hang_up(backend);
        return;
    }
    log_line("trestle: warning: %s: its output cannot be written: %s; the rest is lost",
             backend->name, strerror(-error));
    backend->has_failed = true;
    backend->lost += backend->output.used;
    backend->output.used = 0;
}

static bool add_input(struct backend *backend, size_t n)
{
    struct ring *input = &backend->input;
    bool is_good = true;
    if (backend->has_frames)
        is_good = ring_end_frames(input, n);
    else
        input->used += n;
    if (input->used > 0)
        ring_bell(backend->ready_fd);
    return is_good;
}

static void read_piece(struct backend *backend)
{
    size_t size;
    uint8_t *at = ring_free(&backend->input, &size);
    pthread_mutex_unlock(&backend->lock);
    ssize_t n = wait_and_read(backend->in_fd, at, least(size, PIECE_SIZE));
    pthread_mutex_lock(&backend->lock);
    if (n > 0 && !add_input(backend, (size_t)n)) {
        log_line("trestle: warning: %s: its input is not frames, each after its length in 4 bytes; "
                 "the rest is not read",
                 backend->name);
        end_input(backend);
    } else if (n <= 0 && !is_transient(n)) {
        end_input(backend);
    }
}

static void write_piece(struct backend *backend)
{
    size_t size;
    const uint8_t *at = ring_used(&backend->output, &size);
    pthread_mutex_unlock(&backend->lock);
    ssize_t n = wait_and_write(backend->out_fd, at, least(size, PIECE_SIZE));
    pthread_mutex_lock(&backend->lock);
    if (n >= 0)
        ring_take(&backend->output, (size_t)n);
    else if (!is_transient(n))
        fail_output(backend, (int)n);
    pthread_cond_signal(&backend->emptied);
}

/* A frame that does not fit is lost. It would have to be longer than half of the buffer. */
static void read_frame(struct backend *backend)
{
    pthread_mutex_unlock(&backend->lock);
    ssize_t n = wait_and_read(backend->in_fd, backend->frame, FRAME_MAX);
    pthread_mutex_lock(&backend->lock);
    size_t length = n > 0 ? (size_t)n : 0;
    if (n < 0 && !is_transient(n))
        end_input(backend);
    if (length == 0 || BUFFER_SIZE - backend->input.used < LENGTH_SIZE + length)
        return;
    const uint8_t head[LENGTH_SIZE] = {0, 0, (uint8_t)(length >> 8), (uint8_t)length};
    ring_add(&backend->input, head, sizeof(head));
    ring_add(&backend->input, backend->frame, length);
    ring_bell(backend->ready_fd);
}

/* If the interface does not take a frame, since it is down or the frame is too short, the frame is
 * lost. */
static void write_frame(struct backend *backend)
{
    size_t length = frame_length(&backend->output, 0);
    ring_look(&backend->output, LENGTH_SIZE, backend->frame, length);
    pthread_mutex_unlock(&backend->lock);
    ssize_t n = wait_and_write(backend->out_fd, backend->frame, length);
    pthread_mutex_lock(&backend->lock);
    if (!is_transient(n))
        ring_take(&backend->output, LENGTH_SIZE + length);
    pthread_cond_signal(&backend->emptied);
}

/* Room for what the next read may give. */
static bool has_room(const struct backend *backend)
{
    return backend->is_tap ? backend->input.used <= BUFFER_SIZE / 2
                           : !ring_is_full(&backend->input);
}

static void *carry(void *argument)
{
    struct backend *backend = argument;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_mutex_lock(&backend->lock);
    for (;;) {
        bool has_output = backend->output.used > 0 && backend->out_fd >= 0;
        if (backend->is_ending && !has_output)
            break;
        bool reads = !backend->is_ending && has_room(backend);
        bool is_resting = backend->is_resting;
        bool listens = !backend->is_ending && backend->out_fd < 0 && !is_resting;
        backend->is_resting = false;
        struct pollfd fds[] = {
            {.fd = backend->wake_fd, .events = POLLIN},
            {.fd = reads ? backend->in_fd : -1, .events = POLLIN},
            {.fd = has_output ? backend->out_fd : -1, .events = POLLOUT},
            {.fd = listens ? backend->listener.fd : -1, .events = POLLIN},
        };
        pthread_mutex_unlock(&backend->lock);
        wait_for_any(fds, sizeof(fds) / sizeof(*fds), is_resting ? LISTEN_AGAIN_MS : -1);
        pthread_mutex_lock(&backend->lock);
        if (fds[0].revents)
            hush_bell(backend->wake_fd);
        if (fds[2].revents)
            (backend->is_tap ? write_frame : write_piece)(backend);
        if (fds[1].revents && backend->in_fd == fds[1].fd)
            (backend->is_tap ? read_frame : read_piece)(backend);
        if (fds[3].revents)
            accept_client(backend);
    }
    pthread_mutex_unlock(&backend->lock);
    return NULL;
}

/* Other threads wait for signals. */
static int start_thread(struct backend *backend)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&backend->thread, NULL, carry, backend);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    backend->has_thread = r == 0;
    return -r;
}

/* --- opening --------------------------------------------------------------------------------- */

static int remember(int *ret_fd, int fd)
{
    *ret_fd = fd;
    return fd < 0 ? -errno : 0;
}

/* A FIFO without a reader is refused rather than waited for; waiting is fine once it is open.
 * Several devices may share a file. */
static int open_output_file(struct backend *backend, const char *path)
{
    struct stat st;
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int r = remember(&backend->out_fd, open(path, flags, (mode_t)0666));
    backend->is_file = r == 0 && fstat(backend->out_fd, &st) == 0 && S_ISREG(st.st_mode);
    return r;
}

/* A FIFO does not end when its writers leave: we are one of them. */
static int open_input_file(struct backend *backend, const char *path)
{
    struct stat st;
    bool is_fifo = stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
    int r = remember(&backend->in_fd,
                     open(path, (is_fifo ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    return r == 0 && fstat(backend->in_fd, &st) == 0 && S_ISDIR(st.st_mode) ? -EISDIR : r;
}

static int open_stdio(struct backend *backend)
{
    int r = remember(&backend->out_fd, fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (r == 0 && backend->has_input)
        r = remember(&backend->in_fd, fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    return r;
}

/* The other side stays open: a terminal whose last user leaves would have come to its end. */
static int open_pty(struct backend *backend)
{
    struct termios settings;
    int r = remember(&backend->out_fd, posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (r == 0 && (grantpt(backend->out_fd) < 0 || unlockpt(backend->out_fd) < 0))
        r = -errno;
    char path[64];
    if (r == 0)
        r = -ptsname_r(backend->out_fd, path, sizeof(path));
    if (r == 0)
        r = remember(&backend->pty_fd, open(path, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (r < 0)
        return r;
    if (tcgetattr(backend->pty_fd, &settings) == 0) {
        cfmakeraw(&settings);
        tcsetattr(backend->pty_fd, TCSANOW, &settings);
    }
    backend->in_fd = backend->has_input ? backend->out_fd : -1;
    return 0;
}

/* If the interface is not there, and the user may do so, it is made. It goes when the descriptor is
 * closed. */
static int open_tap(struct backend *backend, const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (strlen(name) >= sizeof(request.ifr_name))
        return -ENAMETOOLONG;
    memcpy(request.ifr_name, name, strlen(name));
    int r = remember(&backend->out_fd, open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (r == 0 && ioctl(backend->out_fd, TUNSETIFF, &request) < 0)
        r = -errno;
    backend->in_fd = backend->has_input ? backend->out_fd : -1;
    backend->is_tap = true;
    return r;
}

/* Takes the descriptors of backend_lend(). A client of a socket belonged to the other process. */
static int take_over(struct backend *backend, const char *fds)
{
    int is_tap = 0;
    if (sscanf(fds, "%d,%d,%d,%d", &backend->in_fd, &backend->out_fd, &backend->listener.fd,
               &is_tap) != 4)
        return -EINVAL;
    backend->is_tap = is_tap;
    return 0;
}

/* Returns the text after the kind, or NULL if it is of another kind. */
static const char *path_of(const char *text, const char *kind)
{
    size_t length = strlen(kind);
    return text && strncmp(text, kind, length) == 0 ? text + length : NULL;
}

static int open_ends(struct backend *backend, const char *text, const char *input)
{
    const char *file = path_of(text, BACKEND_FILE), *socket_path = path_of(text, BACKEND_UNIX);
    const char *tap = path_of(text, BACKEND_TAP), *lent = path_of(text, LENT);
    bool has_input = backend->has_input;
    int r = 0;
    backend->has_input = has_input && !input;
    if (file)
        r = open_output_file(backend, file);
    else if (socket_path)
        r = listener_open(&backend->listener, socket_path, false, NULL);
    else if (tap)
        r = open_tap(backend, tap);
    else if (lent)
        r = take_over(backend, lent);
    else if (text && strcmp(text, "pty") == 0)
        r = open_pty(backend);
    else if (text && strcmp(text, "stdio") == 0)
        r = open_stdio(backend);
    backend->has_output = backend->out_fd >= 0 || backend->listener.fd >= 0;
    if (r == 0 && has_input && input)
        r = open_input_file(backend, path_of(input, BACKEND_FILE));
    return r;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void free_backend(struct backend *backend)
{
    if (backend->in_fd != backend->out_fd)
        close_fd(backend->in_fd);
    close_fd(backend->out_fd);
    listener_close(&backend->listener);
    close_fd(backend->pty_fd);
    close_fd(backend->wake_fd);
    close_fd(backend->ready_fd);
    pthread_cond_destroy(&backend->emptied);
    pthread_mutex_destroy(&backend->lock);
    free(backend->name);
    free(backend);
}

int backend_open(const char *text, const char *input, const struct trestle_model *model,
                 const char *name, struct backend **ret_backend)
{
    bool has_input = model->input;
    *ret_backend = NULL;
    bool is_null = !text || strcmp(text, "null") == 0;
    if (is_null && !(has_input && input))
        return 0;
    struct backend *backend = xcalloc(1, sizeof(*backend));
    backend->name = xstrdup(name);
    backend->in_fd = backend->out_fd = backend->pty_fd = -1;
    backend->listener = LISTENER_NONE;
    backend->has_input = has_input;
    backend->has_frames = model->has_frames;
    backend->ready_fd = -1;
    pthread_mutex_init(&backend->lock, NULL);
    pthread_cond_init(&backend->emptied, NULL);
    int r = remember(&backend->wake_fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (r == 0)
        r = remember(&backend->ready_fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (r == 0)
        r = open_ends(backend, text, input);
    if (r < 0)
        free_backend(backend);
    else
        *ret_backend = backend;
    return r;
}

int backend_terminal(const struct backend *backend, char *buf, size_t size)
{
    return backend->pty_fd < 0 ? -ENOTTY : -ptsname_r(backend->out_fd, buf, size);
}

char *backend_lend(const struct backend *backend, int *fds, size_t *ref_num_fds)
{
    const int all[] = {backend->in_fd, backend->out_fd, backend->listener.fd};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (all[i] >= 0 && !(i == 1 && all[1] == all[0]))
            fds[(*ref_num_fds)++] = all[i];
    return xformat(LENT "%d,%d,%d,%d", all[0], all[1], all[2], backend->is_tap);
}

int backend_prepare(struct backend *backend)
{
    char path[64];
    if (!backend)
        return 0;
    if (backend->is_file && ftruncate(backend->out_fd, 0) < 0)
        return -errno;
    if (backend_terminal(backend, path, sizeof(path)) == 0)
        log_line("trestle: %s is at %s", backend->name, path);
    return 0;
}

int backend_start(struct backend *backend)
{
    int r = backend_prepare(backend);
    return r < 0 || !backend ? r : start_thread(backend);
}

/* --- the device's side ----------------------------------------------------------------------- */

static bool are_frames(const uint8_t *bytes, size_t size)
{
    while (size > LENGTH_SIZE) {
        size_t length = decode_length(bytes);
        if (length == 0 || length > size - LENGTH_SIZE)
            return false;
        bytes += LENGTH_SIZE + length;
        size -= LENGTH_SIZE + length;
    }
    return size == 0;
}

/* The thread, and who reads from it, rely on lengths that are right. */
static int refuse_output(struct backend *backend, size_t size)
{
    if (!backend->has_erred)
        log_line("trestle: warning: %s: its output is not whole frames, each after its length in 4 "
                 "bytes; what is not is lost",
                 backend->name);
    backend->has_erred = true;
    backend->lost += size;
    return -EINVAL;
}

int backend_write(struct backend *backend, const void *data, size_t size)
{
    if (!backend || !backend->has_output)
        return 0;
    pthread_mutex_lock(&backend->lock);
    if (backend->has_frames && !are_frames(data, size)) {
        int r = refuse_output(backend, size);
        pthread_mutex_unlock(&backend->lock);
        return r;
    }
    if (backend->has_frames && backend->out_fd < 0) {
        pthread_mutex_unlock(&backend->lock); /* nobody is at the other end of the cable */
        return 0;
    }
    size_t room = backend->has_failed ? 0 : BUFFER_SIZE - backend->output.used;
    size_t taken = size > room && backend->has_frames ? 0 : least(size, room);
    if (backend->output.used == 0 && taken > 0)
        ring_bell(backend->wake_fd);
    ring_add(&backend->output, data, taken);
    if (taken < size && backend->lost == 0 && !backend->has_failed)
        log_line("trestle: warning: %s: nobody reads its output in time; what does not fit is lost",
                 backend->name);
    backend->lost += size - taken;
    pthread_mutex_unlock(&backend->lock);
    return taken < size ? -ENOBUFS : 0;
}

int backend_fd(const struct backend *backend)
{
    return backend ? backend->ready_fd : -1;
}

size_t backend_read(struct backend *backend, void *data, size_t size)
{
    uint8_t *to = data;
    size_t taken = 0;
    pthread_mutex_lock(&backend->lock);
    hush_bell(backend->ready_fd);
    bool was_full = !has_room(backend);
    while (taken < size && backend->input.used > 0) {
        size_t piece;
        const uint8_t *from = ring_used(&backend->input, &piece);
        piece = least(piece, size - taken);
        memcpy(to + taken, from, piece);
        ring_take(&backend->input, piece);
        taken += piece;
    }
    if (taken > 0 && was_full)
        ring_bell(backend->wake_fd);
    if (taken > 0 && backend->input.used > 0)
        ring_bell(backend->ready_fd);
    pthread_mutex_unlock(&backend->lock);
    return taken;
}

void backend_ask(struct backend *backend)
{
    pthread_mutex_lock(&backend->lock);
    if (backend->input.used > 0)
        ring_bell(backend->ready_fd);
    pthread_mutex_unlock(&backend->lock);
}

/* Waits until all is written, or nobody takes any more. */
static bool wait_for_reader(struct backend *backend)
{
    int r = 0;
    pthread_mutex_lock(&backend->lock);
    backend->is_ending = true;
    ring_bell(backend->wake_fd);
    while (backend->output.used > 0 && backend->out_fd >= 0 && r == 0) {
        struct timespec until = clock_timespec(clock_ns() + END_PATIENCE_NS);
        r = pthread_cond_clockwait(&backend->emptied, &backend->lock, CLOCK_MONOTONIC, &until);
    }
    bool is_stuck = backend->output.used > 0 && backend->out_fd >= 0;
    pthread_mutex_unlock(&backend->lock);
    return !is_stuck;
}

void backend_abandon(struct backend *backend)
{
    if (!backend)
        return;
    if (backend->has_thread)
        (void)wait_for_reader(backend);
    listener_unlink(&backend->listener);
}

void backend_close(struct backend *backend)
{
    if (!backend)
        return;
    if (backend->has_thread) {
        if (!wait_for_reader(backend))
            pthread_cancel(backend->thread);
        pthread_join(backend->thread, NULL);
    }
    /* If nobody ever connected, nobody misses the output. */
    if (backend->listener.fd < 0 || backend->out_fd >= 0)
        backend->lost += backend->output.used;
    if (backend->lost > 0)
        log_line("trestle: warning: %s: lost bytes of its output: %" PRIu64, backend->name,
                 backend->lost);
    free_backend(backend);
}
