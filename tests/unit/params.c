/* SPDX-License-Identifier: MIT */
/* Parameters: what parses, what does not, and the sentences that say so. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim/command.h"
#include "sim/params.h"
#include "trestle/sim.h"

static struct {
    uint64_t count;
    trestle_time clock, delay;
    char text[32];
    bool ignore_errors, ask_on;
    bool multiple_of_8;
    unsigned finis;
} got;

static int init(struct trestle_device *dev, const struct trestle_params *params)
{
    const char *text = NULL;
    int r = trestle_params_u64(params, "count", 3, &got.count);
    if (r == 0 || got.ask_on)
        r = trestle_params_period(params, "clock", TRESTLE_NS, &got.clock);
    if (r == 0)
        r = trestle_params_time(params, "delay", 10 * TRESTLE_NS, &got.delay);
    if (r == 0)
        r = trestle_params_string(params, "text", "none", &text);
    if (r == 0)
        strncpy(got.text, text, sizeof(got.text) - 1);
    if (r == 0 && got.multiple_of_8 && got.count % 8 != 0)
        r = trestle_params_refuse(params, "count", "a multiple of 8");
    return got.ignore_errors ? 0 : r;
}

static void fini(struct trestle_device *dev)
{
    got.finis++;
}

static const struct trestle_model model = {.size = sizeof(model),
                                           .name = "test",
                                           .region_size = 8,
                                           .access_sizes = 4,
                                           .init = init,
                                           .fini = fini};

static struct trestle_sim *sim;

static int setup(void **state)
{
    memset(&got, 0, sizeof(got));
    return trestle_sim_create(&sim);
}

static int teardown(void **state)
{
    trestle_sim_destroy(sim);
    return 0;
}

static int create(const struct trestle_model *of, const struct trestle_param *params, size_t num,
                  char **ret_error)
{
    struct trestle_device_options options = {
        .size = sizeof(options), .name = "d", .params = params, .num_params = num};
    struct trestle_device *dev = NULL;
    struct trestle_activity seen;
    int r = trestle_device_create(sim, of, &options, &dev, ret_error);
    assert_int_equal(dev != NULL, r == 0);
    trestle_sim_look(sim, &seen); /* nobody else can be in a callback */
    assert_int_equal(seen.callback, TRESTLE_CALLBACK_NONE);
    trestle_device_destroy(dev);
    return r;
}

static void accept(const char *key, const char *value)
{
    struct trestle_param param = {key, value};
    char *error = NULL;
    int r = create(&model, &param, 1, &error);
    if (r < 0)
        print_error("%s\n", error);
    assert_int_equal(r, 0);
    assert_null(error);
}

static void refuse(const char *key, const char *value, const char *sentence)
{
    struct trestle_param param = {key, value};
    char *error = NULL;
    assert_int_equal(create(&model, &param, 1, &error), -EINVAL);
    assert_string_equal(error, sentence);
    free(error);
    assert_int_equal(create(&model, &param, 1, NULL), -EINVAL);
}

static void test_fallbacks(void **state)
{
    assert_int_equal(create(&model, NULL, 0, NULL), 0);
    assert_int_equal(got.count, 3);
    assert_int_equal(got.clock, TRESTLE_NS);
    assert_int_equal(got.delay, 10 * TRESTLE_NS);
    assert_string_equal(got.text, "none");
}

static void test_values(void **state)
{
    const struct trestle_param params[] = {{"text", "some text"},
                                           {"delay", "1.5us"},
                                           {"clock", "2.5MHz"},
                                           {"count", "0xFFffFFffFFffFFff"}};
    assert_int_equal(create(&model, params, 4, NULL), 0);
    assert_int_equal(got.count, UINT64_MAX);
    assert_int_equal(got.clock, 400 * TRESTLE_NS);
    assert_int_equal(got.delay, 1500 * TRESTLE_NS);
    assert_string_equal(got.text, "some text");
    accept("count", "18446744073709551615");
    assert_int_equal(got.count, UINT64_MAX);
    accept("count", "010"); /* decimal */
    assert_int_equal(got.count, 10);
}

