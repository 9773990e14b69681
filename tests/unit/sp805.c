/* SPDX-License-Identifier: MIT */
/* The watchdog sp805, as Linux's driver uses it. */
#include "check.h"
#include "trestle/test.h"

enum { LOAD = 0x000, VALUE = 0x004, CONTROL = 0x008, INTCLR = 0x00c, RIS = 0x010, MIS = 0x014 };
enum { LOCK = 0xc00, IDENT = 0xfe0 };
enum { INTEN = 1, RESEN = 2 };
enum { INTERRUPT, RESET };

static struct trestle_test *bench;
static struct trestle_device *dog;

static int setup(void **state)
{
    bench = trestle_test_create();
    dog = trestle_test_load(bench, "sp805", "clock=1MHz", NULL);
    return 0;
}

static int teardown(void **state)
{
    trestle_test_destroy(bench);
    return 0;
}

static void start(uint32_t cycles, uint32_t control)
{
    trestle_test_write(dog, LOCK, 4, 0x1acce551);
    trestle_test_write(dog, LOAD, 4, cycles - 1);
    trestle_test_write(dog, INTCLR, 4, 1);
    trestle_test_write(dog, CONTROL, 4, control);
    trestle_test_write(dog, LOCK, 4, 0);
}

static void test_two_counts_bite(void **state)
{
    start(1000, INTEN | RESEN);
    assert_int_equal(trestle_test_read(dog, VALUE, 4), 999);
    trestle_test_run(bench, TRESTLE_MS - 1);
    assert_false(trestle_test_irq(dog, INTERRUPT));
    assert_int_equal(trestle_test_read(dog, VALUE, 4), 0);
    trestle_test_run(bench, 1);
    assert_true(trestle_test_irq(dog, INTERRUPT));
    assert_int_equal(trestle_test_read(dog, RIS, 4), 1);
    assert_int_equal(trestle_test_read(dog, MIS, 4), 1);
    trestle_test_run(bench, TRESTLE_MS - 1);
    assert_false(trestle_test_irq(dog, RESET));
    trestle_test_run(bench, 1);
    assert_true(trestle_test_irq(dog, RESET));
    trestle_test_reset(dog);
    assert_false(trestle_test_irq(dog, RESET));
    trestle_test_run(bench, TRESTLE_S);
    assert_int_equal(trestle_test_irq_count(dog, RESET), 1);
    assert_int_equal(trestle_test_read(dog, LOAD, 4), UINT32_MAX);
}

static void test_it_is_fed(void **state)
{
    start(1000, INTEN | RESEN);
    for (int i = 0; i < 5; i++) {
        trestle_test_run(bench, 1500 * TRESTLE_US); /* the interrupt has come */
        assert_true(trestle_test_irq(dog, INTERRUPT));
        trestle_test_write(dog, INTCLR, 4, 1); /* locked */
        assert_true(trestle_test_irq(dog, INTERRUPT));
        trestle_test_write(dog, LOCK, 4, 0x1acce551);
        trestle_test_write(dog, INTCLR, 4, 1);
        trestle_test_write(dog, LOCK, 4, 1);
        assert_false(trestle_test_irq(dog, INTERRUPT));
    }
    assert_false(trestle_test_irq(dog, RESET));
}

static void test_without_resets_and_stopped(void **state)
{
    start(1000, INTEN);
    trestle_test_run(bench, 10 * TRESTLE_MS);
    assert_true(trestle_test_irq(dog, INTERRUPT));
    assert_false(trestle_test_irq(dog, RESET));
    trestle_test_write(dog, LOCK, 4, 0x1acce551);
    trestle_test_write(dog, CONTROL, 4, RESEN);
    assert_false(trestle_test_irq(dog, INTERRUPT));
    trestle_test_run(bench, 10 * TRESTLE_MS);
    assert_false(trestle_test_irq(dog, RESET));
    assert_int_equal(trestle_test_read(dog, VALUE, 4), 999);
}

static void test_the_lock(void **state)
{
    assert_int_equal(trestle_test_read(dog, LOCK, 4), 0);
    trestle_test_write(dog, LOCK, 4, 7);
    assert_int_equal(trestle_test_read(dog, LOCK, 4), 1);
    trestle_test_write(dog, LOAD, 4, 5);
    trestle_test_write(dog, CONTROL, 4, INTEN);
    assert_int_equal(trestle_test_read(dog, LOAD, 4), UINT32_MAX);
    assert_int_equal(trestle_test_read(dog, CONTROL, 4), 0);
}

/* As the bus of PrimeCells reads it. */
static void test_who_it_is(void **state)
{
    uint32_t peripheral = 0, cell = 0;
    for (unsigned i = 0; i < 4; i++) {
        peripheral |= (uint32_t)trestle_test_read(dog, IDENT + 4 * i, 4) << 8 * i;
        cell |= (uint32_t)trestle_test_read(dog, IDENT + 16 + 4 * i, 4) << 8 * i;
    }
    assert_int_equal(peripheral & 0xfffff, 0x41805);
    assert_int_equal(cell, 0xb105f00d);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_two_counts_bite), TEST(test_it_is_fed), TEST(test_without_resets_and_stopped),
        TEST(test_the_lock),        TEST(test_who_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
