/* SPDX-License-Identifier: MIT */
/* A virtio device by its PCI transport: what a driver finds there, messages and the line, and what
 * a driver should not do. */
#include <string.h>

#include "check.h"
#include "sim/lookup.h"
#include "trestle/le.h"
#include "trestle/models.h"
#include "trestle/virtio.h"
#include "virtio_driver.h"

enum { FEATURE_SELECT = 0x00, FEATURE = 0x04, ACCEPT_SELECT = 0x08, ACCEPT = 0x0c };
enum { CONFIG_VECTOR = 0x10, NUM_QUEUES = 0x12, STATUS = 0x14, GENERATION = 0x15 };
enum { SELECT = 0x16, SIZE = 0x18, VECTOR = 0x1a, ENABLE = 0x1c, NOTIFY_OFF = 0x1e };
enum { DESC = 0x20, DRIVER = 0x28, DEVICE = 0x30, ISR = 0x38, NOTIFY = 0x3c };
enum { NONE = 0xffff, DRIVER_OK = 15 };
enum { RECEIVE, TRANSMIT };

static void on_done(struct trestle_request *request)
{
}

/* Of the second region. */
static uint64_t in(uint64_t offset, uint32_t size)
{
    struct trestle_request request = {.access = {.offset = offset, .size = size, .region = 1},
                                      .done = on_done};
    assert_int_equal(trestle_device_submit(driver.dev, &request), 0);
    assert_int_equal(request.status, 0);
    return request.ret_data;
}

static void out(uint64_t offset, uint32_t size, uint64_t value)
{
    struct trestle_request request = {
        .access = {.offset = offset, .size = size, .data = value, .region = 1},
        .write = true,
        .done = on_done};
    assert_int_equal(trestle_device_submit(driver.dev, &request), 0);
    assert_int_equal(request.status, 0);
}

static int setup(void **state)
{
    driver = (struct driver){.test = trestle_test_create()};
    driver.ram = trestle_test_ram(driver.test, RAM_BASE, RAM_SIZE);
    struct trestle_device_options options = {
        .size = sizeof(options), .name = "console", .base_addr = TRESTLE_NO_BASE};
    driver.dev = trestle_test_add(driver.test, trestle_model_find("virtio-console"), &options);
    return 0;
}

static int teardown(void **state)
{
    driver_end();
    return 0;
}

static void set_up_queue(uint16_t queue, uint16_t size, uint16_t vector)
{
    uint64_t skip = queue * (uint64_t)QUEUE_STRIDE;
    driver.sizes[queue] = size ? size : 256;
    out(SELECT, 2, queue);
    if (size)
        out(SIZE, 2, size);
    out(DESC, 4, (uint32_t)(DESC_TABLE + skip));
    out(DESC + 4, 4, (DESC_TABLE + skip) >> 32);
    out(DRIVER, 8, DRIVER_RING + skip);
    out(DEVICE, 8, DEVICE_RING + skip);
    out(VECTOR, 2, vector);
    out(ENABLE, 2, 1);
}

/* Without messages: NONE. */
static void start(uint16_t config_vector, uint16_t vector)
{
    out(STATUS, 1, 3);
    out(ACCEPT_SELECT, 4, 1);
    out(ACCEPT, 4, 3);
    out(STATUS, 1, 11);
    assert_int_equal(in(STATUS, 1), 11);
    out(CONFIG_VECTOR, 2, config_vector);
    set_up_queue(RECEIVE, 4, vector);
    set_up_queue(TRANSMIT, 4, vector == NONE ? NONE : vector + 1);
    out(STATUS, 1, DRIVER_OK);
}

static void send(void)
{
    driver_put_desc(DESC_TABLE + TRANSMIT * QUEUE_STRIDE, BUFFERS, 1, 0, 0);
    trestle_put_le16(driver_ram(DRIVER_RING) + TRANSMIT * QUEUE_STRIDE + 2,
                     ++driver.offered[TRANSMIT]);
    out(NOTIFY, 2, TRANSMIT);
}

static void test_what_is_there(void **state)
{
    assert_int_equal(in(NUM_QUEUES, 2), 2);
    assert_int_equal(in(STATUS, 1), 0);
    assert_int_equal(in(GENERATION, 1), 0);
    assert_int_equal(in(CONFIG_VECTOR, 2), NONE);
    out(FEATURE_SELECT, 4, 1);
    assert_int_equal(in(FEATURE, 4), 3); /* VERSION_1, and that there may be an IOMMU */
    assert_int_equal(in(SIZE, 2), 256);
    assert_int_equal(in(VECTOR, 2), NONE);
    assert_int_equal(in(NOTIFY_OFF, 2), 0);
    out(SELECT, 2, 2); /* is not there */
    assert_int_equal(in(SIZE, 2), 0);
    assert_int_equal(in(VECTOR, 2), NONE);
    assert_int_equal(in(DESC, 8), 0);
    out(SIZE, 2, 4);
    out(VECTOR, 2, 1);
    out(ENABLE, 2, 1);
    assert_int_equal(in(ENABLE, 2), 0);
    assert_int_equal(in(SELECT, 2), 2);
}

