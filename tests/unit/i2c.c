/* SPDX-License-Identifier: MIT */
/* The I2C controller, as Linux's driver uses it, with the bundled slaves and one of the test's. */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
/* cmocka 2 has it. */
#ifndef stop
#define stop() ((void)0)
#endif
#include "trestle/i2c.h"
#include "trestle/models.h"
#include "trestle/test.h"

enum { PRERLO, PRERHI, CTRL, DATA, STATUS };
enum { START = 0x80, STOP = 0x40, READ = 0x20, WRITE = 0x10, LAST = 0x08, ACK = 0x01 };
enum { NACK = 0x80, BUSY = 0x40, TIP = 0x02, IF = 0x01 };
enum { EEPROM = 0x50, THERMOMETER = 0x48 };

#define BIT (10 * TRESTLE_US)

static struct trestle_test *bench;
static struct trestle_device *i2c, *eeprom, *thermometer;

static int setup(void **state)
{
    bench = trestle_test_create();
    i2c = trestle_test_load(bench, "i2c-ocores", "clock=50MHz", NULL);
    eeprom = trestle_test_load(bench, "at24", "data=00112233445566778899", NULL);
    thermometer = trestle_test_load(bench, "tmp102", "temperature=21.5", NULL);
    trestle_test_link(i2c, 0, eeprom, 0, TRESTLE_NS);
    trestle_test_link(i2c, 5, thermometer, 0, TRESTLE_US);
    trestle_test_write(i2c, PRERLO, 1, 99); /* 100 kHz */
    trestle_test_write(i2c, PRERHI, 1, 0);
    trestle_test_write(i2c, CTRL, 1, 0xc0);
    return 0;
}

static int teardown(void **state)
{
    trestle_test_destroy(bench);
    return 0;
}

/* A command, to its interrupt; what STATUS says then. */
static uint64_t command(uint8_t bits)
{
    trestle_test_write(i2c, STATUS, 1, bits | ACK);
    assert_int_equal(trestle_test_read(i2c, STATUS, 1) & (TIP | IF), TIP);
    assert_true(trestle_test_wait_irq(i2c, 0, TRESTLE_S));
    return trestle_test_read(i2c, STATUS, 1) & ~(uint64_t)IF;
}

static uint64_t send(uint8_t byte, uint8_t bits)
{
    trestle_test_write(i2c, DATA, 1, byte);
    return command(WRITE | bits);
}

static bool start(uint8_t address, bool is_read)
{
    return send((uint8_t)(address << 1 | is_read), START) == BUSY;
}

static uint8_t receive(uint8_t bits)
{
    command(READ | bits);
    return (uint8_t)trestle_test_read(i2c, DATA, 1);
}

static uint32_t read_register(uint8_t address, uint8_t number)
{
    assert_true(start(address, false));
    assert_int_equal(send(number, 0), BUSY);
    assert_true(start(address, true));
    uint32_t high = receive(0);
    return high << 8 | receive(LAST | STOP);
}

static void write_register(uint8_t address, uint8_t number, uint16_t value)
{
    assert_true(start(address, false));
    assert_int_equal(send(number, 0), BUSY);
    assert_int_equal(send((uint8_t)(value >> 8), 0), BUSY);
    assert_int_equal(send((uint8_t)value, STOP), 0);
}

/* --- the controller -------------------------------------------------------------------------- */

static void test_commands_take_their_bits(void **state)
{
    assert_true(start(EEPROM, false));
    assert_int_equal(trestle_test_now(bench), 10 * BIT);
    send(0, 0);
    assert_int_equal(trestle_test_now(bench), 19 * BIT);
    command(STOP);
    assert_int_equal(trestle_test_now(bench), 20 * BIT);
}

static void test_nobody_there(void **state)
{
    assert_int_equal(send(0x20 << 1, START), NACK | BUSY);
    assert_int_equal(command(STOP) & BUSY, 0);
    assert_int_equal(receive(LAST), 0xff);
}

static void test_the_interrupt(void **state)
{
    start(EEPROM, false);
    assert_true(trestle_test_irq(i2c, 0));
    trestle_test_write(i2c, CTRL, 1, 0x80);
    assert_false(trestle_test_irq(i2c, 0));
    trestle_test_write(i2c, CTRL, 1, 0xc0);
    assert_true(trestle_test_irq(i2c, 0));
    trestle_test_write(i2c, STATUS, 1, ACK);
    assert_false(trestle_test_irq(i2c, 0));
}

