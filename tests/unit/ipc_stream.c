/* SPDX-License-Identifier: MIT */
/* The connecting side of a socket: short I/O, ends, deadlines, buffers, descriptors, and paths that
 * lead nowhere. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/socket_path.h"
#include "check.h"
#include "ipc/fds.h"
#include "ipc/stream.h"

static int pair[2];
static struct ipc_crowd crowd_;
static struct ipc_wait wait_;
static char dir[] = "/tmp/trestle-unit-XXXXXX";

static int open_pair(void **state)
{
    (void)state;
    ipc_wait_init(&wait_, TRESTLE_WAIT_ADAPTIVE, &crowd_);
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static int close_pair(void **state)
{
    (void)state;
    close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
    return 0;
}

static void test_exact_over_short_writes(void **state)
{
    (void)state;
    char buf[6] = {0};
    assert_int_equal(ipc_send_all(pair[1], "ab", 2, CLOCK_NEVER), 0);
    assert_true(ipc_has_input(pair[0]));
    assert_int_equal(ipc_send_all(pair[1], "cdef", 4, CLOCK_NEVER), 0);
    assert_int_equal(ipc_recv_exact(pair[0], buf, 6, CLOCK_NEVER, &wait_), 0);
    assert_memory_equal(buf, "abcdef", 6);
    assert_false(ipc_has_input(pair[0]));
}

enum { MUCH = 1 << 20 };

static void *send_much(void *bytes)
{
    return (void *)(intptr_t)ipc_send_all(pair[1], bytes, MUCH, CLOCK_NEVER);
}

/* More than a socket holds: it goes, and comes, in pieces. */
static void test_much_in_pieces(void **state)
{
    static uint8_t sent[MUCH], got[MUCH];
    pthread_t sender;
    void *result;
    (void)state;
    for (size_t i = 0; i < MUCH; i++)
        sent[i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(pthread_create(&sender, NULL, send_much, sent), 0);
    assert_int_equal(ipc_recv_exact(pair[0], got, MUCH, CLOCK_NEVER, &wait_), 0);
    assert_int_equal(pthread_join(sender, &result), 0);
    assert_null(result);
    assert_memory_equal(got, sent, MUCH);
}

static void test_end_in_the_middle(void **state)
{
    (void)state;
    char buf[6];
    assert_int_equal(ipc_send_all(pair[1], "ab", 2, CLOCK_NEVER), 0);
    close(pair[1]);
    pair[1] = -1;
    errno = EINTR; /* of something before */
    assert_int_equal(ipc_recv_exact(pair[0], buf, 6, CLOCK_NEVER, &wait_), -ECONNRESET);
    assert_true(ipc_has_input(pair[0]));
    assert_int_equal(ipc_send_all(pair[0], "x", 1, CLOCK_NEVER), -EPIPE); /* and no SIGPIPE */
    assert_int_equal(ipc_send_all(-1, "x", 1, CLOCK_NEVER), -EBADF);
}

static void test_deadlines(void **state)
{
    (void)state;
    for (int policy = TRESTLE_WAIT_ADAPTIVE; policy <= TRESTLE_WAIT_SPIN; policy++) {
        struct ipc_wait wait;
        char buf[2];
        ipc_wait_init(&wait, (enum trestle_wait)policy, &crowd_);
        uint64_t deadline = clock_ns() + 2000000;
        assert_int_equal(ipc_send_all(pair[1], "a", 1, CLOCK_NEVER), 0);
        assert_int_equal(ipc_recv_exact(pair[0], buf, 2, deadline, &wait), -ETIMEDOUT);
        assert_cmp(clock_ns(), >=, deadline);
    }
    static char much[1 << 20];
    assert_int_equal(ipc_send_all(pair[0], much, sizeof(much), clock_ns() + 1000000), -ETIMEDOUT);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

static int listen_at(const char *path, int backlog)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    assert_cmp(strlen(path), <, sizeof(addr.sun_path));
    strcpy(addr.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static void test_connect(void **state)
{
    (void)state;
    char path[200], buf[3];
    int fd = -1, other, last;
    snprintf(path, sizeof(path), "%s/s", dir);
    assert_int_equal(ipc_connect(path, &fd), -ENOENT);
    int listener = listen_at(path, 0);
    errno = EINTR; /* of something before */
    assert_int_equal(ipc_connect(path, &fd), 0);
    int saved = free_stdin(), first = fd;
    close(first);
    other = accept(listener, NULL, NULL);
    assert_int_equal(other, 0);
    close(other);
    assert_int_equal(ipc_connect(path, &fd), 0); /* descriptor 0 is as good as any */
    assert_int_equal(fd, 0);
    fd = dup(0);
    close(0);
    restore_stdin(saved);
    /* The backlog is full now: an answer at once, not a wait. */
    assert_int_equal(ipc_connect(path, &last), -EAGAIN);
    other = accept(listener, NULL, NULL);
    assert_int_equal(ipc_send_all(other, "abc", 3, CLOCK_NEVER), 0);
    assert_int_equal(ipc_recv_exact(fd, buf, 3, CLOCK_NEVER, &wait_), 0);
    close(other);
    close(listener);
    close(fd);
    assert_int_equal(ipc_connect(path, &fd), -ECONNREFUSED);
    unlink(path);
}

static void test_paths(void **state)
{
    (void)state;
    char path[300];
    int fd = -1;
    memset(path, 'x', sizeof(path));
    path[SOCKET_PATH_MAX + 1] = 0;
    assert_int_equal(ipc_connect(path, &fd), -ENAMETOOLONG);
    path[SOCKET_PATH_MAX] = 0;
    assert_int_equal(ipc_connect(path, &fd), -ENOENT);
    assert_int_equal(ipc_connect("", &fd), -EINVAL);
    assert_int_equal(fd, -1);
}

/* --- with buffers ---------------------------------------------------------------------------- */

static void test_filled_no_further_than_asked(void **state)
{
    (void)state;
    struct stream stream;
    char buf[8];
    size_t room;
    stream_start(&stream, pair[0]);
    assert_int_equal(stream_fill(&stream, 4), 0);
    assert_int_equal(ipc_send_all(pair[1], "abcdefgh", 8, CLOCK_NEVER), 0);
    assert_int_equal(stream_fill(&stream, 4), 1);
    assert_int_equal(stream_fill(&stream, 4), 1);
    assert_int_equal(stream_buffered(&stream), 4);
    assert_int_equal(stream_fill(&stream, 6), 1);
    assert_int_equal(stream_fill(&stream, 9), 0); /* the rest is there all the same */
    assert_int_equal(stream_buffered(&stream), 8);
    /* Some of what is buffered, and then that and more. */
    assert_int_equal(stream_read(&stream, buf, 1, 0, &wait_), 0);
    (void)stream_room(&stream, &room);
    assert_int_equal(room, STREAM_BUFFER - 7);
    assert_int_equal(stream_read(&stream, buf + 1, 2, 0, &wait_), 0);
    assert_memory_equal(buf, "abc", 3);
    assert_ptr_equal(stream_room(&stream, &room), stream.in + 5);
    assert_int_equal(room, STREAM_BUFFER - 5);
    assert_memory_equal(stream.in, "defgh", 5);
    assert_int_equal(ipc_send_all(pair[1], "ij", 2, CLOCK_NEVER), 0);
    assert_int_equal(stream_read(&stream, buf, 2, CLOCK_NEVER, &wait_), 0);
    assert_int_equal(stream_read(&stream, buf + 2, 5, CLOCK_NEVER, &wait_), 0);
    assert_memory_equal(buf, "defghij", 7);
    close(pair[1]);
    pair[1] = -1;
    assert_int_equal(stream_fill(&stream, 1), -ECONNRESET);
    assert_int_equal(stream_put(&stream, (const uint8_t *)"x", 1), -EPIPE);
}

/* The peer takes nothing for a while. */
static void test_output_waits_in_the_buffer(void **state)
{
    (void)state;
    static uint8_t part[1000], got[1000];
    static struct stream stream;
    unsigned taken = 0, read = 0;
    int r;
    stream_start(&stream, pair[0]);
    while (part[0] = (uint8_t)taken, (r = stream_put(&stream, part, sizeof(part))) == 0)
        taken++;
    assert_int_equal(r, -EAGAIN); /* nothing of this one */
    assert_true(stream_has_output(&stream));
    assert_cmp(stream.out_end + sizeof(part), >, STREAM_BUFFER);
    assert_int_equal(stream_push(&stream), 0);
    assert_true(stream_has_output(&stream));
    assert_int_equal(stream_flush(&stream, clock_ns()), -ETIMEDOUT);
    while (stream_has_output(&stream) || ipc_has_input(pair[1])) {
        assert_int_equal(ipc_recv_exact(pair[1], got, sizeof(got), 0, &wait_), 0);
        assert_int_equal(got[0], (uint8_t)read++);
        assert_int_equal(stream_push(&stream), 0);
    }
    assert_int_equal(read, taken);
    assert_int_equal(stream.out_end, 0); /* and all of the buffer is free again */
    assert_int_equal(stream_flush(&stream, 0), 0);
}

/* All of the buffer is used, and once it is empty, again. */
static void test_a_buffer_that_is_just_full(void **state)
{
    static uint8_t part[STREAM_BUFFER / 2], got[STREAM_BUFFER];
    static struct stream stream;
    size_t waiting = 0;
    ssize_t n;
    (void)state;
    stream_start(&stream, pair[0]);
    for (unsigned turn = 0; turn < 2; turn++) {
        while ((n = send(pair[0], part, sizeof(part), MSG_DONTWAIT)) > 0)
            waiting += (size_t)n;
        assert_int_equal(stream_put(&stream, part, sizeof(part)), 0);
        assert_int_equal(stream_put(&stream, part, sizeof(part)), 0);
        assert_int_equal(stream_put(&stream, part, 1), -EAGAIN);
        for (; waiting > 0; waiting -= sizeof(part))
            assert_int_equal(ipc_recv_exact(pair[1], got, sizeof(part), 0, &wait_), 0);
        assert_int_equal(turn == 0 ? stream_push(&stream) : stream_flush(&stream, 0), 0);
        assert_int_equal(ipc_recv_exact(pair[1], got, sizeof(got), 0, &wait_), 0);
        assert_false(ipc_has_input(pair[1]));
    }
}

/* --- descriptors ----------------------------------------------------------------------------- */

static void test_descriptors_travel(void **state)
{
    (void)state;
    char buf[4];
    int fds[FDS_MAX + 1], got[FDS_MAX];
    size_t num = 9;
    struct stat sent, received;
    for (int i = 0; i <= FDS_MAX; i++)
        fds[i] = memfd_create("trestle", MFD_CLOEXEC);
    assert_int_equal(fds_recv(pair[1], buf, 4, got, &num), -EAGAIN);
    assert_int_equal(num, 0);
    assert_int_equal(fds_send(pair[0], "no", 2, fds, FDS_MAX + 1), -E2BIG);
    for (size_t count = 0; count <= FDS_MAX; count += FDS_MAX / 2) {
        assert_int_equal(fds_send(pair[0], "abc", 3, fds, count), 0);
        assert_int_equal(fds_recv(pair[1], buf, 4, got, &num), 3);
        assert_memory_equal(buf, "abc", 3);
        assert_int_equal(num, count);
        for (size_t i = 0; i < num; i++) {
            assert_int_equal(fstat(fds[i], &sent), 0);
            assert_int_equal(fstat(got[i], &received), 0);
            assert_int_equal(received.st_ino, sent.st_ino);
            assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
        }
        fds_close(got, num);
    }
    fds_close(fds, FDS_MAX + 1);
    close(pair[0]);
    pair[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fds_recv(pair[1], buf, 4, got, &num), 0);
    assert_int_equal(fds_send(pair[1], "abc", 3, NULL, 0), -EPIPE);
}

/* What else may come along with bytes is no descriptor. */
/* One of something before is none. */
static void test_an_old_error_with_descriptors(void **state)
{
    int fds[FDS_MAX];
    size_t num_fds;
    char byte;
    (void)state;
    errno = EINTR;
    assert_int_equal(fds_send(pair[1], "", 0, NULL, 0), 0);
    close(pair[1]);
    pair[1] = -1;
    errno = EINTR;
    assert_int_equal(fds_recv(pair[0], &byte, 1, fds, &num_fds), 0);
    assert_int_equal(num_fds, 0);
}

static void test_credentials_are_no_descriptors(void **state)
{
    char buf[4];
    int got[FDS_MAX], yes = 1;
    size_t num;
    (void)state;
    assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)), 0);
    assert_int_equal(fds_send(pair[0], "abc", 3, NULL, 0), 0);
    assert_int_equal(fds_recv(pair[1], buf, 4, got, &num), 3);
    assert_int_equal(num, 0);
}

static void test_files_that_keep_their_bytes(void **state)
{
    (void)state;
    int file = memfd_create("trestle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(file, 4096), 0);
    assert_false(fds_holds(file, 4096)); /* it may shrink */
    assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_GROW), 0);
    assert_false(fds_holds(file, 4096));
    assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_true(fds_holds(file, 4096));
    assert_true(fds_holds(file, 0));
    assert_false(fds_holds(file, 4097));
    assert_false(fds_holds(file, UINT64_MAX));
    close(file);
    assert_false(fds_holds(file, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exact_over_short_writes, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_much_in_pieces, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_end_in_the_middle, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_deadlines, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_filled_no_further_than_asked, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_output_waits_in_the_buffer, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_a_buffer_that_is_just_full, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_descriptors_travel, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_an_old_error_with_descriptors, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_credentials_are_no_descriptors, open_pair, close_pair),
        cmocka_unit_test(test_files_that_keep_their_bytes),
        cmocka_unit_test_setup_teardown(test_connect, make_dir, remove_dir),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
