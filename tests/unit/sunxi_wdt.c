/* SPDX-License-Identifier: MIT */
/* The watchdog sunxi-wdt, as Linux's driver uses it. */
#include "check.h"
#include "trestle/test.h"

enum { IRQ_EN = 0x00, IRQ_STA = 0x04, CTRL = 0x10, CFG = 0x14, MODE = 0x18 };
enum { RESTART = 0x14af, EN = 1, TWO_SECONDS = 0x20 };
enum { INTERRUPT, RESET };

static struct trestle_test *bench;
static struct trestle_device *dog;

static int setup(void **state)
{
    bench = trestle_test_create();
    dog = trestle_test_load(bench, "sunxi-wdt", NULL);
    return 0;
}

static int teardown(void **state)
{
    trestle_test_destroy(bench);
    return 0;
}

static void test_it_bites_unless_fed(void **state)
{
    trestle_test_write(dog, MODE, 4, TWO_SECONDS | EN);
    trestle_test_write(dog, CTRL, 4, RESTART);
    for (int i = 0; i < 3; i++) {
        trestle_test_run(bench, 2 * TRESTLE_S - 1);
        trestle_test_write(dog, CTRL, 4, RESTART);
    }
    trestle_test_run(bench, TRESTLE_S);
    trestle_test_write(dog, CTRL, 4, 1); /* without the key */
    trestle_test_run(bench, TRESTLE_S - 1);
    assert_false(trestle_test_irq(dog, RESET));
    trestle_test_run(bench, 1);
    assert_true(trestle_test_irq(dog, RESET));
    trestle_test_reset(dog);
    trestle_test_run(bench, 100 * TRESTLE_S);
    assert_false(trestle_test_irq(dog, RESET));
    assert_int_equal(trestle_test_irq_count(dog, RESET), 1);
}

static void test_it_is_stopped(void **state)
{
    trestle_test_write(dog, MODE, 4, 0xb0 | EN);
    trestle_test_run(bench, 15 * TRESTLE_S);
    trestle_test_write(dog, MODE, 4, 0);
    trestle_test_run(bench, 100 * TRESTLE_S);
    trestle_test_write(dog, MODE, 4, 0xf0 | EN); /* an interval that there is not */
    trestle_test_run(bench, 100 * TRESTLE_S);
    assert_int_equal(trestle_test_irq_count(dog, RESET), 0);
}

static void test_an_interrupt_instead(void **state)
{
    trestle_test_write(dog, CFG, 4, 2);
    trestle_test_write(dog, MODE, 4, EN);
    trestle_test_run(bench, 500 * TRESTLE_MS);
    assert_false(trestle_test_irq(dog, INTERRUPT));
    trestle_test_write(dog, IRQ_EN, 4, 1);
    assert_true(trestle_test_irq(dog, INTERRUPT));
    trestle_test_write(dog, IRQ_STA, 4, 1);
    assert_false(trestle_test_irq(dog, INTERRUPT));
    trestle_test_run(bench, 500 * TRESTLE_MS);
    assert_true(trestle_test_irq(dog, INTERRUPT));
    assert_int_equal(trestle_test_irq_count(dog, RESET), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_it_bites_unless_fed),
        TEST(test_it_is_stopped),
        TEST(test_an_interrupt_instead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
