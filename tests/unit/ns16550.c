/* SPDX-License-Identifier: MIT */
/* The ns16550 model, as its drivers see it, with the bench for models. */
#include <string.h>

#include "check.h"
#include "trestle/test.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static struct trestle_test *test;
static struct trestle_device *uart;

static int setup(void **state)
{
    test = trestle_test_create();
    uart = trestle_test_load(test, "ns16550", NULL);
    return 0;
}

static int teardown(void **state)
{
    trestle_test_destroy(test);
    return 0;
}

static uint8_t get(uint64_t offset)
{
    return (uint8_t)trestle_test_read(uart, offset, 1);
}

static void put(uint64_t offset, uint8_t value)
{
    trestle_test_write(uart, offset, 1, value);
}

static bool high(void)
{
    return trestle_test_irq(uart, 0);
}

static struct trestle_test_peer *connect_line(void)
{
    return trestle_test_peer(uart, 0, 0);
}

static void hear(struct trestle_test_peer *line, const char *text)
{
    trestle_test_send(line, text, strlen(text));
    trestle_test_run(test, 1);
}

static void test_output(void **state)
{
    size_t size;
    struct trestle_test_peer *line = connect_line();
    for (const char *at = "hello\n"; *at; at++) {
        assert_int_equal(get(LSR) & 0x60, 0x60);
        put(DATA, (uint8_t)*at);
    }
    trestle_test_run(test, 1);
    const void *output = trestle_test_output(uart, &size);
    assert_int_equal(size, 6);
    assert_memory_equal(output, "hello\n", 6);
    assert_int_equal(trestle_test_heard(line), 6);
    assert_memory_equal(trestle_test_message(line, &size), "\n", 1);
}

static void test_divisor(void **state)
{
    size_t size;
    put(IER, 0x05);
    put(LCR, 0x83);
    put(DATA, 0x34);
    put(IER, 0xf2);
    assert_int_equal(get(DATA), 0x34);
    assert_int_equal(get(IER), 0xf2);
    put(LCR, 0x03);
    assert_int_equal(get(IER), 0x05);
    assert_int_equal(get(DATA), 0);
    trestle_test_output(uart, &size);
    assert_int_equal(size, 0);
}

static void test_room(void **state)
{
    assert_int_equal(get(IIR), 0x01);
    put(IER, 0x02); /* it is empty when somebody begins to ask */
    assert_true(high());
    assert_int_equal(get(IIR), 0x02);
    assert_false(high());
    assert_int_equal(get(IIR), 0x01);
    put(DATA, 'x');
    assert_true(high());
    put(IER, 0x00);
    assert_false(high());
}

static void test_receive(void **state)
{
    struct trestle_test_peer *line = connect_line();
    put(IIR, 0x81); /* FIFOs, 8 bytes */
    put(IER, 0x01);
    hear(line, "1234567");
    assert_true(high());
    assert_int_equal(get(IIR), 0xcc); /* time-out */
    hear(line, "8");
    assert_int_equal(get(IIR), 0xc4);
    for (char byte = '1'; byte <= '8'; byte++) {
        assert_int_equal(get(LSR), 0x61);
        assert_int_equal(get(DATA), byte);
    }
    assert_false(high());
    assert_int_equal(get(LSR), 0x60);
    assert_int_equal(get(IIR), 0xc1);
}

static void test_overrun(void **state)
{
    struct trestle_test_peer *line = connect_line();
    put(IIR, 0x01);
    put(IER, 0x04);
    hear(line, "0123456789abcdef");
    assert_false(high());
    hear(line, "x");
    assert_true(high());
    assert_int_equal(get(IIR), 0xc6);
    assert_int_equal(get(LSR), 0x63);
    assert_false(high());
    assert_int_equal(get(LSR), 0x61);
    for (const char *at = "0123456789abcdef"; *at; at++)
        assert_int_equal(get(DATA), *at);
    hear(line, "gone");
    put(IIR, 0x03); /* clears the receiver's */
    assert_int_equal(get(LSR), 0x60);
    put(IIR, 0x00);
    hear(line, "ab"); /* without FIFOs there is room for one */
    assert_int_equal(get(LSR), 0x63);
    assert_int_equal(get(DATA), 'a');
    assert_int_equal(get(LSR), 0x60);
}

