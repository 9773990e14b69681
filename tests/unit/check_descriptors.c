/* SPDX-License-Identifier: MIT */
/* The tests' own test: of three that pass, the two that are careless with descriptors must fail. */
#include <fcntl.h>
#include <unistd.h>

#include "check.h"

static int kept = -1;

static void test_clean(void **state)
{
    (void)state;
    kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(kept);
}

static void test_leaves_one_open(void **state)
{
    (void)state;
    kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void test_closes_what_is_not_its_own(void **state)
{
    (void)state;
    close(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_leaves_one_open),
        cmocka_unit_test(test_closes_what_is_not_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) == 2 ? 0 : 1;
}
