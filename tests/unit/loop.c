/* SPDX-License-Identifier: MIT */
/* The event loop: who is called, and who is not any more. */
#include "ipc/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"

static struct loop loop;

struct pipe_source {
    struct loop_source source; /* first */
    int fds[2];
    unsigned calls;
    uint32_t events;
    struct pipe_source *removes; /* and frees */
};

static void ready(struct loop_source *source, uint32_t events)
{
    struct pipe_source *s = (struct pipe_source *)source;
    s->calls++;
    s->events = events;
    if (!s->removes)
        return;
    loop_remove(&loop, &s->removes->source);
    for (int i = 0; i < 2; i++)
        close(s->removes->fds[i]);
    free(s->removes);
    s->removes = NULL;
}

static struct pipe_source *add(uint32_t events)
{
    struct pipe_source *s = calloc(1, sizeof(*s));
    s->source.ready = ready;
    assert_int_equal(pipe(s->fds), 0);
    assert_int_equal(loop_add(&loop, &s->source, s->fds[0], events), 0);
    assert_int_equal(s->source.fd, s->fds[0]);
    return s;
}

static void drop(struct pipe_source *s)
{
    loop_remove(&loop, &s->source);
    assert_int_equal(s->source.fd, -1);
    loop_remove(&loop, &s->source); /* once more does no harm */
    for (int i = 0; i < 2; i++)
        if (s->fds[i] >= 0)
            close(s->fds[i]);
    free(s);
}

static int open_loop(void **state)
{
    return loop_init(&loop);
}

static int close_loop(void **state)
{
    loop_finish(&loop);
    loop_finish(&loop);
    return loop.epoll_fd + 1;
}

static void test_who_is_ready_is_called(void **state)
{
    struct pipe_source *a = add(EPOLLIN), *b = add(0);
    assert_int_equal(loop_run(&loop, 0), 0);
    assert_int_equal(write(a->fds[1], "x", 1), 1);
    assert_int_equal(write(b->fds[1], "x", 1), 1);
    assert_int_equal(loop_run(&loop, -1), 1);
    assert_int_equal(a->calls, 1);
    assert_int_equal(a->events, EPOLLIN);
    assert_int_equal(b->calls, 0); /* only its end would be heard */
    assert_int_equal(loop_modify(&loop, &a->source, 0), 0);
    assert_int_equal(loop_modify(&loop, &b->source, EPOLLIN), 0);
    assert_int_equal(loop_run(&loop, -1), 1);
    assert_int_equal(a->calls, 1);
    assert_int_equal(b->calls, 1);
    drop(b);
    close(a->fds[1]);
    a->fds[1] = -1;
    assert_int_equal(loop_run(&loop, -1), 1);
    assert_int_equal(a->events, EPOLLHUP);
    drop(a);
    struct loop_source none = {ready, -1};
    assert_int_equal(loop_add(&loop, &none, -1, EPOLLIN), -EBADF);
    assert_int_equal(none.fd, -1);
    assert_int_equal(loop_modify(&loop, &none, EPOLLIN), -EBADF);
}

/* Two are ready at once, and whichever comes first removes the other. */
static void test_removed_in_the_same_turn(void **state)
{
    struct pipe_source *list[3] = {add(EPOLLIN), add(EPOLLIN), add(EPOLLIN)};
    for (int i = 0; i < 3; i++)
        assert_int_equal(write(list[i]->fds[1], "x", 1), 1);
    list[0]->removes = list[2];
    assert_int_equal(loop_run(&loop, -1), 2);
    assert_int_equal(list[0]->calls, 1);
    assert_int_equal(list[1]->calls, 1);
    drop(list[0]);
    drop(list[1]);
    assert_int_equal(loop_run(&loop, 0), 0);
}

/* The first of as many as are taken at a time removes the last of them. */
static void test_many_ready_at_once(void **state)
{
    struct pipe_source *list[LOOP_BATCH];
    for (int i = 0; i < LOOP_BATCH; i++) {
        list[i] = add(EPOLLIN);
        assert_int_equal(write(list[i]->fds[1], "x", 1), 1);
    }
    list[0]->removes = list[LOOP_BATCH - 1];
    assert_int_equal(loop_run(&loop, -1), LOOP_BATCH - 1);
    for (int i = 0; i < LOOP_BATCH - 1; i++) {
        assert_int_equal(list[i]->calls, 1);
        drop(list[i]);
    }
    assert_int_equal(loop_run(&loop, 0), 0);
}

static void test_descriptor_0(void **state)
{
    struct loop own;
    int saved = free_stdin();
    assert_int_equal(loop_init(&own), 0);
    assert_int_equal(own.epoll_fd, 0);
    loop_finish(&own);
    restore_stdin(saved);
    saved = free_stdin();
    struct pipe_source *s = add(EPOLLIN);
    assert_int_equal(s->fds[0], 0);
    assert_int_equal(write(s->fds[1], "x", 1), 1);
    assert_int_equal(loop_run(&loop, -1), 1);
    loop_remove(&loop, &s->source);
    assert_int_equal(loop_run(&loop, 0), 0);
    drop(s);
    restore_stdin(saved);
}

static void heard(int number)
{
    (void)number;
}

static void test_a_signal_is_no_error(void **state)
{
    const struct sigaction action = {.sa_handler = heard};
    struct itimerval soon = {.it_interval = {0, 1000}, .it_value = {0, 1000}}, never = {0};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(loop_run(&loop, -1), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    struct loop broken = {.epoll_fd = -1};
    assert_int_equal(loop_run(&broken, 0), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_is_ready_is_called, open_loop, close_loop),
        cmocka_unit_test_setup_teardown(test_removed_in_the_same_turn, open_loop, close_loop),
        cmocka_unit_test_setup_teardown(test_many_ready_at_once, open_loop, close_loop),
        cmocka_unit_test_setup_teardown(test_descriptor_0, open_loop, close_loop),
        cmocka_unit_test_setup_teardown(test_a_signal_is_no_error, open_loop, close_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
