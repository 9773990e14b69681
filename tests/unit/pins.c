/* SPDX-License-Identifier: MIT */
/* The GPIO controller, as Linux's driver uses it, with a panel at the other ends of its wires. */
#include "check.h"
#include "trestle/pin.h"
#include "trestle/test.h"

enum { INPUT_VAL = 0x00, INPUT_EN = 0x04, OUTPUT_EN = 0x08, OUTPUT_VAL = 0x0c, PUE = 0x10 };
enum { RISE_IE = 0x18, RISE_IP = 0x1c, FALL_IE = 0x20, FALL_IP = 0x24 };
enum { HIGH_IE = 0x28, HIGH_IP = 0x2c, LOW_IE = 0x30, LOW_IP = 0x34, OUT_XOR = 0x40 };
enum { LAMPS = 0x00, SWITCHES = 0x04, CONNECTED = 0x08 };

static struct trestle_test *bench;
static struct trestle_device *gpio, *panel;

static int setup(void **state)
{
    bench = trestle_test_create();
    gpio = trestle_test_load(bench, "sifive-gpio", NULL);
    panel = trestle_test_load(bench, "panel", NULL);
    for (uint32_t pin = 0; pin < 4; pin++)
        trestle_test_link(gpio, pin, panel, pin, TRESTLE_NS);
    trestle_test_link(gpio, 31, panel, 31, TRESTLE_NS);
    return 0;
}

static int teardown(void **state)
{
    trestle_test_destroy(bench);
    return 0;
}

static void set(struct trestle_device *dev, uint64_t offset, uint32_t value)
{
    trestle_test_write(dev, offset, 4, value);
    trestle_test_run(bench, TRESTLE_NS);
}

static uint64_t get(struct trestle_device *dev, uint64_t offset)
{
    return trestle_test_read(dev, offset, 4);
}

static void test_outputs(void **state)
{
    set(gpio, OUTPUT_VAL, 0x8000000f); /* nothing is driven yet */
    assert_int_equal(get(panel, LAMPS), 0);
    set(gpio, OUTPUT_EN, 0x80000005);
    assert_int_equal(get(panel, LAMPS), 0x80000005);
    set(gpio, OUT_XOR, 4);
    assert_int_equal(get(panel, LAMPS), 0x80000001);
    set(gpio, OUTPUT_EN, 1);
    assert_int_equal(get(panel, LAMPS), 1);
    set(gpio, INPUT_EN, 3); /* a pin hears itself */
    assert_int_equal(get(gpio, INPUT_VAL), 1);
}

static void test_inputs_and_pull_ups(void **state)
{
    set(gpio, INPUT_EN, 0x1f);
    set(gpio, PUE, 0x16);
    assert_int_equal(get(gpio, INPUT_VAL), 0x16); /* pin 4 has no wire */
    set(panel, CONNECTED, 3);
    assert_int_equal(get(gpio, INPUT_VAL), 0x14);
    set(panel, SWITCHES, 0xb); /* one of them is not connected */
    assert_int_equal(get(gpio, INPUT_VAL), 0x17);
    set(gpio, INPUT_EN, 1);
    assert_int_equal(get(gpio, INPUT_VAL), 1);
    trestle_test_write(gpio, INPUT_VAL, 4, 7);
    assert_int_equal(get(gpio, INPUT_VAL), 1);
}

static void test_edges(void **state)
{
    set(panel, CONNECTED, 0x8000000f);
    set(gpio, INPUT_EN, 0x8000000f);
    set(gpio, RISE_IE, 0x80000002);
    set(gpio, FALL_IE, 0x00000004);
    set(panel, SWITCHES, 0x8000000f);
    assert_int_equal(get(gpio, RISE_IP), 0x8000000f);
    assert_true(trestle_test_irq(gpio, 1));
    assert_true(trestle_test_irq(gpio, 31));
    assert_false(trestle_test_irq(gpio, 2));
    set(gpio, RISE_IP, 2);
    assert_false(trestle_test_irq(gpio, 1));
    assert_int_equal(get(gpio, RISE_IP), 0x8000000d);
    set(panel, SWITCHES, 0);
    assert_int_equal(get(gpio, FALL_IP), 0x8000000f);
    assert_true(trestle_test_irq(gpio, 2));
    set(gpio, FALL_IP, UINT32_MAX);
    assert_false(trestle_test_irq(gpio, 2));
}

static void test_levels(void **state)
{
    set(panel, CONNECTED, 1);
    set(gpio, INPUT_EN, 1);
    set(gpio, HIGH_IE, 1);
    assert_false(trestle_test_irq(gpio, 0));
    set(panel, SWITCHES, 1);
    set(gpio, HIGH_IP, 1); /* as long as it is high, it is pending */
    assert_true(trestle_test_irq(gpio, 0));
    set(panel, SWITCHES, 0);
    assert_true(trestle_test_irq(gpio, 0));
    set(gpio, HIGH_IP, 1);
    assert_false(trestle_test_irq(gpio, 0));
    set(gpio, LOW_IE, 1);
    assert_true(trestle_test_irq(gpio, 0));
    assert_int_equal(get(gpio, LOW_IP), 1);
}

/* Whichever is reset last, both know of each other afterwards. */
static void check_reset(struct trestle_device *first, struct trestle_device *last)
{
    set(panel, CONNECTED, 2);
    set(panel, SWITCHES, 2);
    set(gpio, OUTPUT_VAL, 1);
    set(gpio, OUTPUT_EN, 1);
    assert_int_equal(get(panel, LAMPS), 1);
    trestle_test_reset(first);
    trestle_test_run(bench, TRESTLE_NS); /* it is heard, and not yet answered */
    trestle_test_reset(last);
    trestle_test_run(bench, 2 * TRESTLE_NS);
    set(gpio, INPUT_EN, 0xf);
    assert_int_equal(get(gpio, INPUT_VAL), 2);
    assert_int_equal(get(panel, LAMPS), 0);
}

static void test_reset(void **state)
{
    check_reset(gpio, panel);
    check_reset(panel, gpio);
    for (uint32_t pin = 0; pin < 32; pin++)
        assert_false(trestle_test_irq(gpio, pin));
}

static void test_what_is_no_level(void **state)
{
    struct trestle_test_peer *peer = trestle_test_peer(gpio, 7, TRESTLE_NS);
    const uint8_t wrong[] = {3, 0};
    set(gpio, INPUT_EN, 0x80);
    trestle_test_send(peer, wrong, 1);
    trestle_test_send(peer, wrong, 2);
    trestle_test_run(bench, TRESTLE_NS);
    assert_int_equal(trestle_test_logged(bench, TRESTLE_LOG_WARNING), 2);
    assert_int_equal(get(gpio, INPUT_VAL), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_outputs), TEST(test_inputs_and_pull_ups), TEST(test_edges), TEST(test_levels),
        TEST(test_reset),   TEST(test_what_is_no_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
