/* SPDX-License-Identifier: MIT */
/* Host ends whose readers take their time, or go away. */
#include "run/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "log.h"
#include "trestle/device.h"

/* More than a FIFO and the buffer hold together. */
#define PLENTY ((size_t)1 << 20)

static char directory[] = "/tmp/trestle-backend-XXXXXX", path[64], text[80];
static int reader;

static void take_input(struct trestle_device *dev, const void *data, size_t size)
{
}

static const struct trestle_model speaker = {.name = "speaker"};
static const struct trestle_model listener = {.name = "listener", .input = take_input};
static const struct trestle_model card = {.name = "card", .input = take_input, .has_frames = true};

static int setup(void **state)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/fifo", directory);
    snprintf(text, sizeof(text), "file:%s", path);
    if (mkfifo(path, 0600) < 0)
        return -1;
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return reader < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    if (reader >= 0)
        close(reader);
    unlink(path);
    return rmdir(directory);
}

static struct backend *begin(const char *to, const char *from)
{
    struct backend *backend;
    const struct trestle_model *model = strcmp(to, "stdio") == 0 ? &speaker : &listener;
    assert_int_equal(backend_open(to, from, model, "uart", &backend), 0);
    assert_int_equal(backend_start(backend), 0);
    return backend;
}

/* Until nothing more fits; how much has. */
static size_t fill(struct backend *backend)
{
    size_t taken = 0;
    for (; taken < PLENTY; taken++) {
        uint8_t byte = (uint8_t)(taken % 251);
        if (backend_write(backend, &byte, 1) == -ENOBUFS)
            return taken;
    }
    fail_msg("it takes everything");
    return 0;
}

static void test_slow_reader(void **state)
{
    struct backend *backend;
    size_t seen = 0;
    uint8_t bytes[4096];
    backend = begin(text, NULL);
    size_t taken = fill(backend);
    assert_cmp(taken, >=, 65536);
    fcntl(reader, F_SETFL, 0);
    while (seen < taken) {
        ssize_t n = read(reader, bytes, sizeof(bytes));
        assert_cmp(n, >, 0);
        for (ssize_t i = 0; i < n; i++, seen++)
            assert_int_equal(bytes[i], seen % 251);
    }
    backend_close(backend);
    assert_int_equal(read(reader, bytes, 1), 0);
    assert_int_equal(seen, taken);
}

/* Whoever shares standard output may have made it one that does not wait. */
static void test_shared_with_somebody_impatient(void **state)
{
    struct backend *backend;
    uint8_t bytes[4096];
    size_t seen = 0;
    int writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    int before = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    fflush(stdout);
    dup2(writer, STDOUT_FILENO);
    backend = begin("stdio", NULL);
    dup2(before, STDOUT_FILENO);
    close(before);
    close(writer);
    size_t taken = fill(backend);
    fcntl(reader, F_SETFL, 0);
    while (seen < taken) {
        ssize_t n = read(reader, bytes, sizeof(bytes));
        assert_cmp(n, >, 0);
        seen += (size_t)n;
    }
    backend_close(backend);
    assert_int_equal(read(reader, bytes, 1), 0);
}

static void test_reader_that_goes(void **state)
{
    struct backend *backend;
    backend = begin(text, NULL);
    fill(backend);
    close(reader);
    reader = -1;
    backend_close(backend);
}

static void test_what_cannot_be_opened(void **state)
{
    struct backend *backend;
    close(reader);
    reader = -1;
    assert_int_equal(backend_open(text, NULL, &speaker, "uart", &backend),
                     -ENXIO); /* nobody reads it */
    snprintf(text, sizeof(text), "file:%s", directory);
    assert_int_equal(backend_open(text, NULL, &speaker, "uart", &backend), -EISDIR);
    assert_null(backend);
    backend_close(backend);
}

/* Waits for some of it. */
static size_t hear(struct backend *backend, char *bytes, size_t size)
{
    struct pollfd fd = {.fd = backend_fd(backend), .events = POLLIN};
    size_t heard = 0;
    while (heard == 0) {
        assert_int_equal(poll(&fd, 1, -1), 1);
        heard = backend_read(backend, bytes, size);
    }
    return heard;
}

