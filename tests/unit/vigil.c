/* SPDX-License-Identifier: MIT */
/* What a vigil says of callbacks and engines, look by look. */
#include "base/vigil.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define MS UINT64_C(1000000)
#define PATIENCE_NS (300 * MS)

/* A sim is never looked into here: its address is that of what is seen. */
static struct trestle_activity activity;
static char said[1024];

static void look(const struct trestle_sim *sim, struct trestle_activity *ret_seen)
{
    *ret_seen = *(const struct trestle_activity *)(const void *)sim;
}

static void say(enum trestle_log_level level, const char *sentence)
{
    size_t length = strlen(said);
    snprintf(said + length, sizeof(said) - length, "%d %s\n", level, sentence);
}

static const struct vigil fresh = {
    .look = look, .say = say, .patience_ns = PATIENCE_NS, .meanwhile = ""};

static void see(struct vigil *vigil, unsigned ms)
{
    vigil_look(vigil, (const struct trestle_sim *)(const void *)&activity, (1000 + ms) * MS);
}

static int setup(void **state)
{
    said[0] = 0;
    activity = (struct trestle_activity){.callbacks = 7,
                                         .runs = 3,
                                         .callback = TRESTLE_CALLBACK_WRITE,
                                         .callback_name = "write",
                                         .device = "dut",
                                         .size = 4,
                                         .offset = 8};
    return 0;
}

static void test_a_callback_that_does_not_return(void **state)
{
    struct vigil vigil = fresh;
    see(&vigil, 0);
    see(&vigil, 299);
    assert_null(strstr(said, "has not returned"));
    see(&vigil, 300);
    assert_non_null(strstr(said, "dut: its write() of 4 bytes at offset 0x8 has not returned for "
                                 "0.3 s; gdb -p "));
    said[0] = 0;
    see(&vigil, 700); /* once */
    assert_string_equal(said, "");
    activity.callbacks++;
    see(&vigil, 750);
    see(&vigil, 1100);
    assert_non_null(strstr(said, "has not returned for 0.3 s"));
}

static void *keep_processor_busy(void *is_over)
{
    while (!atomic_load((atomic_bool *)is_over))
        ;
    return NULL;
}

/* While the host is too busy to call it slow. It is not called that afterwards. */
static void test_a_callback_on_a_busy_host(void **state)
{
    struct vigil vigil = fresh;
    atomic_bool is_over = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, keep_processor_busy, &is_over), 0);
    see(&vigil, 0);
    see(&vigil, 300);
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
    assert_non_null(strstr(said, "has not returned for 0.3 s"));
    assert_null(strstr(said, "takes longer"));
    for (unsigned ms = 400; ms < 800; ms += VIGIL_TICK_MS)
        see(&vigil, ms);
    assert_null(strstr(said, "takes longer"));
}

/* Each call counts from its own beginning: another call of the same callback, and the next one
 * after a return. */
static void test_callbacks_that_return(void **state)
{
    struct vigil vigil = fresh;
    for (unsigned ms = 0; ms < 2000; ms += 250, activity.callbacks++)
        see(&vigil, ms);
    activity.callback = TRESTLE_CALLBACK_NONE;
    see(&vigil, 2300);
    see(&vigil, 2900);
    assert_string_equal(said, "");
}

/* A callback that waited for a trace's reader, and goes on, has not lasted since the beginning of
 * the world. */
static void test_a_callback_that_waited(void **state)
{
    struct vigil vigil = fresh;
    activity.is_waiting = activity.is_running = true;
    see(&vigil, 0);
    see(&vigil, 900);
    activity.is_waiting = false;
    see(&vigil, 950);
    see(&vigil, 1200);
    assert_null(strstr(said, "has not"));
    see(&vigil, 1250);
    assert_non_null(strstr(said, "has not returned for 0.3 s"));
    assert_int_equal(vigil.callback_ns, 1950 * MS);
    assert_int_equal(vigil.run_ns, 1950 * MS);
}

