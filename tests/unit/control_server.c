/* SPDX-License-Identifier: MIT */
/* A control socket when there are no descriptors left. */
#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/listener.h"
#include "base/socket_path.h"
#include "check.h"
#include "control/client.h"
#include "util.h"

static char directory[] = "/tmp/trestle-control-XXXXXX";

static enum control_status echo(void *ctx, const char *line, FILE *out, char **ret_error)
{
    fputs(line, out);
    return CONTROL_OK;
}

static bool is_ready(const struct control_server *server, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = control_server_fd(server), .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) > 0;
}

/* Until there is nothing to do for the moment. */
static void serve(struct control_server *server)
{
    assert_true(is_ready(server, -1));
    while (is_ready(server, 0))
        control_server_serve(server);
}

/* What has come to standard error. */
static void read_log(int fd, char *ret_text, size_t size)
{
    ssize_t n = pread(fd, ret_text, size - 1, 0);
    ret_text[n < 0 ? 0 : n] = '\0';
}

/* A peer waits until there are, and nobody goes round in circles meanwhile. */
static void check_out_of_descriptors(struct control_server *server, const char *path,
                                     const char *expected)
{
    struct sockaddr_un address;
    struct rlimit limit, none_left;
    char *log = xformat("%s/log", directory), bytes[32], said[256];
    int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    int log_fd = open(log, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    dup2(log_fd, STDERR_FILENO);
    assert_int_equal(socket_path_address(path, &address), 0);
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none_left = limit;
    none_left.rlim_cur = (rlim_t)dup(peer); /* the lowest that is free */
    close((int)none_left.rlim_cur);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    assert_int_equal(connect(peer, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(peer, "hello\n", 6, 0), 6);
    for (unsigned i = 0; i < 3; i++) {
        serve(server);
        assert_false(control_server_has_peers(server));
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_PEEK) < 0)
        serve(server);
    assert_int_equal(recv(peer, bytes, sizeof(bytes), 0), 12);
    assert_memory_equal(bytes, "ok 5 0\nhello", 12);
    close(peer);
    dup2(before, STDERR_FILENO);
    close(before);
    read_log(log_fd, said, sizeof(said));
    assert_string_equal(said, expected);
    close(log_fd);
    unlink(log);
    free(log);
}

static void test_out_of_descriptors(void **state)
{
    struct control_server *server;
    char *path = xformat("%s/control", directory);
    char *expected = xformat("trestle: warning: --control %s: a client must wait: too many open "
                             "files; raise the limit with ulimit -n\n",
                             path);
    assert_int_equal(control_server_open(path, echo, NULL, &server, NULL), 0);
    check_out_of_descriptors(server, path, expected);
    control_server_close(server);
    free(expected);
    free(path);
}

/* The process that knows its path is another. */
static void test_out_of_descriptors_of_another(void **state)
{
    struct control_server *server;
    struct listener own, lent;
    char *path = xformat("%s/control", directory);
    assert_int_equal(listener_open(&own, path, true, NULL), 0);
    lent = (struct listener){.fd = fcntl(own.fd, F_DUPFD_CLOEXEC, 3), .lock_fd = -1};
    assert_int_equal(control_server_create(&lent, echo, NULL, &server), 0);
    check_out_of_descriptors(server, path,
                             "trestle: warning: the control socket: a client must wait: too many "
                             "open files; raise the limit with ulimit -n\n");
    control_server_close(server);
    listener_close(&own);
    free(path);
}

/* One more than there is room for is told so. */
static void test_too_many(void **state)
{
    struct control_server *server;
    struct control_answer answer;
    char *path = xformat("%s/control", directory), *error = NULL;
    int peers[9];
    assert_int_equal(control_server_open(path, echo, NULL, &server, NULL), 0);
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(control_connect(path, 30, &peers[i], &error), 0);
        serve(server);
    }
    assert_int_equal(control_ask(peers[8], "do", "time", &answer, &error), 0);
    assert_int_equal(answer.status, CONTROL_WRONG);
    assert_string_equal(answer.error, "8 others are attached already; end one of them");
    control_answer_finish(&answer);
    assert_int_equal(control_ask(peers[8], "do", "time", &answer, &error), -ECONNRESET);
    assert_string_equal(error, "the run has ended");
    free(error);
    for (unsigned i = 0; i < 9; i++)
        close(peers[i]);
    control_server_close(server);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_out_of_descriptors),
                                       cmocka_unit_test(test_out_of_descriptors_of_another),
                                       cmocka_unit_test(test_too_many)};
    if (!mkdtemp(directory))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return rmdir(directory) < 0 ? 1 : failed;
}
