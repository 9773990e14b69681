/* SPDX-License-Identifier: MIT */
/*
 * The log: written at once where the reader takes it, else by a thread that waits for the reader.
 * A pipe or terminal is opened a second time, since O_NONBLOCK on the descriptor that we inherited
 * would hold for everybody who shares it.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "util.h"

#define BUFFER_SIZE ((size_t)1 << 20)
/* A write of so many bytes to a pipe is never mixed with others'. */
#define PIECE_SIZE ((size_t)4096)
/* At the end, a reader that takes nothing for so long will not take anything any more. */
#define END_PATIENCE_NS (2 * NS_PER_S)

enum sink { SINK_UNKNOWN, SINK_FILE, SINK_SOCKET, SINK_NONBLOCKING, SINK_BLOCKING, SINK_GONE };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    enum sink sink;
    int fd;
    bool has_thread;
    size_t start, used; /* of the ring in buffer */
    uint64_t left_out;  /* lines, since the last that fitted */
    uint64_t unwritten; /* lines, since the last that could be written */
    int error;          /* why they could not */
    bool shows_time;
    char buffer[BUFFER_SIZE];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .filled = PTHREAD_COND_INITIALIZER,
           .emptied = PTHREAD_COND_INITIALIZER};

/* --- the reader's side -------------------------------------------------------------------------
 */

static void open_sink(void)
{
    struct stat st;
    state.fd = STDERR_FILENO;
    if (fstat(STDERR_FILENO, &st) < 0) {
        state.sink = SINK_GONE;
    } else if (S_ISREG(st.st_mode)) {
        state.sink = SINK_FILE;
    } else if (S_ISSOCK(st.st_mode)) {
        state.sink = SINK_SOCKET;
    } else {
        int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        state.sink = fd < 0 ? SINK_BLOCKING : SINK_NONBLOCKING;
        if (fd >= 0)
            state.fd = fd;
    }
}

/* As much as the reader takes at once. A negative errno: none of it, now or later. */
static ssize_t write_now(const char *bytes, size_t size)
{
    ssize_t n = -1;
    if (state.sink == SINK_BLOCKING)
        return 0;
    do {
        n = state.sink == SINK_SOCKET ? send(state.fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL)
            : state.sink == SINK_GONE ? (ssize_t)size
                                      : write(state.fd, bytes, size);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    if (errno == EBADF) { /* a model may close what it likes */
        state.fd = STDERR_FILENO;
        state.sink = SINK_BLOCKING;
        return 0;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
}

static size_t piece_of(size_t size)
{
    return size < PIECE_SIZE ? size : PIECE_SIZE;
}

/* Without the lock: only this thread takes from the ring. */
static ssize_t wait_and_write(const char *bytes, size_t size)
{
    struct pollfd poll_fd = {.fd = state.fd, .events = POLLOUT};
    if (state.sink == SINK_BLOCKING) {
        ssize_t n = write(state.fd, bytes, piece_of(size));
        return n < 0 && errno == EINTR ? 0 : n < 0 ? -errno : n;
    }
    poll(&poll_fd, 1, -1);
    return write_now(bytes, piece_of(size));
}

static size_t count_lines(const char *text, size_t size)
{
    size_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return lines;
}

/* What became of these bytes: how many are dealt with. */
static size_t account(const char *bytes, size_t size, ssize_t written)
{
    if (written >= 0)
        return (size_t)written;
    state.unwritten += count_lines(bytes, piece_of(size));
    state.error = (int)-written;
    return piece_of(size);
}

/* Once something can be written again. */
static void say_unwritten(void)
{
    char text[256];
    int length = snprintf(text, sizeof(text),
                          "trestle: warning: %" PRIu64 " lines are missing here: they could not be "
                          "written: %s\n",
                          state.unwritten, error_text(-state.error));
    if (write_now(text, (size_t)length) > 0)
        state.unwritten = 0;
}

static void append(const char *bytes, size_t size)
{
    size_t end = (state.start + state.used) % BUFFER_SIZE, first = BUFFER_SIZE - end;
    first = first < size ? first : size;
    memcpy(state.buffer + end, bytes, first);
    memcpy(state.buffer, bytes + first, size - first);
    state.used += size;
}

/* There is room again. */
static void say_left_out(void)
{
    char text[160];
    int length = snprintf(text, sizeof(text),
                          "trestle: warning: %" PRIu64 " lines are missing here: nobody read the "
                          "log in time\n",
                          state.left_out);
    state.left_out = 0;
    append(text, (size_t)length);
}

static void *drain(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&state.lock);
    for (;;) {
        if (state.used == 0 && state.left_out > 0)
            say_left_out();
        while (state.used == 0)
            pthread_cond_wait(&state.filled, &state.lock);
        size_t size =
            BUFFER_SIZE - state.start < state.used ? BUFFER_SIZE - state.start : state.used;
        const char *bytes = state.buffer + state.start;
        pthread_mutex_unlock(&state.lock);
        ssize_t n = wait_and_write(bytes, size);
        pthread_mutex_lock(&state.lock);
        size_t written = account(bytes, size, n);
        state.start = (state.start + written) % BUFFER_SIZE;
        state.used -= written;
        pthread_cond_broadcast(&state.emptied);
    }
    return NULL;
}

/* Signals are for the threads that wait for them. */
static bool start_thread(void)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&thread, NULL, drain, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (is_started)
        pthread_detach(thread);
    return is_started;
}

