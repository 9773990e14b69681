/* SPDX-License-Identifier: MIT */
/* What every unit test includes: cmocka with the headers that it wants, and what it lacks. */
#ifndef TRESTLE_TESTS_CHECK_H
#define TRESTLE_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The test fails with both values unless `a op b` holds: assert_cmp(count, <=, 2). Any integers. */
#define assert_cmp(a, op, b)                                                              \
    do {                                                                                  \
        __int128 check_a = (a), check_b = (b);                                            \
        if (!(check_a op check_b))                                                        \
            check_fail_cmp(#a " " #op " " #b, check_a, #op, check_b, __FILE__, __LINE__); \
    } while (0)

static inline void check_fail_cmp(const char *text, __int128 a, const char *op, __int128 b,
                                  const char *file, int line)
{
    print_error("%s: %s%ju %s %s%ju does not hold\n", text, a < 0 ? "-" : "",
                (uintmax_t)(a < 0 ? -a : a), op, b < 0 ? "-" : "", (uintmax_t)(b < 0 ? -b : b));
    _fail(file, line);
}

#endif
