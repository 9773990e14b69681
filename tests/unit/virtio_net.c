/* SPDX-License-Identifier: MIT */
/* The network card that speaks virtio, between its driver, a wire and the host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "trestle/le.h"
#include "virtio_driver.h"

enum { RECEIVE, TRANSMIT };

#define HEADER_SIZE 12u
#define ROOM 0x800u /* of each buffer */

static struct trestle_test_peer *wire;

static int setup(void **state)
{
    driver_begin("virtio-net", NULL);
    wire = trestle_test_peer(driver.dev, 0, 1 * TRESTLE_US);
    driver_start(0);
    driver_queue(RECEIVE, 4);
    driver_queue(TRANSMIT, 4);
    return 0;
}

static int teardown(void **state)
{
    driver_end();
    return 0;
}

static uint64_t buffer(unsigned index)
{
    return BUFFERS + (uint64_t)index * ROOM;
}

static void offer_buffer(uint16_t index, uint32_t size)
{
    driver_queue_desc(RECEIVE, index, buffer(index), size, DESC_WRITE, 0);
    driver_offer(RECEIVE, index);
}

static void transmit(const char *frame, uint32_t size)
{
    memcpy(driver_ram(BUFFERS + 0x8000) + HEADER_SIZE, frame, size);
    driver_queue_desc(TRANSMIT, 0, BUFFERS + 0x8000, HEADER_SIZE + size, 0, 0);
    driver_offer(TRANSMIT, 0);
}

static void assert_received(uint16_t used, const char *frame)
{
    struct used_entry entry = driver_used_entry(RECEIVE, used);
    const uint8_t *bytes = driver_ram(buffer(entry.id));
    assert_int_equal(entry.size, HEADER_SIZE + strlen(frame));
    assert_int_equal(bytes[0] | bytes[1], 0);
    assert_int_equal(trestle_get_le16(bytes + 10), 1);
    assert_memory_equal(bytes + HEADER_SIZE, frame, strlen(frame));
}

/* What a driver sends goes to both ends. */
static void test_transmit(void **state)
{
    size_t size;
    transmit("a frame", 7);
    assert_int_equal(driver_used(TRANSMIT), 1);
    assert_memory_equal(trestle_test_output(driver.dev, &size), "\0\0\0\7a frame", 11);
    assert_int_equal(size, 11);
    trestle_test_run(driver.test, 1 * TRESTLE_US);
    assert_int_equal(trestle_test_heard(wire), 1);
    assert_memory_equal(trestle_test_message(wire, &size), "a frame", 7);
    assert_int_equal(size, 7);
    transmit("", 0);
    trestle_test_run(driver.test, 1 * TRESTLE_US);
    assert_int_equal(driver_used(TRANSMIT), 2);
    assert_int_equal(trestle_test_heard(wire), 1);
}

static void hear(const char *frame)
{
    trestle_test_send(wire, frame, strlen(frame));
    trestle_test_run(driver.test, 1 * TRESTLE_US);
}

static void test_receive(void **state)
{
    hear("before there is a buffer");
    offer_buffer(0, ROOM);
    assert_int_equal(driver_used(RECEIVE), 0);
    hear("a frame");
    assert_int_equal(driver_used(RECEIVE), 1);
    assert_received(0, "a frame");
    assert_true(trestle_test_irq(driver.dev, 0));
}

/* A frame that does not fit is lost, and its buffer waits for the next one. */
static void test_small_buffer(void **state)
{
    offer_buffer(1, HEADER_SIZE + 4);
    hear("long");
    assert_received(0, "long");
    offer_buffer(2, HEADER_SIZE + 4);
    hear("too long");
    hear("fits");
    assert_int_equal(driver_used(RECEIVE), 2);
    assert_received(1, "fits");
}

/* In any pieces; while there is no buffer it waits outside. */
static void test_input(void **state)
{
    static const char bytes[] = "\0\0\0\3one\0\0\0\3two\0\0\0\5three";
    size_t size = sizeof(bytes) - 1;
    assert_int_equal(trestle_test_input(driver.dev, bytes, size), 0);
    offer_buffer(0, ROOM);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(trestle_test_input(driver.dev, bytes + i, 1), 1);
    assert_int_equal(driver_used(RECEIVE), 1);
    assert_received(0, "one");
    assert_int_equal(trestle_test_input(driver.dev, bytes + 8, size - 8), size - 8);
    assert_int_equal(trestle_test_input(driver.dev, bytes, 1), 0);
    /* A reset of the guest does not cut a frame in two. */
    driver_start(0);
    driver_queue(RECEIVE, 4);
    driver_queue(TRANSMIT, 4);
    assert_int_equal(trestle_test_input(driver.dev, bytes, 1), 0);
    offer_buffer(1, ROOM);
    assert_received(0, "two");
    assert_int_equal(trestle_test_input(driver.dev, bytes, 1), 0);
    offer_buffer(2, ROOM);
    assert_received(1, "three");
    assert_int_equal(trestle_test_input(driver.dev, bytes, 7), 7);
    offer_buffer(3, ROOM);
    assert_received(2, "one");
}

