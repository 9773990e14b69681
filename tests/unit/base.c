/* SPDX-License-Identifier: MIT */
/* The small rules that all rooms share: regions, socket paths, numbers, rates. */
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "base/rate_limit.h"
#include "base/region.h"
#include "base/sized.h"
#include "base/socket_path.h"
#include "check.h"

static void test_regions(void **state)
{
    (void)state;
    assert_int_equal(region_check(8, 1), REGION_FINE);
    assert_int_equal(region_check(4, 8), REGION_MISALIGNED);
    assert_int_equal(region_check(8, 0), REGION_EMPTY);
    assert_int_equal(region_check(UINT64_MAX - 7, 8), REGION_FINE);
    assert_int_equal(region_check(UINT64_MAX - 7, 9), REGION_WRAPS);
    assert_int_equal(region_check(0, UINT64_MAX), REGION_FINE);
    assert_int_equal(region_last(UINT64_MAX - 7, 8), UINT64_MAX);
    assert_null(region_complaint(0, 1));
    assert_string_equal(region_complaint(1, 1), "the base is not a multiple of 8");
}

static void test_overlaps(void **state)
{
    (void)state;
    assert_false(regions_overlap(0, 8, 8, 8));
    assert_false(regions_overlap(8, 8, 0, 8));
    assert_true(regions_overlap(0, 9, 8, 8));
    assert_true(regions_overlap(8, 8, 0, 9));
    assert_true(regions_overlap(0, 64, 8, 8));
    assert_true(regions_overlap(UINT64_MAX - 7, 8, 0, UINT64_MAX));
}

static void test_socket_paths(void **state)
{
    struct sockaddr_un address;
    char path[SOCKET_PATH_MAX + 2];
    (void)state;
    memset(path, 'x', sizeof(path));
    path[SOCKET_PATH_MAX + 1] = '\0';
    assert_int_equal(socket_path_address(path, &address), -ENAMETOOLONG);
    path[SOCKET_PATH_MAX] = '\0';
    assert_int_equal(socket_path_address(path, &address), 0);
    assert_string_equal(address.sun_path, path);
    assert_int_equal(socket_path_address("", &address), -EINVAL);
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {"",
                                      "0x",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1x",
                                      "0xg",
                                      "xy",
                                      "18446744073709551616",
                                      "0x10000000000000000"};
    uint64_t value = 7;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(number_parse(bad[i], &value));
    assert_int_equal(value, 7);
    assert_true(number_parse("18446744073709551615", &value));
    assert_int_equal(value, UINT64_MAX);
    assert_true(number_parse("0xFf", &value));
    assert_int_equal(value, 255);
    assert_true(number_parse("010", &value));
    assert_int_equal(value, 10);
}

static void test_rates(void **state)
{
    struct rate_limit limit = {0};
    uint64_t left_out;
    (void)state;
    for (unsigned i = 0; i < RATE_LIMIT_LINES; i++) {
        assert_true(rate_limit_allows(&limit, 5 + i, 100, &left_out));
        assert_int_equal(left_out, 0);
    }
    assert_false(rate_limit_allows(&limit, 104, 100, &left_out));
    assert_false(rate_limit_allows(&limit, 104, 100, &left_out));
    assert_true(rate_limit_allows(&limit, 105, 100, &left_out)); /* the window began at 5 */
    assert_int_equal(left_out, 2);
    assert_true(rate_limit_allows(&limit, 1000, 100, &left_out));
    assert_int_equal(left_out, 0);
}

struct versioned {
    size_t size;
    uint32_t first, second;
};

static void test_sized_structs(void **state)
{
    struct versioned ours, theirs[2] = {{.size = sizeof(ours), .first = 1, .second = 2}};
    size_t min_size = offsetof(struct versioned, second);
    (void)state;
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), 0);
    assert_int_equal(ours.second, 2);
    theirs->size = min_size;
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), 0);
    assert_int_equal(ours.first, 1);
    assert_int_equal(ours.second, 0);
    assert_int_equal(ours.size, sizeof(ours));
    theirs->size = min_size - 1;
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), -EINVAL);
    theirs->size = SIZE_MAX;
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), -EINVAL);
    theirs->size = sizeof(theirs);
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), 0);
    theirs[1].second = 1;
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regions),      cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_socket_paths), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_rates),        cmocka_unit_test(test_sized_structs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
