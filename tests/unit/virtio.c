/* SPDX-License-Identifier: MIT */
/* Virtio devices, with a driver that keeps the rules, and one that breaks each of them. */
#include <string.h>

#include "check.h"
#include "trestle/le.h"
#include "trestle/test.h"
#include "trestle/virtio.h"
#include "virtio_driver.h"

static int setup(void **state)
{
    driver_begin("virtio-rng", NULL);
    return 0;
}

static int teardown(void **state)
{
    driver_end();
    return 0;
}

/* --- the transport --------------------------------------------------------------------------- */

static void test_identity(void **state)
{
    assert_int_equal(get(0x000), 0x74726976);
    assert_int_equal(get(0x004), 2);
    assert_int_equal(get(0x008), 4);
    assert_int_equal(get(0x034), 256);
    put(0x030, 1);
    assert_int_equal(get(0x034), 0);
    put(0x044, 1); /* of a queue that is not there */
    assert_int_equal(get(0x044), 0);
    assert_int_equal(get(0x0b0), 0xffffffff);
    assert_int_equal(trestle_test_read(driver.dev, 0x100, 1), 0);
    assert_int_equal(trestle_test_read(driver.dev, 0x100, 8), 0);
    assert_int_equal(get(0x070), 0);
}

static void test_features(void **state)
{
    put(0x070, 3);
    put(0x014, 1);
    assert_int_equal(get(0x010), 1); /* VERSION_1 */
    put(0x014, 2);
    assert_int_equal(get(0x010), 0);
    put(0x070, 3 | 8);
    assert_int_equal(get(0x070), 3); /* without VERSION_1 */
    put(0x024, 1);
    put(0x020, 3);
    put(0x070, 3 | 8);
    assert_int_equal(get(0x070), 3); /* with one that there is not */
    put(0x020, 1);
    put(0x070, 3 | 8);
    assert_int_equal(get(0x070), 3 | 8);
    assert_int_equal(trestle_test_logged(driver.test, TRESTLE_LOG_WARNING), 2);
    put(0x070, 0);
    assert_int_equal(get(0x070), 0);
}

/* --- queues ---------------------------------------------------------------------------------- */

static void test_a_buffer(void **state)
{
    uint8_t zeroes[16] = {0};
    driver_start(0);
    driver_queue(0, 8);
    driver_desc(0, BUFFERS, 16, DESC_WRITE, 0);
    driver_offer(0, 0);
    assert_int_equal(driver_used(0), 1);
    assert_int_equal(driver_used_entry(0, 0).id, 0);
    assert_int_equal(driver_used_entry(0, 0).size, 16);
    assert_memory_not_equal(driver_ram(BUFFERS), zeroes, 16);
    assert_true(trestle_test_irq(driver.dev, 0));
    assert_int_equal(get(0x060), 1);
    put(0x064, 1);
    assert_false(trestle_test_irq(driver.dev, 0));
}

/* More than 65536: the counts go round. */
static void test_many_buffers(void **state)
{
    driver_start(0);
    driver_queue(0, 4);
    driver_desc(0, BUFFERS, 5, DESC_WRITE | DESC_NEXT, 1);
    driver_desc(1, BUFFERS + 8, 3, DESC_WRITE, 0);
    for (unsigned i = 0; i < 70000; i++)
        driver_offer(0, 0);
    assert_int_equal(driver_used(0), 70000 % 65536);
    assert_int_equal(driver_used_entry(0, 69999 % 4).size, 8);
}

static void test_the_driver_wants_no_interrupt(void **state)
{
    driver_start(0);
    driver_queue(0, 4);
    driver_desc(0, BUFFERS, 8, DESC_WRITE, 0);
    trestle_put_le16(driver_ram(DRIVER_RING), 1);
    driver_offer(0, 0);
    assert_int_equal(driver_used(0), 1);
    assert_false(trestle_test_irq(driver.dev, 0));
}

static void test_a_table(void **state)
{
    driver_start(FEATURE_INDIRECT);
    driver_queue(0, 4);
    driver_put_desc(BUFFERS + 0x100, BUFFERS, 4, DESC_WRITE | DESC_NEXT, 1);
    driver_put_desc(BUFFERS + 0x110, BUFFERS + 8, 4, DESC_WRITE, 0);
    driver_desc(2, BUFFERS + 0x100, 32, DESC_INDIRECT, 0);
    driver_offer(0, 2);
    assert_int_equal(driver_used_entry(0, 0).id, 2);
    assert_int_equal(driver_used_entry(0, 0).size, 8);
}