static void test_input_that_is_no_frame(void **state)
{
    offer_buffer(0, ROOM);
    assert_int_equal(trestle_test_input(driver.dev, "text", 4), 4);
    assert_non_null(strstr(trestle_test_log(driver.test), "the length of one would be 1952807028"));
    assert_int_equal(trestle_test_input(driver.dev, "\0\0\0\0", 4), 4);
    assert_non_null(strstr(trestle_test_log(driver.test), "the length of one would be 0"));
    assert_int_equal(trestle_test_input(driver.dev, "\0\0\0\4fine", 8), 8);
    assert_received(0, "fine");
}

static void test_drivers_mistakes(void **state)
{
    driver_queue_desc(TRANSMIT, 0, BUFFERS, HEADER_SIZE - 1, 0, 0);
    driver_offer(TRANSMIT, 0);
    assert_int_equal(get(0x070), 0x4f);
    assert_non_null(strstr(trestle_test_log(driver.test), "the driver sends 11 bytes"));
    driver_start(0);
    driver_queue(TRANSMIT, 4);
    driver_queue_desc(TRANSMIT, 0, BUFFERS, HEADER_SIZE + 65537, 0, 0);
    driver_offer(TRANSMIT, 0);
    assert_int_equal(get(0x070), 0x4f);
    driver_start(0);
    driver_queue(RECEIVE, 4);
    offer_buffer(0, HEADER_SIZE - 1);
    hear("a frame");
    assert_int_equal(get(0x070), 0x4f);
    assert_non_null(strstr(trestle_test_log(driver.test), "no room for a header"));
    driver_start(0);
    driver_queue(RECEIVE, 4);
    driver_queue_desc(RECEIVE, 0, 0x1000, ROOM, DESC_WRITE, 0);
    driver_offer(RECEIVE, 0);
    hear("a frame");
    assert_int_equal(get(0x070), 0x4f);
}

static void assert_mac(const struct trestle_device *dev, const uint8_t mac[6])
{
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(trestle_test_read((struct trestle_device *)dev, 0x100 + i, 1), mac[i]);
}

static void test_config(void **state)
{
    assert_mac(driver.dev, (const uint8_t[]){2, 0, 0x14, 0xcc, 0x73, 0x8f});
    assert_int_equal(get(0x010) & ~(1u << 28), 1 << 3 | 1 << 5);
    assert_int_equal(trestle_test_read(driver.dev, 0x10a, 2), 1500);
    struct trestle_device *other =
        trestle_test_load(driver.test, "virtio-net", "mac=52:54:00:aB:cD:ef", "mtu=9000", NULL);
    assert_mac(other, (const uint8_t[]){0x52, 0x54, 0, 0xab, 0xcd, 0xef});
    assert_int_equal(trestle_test_read(other, 0x10a, 2), 9000);
}

static void test_parameters_that_cannot_be(void **state)
{
    static const char *const wrong[][2] = {
        {"mac", "52:54:00:12:34"},
        {"mac", "52:54:00:12:34:56:78"},
        {"mac", "53:54:00:12:34:56"},
        {"mac", "00:00:00:00:00:00"},
        {"mac", "52-54-00-12-34-56"},
        {"mac", " 2:54:00:12:34:56"},
        {"mac", ""},
        {"mtu", "67"},
        {"mtu", "65501"},
        {"mtu", "much"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        char *error = NULL;
        struct trestle_device *dev;
        const struct trestle_param param = {wrong[i][0], wrong[i][1]};
        const struct trestle_device_options options = {
            .size = sizeof(options), .name = "card", .params = &param, .num_params = 1};
        int r = trestle_test_try_add(driver.test, trestle_device_model(driver.dev), &options, &dev,
                                     &error);
        assert_int_equal(r, -EINVAL);
        assert_non_null(strstr(error, wrong[i][0]));
        free(error);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_transmit),
        TEST(test_receive),
        TEST(test_small_buffer),
        TEST(test_input),
        TEST(test_input_that_is_no_frame),
        TEST(test_drivers_mistakes),
        TEST(test_config),
        TEST(test_parameters_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