static void test_guest_mistakes(void **state)
{
    trestle_test_write(i2c, CTRL, 1, 0); /* disabled: nothing begins */
    trestle_test_write(i2c, STATUS, 1, START | WRITE);
    assert_int_equal(trestle_test_read(i2c, STATUS, 1), 0);
    trestle_test_write(i2c, CTRL, 1, 0xc0);
    trestle_test_write(i2c, STATUS, 1, START | WRITE);
    trestle_test_write(i2c, STATUS, 1, STOP); /* too early */
    assert_int_equal(trestle_test_logged(bench, TRESTLE_LOG_WARNING), 1);
    trestle_test_reset(i2c);
    trestle_test_run(bench, TRESTLE_S);
    assert_false(trestle_test_irq(i2c, 0));
    assert_int_equal(trestle_test_read(i2c, PRERLO, 1), 0xff);
}

/* The other end of a port is in the test's hands. */
static void test_a_slave_that_is_slow_and_then_rude(void **state)
{
    struct trestle_test_peer *peer = trestle_test_peer(i2c, 2, TRESTLE_NS);
    const uint8_t yes[] = {TRESTLE_I2C_ACK, 1}, datum[] = {TRESTLE_I2C_DATA, 0x42};
    size_t size = 0;
    trestle_test_write(i2c, DATA, 1, 0x21 << 1 | 1);
    trestle_test_write(i2c, STATUS, 1, START | WRITE);
    trestle_test_run(bench, TRESTLE_S); /* it stretches the clock */
    const uint8_t *message = trestle_test_message(peer, &size);
    assert_int_equal(size, TRESTLE_I2C_SIZE);
    assert_int_equal(message[0], TRESTLE_I2C_START);
    assert_int_equal(message[1], 0x21 << 1 | 1);
    assert_int_equal(trestle_test_read(i2c, STATUS, 1) & TIP, TIP);
    trestle_test_send(peer, yes, sizeof(yes));
    trestle_test_run(bench, TRESTLE_US);
    assert_int_equal(trestle_test_read(i2c, STATUS, 1), BUSY | IF);
    trestle_test_write(i2c, STATUS, 1, READ | LAST | ACK);
    trestle_test_send(peer, yes, sizeof(yes)); /* no answer to a read */
    trestle_test_send(peer, datum, 1);
    trestle_test_send(peer, datum, sizeof(datum));
    trestle_test_send(peer, datum, sizeof(datum)); /* once too often */
    trestle_test_run(bench, TRESTLE_MS);
    assert_int_equal(trestle_test_logged(bench, TRESTLE_LOG_WARNING), 3);
    assert_int_equal(trestle_test_read(i2c, DATA, 1), 0x42);
}

/* --- the EEPROM ------------------------------------------------------------------------------ */

static void test_eeprom_reads(void **state)
{
    assert_int_equal(read_register(EEPROM, 3), 0x3344);
    assert_true(start(EEPROM, true)); /* where it stood */
    assert_int_equal(receive(0), 0x55);
    assert_int_equal(receive(LAST | STOP), 0x66);
    assert_int_equal(read_register(EEPROM, 0xff), 0xff00); /* around its end */
}

static void test_eeprom_writes_inside_of_a_page(void **state)
{
    assert_true(start(EEPROM, false));
    send(6, 0);
    send(0xa6, 0);
    send(0xa7, 0);
    send(0xa0, STOP);
    assert_false(start(EEPROM, false)); /* while it stores them */
    command(STOP);
    trestle_test_run(bench, 5 * TRESTLE_MS);
    assert_int_equal(read_register(EEPROM, 6), 0xa6a7);
    assert_int_equal(trestle_test_read(eeprom, 0, 8), 0xa7a65544332211a0);
    trestle_test_reset(eeprom);
    assert_int_equal(trestle_test_read(eeprom, 6, 2), 0xa7a6);
    trestle_test_write(eeprom, 6, 1, 0x12); /* by the back door */
    assert_int_equal(read_register(EEPROM, 6), 0x12a7);
}

static void test_eeprom_keeps_what_has_no_stop(void **state)
{
    assert_true(start(EEPROM, false));
    send(0, 0);
    send(0xaa, 0);
    assert_int_equal(read_register(EEPROM, 0), 0x0011);
}

static void test_eeprom_of_two_address_bytes(void **state)
{
    struct trestle_device *large =
        trestle_test_load(bench, "at24", "address=0x54", "size=65536", "page=128", NULL);
    trestle_test_link(i2c, 1, large, 0, TRESTLE_NS);
    trestle_test_write(large, 0x8002, 2, 0xbbaa);
    assert_true(start(0x54, false));
    send(0x80, 0);
    send(0x02, 0);
    assert_true(start(0x54, true));
    assert_int_equal(receive(0), 0xaa);
    assert_int_equal(receive(LAST | STOP), 0xbb);
}

