/* SPDX-License-Identifier: MIT */
/* Runs a group of cmocka's tests, and counts the open descriptors around each of them. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FD 4096

struct descriptors {
    bool open[MAX_FD];
};

/* A test as the file wrote it, and what was open before its setup. */
struct wrapped {
    const struct CMUnitTest *test;
    void *state;
    bool has_ended;
    struct descriptors before;
};

void check_fail_cmp(const char *text, __int128 a, const char *op, __int128 b, const char *file,
                    int line)
{
    print_error("%s: %s%ju %s %s%ju does not hold\n", text, a < 0 ? "-" : "",
                (uintmax_t)(a < 0 ? -a : a), op, b < 0 ? "-" : "", (uintmax_t)(b < 0 ? -b : b));
    _fail(file, line);
}

int free_stdin(void)
{
    int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(STDIN_FILENO);
    return saved;
}

void restore_stdin(int saved)
{
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), -1);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void look(struct descriptors *ret_open)
{
    *ret_open = (struct descriptors){0};
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        int fd = atoi(entry->d_name);
        if (fd < MAX_FD && fd != dirfd(dir) && entry->d_name[0] != '.')
            ret_open->open[fd] = true;
    }
    closedir(dir);
}

static int count_differences(const struct descriptors *before, const struct descriptors *after)
{
    int count = 0;
    for (int fd = 0; fd < MAX_FD; fd++) {
        if (before->open[fd] == after->open[fd])
            continue;
        char link[32], target[256] = "";
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (after->open[fd] && readlink(link, target, sizeof(target) - 1) < 0)
            target[0] = '\0';
        print_error("descriptor %d %s: %s\n", fd,
                    after->open[fd] ? "was left open" : "of an earlier owner was closed", target);
        count++;
    }
    return count;
}

static int set_up(void **state)
{
    struct wrapped *w = *state;
    look(&w->before);
    w->state = w->test->initial_state;
    return w->test->setup_func ? w->test->setup_func(&w->state) : 0;
}

static void run(void **state)
{
    struct wrapped *w = *state;
    w->test->test_func(&w->state);
    w->has_ended = true;
}

/* A test that failed did not come to closing what it opened. */
static int tear_down(void **state)
{
    struct wrapped *w = *state;
    struct descriptors after;
    int r = w->test->teardown_func ? w->test->teardown_func(&w->state) : 0;
    look(&after);
    return r == 0 && w->has_ended && count_differences(&w->before, &after) > 0 ? -1 : r;
}

int check_run_group(const char *name, const struct CMUnitTest *tests, size_t num,
                    CMFixtureFunction setup, CMFixtureFunction teardown)
{
    if (fcntl(STDIN_FILENO, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != STDIN_FILENO)
        return -1;
    struct CMUnitTest *group = calloc(num, sizeof(*group));
    struct wrapped *wrapped = calloc(num, sizeof(*wrapped));
    for (size_t i = 0; i < num; i++) {
        wrapped[i].test = &tests[i];
        group[i] = (struct CMUnitTest){tests[i].name, run, set_up, tear_down, &wrapped[i]};
    }
    int failed = _cmocka_run_group_tests(name, group, num, setup, teardown);
    free(wrapped);
    free(group);
    return failed;
}

/* What fails in the child fails here: it comes to the end of its tests, and says how many. */
static int run_apart(const struct CMUnitTest *test, void (*begin)(void))
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (begin)
            begin();
        exit(check_run_group(test->name, test, 1, NULL, NULL));
    }
    if (waitpid(pid, &status, 0) < 0)
        return 1;
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

int check_run_each_apart(const struct CMUnitTest *tests, size_t num, void (*begin)(void))
{
    int failed = 0;
    for (size_t i = 0; i < num; i++)
        failed += run_apart(&tests[i], begin);
    return failed;
}