static void test_messages(void **state)
{
    start(0, 1);
    out(SELECT, 2, TRANSMIT);
    assert_int_equal(in(VECTOR, 2), 2);
    assert_int_equal(in(DESC, 8), DESC_TABLE + QUEUE_STRIDE);
    for (unsigned i = 1; i <= 3; i++) {
        send();
        assert_int_equal(driver_used(TRANSMIT), i);
        assert_int_equal(trestle_test_irq_count(driver.dev, 2), i);
        assert_false(trestle_test_irq(driver.dev, 2));
    }
    assert_int_equal(in(ISR, 1), 0);
    trestle_virtio_config_changed(driver.dev);
    assert_int_equal(trestle_test_irq_count(driver.dev, 0), 1);
    assert_int_equal(trestle_test_irq_count(driver.dev, 1), 0);
    out(VECTOR, 2, NONE); /* this queue is silent now, and no other one speaks for it */
    send();
    assert_int_equal(trestle_test_irq_count(driver.dev, 0), 1);
    assert_int_equal(trestle_test_irq_count(driver.dev, 2), 3);
}

static void test_the_line(void **state)
{
    start(NONE, NONE);
    send();
    send();
    assert_true(trestle_test_irq(driver.dev, 0));
    assert_int_equal(in(ISR, 1), 1);
    assert_false(trestle_test_irq(driver.dev, 0));
    assert_int_equal(in(ISR, 1), 0);
    trestle_virtio_config_changed(driver.dev);
    assert_int_equal(in(GENERATION, 1), 1);
    assert_int_equal(in(ISR, 1), 2);
}

/* A size that the driver leaves alone is the largest. */
static void test_a_queue_of_no_size(void **state)
{
    out(STATUS, 1, 3);
    out(ACCEPT_SELECT, 4, 1);
    out(ACCEPT, 4, 1);
    out(STATUS, 1, 11);
    set_up_queue(TRANSMIT, 0, NONE);
    out(STATUS, 1, DRIVER_OK);
    assert_int_equal(in(SIZE, 2), 256);
    send();
    assert_int_equal(driver_used(TRANSMIT), 1);
}

static void test_a_reset(void **state)
{
    start(0, 1);
    send();
    out(STATUS, 1, 0);
    assert_int_equal(in(STATUS, 1), 0);
    assert_int_equal(in(CONFIG_VECTOR, 2), NONE);
    out(SELECT, 2, TRANSMIT);
    assert_int_equal(in(VECTOR, 2), NONE);
    assert_int_equal(in(ENABLE, 2), 0);
    memset(driver_ram(RAM_BASE), 0, RAM_SIZE);
    memset(driver.offered, 0, sizeof(driver.offered));
    start(NONE, NONE);
    send();
    assert_true(trestle_test_irq(driver.dev, 0));
}

static void test_a_driver_that_errs(void **state)
{
    start(0, 1);
    out(CONFIG_VECTOR, 2, 3); /* there are 0, 1 and 2 */
    assert_int_equal(in(CONFIG_VECTOR, 2), NONE);
    out(CONFIG_VECTOR, 2, 2);
    assert_int_equal(in(CONFIG_VECTOR, 2), 2);
    out(SELECT, 2, TRANSMIT);
    out(DRIVER, 8, 0); /* in use */
    assert_non_null(strstr(trestle_test_log(driver.test), "changes a queue that is in use"));
    out(ENABLE, 2, 0);
    assert_int_equal(in(ENABLE, 2), 1);
    out(NOTIFY, 2, 7);
    assert_non_null(strstr(trestle_test_log(driver.test), "notifies queue 7; there are only 2"));
    send();
    assert_int_equal(driver_used(TRANSMIT), 1);
    out(STATUS, 1, 0);
    out(SIZE, 2, 512);
    out(ENABLE, 2, 1);
    assert_int_equal(in(ENABLE, 2), 0);
    assert_int_equal(in(STATUS, 1), 0x40);
    assert_non_null(strstr(trestle_test_log(driver.test), "an impossible size or address"));
}

/* What the configuration space says leads to what is there. */
static void test_capabilities(void **state)
{
    static const uint32_t sizes[] = {0x38, 2, 1, TRESTLE_VIRTIO_CONFIG_MAX, 0};
    const struct trestle_model *model = trestle_device_model(driver.dev);
    const uint8_t *at = model->pci->vendor_capabilities;
    unsigned count = 0;
    for (; at[0]; at += at[0] - 2) {
        unsigned type = at[1], bar = at[2];
        uint32_t offset = trestle_get_le32(at + 6), length = trestle_get_le32(at + 10);
        assert_int_equal(type, ++count);
        assert_int_equal(length, sizes[type - 1]);
        assert_cmp(offset + length, <=, trestle_model_region_bytes(model, bar));
    }
    assert_int_equal(count, 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_there),      TEST(test_messages), TEST(test_the_line),
        TEST(test_a_queue_of_no_size), TEST(test_a_reset),  TEST(test_a_driver_that_errs),
        TEST(test_capabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
