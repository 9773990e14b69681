/* SPDX-License-Identifier: MIT */
/* QEMU's command line from options of any version. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

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

static int try_ram(const char *memory, const char *wish)
{
    const char *args[] = {"-m", wish, NULL}, *what = NULL;
    struct trestle_machine_options options = options_of_size(sizeof(options));
    options.memory = memory;
    options.args = wish ? args : NULL;
    int r = trestle_machine_try_ram(&options, &what);
    if (r == -EFBIG)
        assert_string_equal(what, "the limit for the size of files");
    return r;
}

/* Sizes as QEMU reads them, of which the last counts. Of what is none, QEMU says so. */
static void test_ram_that_is_too_large(void **state)
{
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){64 << 20, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(try_ram("64G", NULL), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(try_ram(NULL, NULL), -EFBIG); /* 128 MiB */
    assert_int_equal(try_ram("64M", NULL), 0);
    assert_int_equal(try_ram("64", NULL), 0);
    assert_int_equal(try_ram("65", NULL), -EFBIG);
    assert_int_equal(try_ram("65m", NULL), -EFBIG);
    assert_int_equal(try_ram("65536K", NULL), 0);
    assert_int_equal(try_ram("65537k", NULL), -EFBIG);
    assert_int_equal(try_ram("0.5G", NULL), -EFBIG);
    assert_int_equal(try_ram("1T", "size=16M,slots=2"), 0);
    assert_int_equal(try_ram("16M", "size=65,slots=2"), -EFBIG);
    assert_int_equal(try_ram("16M", "0x41"), -EFBIG);
    assert_int_equal(try_ram("many", NULL), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_older_options),
        cmocka_unit_test(test_newer_options),
        cmocka_unit_test(test_no_options),
        cmocka_unit_test(test_ram_that_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