static void test_refused_values_are_named(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "10x",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "0x",
                                      "0xg",
                                      "1.5",
                                      "1e3",
                                      "18446744073709551616",
                                      "0x10000000000000000"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char sentence[200];
        snprintf(sentence, sizeof(sentence),
                 "device 'd': parameter 'count': '%s' is not a whole number of 64 bits (decimal or "
                 "0x hexadecimal)",
                 bad[i]);
        refuse("count", bad[i], sentence);
    }
    refuse("clock", "1Gz",
           "device 'd': parameter 'clock': '1Gz' is not a frequency such as 1GHz "
           "(1Hz to 1THz) or its period");
    refuse("delay", "10",
           "device 'd': parameter 'delay': '10' is not a time such as 10ns (ps, ns, us, ms, s)");
    got.multiple_of_8 = true;
    refuse("count", "12", "device 'd': parameter 'count': '12' is not a multiple of 8");
    refuse("text", "x", "device 'd': parameter 'count' is not a multiple of 8"); /* the fallback */
}

static void test_refused_value_counts_though_init_ignores_it(void **state)
{
    got.ignore_errors = true;
    refuse("count", "x",
           "device 'd': parameter 'count': 'x' is not a whole number of 64 bits (decimal or 0x "
           "hexadecimal)");
    assert_int_equal(got.finis, 2); /* init() had succeeded: it is undone */

    got.ask_on = true; /* of two, the first is named */
    const struct trestle_param both[] = {{"clock", "y"}, {"count", "x"}};
    char *error = NULL;
    assert_int_equal(create(&model, both, 2, &error), -EINVAL);
    assert_non_null(strstr(error, "'count': 'x'"));
    free(error);
}

static int init_asks_twice(struct trestle_device *dev, const struct trestle_params *params)
{
    uint64_t value;
    int r = trestle_params_u64(params, "a", 1, &value);
    if (r == 0)
        r = trestle_params_u64(params, "b", 1, &value);
    return r == 0 ? trestle_params_u64(params, "a", 1, &value) : r;
}

static void test_known_keys_are_listed_once(void **state)
{
    struct trestle_model twice = model;
    const struct trestle_param param = {"c", "1"};
    char *error = NULL;
    twice.init = init_asks_twice;
    assert_int_equal(create(&twice, &param, 1, &error), -EINVAL);
    assert_string_equal(error, "device 'd': unknown parameter 'c'; known: a, b");
    free(error);
}

static void test_unknown_and_repeated_keys(void **state)
{
    refuse("colour", "red",
           "device 'd': unknown parameter 'colour'; known: count, clock, delay, text");
    static const struct trestle_model none = {
        .size = sizeof(none), .name = "none", .region_size = 8, .access_sizes = 4};
    const struct trestle_param one = {"a", "b"};
    char *error = NULL;
    assert_int_equal(create(&none, &one, 1, &error), -EINVAL);
    assert_string_equal(error, "device 'd': unknown parameter 'a'; there are none");
    free(error);
    const struct trestle_param twice[] = {{"count", "1"}, {"count", "1"}};
    assert_int_equal(create(&model, twice, 2, &error), -EINVAL);
    assert_string_equal(error, "device 'd': parameter 'count' is given twice");
    free(error);
}

static int init_takes_all(struct trestle_device *dev, const struct trestle_params *params)
{
    const char *key, *value;
    for (size_t i = 0; trestle_params_item(params, i, &key, &value) == 0; i++)
        snprintf(got.text + strlen(got.text), sizeof(got.text) - strlen(got.text), "%s=%s ", key,
                 value);
    return 0;
}