/* Input waits until what came before has been read. */
static void test_input(void **state)
{
    trestle_test_run(test, 1);
    put(IIR, 0x81);
    put(IER, 0x01);
    assert_int_equal(trestle_test_input(uart, "0123456789abcdefgh", 18), 16);
    assert_true(high());
    assert_int_equal(get(IIR), 0xc4);
    assert_int_equal(trestle_test_input(uart, "gh", 2), 0);
    for (const char *at = "0123456789abcdef"; *at; at++) {
        assert_int_equal(trestle_test_input(uart, "gh", 2), 0);
        assert_int_equal(get(DATA), *at);
    }
    assert_false(high());
    assert_int_equal(trestle_test_input(uart, "gh", 2), 2);
    assert_int_equal(get(IIR), 0xcc);
    put(IIR, 0x03);
    assert_int_equal(get(LSR), 0x60);
    put(IIR, 0x00);
    assert_int_equal(trestle_test_input(uart, "ab", 2), 1);
    assert_int_equal(get(DATA), 'a');
    put(MCR, 0x10);
    assert_int_equal(trestle_test_input(uart, "ab", 2), 0);
    put(MCR, 0x00);
    assert_int_equal(trestle_test_input(uart, "ab", 2), 1);
}

/* A driver that is not there yet loses nothing. */
static void test_input_waits_for_a_listener(void **state)
{
    assert_int_equal(trestle_test_input(uart, "a", 1), 0);
    get(LSR);
    assert_int_equal(trestle_test_input(uart, "a", 1), 0);
    put(DATA, 'x');
    get(LSR);
    assert_int_equal(trestle_test_input(uart, "a", 1), 0);
    get(LSR);
    assert_int_equal(trestle_test_input(uart, "a", 1), 1);
    assert_int_equal(get(LSR), 0x61);
    assert_int_equal(get(DATA), 'a');
    put(IER, 0x01);
    assert_int_equal(trestle_test_input(uart, "b", 1), 1);
    trestle_test_reset(uart);
    assert_int_equal(trestle_test_input(uart, "b", 1), 0);
}

/* As Linux looks for the port. */
static void test_loop(void **state)
{
    size_t size;
    assert_int_equal(get(MSR), 0xb0);
    put(MCR, 0x1a);
    assert_int_equal(get(MSR), 0x90);
    put(MCR, 0x15);
    assert_int_equal(get(MSR), 0x60);
    put(DATA, 'L');
    assert_int_equal(get(DATA), 'L');
    trestle_test_output(uart, &size);
    assert_int_equal(size, 0);
    hear(connect_line(), "x"); /* not connected now */
    assert_int_equal(get(LSR), 0x60);
}

static void test_reset(void **state)
{
    struct trestle_test_peer *line = connect_line();
    put(IIR, 0x01);
    put(IER, 0x0f);
    put(SCR, 0x5a);
    assert_int_equal(get(SCR), 0x5a);
    hear(line, "left");
    trestle_test_reset(uart);
    assert_false(high());
    assert_int_equal(get(LSR), 0x60);
    assert_int_equal(get(IIR), 0x01);
    assert_int_equal(get(IER), 0);
    assert_int_equal(get(SCR), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_output),  TEST(test_divisor),
                                       TEST(test_room),    TEST(test_receive),
                                       TEST(test_overrun), TEST(test_loop),
                                       TEST(test_input),   TEST(test_input_waits_for_a_listener),
                                       TEST(test_reset)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
