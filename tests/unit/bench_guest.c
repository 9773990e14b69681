/* SPDX-License-Identifier: MIT */
/* What the measuring guest says is taken whole or not at all. */
#include <stdio.h>

#include "bench/guest.h"
#include "check.h"

static void takes_the_clock_off(void **state)
{
    struct bench_result result;
    assert_true(bench_guest_parse("bench 1 1000 1\r\ntotal 500000\r\n"
                                  "overhead 100 900\noverhead 200 100\n"
                                  "latency 400 980\nlatency 900 15\nlatency 5000 5\nend\n",
                                  &result));
    assert_int_equal(result.p50_ns, 300);
    assert_int_equal(result.p90_ns, 300);
    assert_int_equal(result.p99_ns, 800);
    assert_int_equal(result.p999_ns, 4900);
    assert_int_equal(result.per_second, 2000000);
    assert_int_equal(result.accesses, 1000);
}

static void divides_a_batch(void **state)
{
    struct bench_result result;
    assert_true(bench_guest_parse("bench 1 32 16\ntotal 1000\noverhead 100 1\n"
                                  "latency 260 1\nlatency 420 1\nend\n",
                                  &result));
    assert_int_equal(result.p50_ns, 10);
    assert_int_equal(result.p99_ns, 20);
}

static void takes_ticks_for_what_they_last(void **state)
{
    struct bench_result result;
    assert_true(
        bench_guest_parse("Booting from ROM..bench 1 1000 1\ntotal 500000\nticks 5000 2000\n"
                          "overhead 100 1000\nlatency 600 1000\nend\n",
                          &result));
    assert_int_equal(result.p50_ns, 200);
}

static void counts_the_second_processor(void **state)
{
    struct bench_result result;
    assert_true(bench_guest_parse("bench 1 1000 1\ntotal 500000\nothers 500\noverhead 1 1\n"
                                  "latency 2 1\nend\n",
                                  &result));
    assert_int_equal(result.per_second, 3000000);
    assert_int_equal(result.accesses, 1000);
}

static void a_clock_slower_than_the_access_gives_zero(void **state)
{
    struct bench_result result;
    assert_true(
        bench_guest_parse("bench 1 1 1\ntotal 1\noverhead 100 1\nlatency 50 1\nend\n", &result));
    assert_int_equal(result.p50_ns, 0);
}

static void refuses_what_is_not_whole(void **state)
{
    static const char *const texts[] = {
        "",
        "bench 1 10 1\ntotal 5\noverhead 1 1\nlatency 1 1\n",
        "bench 1 10 1\noverhead 1 1\nlatency 1 1\nend\n",
        "bench 1 10 1\ntotal 5\noverhead 1 1\nend\n",
        "bench 1 10 1\ntotal 5\nlatency 1 1\nend\n",
        "bench 1 10 0\ntotal 5\noverhead 1 1\nlatency 1 1\nend\n",
        "bench 1 10 1\ntotal 0\noverhead 1 1\nlatency 1 1\nend\n",
        "bench 2 10 1\ntotal 5\noverhead 1 1\nlatency 1 1\nend\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct bench_result result;
        if (bench_guest_parse(texts[i], &result))
            fail_msg("taken: %s", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_clock_off),
        cmocka_unit_test(takes_ticks_for_what_they_last),
        cmocka_unit_test(divides_a_batch),
        cmocka_unit_test(counts_the_second_processor),
        cmocka_unit_test(a_clock_slower_than_the_access_gives_zero),
        cmocka_unit_test(refuses_what_is_not_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
