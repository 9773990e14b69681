/* SPDX-License-Identifier: MIT */
/* Child processes: how they start, what they inherit, how they end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "check.h"

static int start(const char *script, int output_fd, int kept_fd, struct child *ret_child)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
    const struct child_options options = {.path = "/bin/sh",
                                          .argv = argv,
                                          .stdio_fds = {-1, output_fd},
                                          .kept_fds = &kept_fd,
                                          .num_kept_fds = kept_fd >= 0};
    return child_start(&options, ret_child);
}

static void wait_for_end(struct child *child)
{
    struct pollfd poll_fd = {.fd = child->fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, -1), 1);
    assert_true(child_ended(child));
}

/* What the script prints, up to its end. */
static void run(const char *script, int kept_fd, char ret_output[64])
{
    struct child child;
    int out[2];
    assert_int_equal(pipe(out), 0);
    assert_int_equal(start(script, out[1], kept_fd, &child), 0);
    close(out[1]);
    wait_for_end(&child);
    ssize_t n = read(out[0], ret_output, 63);
    assert_cmp(n, >=, 0);
    ret_output[n] = '\0';
    close(out[0]);
    child_finish(&child);
}

static void test_exit_code(void **state)
{
    struct child child;
    (void)state;
    assert_int_equal(start("exit 7", -1, -1, &child), 0);
    wait_for_end(&child);
    assert_int_equal(child_exit_code(&child), 7);
    child_finish(&child);
}

static void test_signal(void **state)
{
    struct child child;
    (void)state;
    assert_int_equal(start("kill -9 $$", -1, -1, &child), 0);
    wait_for_end(&child);
    assert_int_equal(child_exit_code(&child), 128 + SIGKILL);
    child_finish(&child);
}

static void test_no_program(void **state)
{
    struct child child = CHILD_NONE;
    char *argv[] = {(char *)"nothing", NULL};
    const struct child_options options = {
        .path = "/nowhere/nothing", .argv = argv, .stdio_fds = {-1, -1}};
    (void)state;
    assert_int_equal(child_start(&options, &child), -ENOENT);
    assert_int_equal(child.pid, -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
}

static void test_stop_of_a_stopped_process(void **state)
{
    struct child child;
    (void)state;
    assert_int_equal(start("kill -STOP $$; exec sleep 100", -1, -1, &child), 0);
    child_stop(&child, 60000);
    assert_int_equal(child_exit_code(&child), 128 + SIGTERM);
    child_finish(&child);
}

static void test_stop_kills_what_does_not_listen(void **state)
{
    struct child child;
    int out[2];
    char byte;
    (void)state;
    assert_int_equal(pipe(out), 0);
    assert_int_equal(start("trap '' TERM; echo; exec sleep 100", out[1], -1, &child), 0);
    assert_int_equal(read(out[0], &byte, 1), 1); /* it ignores the signal by now */
    child_stop(&child, 1);
    assert_int_equal(child_exit_code(&child), 128 + SIGKILL);
    child_finish(&child);
    close(out[0]);
    close(out[1]);
}

static void test_inherits_one_descriptor_only(void **state)
{
    char output[64], script[64];
    int kept[2];
    (void)state;
    assert_int_equal(pipe(kept), 0);
    snprintf(script, sizeof(script), "ls /proc/self/fd | tr '\\n' ' '");
    run(script, -1, output);
    assert_string_equal(output, "0 1 2 3 "); /* 3: ls reads the directory */
    snprintf(script, sizeof(script),
             "[ -e /proc/self/fd/%d ] && ! [ -e /proc/self/fd/%d ] && echo yes", kept[1], kept[0]);
    run(script, kept[1], output);
    assert_string_equal(output, "yes\n");
    close(kept[0]);
    close(kept[1]);
}

/* In sessions of their own, and without the parent that started them. */
static void test_strays(void **state)
{
    char said[64];
    (void)state;
    if (child_adopt_strays() < 0) {
        print_message("skipped: test_strays: this system (qemu-user?) lets no process adopt\n");
        skip();
    }
    run("setsid sleep 600 & setsid sh -c 'sleep 600; :' & echo started", -1, said);
    assert_string_equal(said, "started\n");
    child_end_strays(0); /* comes back once none is left */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void nothing(int signal)
{
    (void)signal;
}

/* nohup's SIGHUP stays ignored; what is handled or blocked here is as usual there. */
static void test_signals_as_they_were(void **state)
{
    sigset_t usr1, before;
    (void)state;
    struct child child;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, &before);
    signal(SIGUSR1, nothing);
    signal(SIGHUP, SIG_IGN);
    assert_int_equal(start("kill -HUP $$; kill -USR1 $$; exit 1", -1, -1, &child), 0);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    wait_for_end(&child);
    assert_int_equal(child_exit_code(&child), 128 + SIGUSR1);
    child_finish(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_code),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_no_program),
        cmocka_unit_test(test_stop_of_a_stopped_process),
        cmocka_unit_test(test_stop_kills_what_does_not_listen),
        cmocka_unit_test(test_inherits_one_descriptor_only),
        cmocka_unit_test(test_signals_as_they_were),
        cmocka_unit_test(test_strays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