/* Nothing is done before the driver is ready, and after a reset. */
static void test_a_reset(void **state)
{
    driver_start(0);
    driver_queue(0, 4);
    driver_desc(0, BUFFERS, 8, DESC_WRITE, 0);
    uint8_t first[8];
    driver_offer(0, 0);
    memcpy(first, driver_ram(BUFFERS), 8);
    put(0x070, 0);
    assert_false(trestle_test_irq(driver.dev, 0));
    assert_int_equal(get(0x044), 0);
    put(0x050, 0);
    assert_int_equal(driver_used(0), 1);
    driver_start(0);
    driver_queue(0, 4);
    driver_desc(0, BUFFERS, 8, DESC_WRITE, 0);
    memset(driver_ram(BUFFERS), 0, 8);
    driver_offer(0, 0);
    assert_memory_equal(driver_ram(BUFFERS), first, 8); /* the seed's */
}

/* --- a driver that breaks the rules ---------------------------------------------------------- */

static void begin_badly(uint64_t features)
{
    driver_start(features);
    driver_queue(0, 4);
    driver_desc(0, BUFFERS, 8, DESC_WRITE, 0);
}

/* It is said once, with the configuration's interrupt, and a reset makes all good again. */
static void assert_refused(const char *why)
{
    unsigned used = driver_used(0);
    if (!strstr(trestle_test_log(driver.test), why))
        fail_msg("\"%s\" is not in \"%s\"", why, trestle_test_log(driver.test));
    assert_int_equal(get(0x070), 0x4f);
    assert_int_equal(get(0x060) & 2, 2);
    assert_true(trestle_test_irq(driver.dev, 0));
    unsigned said = trestle_test_logged(driver.test, TRESTLE_LOG_WARNING);
    put(0x050, 0);
    assert_int_equal(trestle_test_logged(driver.test, TRESTLE_LOG_WARNING), said);
    assert_int_equal(driver_used(0), used);
    put(0x070, 0);
    test_a_buffer(NULL);
}

static void test_rings_that_cannot_be(void **state)
{
    static const struct {
        uint32_t size;
        uint64_t desc, driver, device;
    } bad[] = {
        {0, DESC_TABLE, DRIVER_RING, DEVICE_RING},
        {3, DESC_TABLE, DRIVER_RING, DEVICE_RING},
        {512, DESC_TABLE, DRIVER_RING, DEVICE_RING},
        {65536, DESC_TABLE, DRIVER_RING, DEVICE_RING},
        {4, DESC_TABLE + 8, DRIVER_RING, DEVICE_RING},
        {4, DESC_TABLE, DRIVER_RING + 1, DEVICE_RING},
        {4, DESC_TABLE, DRIVER_RING, DEVICE_RING + 2},
        {4, UINT64_MAX - 15, DRIVER_RING, DEVICE_RING},
        {4, DESC_TABLE, UINT64_MAX - 1, DEVICE_RING},
        {4, DESC_TABLE, DRIVER_RING, UINT64_MAX - 3},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        driver_start(0);
        driver_queue_at(0, bad[i].size, bad[i].desc, bad[i].driver, bad[i].device);
        assert_int_equal(get(0x044), 0);
        assert_refused("an impossible size or address");
    }
}

static void test_rings_outside_memory(void **state)
{
    static const uint64_t nowhere = 0x1000;
    driver_start(0);
    driver_queue_at(0, 4, DESC_TABLE, nowhere, DEVICE_RING);
    put(0x050, 0);
    assert_refused("the ring of available buffers at 0x1002 is not in guest memory");
    driver_start(0);
    driver_queue_at(0, 4, nowhere, DRIVER_RING, DEVICE_RING);
    driver_offer(0, 0);
    assert_refused("a descriptor at 0x1000 is not in guest memory");
    driver_start(0);
    driver_queue_at(0, 4, DESC_TABLE, DRIVER_RING, nowhere);
    driver_desc(0, BUFFERS, 8, DESC_WRITE, 0);
    driver_offer(0, 0);
    assert_refused("the ring of used buffers at 0x1004 is not in guest memory");
}

static void test_counts_that_lie(void **state)
{
    begin_badly(0);
    trestle_put_le16(driver_ram(DRIVER_RING) + 2, 5);
    put(0x050, 0);
    assert_refused("more buffers than the queue can hold");
    begin_badly(0);
    driver_offer(0, 4);
    assert_refused("leads out of the queue");
    begin_badly(0);
    driver_desc(0, BUFFERS, 8, DESC_WRITE | DESC_NEXT, 4);
    driver_offer(0, 0);
    assert_refused("leads out of the queue");
}

static void test_loops(void **state)
{
    begin_badly(0);
    driver_desc(0, BUFFERS, 8, DESC_WRITE | DESC_NEXT, 0);
    driver_offer(0, 0);
    assert_refused("has a loop");
    begin_badly(FEATURE_INDIRECT);
    driver_put_desc(BUFFERS + 0x100, BUFFERS, 4, DESC_WRITE | DESC_NEXT, 1);
    driver_put_desc(BUFFERS + 0x110, BUFFERS, 4, DESC_WRITE | DESC_NEXT, 0);
    driver_desc(0, BUFFERS + 0x100, 32, DESC_INDIRECT, 0);
    driver_offer(0, 0);
    assert_refused("has a loop");
}