static bool is_ready(const struct backend *backend)
{
    struct pollfd fd = {.fd = backend_fd(backend), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

/* What a device does not take waits, and comes when it is asked for. */
static void test_input(void **state)
{
    char bytes[8];
    int writer = open(path, O_WRONLY | O_CLOEXEC);
    struct backend *backend = begin("null", text);
    assert_int_equal(write(writer, "hello", 5), 5);
    assert_int_equal(hear(backend, bytes, 2), 2);
    assert_memory_equal(bytes, "he", 2);
    assert_true(is_ready(backend));
    assert_int_equal(backend_read(backend, bytes, 0), 0);
    assert_false(is_ready(backend));
    backend_ask(backend);
    assert_int_equal(hear(backend, bytes, sizeof(bytes)), 3);
    assert_memory_equal(bytes, "llo", 3);
    backend_ask(backend);
    assert_false(is_ready(backend));
    assert_int_equal(backend_write(backend, "x", 1), 0);
    close(writer); /* a FIFO goes on with the next writer */
    writer = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(writer, "!", 1), 1);
    assert_int_equal(hear(backend, bytes, sizeof(bytes)), 1);
    close(writer);
    backend_close(backend);
}

/* More than the buffer holds: whoever writes has to wait, and nothing is lost. */
static void test_much_input(void **state)
{
    uint8_t bytes[1000];
    size_t sent = 0, heard = 0;
    int writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    struct backend *backend = begin("null", text);
    while (heard < PLENTY) {
        uint8_t byte = (uint8_t)(sent % 251);
        if (sent < PLENTY && write(writer, &byte, 1) == 1) {
            sent++;
            continue;
        }
        size_t n = hear(backend, (char *)bytes, sizeof(bytes));
        for (size_t i = 0; i < n; i++, heard++)
            assert_int_equal(bytes[i], heard % 251);
    }
    close(writer);
    backend_close(backend);
}

static int connect_to(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, socket_path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* The first client gets what was said before it came; when it goes, the next one may come. */
static void test_socket(void **state)
{
    char socket_path[80], place[90], bytes[8];
    struct backend *other;
    snprintf(socket_path, sizeof(socket_path), "%s/sock", directory);
    snprintf(place, sizeof(place), "unix:%s", socket_path);
    struct backend *backend = begin(place, NULL);
    assert_int_equal(backend_open(place, NULL, &listener, "other", &other), -EADDRINUSE);
    assert_int_equal(backend_write(backend, "early", 5), 0);
    for (unsigned i = 0; i < 3; i++) {
        int fd = connect_to(socket_path);
        if (i == 0)
            assert_int_equal(recv(fd, bytes, 5, MSG_WAITALL), 5);
        assert_int_equal(write(fd, "in", 2), 2);
        assert_int_equal(hear(backend, bytes, sizeof(bytes)), 2);
        assert_int_equal(backend_write(backend, "out", 3), 0);
        assert_int_equal(recv(fd, bytes, 3, MSG_WAITALL), 3);
        assert_memory_equal(bytes, "out", 3);
        close(fd);
    }
    backend_close(backend);
    assert_int_equal(access(socket_path, F_OK), -1);
}

/* With whole frames in both directions, whatever comes in which pieces; nobody gets half of one
 * that was meant for somebody before. */
static void test_frames(void **state)
{
    char socket_path[80], place[90], bytes[16];
    struct backend *backend;
    snprintf(socket_path, sizeof(socket_path), "%s/sock", directory);
    snprintf(place, sizeof(place), "unix:%s", socket_path);
    assert_int_equal(backend_open(place, NULL, &card, "card", &backend), 0);
    assert_int_equal(backend_start(backend), 0);
    assert_int_equal(backend_write(backend, "\0\0\0\5early", 9), 0);
    int fd = connect_to(socket_path);
    assert_int_equal(write(fd, "\0\0\0\3one\0\0\0\5ha", 13), 13);
    for (size_t heard = 0; heard < 7;)
        heard += hear(backend, bytes + heard, sizeof(bytes) - heard);
    assert_memory_equal(bytes, "\0\0\0\3one", 7);
    assert_int_equal(backend_read(backend, bytes, 1), 0);
    assert_int_equal(backend_write(backend, "\0\0\0\4late", 8), 0);
    assert_int_equal(recv(fd, bytes, 8, MSG_WAITALL), 8);
    assert_memory_equal(bytes, "\0\0\0\4late", 8);
    close(fd);
    static const char *const no_frames[] = {"\0\0\0\0", "\0\0\377\375", "text"};
    for (unsigned i = 0; i < 3; i++) {
        fd = connect_to(socket_path);
        assert_int_equal(write(fd, no_frames[i], 4), 4);
        assert_int_equal(recv(fd, bytes, 1, 0), 0);
        close(fd);
    }
    fd = connect_to(socket_path);
    assert_int_equal(write(fd, "\0\0\0\3two", 7), 7);
    assert_int_equal(hear(backend, bytes, sizeof(bytes)), 7);
    assert_memory_equal(bytes, "\0\0\0\3two", 7);
    close(fd);
    backend_close(backend);
}

/* One that does not fit is lost as a whole. */
/* What is no frame does not take those with it that came before. */
static void test_frames_before_something_else(void **state)
{
    struct backend *backend;
    char bytes[16];
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    snprintf(text, sizeof(text), "fds:%d,-1,-1,0", fds[1]);
    assert_int_equal(backend_open(text, NULL, &card, "card", &backend), 0);
    assert_int_equal(write(fds[0], "\0\0\0\3one\0\0\0\0rest", 15), 15);
    assert_int_equal(backend_start(backend), 0);
    assert_int_equal(hear(backend, bytes, sizeof(bytes)), 7);
    assert_memory_equal(bytes, "\0\0\0\3one", 7);
    backend_close(backend);
    close(fds[0]);
}

/* A model's mistake reaches nobody. A tap takes a frame at a time, by the length in front of it. */
static void test_output_that_is_no_frames(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } wrong[] = {{"\0\0\0", 3},      {"\0\0\0\0", 4},      {"\0\0\0\5four", 8},
                 {"\0\0\0\2one", 7}, {"\0\0\0\1.\0\0", 7}, {"\377\377\377\377text", 8}};
    struct backend *backend;
    char bytes[16];
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
    snprintf(text, sizeof(text), "fds:%d,%d,-1,1", fds[1], fds[1]);
    assert_int_equal(backend_open(text, NULL, &card, "card", &backend), 0);
    assert_int_equal(backend_start(backend), 0);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(backend_write(backend, wrong[i].bytes, wrong[i].size), -EINVAL);
    assert_int_equal(backend_write(backend, "\0\0\0\3one\0\0\0\5after", 16), 0);
    assert_int_equal(recv(fds[0], bytes, sizeof(bytes), 0), 3);
    assert_memory_equal(bytes, "one", 3);
    assert_int_equal(recv(fds[0], bytes, sizeof(bytes), 0), 5);
    assert_memory_equal(bytes, "after", 5);
    backend_close(backend);
    close(fds[0]);
}

static void test_frames_that_nobody_takes(void **state)
{
    static uint8_t frame[1000] = {0, 0, 996 >> 8, 996 & 0xff};
    static uint8_t seen[PLENTY];
    struct backend *backend;
    size_t taken = 0, heard = 0;
    assert_int_equal(backend_open(text, NULL, &card, "card", &backend), 0);
    assert_int_equal(backend_start(backend), 0);
    while (backend_write(backend, frame, sizeof(frame)) == 0)
        taken += sizeof(frame);
    fcntl(reader, F_SETFL, 0);
    while (heard < taken) {
        ssize_t n = read(reader, seen + heard, sizeof(seen) - heard);
        assert_cmp(n, >, 0);
        heard += (size_t)n;
    }
    backend_close(backend);
    assert_int_equal(read(reader, seen, 1), 0);
    assert_int_equal(heard, taken);
    for (size_t i = 0; i < heard; i += sizeof(frame))
        assert_memory_equal(seen + i, frame, sizeof(frame));
}

/* Another process, which is this one here, goes on with the descriptors. */
static void test_lent(void **state)
{
    struct backend *owner, *borrower;
    char bytes[8];
    int fds[BACKEND_FDS_MAX];
    size_t num_fds = 0;
    assert_int_equal(backend_open(text, NULL, &listener, "uart", &owner), 0);
    assert_int_equal(backend_prepare(owner), 0);
    char *lent = backend_lend(owner, fds, &num_fds);
    assert_int_equal(num_fds, 1);
    int theirs = dup(fds[0]);
    char there[40];
    snprintf(there, sizeof(there), "fds:-1,%d,-1,0", theirs);
    assert_int_equal(strncmp(lent, "fds:-1,", 7), 0);
    free(lent);
    assert_int_equal(backend_open(there, NULL, &listener, "uart", &borrower), 0);
    assert_int_equal(backend_start(borrower), 0);
    assert_int_equal(backend_write(borrower, "hello", 5), 0);
    backend_close(borrower);
    fcntl(reader, F_SETFL, 0);
    assert_int_equal(read(reader, bytes, sizeof(bytes)), 5);
    backend_close(owner);
    assert_int_equal(read(reader, bytes, 1), 0);
}

static void test_socket_that_was_left_behind(void **state)
{
    char socket_path[80], place[90];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(socket_path, sizeof(socket_path), "%s/sock", directory);
    snprintf(place, sizeof(place), "unix:%s", socket_path);
    strcpy(address.sun_path, socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    backend_close(begin(place, NULL));
}

/* What is there is not touched before the run begins. */
static void test_file_of_an_older_run(void **state)
{
    char file[80], place[90];
    struct backend *backend;
    struct stat st;
    snprintf(file, sizeof(file), "%s/file", directory);
    snprintf(place, sizeof(place), "file:%s", file);
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "old", 3), 3);
    assert_int_equal(backend_open(place, NULL, &speaker, "uart", &backend), 0);
    backend_close(backend);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 3);
    backend = begin(place, NULL);
    assert_int_equal(backend_write(backend, "x", 1), 0);
    backend_close(backend);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 1);
    close(fd);
    unlink(file);
}

