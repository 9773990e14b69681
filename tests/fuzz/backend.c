/* SPDX-License-Identifier: MIT */
/*
 * The frames between a network device and the host: at a socket's stream, at a tap's interface, and
 * at a socket whose clients come and go. Whatever comes from either side, each frame passes whole,
 * in its order, or not at all. The backend's own thread is at work meanwhile, so that only what
 * does not depend on who is quicker is compared.
 */
#include "run/backend.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fuzz.h"
#include "log.h"
#include "trestle/device.h"
#include "util.h"

enum { STREAM, TAP, CLIENTS, MODES };
enum { HEAD = 4, FRAME_MAX = 65536 - HEAD, TAP_MAX = 32768 - HEAD, STEPS_MAX = 200 };

/* Bytes that are to come, of which some have. */
struct expected {
    uint8_t *bytes;
    size_t size, seen;
};

static struct backend *backend;
static int mode;
static int in_fd, out_fd; /* the other sides of the backend's; one and the same for a client */
static struct sockaddr_un address;
static socklen_t address_size;
static struct expected to_device, to_host;
/* What the host has sent of a frame that is not whole yet, and whether it can send more. */
static uint8_t begun[HEAD + FRAME_MAX];
static size_t num_begun;
static bool is_refused;
/* What a client has heard of a frame so far. */
static uint8_t heard[HEAD + FRAME_MAX];
static size_t num_heard;

static void take_input(struct trestle_device *dev, const void *data, size_t size)
{
    (void)dev;
    (void)data;
    (void)size;
}

static const struct trestle_model card = {.name = "card", .input = take_input, .has_frames = true};

void log_line(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    FUZZ_REQUIRE(!strchr(line, '\n') && !strstr(line, "(null)"));
}

/* --- frames ---------------------------------------------------------------------------------- */

static size_t length_of(const uint8_t *head)
{
    return (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
}

static void put_length(uint8_t *head, size_t length)
{
    for (unsigned i = 0; i < HEAD; i++)
        head[i] = (uint8_t)(length >> 8 * (HEAD - 1 - i));
}

/* A frame whose bytes are known by its length. */
static void fill(uint8_t *frame, size_t length)
{
    put_length(frame, length);
    for (size_t i = 0; i < length; i++)
        frame[HEAD + i] = (uint8_t)(length + i * 7);
}

static void expect(struct expected *expected, const uint8_t *bytes, size_t size)
{
    expected->bytes = xrealloc(expected->bytes, 1, expected->size + size);
    memcpy(expected->bytes + expected->size, bytes, size);
    expected->size += size;
}

static void check(struct expected *expected, const uint8_t *bytes, size_t size)
{
    FUZZ_REQUIRE(size <= expected->size - expected->seen);
    FUZZ_REQUIRE(memcmp(bytes, expected->bytes + expected->seen, size) == 0);
    expected->seen += size;
}

/* --- the device ------------------------------------------------------------------------------ */

static void read_input(size_t size)
{
    static uint8_t bytes[65536];
    check(&to_device, bytes, backend_read(backend, bytes, size));
}

static void wait_for_input(void)
{
    struct pollfd fd = {.fd = backend_fd(backend), .events = POLLIN};
    poll(&fd, 1, -1);
    read_input(65536);
}

static bool are_frames(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (size - at >= HEAD && length_of(bytes + at) > 0 &&
           length_of(bytes + at) <= size - at - HEAD)
        at += HEAD + length_of(bytes + at);
    return at == size;
}

static void write_output(const uint8_t *bytes, size_t size)
{
    int r = backend_write(backend, bytes, size);
    FUZZ_REQUIRE(are_frames(bytes, size) ? r == 0 || r == -ENOBUFS : r == -EINVAL);
    if (r == 0 && mode != CLIENTS)
        expect(&to_host, bytes, size);
}

/* --- the host -------------------------------------------------------------------------------- */

/* What a client hears begins with a whole frame, and ends anywhere. */
static void hear_frames(const uint8_t *bytes, size_t size)
{
    static uint8_t wanted[HEAD + FRAME_MAX];
    for (size_t i = 0; i < size; i++) {
        heard[num_heard++] = bytes[i];
        FUZZ_REQUIRE(num_heard != HEAD || length_of(heard) <= FRAME_MAX);
        if (num_heard < HEAD || num_heard < HEAD + length_of(heard))
            continue;
        if (num_heard > HEAD + 2) { /* shorter ones are of any bytes */
            fill(wanted, length_of(heard));
            FUZZ_REQUIRE(memcmp(wanted, heard, num_heard) == 0);
        }
        num_heard = 0;
    }
}

/* Returns whether there was anything. */
static bool hear(void)
{
    static uint8_t bytes[HEAD + 65536];
    if (out_fd < 0)
        return false;
    ssize_t n = recv(out_fd, bytes + HEAD, sizeof(bytes) - HEAD, MSG_DONTWAIT);
    if (n <= 0)
        return false;
    put_length(bytes, (size_t)n);
    if (mode == CLIENTS)
        hear_frames(bytes + HEAD, (size_t)n);
    else if (mode == TAP)
        check(&to_host, bytes, HEAD + (size_t)n);
    else
        check(&to_host, bytes + HEAD, (size_t)n);
    return true;
}

/* With the last of its whole frames taken: what a client that is gone has sent may be lost. */
static void leave(void)
{
    if (mode != CLIENTS || in_fd < 0)
        return;
    while (to_device.seen < to_device.size)
        wait_for_input();
    close(in_fd);
    in_fd = out_fd = -1;
}

static void join(void)
{
    if (mode != CLIENTS || in_fd >= 0)
        return;
    in_fd = out_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    FUZZ_REQUIRE(in_fd >= 0);
    FUZZ_REQUIRE(connect(in_fd, (struct sockaddr *)&address, address_size) == 0);
    num_begun = num_heard = 0;
    is_refused = false;
}

/* What of the bytes makes frames is to come to the device. */
static void note(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size && !is_refused; i++) {
        begun[num_begun++] = bytes[i];
        if (num_begun < HEAD)
            continue;
        size_t length = length_of(begun);
        is_refused = length == 0 || length > FRAME_MAX;
        if (is_refused || num_begun < HEAD + length)
            continue;
        expect(&to_device, begun, num_begun);
        num_begun = 0;
    }
}

