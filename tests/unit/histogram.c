/* SPDX-License-Identifier: MIT */
/* Percentiles against a sorted copy of what was recorded. */
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "check.h"

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void test_empty(void **state)
{
    (void)state;
    static struct histogram h;
    assert_int_equal(histogram_percentile(&h, 500), 0);
}

static void test_percentiles_are_exact_to_one_in_32(void **state)
{
    (void)state;
    static struct histogram h;
    static uint64_t values[10000];
    static const unsigned permilles[] = {1, 500, 900, 990, 999, 1000};
    srand(1);
    for (size_t i = 0; i < 10000; i++) {
        values[i] = (uint64_t)rand() >> (rand() % 31);
        histogram_record(&h, values[i]);
    }
    qsort(values, 10000, sizeof(values[0]), compare);
    for (size_t i = 0; i < sizeof(permilles) / sizeof(permilles[0]); i++) {
        uint64_t exact = values[permilles[i] * 10 - 1];
        uint64_t seen = histogram_percentile(&h, permilles[i]);
        assert_cmp(seen, >=, exact);
        assert_cmp(seen, <=, exact + exact / 32);
    }
    assert_int_equal(histogram_percentile(&h, 1000), values[9999]);
}

static void test_huge_values_count(void **state)
{
    (void)state;
    static struct histogram h;
    histogram_record(&h, UINT64_MAX);
    histogram_record(&h, 5);
    assert_int_equal(histogram_percentile(&h, 1000), UINT64_MAX);
    assert_int_equal(histogram_percentile(&h, 500), 5);
}

static void test_merge(void **state)
{
    (void)state;
    static struct histogram a, b;
    histogram_record(&a, 10);
    histogram_record(&b, 30);
    histogram_merge(&a, &b);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.max, 30);
    assert_int_equal(histogram_percentile(&a, 500), 10);
    assert_int_equal(histogram_percentile(&a, 1000), 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_percentiles_are_exact_to_one_in_32),
        cmocka_unit_test(test_huge_values_count),
        cmocka_unit_test(test_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
