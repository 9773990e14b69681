/* SPDX-License-Identifier: MIT */
/* The host at the end of serial wires: two such ends speak to each other. */
#include <string.h>

#include "check.h"
#include "trestle/pin.h"
#include "trestle/test.h"

enum { RECEIVED = 0x00, SENT = 0x04, FRAMING = 0x08 };
enum { RX, TX };
#define BIT (TRESTLE_S / 115200)

static struct trestle_test *bench;

static int setup(void **state)
{
    bench = trestle_test_create();
    return 0;
}

static int teardown(void **state)
{
    trestle_test_destroy(bench);
    return 0;
}

static struct trestle_device *load(const char *baud)
{
    return trestle_test_load(bench, "serial-line", baud, NULL);
}

static uint64_t get(struct trestle_device *dev, uint64_t offset)
{
    return trestle_test_read(dev, offset, 4);
}

static void assert_heard(struct trestle_device *dev, const char *text)
{
    size_t size;
    const void *output = trestle_test_output(dev, &size);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(output, text, size);
}

static void test_both_ways(void **state)
{
    struct trestle_device *one = load("baud=115200"), *other = load(NULL);
    trestle_test_link(one, TX, other, RX, TRESTLE_NS);
    trestle_test_link(other, TX, one, RX, TRESTLE_NS);
    trestle_test_run(bench, TRESTLE_US);
    assert_int_equal(trestle_test_input(one, "\x55hello\xff", 7), 7);
    assert_int_equal(trestle_test_input(other, "X", 1), 1);
    trestle_test_run(bench, 10 * BIT - TRESTLE_NS); /* the stop bit has been looked at */
    assert_heard(other, "\x55");
    assert_heard(one, "X");
    trestle_test_run(bench, 60 * BIT + 2 * TRESTLE_NS);
    assert_heard(other, "\x55hello\xff");
    assert_int_equal(get(one, SENT), 7);
    assert_int_equal(get(one, RECEIVED), 1);
    assert_int_equal(get(other, RECEIVED), 7);
    assert_int_equal(get(other, FRAMING), 0);
}

/* A byte as bits, from a pin of the test's, and what comes on the other. */
static void set(struct trestle_test_peer *pin, uint8_t level, trestle_time then)
{
    trestle_test_send(pin, &level, 1);
    trestle_test_run(bench, then);
}

static void send_bits(struct trestle_test_peer *pin, unsigned frame)
{
    for (unsigned bit = 0; bit < 10; bit++)
        set(pin, frame >> bit & 1, BIT);
}

static void test_frames(void **state)
{
    struct trestle_device *line = load(NULL);
    struct trestle_test_peer *pin = trestle_test_peer(line, RX, 0);
    send_bits(pin, 0x200 | 'a' << 1);
    assert_heard(line, "a");
    set(pin, 0, BIT / 3); /* that is no start bit */
    set(pin, 1, 12 * BIT);
    assert_heard(line, "a");
    send_bits(pin, 'b' << 1); /* no stop bit: the next one begins when it is high again */
    set(pin, 0, 20 * BIT);
    assert_int_equal(get(line, FRAMING), 1);
    set(pin, 1, BIT);
    send_bits(pin, 0x200 | 'c' << 1);
    set(pin, TRESTLE_PIN_FREE, BIT);
    assert_heard(line, "ac");
    assert_int_equal(get(line, FRAMING), 1);
    assert_int_equal(get(line, RECEIVED), 2);
}

static void test_other_rates(void **state)
{
    struct trestle_device *slow = load("baud=9600"), *fast = load("baud=19200");
    trestle_test_link(slow, TX, fast, RX, TRESTLE_NS);
    trestle_test_run(bench, TRESTLE_US);
    assert_int_equal(trestle_test_input(slow, "\x01", 1), 1);
    trestle_test_run(bench, 2 * TRESTLE_MS);
    assert_int_equal(get(slow, SENT), 1);
    assert_int_equal(get(fast, FRAMING), 1);
}

static void test_input_waits_and_a_reset_cuts_it_off(void **state)
{
    struct trestle_device *one = load(NULL), *other = load(NULL);
    trestle_test_link(one, TX, other, RX, TRESTLE_NS);
    char bytes[100];
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(trestle_test_input(one, bytes, sizeof(bytes)), 64);
    assert_int_equal(trestle_test_input(one, bytes, 2), 1); /* one is on its way */
    trestle_test_run(bench, 25 * BIT);
    trestle_test_reset(one);
    trestle_test_run(bench, 100 * BIT);
    assert_int_equal(get(one, SENT), 2);
    assert_int_equal(get(other, RECEIVED), 3); /* the rest of it was high */
    assert_int_equal(trestle_test_input(one, "y", 1), 1);
    trestle_test_run(bench, 10 * BIT + TRESTLE_NS);
    assert_heard(other, "xx\xf8y");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_both_ways), TEST(test_frames),
                                       TEST(test_other_rates),
                                       TEST(test_input_waits_and_a_reset_cuts_it_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
