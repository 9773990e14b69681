/* SPDX-License-Identifier: MIT */
/* The connecting side of a socket: short I/O, ends, deadlines, and paths that lead nowhere. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/socket_path.h"
#include "check.h"
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

static void test_end_in_the_middle(void **state)
{
    (void)state;
    char buf[6];
    assert_int_equal(ipc_send_all(pair[1], "ab", 2, CLOCK_NEVER), 0);
    close(pair[1]);
    pair[1] = -1;
    assert_int_equal(ipc_recv_exact(pair[0], buf, 6, CLOCK_NEVER, &wait_), -ECONNRESET);
    assert_true(ipc_has_input(pair[0]));
    assert_int_equal(ipc_send_all(pair[0], "x", 1, CLOCK_NEVER), -EPIPE); /* and no SIGPIPE */
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
    assert_int_equal(ipc_connect(path, &fd), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exact_over_short_writes, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_end_in_the_middle, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_deadlines, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_connect, make_dir, remove_dir),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