static void test_eeprom_of_two_addresses(void **state)
{
    struct trestle_device *two = trestle_test_load(bench, "at24", "address=0x52", "size=512", NULL);
    trestle_test_link(i2c, 1, two, 0, TRESTLE_NS);
    trestle_test_write(two, 0x102, 2, 0xbbaa);
    assert_int_equal(read_register(0x53, 2), 0xaabb);
    assert_int_equal(read_register(0x52, 2), 0xffff);
    assert_int_equal(trestle_test_try_write(two, 512, 1, 0), -EFAULT);
}

static void test_parameters_that_cannot_be(void **state)
{
    static const struct {
        const char *model;
        struct trestle_param param;
        const char *expected;
    } wrong[] = {
        {"at24", {"size", "100"}, "a power of two from 16 to 65536"},
        {"at24", {"page", "512"}, "a power of two up to 256"},
        {"at24", {"address", "0x80"}, "7 bits"},
        {"at24", {"data", "00f"}, "pairs of hexadecimal digits"},
        {"tmp102", {"temperature", "warm"}, "degrees from -128 to 150"},
        {"tmp102", {"temperature", "nan"}, "degrees from -128 to 150"},
        {"tmp102", {"address", "200"}, "7 bits"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const struct trestle_device_options options = {
            .size = sizeof(options), .name = "x", .params = &wrong[i].param, .num_params = 1};
        struct trestle_device *dev;
        char *error = NULL;
        assert_int_equal(
            trestle_test_try_add(bench, trestle_model_find(wrong[i].model), &options, &dev, &error),
            -EINVAL);
        assert_non_null(strstr(error, wrong[i].expected));
        free(error);
    }
}

/* --- the thermometer ------------------------------------------------------------------------- */

enum { TEMPERATURE, CONFIG, T_LOW, T_HIGH };

static void test_thermometer(void **state)
{
    assert_int_equal(read_register(THERMOMETER, TEMPERATURE), 0x1580); /* 21.5 */
    assert_int_equal(read_register(THERMOMETER, CONFIG), 0x60a0);
    assert_int_equal(read_register(THERMOMETER, T_LOW), 0x4b00);
    assert_int_equal(read_register(THERMOMETER, T_HIGH), 0x5000);
    trestle_test_write(thermometer, 0, 4, (uint32_t)-5030); /* -5.0625 */
    assert_int_equal(read_register(THERMOMETER, TEMPERATURE), 0xfaf0);
    trestle_test_write(thermometer, 0, 4, 149000);
    assert_int_equal(read_register(THERMOMETER, TEMPERATURE), 0x7ff0);
    write_register(THERMOMETER, CONFIG, 0x60b0); /* 13 bits */
    assert_int_equal(read_register(THERMOMETER, TEMPERATURE), 0x4a81);
    trestle_test_write(thermometer, 0, 4, 0x7fffffff);
    assert_int_equal(trestle_test_read(thermometer, 0, 4), 150000);
}

static void test_alert(void **state)
{
    write_register(THERMOMETER, T_LOW, 0x1000);  /* 16 */
    write_register(THERMOMETER, T_HIGH, 0x1400); /* 20 */
    assert_true(trestle_test_irq(thermometer, 0));
    assert_int_equal(read_register(THERMOMETER, CONFIG), 0x6080);
    trestle_test_write(thermometer, 0, 4, 17000);
    assert_true(trestle_test_irq(thermometer, 0));
    trestle_test_write(thermometer, 0, 4, 15900);
    assert_false(trestle_test_irq(thermometer, 0));
    trestle_test_write(thermometer, 0, 4, 30000);
    trestle_test_reset(thermometer);
    assert_false(trestle_test_irq(thermometer, 0));
    assert_int_equal(read_register(THERMOMETER, TEMPERATURE), 0x1e00);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_commands_take_their_bits),
        TEST(test_nobody_there),
        TEST(test_the_interrupt),
        TEST(test_guest_mistakes),
        TEST(test_a_slave_that_is_slow_and_then_rude),
        TEST(test_eeprom_reads),
        TEST(test_eeprom_writes_inside_of_a_page),
        TEST(test_eeprom_keeps_what_has_no_stop),
        TEST(test_eeprom_of_two_address_bytes),
        TEST(test_eeprom_of_two_addresses),
        TEST(test_parameters_that_cannot_be),
        TEST(test_thermometer),
        TEST(test_alert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