static void test_an_engine_that_does_not_come_to_rest(void **state)
{
    struct vigil vigil = fresh;
    activity.is_running = true;
    activity.now = 5 * TRESTLE_US;
    activity.callback_name = "wake";
    activity.callback = TRESTLE_CALLBACK_WAKE;
    for (unsigned ms = 0; ms < 300; ms += 50, activity.callbacks++)
        see(&vigil, ms);
    assert_string_equal(said, "");
    see(&vigil, 300);
    assert_non_null(strstr(said, "the engine has not come to rest for 0.3 s and is at 5.000000 us "
                                 "of simulated time: wake() of dut, again and again; "));
    said[0] = 0;
    activity.callbacks++;
    see(&vigil, 350);
    assert_string_equal(said, "");
    activity.runs++;
    activity.callbacks++;
    see(&vigil, 400);
    assert_int_equal(vigil.run_ns, 1400 * MS);
    activity.is_running = false;
    activity.callback = TRESTLE_CALLBACK_NONE;
    see(&vigil, 450);
    assert_int_equal(vigil.run_ns, 0);
    see(&vigil, 2000);
    assert_string_equal(said, "");
}

static void test_without_patience(void **state)
{
    struct vigil vigil = fresh;
    vigil.patience_ns = 0;
    activity.is_running = true;
    see(&vigil, 0);
    see(&vigil, 60000);
    assert_null(strstr(said, "has not"));
}

static enum vigil_obstacle look_for_obstacle(struct vigil *vigil, unsigned end_ms, unsigned ms)
{
    see(vigil, ms);
    return vigil_look_for_obstacle(vigil, (1000 + end_ms) * MS, (1000 + ms) * MS);
}

/* Half a second of the callback's and half a second of the end's have to be over. */
static void test_an_end_that_a_callback_holds_up(void **state)
{
    struct vigil vigil = fresh;
    vigil.patience_ns = 0;
    activity.is_running = true;
    assert_int_equal(look_for_obstacle(&vigil, 0, 100), VIGIL_NO_OBSTACLE);
    assert_int_equal(look_for_obstacle(&vigil, 0, 599), VIGIL_NO_OBSTACLE);
    assert_null(strstr(said, "has not returned"));
    assert_int_equal(look_for_obstacle(&vigil, 0, 600), VIGIL_CALLBACK);
    assert_non_null(strstr(said, "has not returned for 0.5 s"));
    assert_null(strstr(said, "engine"));
    said[0] = 0;
    assert_int_equal(look_for_obstacle(&vigil, 0, 700), VIGIL_CALLBACK);
    assert_string_equal(said, "");
    assert_int_equal(look_for_obstacle(&vigil, 300, 799), VIGIL_NO_OBSTACLE);
    assert_int_equal(look_for_obstacle(&vigil, 300, 800), VIGIL_CALLBACK);
    activity.callbacks++;
    activity.runs++;
    assert_int_equal(look_for_obstacle(&vigil, 0, 900), VIGIL_NO_OBSTACLE);
}

static void test_an_end_that_an_engine_holds_up(void **state)
{
    struct vigil vigil = fresh;
    vigil.patience_ns = 0;
    activity.is_running = true;
    for (unsigned ms = 0; ms < 500; ms += 50, activity.callbacks++)
        assert_int_equal(look_for_obstacle(&vigil, 0, ms), VIGIL_NO_OBSTACLE);
    assert_string_equal(said, "");
    assert_int_equal(look_for_obstacle(&vigil, 0, 500), VIGIL_ENGINE);
    assert_non_null(strstr(said, "the engine has not come to rest for 0.5 s"));
    said[0] = 0;
    activity.is_waiting = true; /* for a trace's reader */
    assert_int_equal(look_for_obstacle(&vigil, 0, 550), VIGIL_ENGINE);
    activity.is_waiting = activity.is_running = false;
    activity.callback = TRESTLE_CALLBACK_NONE;
    assert_int_equal(look_for_obstacle(&vigil, 0, 600), VIGIL_NO_OBSTACLE);
    assert_string_equal(said, "");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_a_callback_that_does_not_return),
                                       TEST(test_a_callback_on_a_busy_host),
                                       TEST(test_callbacks_that_return),
                                       TEST(test_a_callback_that_waited),
                                       TEST(test_an_engine_that_does_not_come_to_rest),
                                       TEST(test_without_patience),
                                       TEST(test_an_end_that_a_callback_holds_up),
                                       TEST(test_an_end_that_an_engine_holds_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