static void test_keys_of_the_users_choice(void **state)
{
    const struct trestle_param given[] = {{"a", "1"}, {"CTRL", "0x2"}};
    struct trestle_model all = model;
    all.init = init_takes_all;
    assert_int_equal(create(&all, given, 2, NULL), 0);
    assert_string_equal(got.text, "a=1 CTRL=0x2 ");
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        trestle_time time;
    } good[] = {
        {"0ps", 0},
        {"1ps", 1},
        {"10ns", 10000},
        {"10 ns", 10000},
        {"0.001ns", 1},
        {"1.5us", 1500000},
        {"3ms", 3 * TRESTLE_MS},
        {"2s", 2 * TRESTLE_S},
        {"0.000000000001s", 1},
        {"18446744073709551614ps", UINT64_MAX - 1},
        {"1.50s", 3 * TRESTLE_S / 2},
    };
    static const char *const bad[] = {"",
                                      "10",
                                      "ns",
                                      "-1ns",
                                      "1.ns",
                                      ".5ns",
                                      "1..5ns",
                                      "1.5ps",
                                      "0.0001ns",
                                      "1nss",
                                      "1NS",
                                      "1ns ",
                                      " 1ns",
                                      "1e3ns",
                                      "20000000s",
                                      "18446744073709551615ps",
                                      "99999999999999999999999ps",
                                      "1,5ns",
                                      "1 n s"};
    trestle_time time;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        time = 99;
        assert_int_equal(trestle_parse_time(good[i].text, &time), 0);
        assert_int_equal(time, good[i].time);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        time = 99;
        if (trestle_parse_time(bad[i], &time) != -EINVAL)
            fail_msg("'%s' parses", bad[i]);
        assert_int_equal(time, 99); /* written on success only */
    }
}

static trestle_time waits;

static int init_cycles(struct trestle_device *dev, const struct trestle_params *params)
{
    return trestle_params_cycles(params, "wait", 5, 3 * TRESTLE_NS, &waits);
}

static void test_cycles(void **state)
{
    static const struct trestle_param some = {"wait", "7"}, many = {"wait", "0xffffffffffffffff"};
    struct trestle_model counts = model;
    char *error = NULL;
    counts.init = init_cycles;
    counts.fini = NULL;
    assert_int_equal(create(&counts, NULL, 0, NULL), 0);
    assert_int_equal(waits, 15 * TRESTLE_NS);
    assert_int_equal(create(&counts, &some, 1, NULL), 0);
    assert_int_equal(waits, 21 * TRESTLE_NS);
    assert_int_equal(create(&counts, &many, 1, &error), -EINVAL);
    assert_non_null(strstr(error, "as many cycles as simulated time can hold"));
    free(error);
}

static void test_frequencies(void **state)
{
    static const struct {
        const char *text;
        trestle_time period;
    } good[] = {
        {"1GHz", 1000},          {"1 GHz", 1000},        {"1THz", 1},
        {"1Hz", TRESTLE_S},      {"3GHz", 333},          {"2.5MHz", 400000},
        {"32.768kHz", 30517578}, {"1000000000Hz", 1000}, {"1ns", 1000},
        {"1s", TRESTLE_S},       {"0.4us", 400000},
    };
    static const char *const bad[] = {"",     "1",     "0Hz", "0.5Hz", "1.1THz", "1GHZ",
                                      "1mHz", "-1GHz", "GHz", "0ns",   "1001ms", "1GHz2"};
    trestle_time period;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(params_parse_frequency(good[i].text, &period), 0);
        if (period != good[i].period)
            fail_msg("'%s' is %llu", good[i].text, (unsigned long long)period);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (params_parse_frequency(bad[i], &period) != -EINVAL)
            fail_msg("'%s' parses", bad[i]);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fallbacks),
        TEST(test_values),
        TEST(test_refused_values_are_named),
        TEST(test_refused_value_counts_though_init_ignores_it),
        TEST(test_known_keys_are_listed_once),
        TEST(test_unknown_and_repeated_keys),
        TEST(test_keys_of_the_users_choice),
        TEST(test_times),
        TEST(test_cycles),
        TEST(test_frequencies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