/* It is raw: nothing that passes has a meaning. */
static void test_pty(void **state)
{
    char bytes[8], name[64];
    struct backend *backend = begin("pty", NULL);
    assert_int_equal(backend_terminal(backend, name, sizeof(name)), 0);
    int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_int_equal(write(fd, "\3\r", 2), 2);
    assert_int_equal(hear(backend, bytes, sizeof(bytes)), 2);
    assert_memory_equal(bytes, "\3\r", 2);
    assert_int_equal(backend_write(backend, "a\n", 2), 0);
    assert_int_equal(read(fd, bytes, 2), 2);
    assert_memory_equal(bytes, "a\n", 2);
    close(fd);
    backend_close(backend);
}

static void test_null(void **state)
{
    struct backend *backend;
    assert_int_equal(backend_open("null", NULL, &listener, "uart", &backend), 0);
    assert_null(backend);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(backend_write(backend, "x", 1), 0);
    backend_close(backend);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    log_begin(); /* opens what it needs for good */
    const struct CMUnitTest tests[] = {TEST(test_slow_reader),
                                       TEST(test_shared_with_somebody_impatient),
                                       TEST(test_reader_that_goes),
                                       TEST(test_what_cannot_be_opened),
                                       TEST(test_null),
                                       TEST(test_input),
                                       TEST(test_much_input),
                                       TEST(test_socket),
                                       TEST(test_frames),
                                       TEST(test_frames_before_something_else),
                                       TEST(test_output_that_is_no_frames),
                                       TEST(test_frames_that_nobody_takes),
                                       TEST(test_lent),
                                       TEST(test_socket_that_was_left_behind),
                                       TEST(test_file_of_an_older_run),
                                       TEST(test_pty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
