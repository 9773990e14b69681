/* SPDX-License-Identifier: MIT */
/* Who may listen where, and what is left behind. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/listener.h"
#include "check.h"

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
    assert_cmp(client, >=, 0);
    assert_int_equal(listener_accept(listener.fd, &fd), 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    close(client);
    listener_close(&listener);
    assert_false(exists(""));
    assert_false(exists(".lock"));
}

static void test_live_server_is_left_alone(void **state)
{
    (void)state;
    struct listener first;
    assert_int_equal(listener_open(&first, path, false, NULL), 0);
    expect_refusal(-EADDRINUSE, "another Trestle");
    int client = connect_to_path();
    assert_cmp(client, >=, 0); /* the first one still listens */
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
    assert_cmp(client, >=, 0);
    close(client);
    listener_close(&first);
}

/* Nothing that can be connected to as ours are. */
static void test_live_server_of_another_type_is_left_alone(void **state)
{
    (void)state;
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    struct sockaddr_un address = address_of_path();
    for (size_t i = 0; i < 2; i++) {
        int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        if (types[i] == SOCK_SEQPACKET)
            assert_int_equal(listen(fd, 1), 0);
        expect_refusal(-EADDRINUSE, "a live server");
        assert_true(exists(""));
        assert_int_equal(unlink(path), 0);
        close(fd);
    }
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
    assert_cmp(fd, >=, 0);
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
    struct private_dir made;
    char *message = NULL;
    struct stat st;
    assert_int_equal(private_dir_create(&made, dir, NULL), 0);
    assert_int_equal(stat(made.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    private_dir_remove(&made);
    private_dir_remove(&made);
    assert_int_equal(private_dir_create(&made, "/nonexistent", &message), -ENOENT);
    assert_non_null(strstr(message, "XDG_RUNTIME_DIR"));
    free(message);
}

/* Makes a directory with a socket that nobody listens on and, when `more` says so, a file. */
static char *leave_behind(const char *name, mode_t mode, const char *more)
{
    char *left, *file;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_cmp(asprintf(&left, "%s/%s", dir, name), >, 0);
    assert_int_equal(mkdir(left, 0700), 0);
    assert_int_equal(chmod(left, mode), 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/device0.sock", left);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    if (more) {
        assert_cmp(asprintf(&file, "%s/%s", left, more), >, 0);
        fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_cmp(fd, >=, 0);
        close(fd);
        free(file);
    }
    return left;
}

static void expect_and_remove(char *left, bool is_there)
{
    char *command;
    char *socket_path;
    assert_int_equal(access(left, F_OK), is_there ? 0 : -1);
    assert_cmp(asprintf(&socket_path, "%s/device0.sock", left), >, 0);
    assert_int_equal(access(socket_path, F_OK), is_there ? 0 : -1);
    free(socket_path);
    assert_cmp(asprintf(&command, "rm -rf %s", left), >, 0);
    assert_int_equal(system(command), 0);
    free(command);
    free(left);
}

static void test_left_private_dirs_are_removed(void **state)
{
    (void)state;
    struct private_dir living, starting, made;
    struct listener listener;
    char *in_living;
    assert_int_equal(private_dir_create(&living, dir, NULL), 0);
    assert_int_equal(private_dir_create(&starting, dir, NULL), 0); /* no socket yet */
    assert_cmp(asprintf(&in_living, "%s/device0.sock", living.path), >, 0);
    assert_int_equal(listener_open(&listener, in_living, true, NULL), 0);
    char *stale = leave_behind("trestle-abcdef", 0700, NULL);
    char *other_name = leave_behind("trestle-abcdefg", 0700, NULL);
    char *open_to_others = leave_behind("trestle-ghijkl", 0755, NULL);
    /* Which of the two is met first is up to the directory. */
    char *has_a_file = leave_behind("trestle-mnopqr", 0700, "notes");
    char *has_another = leave_behind("trestle-mnopqs", 0700, "a");
    char *locked = leave_behind("trestle-stuvwx", 0700, NULL);
    int fd = open(locked, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(private_dir_create(&made, dir, NULL), 0);
    expect_and_remove(stale, false);
    expect_and_remove(other_name, true);
    expect_and_remove(open_to_others, true);
    expect_and_remove(has_a_file, true);
    expect_and_remove(has_another, true);
    expect_and_remove(locked, true);
    assert_int_equal(access(in_living, F_OK), 0);
    assert_int_equal(access(starting.path, F_OK), 0);
    close(fd);
    listener_close(&listener);
    free(in_living);
    private_dir_remove(&made);
    private_dir_remove(&starting);
    private_dir_remove(&living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_and_close),
        cmocka_unit_test(test_live_server_is_left_alone),
        cmocka_unit_test(test_live_server_without_lock_is_left_alone),
        cmocka_unit_test(test_live_server_of_another_type_is_left_alone),
        cmocka_unit_test(test_stale_socket_is_replaced),
        cmocka_unit_test(test_file_is_never_removed),
        cmocka_unit_test(test_links_are_not_followed),
        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_private_dir),
        cmocka_unit_test(test_left_private_dirs_are_removed),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
