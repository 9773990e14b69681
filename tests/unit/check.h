/* SPDX-License-Identifier: MIT */
/* What every unit test includes: cmocka with the headers that it wants, and what it lacks. */
#ifndef TRESTLE_TESTS_CHECK_H
#define TRESTLE_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef stop /* a macro of cmocka 2, whose name tests want */

/* The test fails with both values unless `a op b` holds: assert_cmp(count, <=, 2). Any integers. */
#define assert_cmp(a, op, b)                                                              \
    do {                                                                                  \
        __int128 check_a = (a), check_b = (b);                                            \
        if (!(check_a op check_b))                                                        \
            check_fail_cmp(#a " " #op " " #b, check_a, #op, check_b, __FILE__, __LINE__); \
    } while (0)

void check_fail_cmp(const char *text, __int128 a, const char *op, __int128 b, const char *file,
                    int line);

/* A test also fails when it leaves a descriptor open, or closes one that is not its own. */
#undef cmocka_run_group_tests
#undef cmocka_run_group_tests_name
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
    check_run_group(name, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define cmocka_run_group_tests(tests, setup, teardown) \
    cmocka_run_group_tests_name(#tests, tests, setup, teardown)

int check_run_group(const char *name, const struct CMUnitTest *tests, size_t num,
                    CMFixtureFunction setup, CMFixtureFunction teardown);

/* Runs each test in a process of its own, behind begin() if there is one: for code whose state
 * cannot be made anew. Returns how many failed. */
#define check_run_apart(tests, begin) \
    check_run_each_apart(tests, sizeof(tests) / sizeof((tests)[0]), begin)
int check_run_each_apart(const struct CMUnitTest *tests, size_t num, void (*begin)(void));

/* Until restore_stdin(), the next descriptor that is opened is 0, as in a process that began
 * without it. Whoever got it has to have closed it by then. */
int free_stdin(void);
void restore_stdin(int saved);

#endif
