/* SPDX-License-Identifier: MIT */
/* Who may listen where, and what is left behind. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/listener.h"

static char dir[] = "/tmp/trestle-listener-XXXXXX";
static char path[128];

static struct sockaddr_un address_of_path(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

static int make_dir(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/a.sock", dir);
    return 0;
}

/* Fails when a test left a file behind. */
static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

static bool exists(const char *suffix)
{
    char name[160];
    struct stat st;
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return lstat(name, &st) == 0;
}

static int connect_to_path(void)
{
    struct sockaddr_un address = address_of_path();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -errno;
    }
    return fd;
}

static void expect_refusal(int error, const char *word)
{
    struct listener listener;
    char *message = NULL;
    assert_int_equal(listener_open(&listener, path, false, &message), error);
    assert_non_null(message);
    assert_non_null(strstr(message, word));
    free(message);
}

static void test_open_and_close(void **state)
{
    (void)state;
    struct listener listener;
    struct stat st;
    int fd, client;
    mode_t before = umask(0);
    assert_int_equal(listener_open(&listener, path, false, NULL), 0);
    umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(listener_accept(listener.fd, &fd), -EAGAIN);
    client = connect_to_path();
    assert_true(client >= 0);
    assert_int_equal(listener_accept(listener.fd, &fd), 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    close(client);
    listener_close(&listener);
    assert_false(exists("") || exists(".lock"));
}

static void test_live_server_is_left_alone(void **state)
{
    (void)state;
    struct listener first;
    assert_int_equal(listener_open(&first, path, false, NULL), 0);
    expect_refusal(-EADDRINUSE, "another Trestle");
    int client = connect_to_path();
    assert_true(client >= 0); /* the first one still listens */
    close(client);
    listener_close(&first);
}

static void test_live_server_without_lock_is_left_alone(void **state)
{
    (void)state;
    struct listener first;
    assert_int_equal(listener_open(&first, path, true, NULL), 0); /* takes no lock */
    expect_refusal(-EADDRINUSE, "a live server");
    int client = connect_to_path();
    assert_true(client >= 0);
    close(client);
    listener_close(&first);
}

static void test_stale_socket_is_replaced(void **state)
{
    (void)state;
    struct sockaddr_un address = address_of_path();
    struct listener listener;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_true(exists(""));
    assert_int_equal(listener_open(&listener, path, false, NULL), 0);
    listener_close(&listener);
    assert_false(exists(""));
}

static void test_file_is_never_removed(void **state)
{
    (void)state;
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    expect_refusal(-EADDRINUSE, "not a socket");
    assert_true(exists(""));
    assert_false(exists(".lock"));
    unlink(path);
}

static void test_links_are_not_followed(void **state)
{
    (void)state;
    char target[160], lock[160];
    snprintf(target, sizeof(target), "%s/target", dir);
    snprintf(lock, sizeof(lock), "%s.lock", path);
    assert_int_equal(symlink(target, lock), 0);
    expect_refusal(-ELOOP, ".lock");
    unlink(lock);
    assert_int_equal(symlink(target, path), 0);
    expect_refusal(-EADDRINUSE, "not a socket");
    assert_int_equal(access(target, F_OK), -1);
    unlink(path);
}

static void test_long_path(void **state)
{
    (void)state;
    char saved[sizeof(path)];
    strcpy(saved, path);
    memset(path, 'x', 120);
    path[120] = '\0';
    expect_refusal(-ENAMETOOLONG, "at most 107 bytes");
    strcpy(path, saved);
}

static void test_private_dir(void **state)
{
    (void)state;
    char *made, *message = NULL;
    struct stat st;
    assert_int_equal(private_dir_create(dir, &made, NULL), 0);
    assert_int_equal(stat(made, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    rmdir(made);
    free(made);
    assert_int_equal(private_dir_create("/nonexistent", &made, &message), -ENOENT);
    assert_non_null(strstr(message, "XDG_RUNTIME_DIR"));
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_and_close),
        cmocka_unit_test(test_live_server_is_left_alone),
        cmocka_unit_test(test_live_server_without_lock_is_left_alone),
        cmocka_unit_test(test_stale_socket_is_replaced),
        cmocka_unit_test(test_file_is_never_removed),
        cmocka_unit_test(test_links_are_not_followed),
        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_private_dir),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