/* The backend takes them when the device does. */
static void send_bytes(const uint8_t *bytes, size_t size)
{
    bool is_tap = mode == TAP;
    for (size_t done = 0; in_fd >= 0 && done < size && !is_refused;) {
        ssize_t n = send(in_fd, bytes + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0 && !is_tap)
            note(bytes + done, (size_t)n);
        if (n > 0)
            done += (size_t)n;
        if (n >= 0)
            continue;
        FUZZ_REQUIRE(errno == EAGAIN);
        struct pollfd fds[] = {{.fd = in_fd, .events = POLLOUT},
                               {.fd = backend_fd(backend), .events = POLLIN}};
        poll(fds, 2, -1);
        if (fds[1].revents)
            read_input(65536);
    }
}

static void send_frame(size_t length)
{
    static uint8_t frame[HEAD + 65536];
    fill(frame, length);
    if (mode != TAP) {
        send_bytes(frame, HEAD + length);
        return;
    }
    if (length > TAP_MAX) /* it may be lost */
        return;
    if (length > 0)
        expect(&to_device, frame, HEAD + length);
    send_bytes(frame + HEAD, length);
}

/* --- one input ------------------------------------------------------------------------------- */

static void send_raw(struct fuzz_input *in, size_t size, bool to_backend)
{
    uint8_t bytes[256];
    size_t left = (size_t)(in->end - in->next);
    size = size < left ? size : left;
    fuzz_bytes(in, bytes, size);
    if (!to_backend)
        write_output(bytes, mode == CLIENTS && size > HEAD + 2 ? HEAD + 2 : size);
    else if (mode != TAP)
        send_bytes(bytes, size);
}

static void step(struct fuzz_input *in)
{
    static uint8_t frame[HEAD + 65536];
    size_t length;
    switch (fuzz_byte(in) & 7) {
    case 0:
        send_raw(in, fuzz_byte(in), true);
        break;
    case 1:
        send_frame(fuzz_number(in, 2));
        break;
    case 2:
        length = fuzz_number(in, 2);
        fill(frame, length);
        write_output(frame, HEAD + length);
        break;
    case 3:
        read_input(1 + fuzz_byte(in) * (size_t)256);
        break;
    case 4:
        hear();
        break;
    case 5:
        leave();
        break;
    case 6:
        join();
        break;
    default:
        send_raw(in, fuzz_byte(in), false);
    }
}

static void make_pair(int type, int *ret_ours, int *ret_theirs)
{
    int fds[2];
    FUZZ_REQUIRE(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    *ret_ours = fds[0];
    *ret_theirs = fds[1];
}

static int make_listener(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address_size = sizeof(address);
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    /* Linux chooses a name. */
    FUZZ_REQUIRE(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
    FUZZ_REQUIRE(getsockname(fd, (struct sockaddr *)&address, &address_size) == 0);
    FUZZ_REQUIRE(listen(fd, STEPS_MAX) == 0);
    return fd;
}

static void begin(void)
{
    int their_in = -1, their_out = -1, listen_fd = -1,
        type = mode == TAP ? SOCK_DGRAM : SOCK_STREAM;
    in_fd = out_fd = -1;
    if (mode == CLIENTS) {
        listen_fd = make_listener();
    } else {
        make_pair(type, &in_fd, &their_in);
        make_pair(type, &out_fd, &their_out);
    }
    char *text = xformat("fds:%d,%d,%d,%d", their_in, their_out, listen_fd, mode == TAP);
    FUZZ_REQUIRE(backend_open(text, NULL, &card, "net", &backend) == 0);
    FUZZ_REQUIRE(backend_start(backend) == 0);
    free(text);
    to_device = to_host = (struct expected){.size = 0};
    num_begun = num_heard = 0;
    is_refused = false;
    join();
}

/* The host has said all, and both sides take what there is. */
static void settle(void)
{
    if (mode == TAP)
        send_frame(1); /* behind which nothing comes */
    if (mode == STREAM)
        shutdown(in_fd, SHUT_WR);
    leave();
    while (to_device.seen < to_device.size)
        wait_for_input();
    if (mode == STREAM) { /* the backend has closed its side, and reads no more */
        struct pollfd end = {.fd = in_fd};
        poll(&end, 1, -1);
        read_input(1);
    }
    while (mode != CLIENTS && to_host.seen < to_host.size) {
        struct pollfd fd = {.fd = out_fd, .events = POLLIN};
        poll(&fd, 1, -1);
        FUZZ_REQUIRE(hear());
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    int free_fd = fuzz_free_descriptor();
    mode = fuzz_byte(&in) % MODES;
    begin();
    for (unsigned i = 0; i < STEPS_MAX && in.next < in.end; i++)
        step(&in);
    settle();
    backend_close(backend);
    FUZZ_REQUIRE(!hear());
    if (in_fd >= 0)
        close(in_fd);
    if (out_fd >= 0)
        close(out_fd);
    free(to_device.bytes);
    free(to_host.bytes);
    FUZZ_REQUIRE(fuzz_free_descriptor() == free_fd);
    return 0;
}
