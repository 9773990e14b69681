/* SPDX-License-Identifier: MIT */
/* QEMU's command line from options of any version. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "machine/command.h"
#include "trestle/machine.h"

/* Of a program that was compiled against a newer header. */
struct newer {
    struct trestle_machine_options known;
    uint64_t unknown;
};

static struct trestle_machine_options options_of_size(size_t size)
{
    return (struct trestle_machine_options){.size = size, .qemu = "/bin/true"};
}

static bool has_argument(const struct trestle_machine_options *options, const char *argument)
{
    char **argv;
    bool found = false;
    assert_int_equal(trestle_machine_args(options, &argv, NULL), 0);
    for (char **arg = argv; *arg; arg++)
        found |= strcmp(*arg, argument) == 0;
    free(argv);
    return found;
}

/* A field that the caller's struct does not reach is not read. */
static void test_older_options(void **state)
{
    struct trestle_machine_options options =
        options_of_size(offsetof(struct trestle_machine_options, is_repeatable));
    (void)state;
    options.is_repeatable = true;
    assert_false(has_argument(&options, "-icount"));
    options.size = sizeof(options);
    assert_true(has_argument(&options, "-icount"));
}

static void test_newer_options(void **state)
{
    struct newer newer = {.known = options_of_size(sizeof(newer))};
    char **argv, *error = NULL;
    (void)state;
    assert_false(has_argument(&newer.known, "-icount"));
    newer.unknown = 1;
    assert_int_equal(trestle_machine_args(&newer.known, &argv, &error), -E2BIG);
    assert_non_null(strstr(error, "struct trestle_machine_options"));
    free(error);
}

static void test_no_options(void **state)
{
    struct trestle_machine_options options = options_of_size(0);
    struct trestle_machine *machine;
    char *path;
    (void)state;
    assert_int_equal(trestle_machine_find_qemu(&options, &path, NULL), -EINVAL);
    assert_int_equal(trestle_machine_launch(&options, &machine, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_older_options),
        cmocka_unit_test(test_newer_options),
        cmocka_unit_test(test_no_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