static void test_buffers_that_cannot_be(void **state)
{
    begin_badly(0);
    driver_desc(0, 0x1000, 8, DESC_WRITE, 0);
    driver_offer(0, 0);
    assert_refused("a buffer at 0x1000 is not in guest memory");
    begin_badly(0);
    driver_desc(0, BUFFERS, UINT32_MAX, DESC_WRITE, 0); /* no more than is used of it */
    driver_offer(0, 0);
    assert_int_equal(driver_used_entry(0, 0).size, 4096);
    put(0x070, 0);
    begin_badly(0);
    driver_desc(0, UINT64_MAX - 6, 8, DESC_WRITE, 0);
    driver_offer(0, 0);
    assert_refused("past the end of the address space");
    begin_badly(0);
    driver_desc(0, BUFFERS, 8, DESC_WRITE | DESC_NEXT, 1);
    driver_desc(1, BUFFERS, 8, 0, 0);
    driver_offer(0, 0);
    assert_refused("a buffer to read after one to write");
}

static void test_tables_that_cannot_be(void **state)
{
    static const struct {
        uint64_t addr;
        uint32_t size;
        uint16_t flags;
        const char *why;
    } bad[] = {
        {BUFFERS, 0, DESC_INDIRECT, "a table of impossible length"},
        {BUFFERS, 24, DESC_INDIRECT, "a table of impossible length"},
        {BUFFERS, 131 * 16, DESC_INDIRECT, "a table of impossible length"},
        {0x1000, 16, DESC_INDIRECT, "a table of descriptors at 0x1000 is not in guest memory"},
        {BUFFERS, 16, DESC_INDIRECT | DESC_NEXT, "goes on after its table"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        begin_badly(FEATURE_INDIRECT);
        driver_desc(0, bad[i].addr, bad[i].size, bad[i].flags, 0);
        driver_offer(0, 0);
        assert_refused(bad[i].why);
    }
    begin_badly(FEATURE_INDIRECT);
    driver_put_desc(BUFFERS + 0x100, BUFFERS, 4, DESC_INDIRECT, 0);
    driver_desc(0, BUFFERS + 0x100, 16, DESC_INDIRECT, 0);
    driver_offer(0, 0);
    assert_refused("a table in a table");
    begin_badly(FEATURE_INDIRECT);
    driver_put_desc(BUFFERS + 0x100, BUFFERS, 4, DESC_WRITE | DESC_NEXT, 1);
    driver_desc(0, BUFFERS + 0x100, 16, DESC_INDIRECT, 0);
    driver_offer(0, 0);
    assert_refused("leads out of its table");
    begin_badly(0);
    driver_desc(0, BUFFERS + 0x100, 16, DESC_INDIRECT, 0);
    driver_offer(0, 0);
    assert_refused("which the driver has not asked for");
}

static void test_registers_that_lie(void **state)
{
    begin_badly(0);
    put(0x050, 0xffff);
    assert_non_null(
        strstr(trestle_test_log(driver.test), "notifies queue 65535; there are only 1"));
    put(0x080, 0); /* in use */
    assert_non_null(strstr(trestle_test_log(driver.test), "changes a queue that is in use"));
    driver_offer(0, 0);
    assert_int_equal(driver_used(0), 1);
}

/* Bytes from a generator in all that a driver may write: no crash, no hang, no harm after a reset.
 */
static void test_noise(void **state)
{
    uint64_t x = 1;
    for (unsigned round = 0; round < 300; round++) {
        begin_badly(round & 1 ? FEATURE_INDIRECT : 0);
        for (unsigned i = 0; i < 64; i++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            driver_ram(DESC_TABLE)[(x >> 33) % 0x40] = (uint8_t)(x >> 56);
        }
        for (unsigned i = 0; i < 8; i++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            put(0x014 + (x >> 40) % 40 * 4, (uint32_t)(x >> 56) & 15);
            driver_offer(0, (uint16_t)(x >> 50 & 3));
        }
        put(0x070, 0);
    }
    test_a_buffer(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_identity),
        TEST(test_features),
        TEST(test_a_buffer),
        TEST(test_many_buffers),
        TEST(test_the_driver_wants_no_interrupt),
        TEST(test_a_table),
        TEST(test_a_reset),
        TEST(test_rings_that_cannot_be),
        TEST(test_rings_outside_memory),
        TEST(test_counts_that_lie),
        TEST(test_loops),
        TEST(test_buffers_that_cannot_be),
        TEST(test_tables_that_cannot_be),
        TEST(test_registers_that_lie),
        TEST(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