/* --- the writer's side -------------------------------------------------------------------------
 */

/* Their handler has another thread write to the log, and this one wait for it. */
static void take_lock(sigset_t *ret_before)
{
    static const int numbers[] = {SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGPROF, SIGVTALRM, SIGXCPU};
    sigset_t handled;
    sigemptyset(&handled);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        sigaddset(&handled, numbers[i]);
    pthread_sigmask(SIG_BLOCK, &handled, ret_before);
    pthread_mutex_lock(&state.lock);
}

static void leave_lock(const sigset_t *before)
{
    pthread_mutex_unlock(&state.lock);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

void log_begin(void)
{
    sigset_t before;
    take_lock(&before);
    if (state.sink == SINK_UNKNOWN)
        open_sink();
    leave_lock(&before);
}

void log_text(const char *text)
{
    size_t size = strlen(text), written = 0;
    sigset_t before;
    take_lock(&before);
    if (state.sink == SINK_UNKNOWN)
        open_sink();
    if (state.unwritten > 0 && state.used == 0 && state.left_out == 0)
        say_unwritten();
    for (size_t n = 1; state.used == 0 && state.left_out == 0 && n > 0 && written < size;
         written += n)
        n = account(text + written, size - written,
                    write_now(text + written, piece_of(size - written)));
    if (written < size && !state.has_thread)
        state.has_thread = start_thread();
    if (written < size && state.left_out == 0 && size - written <= BUFFER_SIZE - state.used)
        append(text + written, size - written);
    else if (written < size)
        state.left_out += count_lines(text + written, size - written);
    pthread_cond_signal(&state.filled);
    leave_lock(&before);
}

void log_show_time(void)
{
    state.shows_time = true;
}

bool log_shows_time(void)
{
    return state.shows_time;
}

/* "12:34:56.123456 ", of the host: what other programs write at that time says the same. */
static const char *time_of_day(char *buffer, size_t size)
{
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    snprintf(buffer, size, "%02d:%02d:%02d.%06ld ", local.tm_hour, local.tm_min, local.tm_sec,
             now.tv_nsec / 1000);
    return buffer;
}

void log_line(const char *format, ...)
{
    char stamp[64];
    va_list args;
    va_start(args, format);
    char *text = xvformat(format, args);
    va_end(args);
    replace_control_characters(text);
    char *line = xformat("%s%s\n", state.shows_time ? time_of_day(stamp, sizeof(stamp)) : "", text);
    log_text(line);
    free(line);
    free(text);
}

void log_end(void)
{
    int r = 0;
    pthread_mutex_lock(&state.lock);
    while (state.has_thread && (state.used > 0 || state.left_out > 0) && r == 0) {
        struct timespec until = clock_timespec(clock_ns() + END_PATIENCE_NS);
        r = pthread_cond_clockwait(&state.emptied, &state.lock, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_unlock(&state.lock);
}
