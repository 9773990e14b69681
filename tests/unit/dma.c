/* SPDX-License-Identifier: MIT */
/* The dma model against its register map, with a host that has 64 KiB of guest memory. */
#include "rig.h"
#include "trestle/bridge.h"
#include "trestle/models.h"

enum {
    CTRL = 0x00,
    STATUS = 0x04,
    INT_STATUS = 0x08,
    INT_ENABLE = 0x0c,
    SRC = 0x10,
    DST = 0x14,
    LENGTH = 0x18,
    LATENCY = 0x1c,
    DATA_IN = 0x20,
    DATA_OUT = 0x24,
    CYCLE_COUNT = 0x28,
    SRC_HIGH = 0x2c,
    DST_HIGH = 0x30,
    START = 1,
    RESET = 2,
    INT_EN = 4,
    BUSY = 1,
    DONE = 2,
    ERROR = 4,
};

#define RAM_BASE 0x80000000u
#define RAM_SIZE 0x80000u

static uint8_t ram[RAM_SIZE];
static struct trestle_device *dev;

/* A host that moves bytes at once, or keeps the transfers for release(). */
static struct {
    bool hold;
    struct held {
        uint64_t id, addr;
        bool write;
    } held[4];
    unsigned num_held, transfers;
    size_t largest;
} host;

static int move(bool write, uint64_t addr, void *buf, size_t size)
{
    if (addr < RAM_BASE || addr - RAM_BASE > RAM_SIZE || RAM_SIZE - (addr - RAM_BASE) < size)
        return -EFAULT;
    memcpy(write ? ram + (addr - RAM_BASE) : buf, write ? buf : ram + (addr - RAM_BASE), size);
    return 0;
}

static int on_dma(void *ctx, struct trestle_device *d, bool write, uint64_t addr, void *buf,
                  size_t size, uint64_t id)
{
    host.transfers++;
    if (size > host.largest)
        host.largest = size;
    if (host.hold) {
        assert_cmp(host.num_held, <, 4);
        host.held[host.num_held++] = (struct held){id, addr, write};
        return 0;
    }
    return trestle_device_dma_complete(d, id, move(write, addr, buf, size));
}

static void release(void)
{
    unsigned n = host.num_held;
    host.num_held = 0;
    for (unsigned i = 0; i < n; i++) {
        struct held *held = &host.held[i];
        size_t size;
        void *buf = trestle_device_dma_buffer(dev, held->id, &size);
        if (buf)
            assert_int_equal(trestle_device_dma_complete(dev, held->id,
                                                         move(held->write, held->addr, buf, size)),
                             0);
    }
    rig_run_until(trestle_sim_now(rig.sim));
}

static int setup(void **state)
{
    if (rig_setup(state) < 0)
        return -1;
    memset(&host, 0, sizeof(host));
    for (size_t i = 0; i < RAM_SIZE; i++)
        ram[i] = (uint8_t)(i * 7 + i / 251);
    rig.ops.dma = on_dma;
    dev = rig_device(trestle_model_find("dma"), NULL);
    return 0;
}

static int teardown(void **state)
{
    trestle_device_destroy(dev);
    return rig_teardown(state);
}

static bool high(void)
{
    return trestle_device_irq_level(dev, 0);
}

static void copy(uint32_t src, uint32_t dst, uint32_t length, uint32_t ctrl)
{
    rig_write(dev, SRC, src);
    rig_write(dev, DST, dst);
    rig_write(dev, LENGTH, length);
    rig_write(dev, CTRL, ctrl);
}

static void finish(void)
{
    rig_run_until(trestle_sim_now(rig.sim) + TRESTLE_US);
}

static void test_copies_after_the_latency(void **state)
{
    static uint8_t before[RAM_SIZE];
    memcpy(before, ram, RAM_SIZE);
    copy(RAM_BASE + 3, RAM_BASE + 0x40001, 150000, START);
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    assert_int_equal(rig_read(dev, CTRL), 0);
    rig_write(dev, SRC, 0); /* taken at the start */
    rig_run_until(100 * TRESTLE_NS - 1);
    assert_memory_equal(ram, before, RAM_SIZE);
    rig_run_until(100 * TRESTLE_NS);
    assert_int_equal(rig_read(dev, STATUS), DONE);
    memcpy(before + 0x40001, before + 3, 150000);
    assert_memory_equal(ram, before, RAM_SIZE); /* those bytes, and no other */
    assert_int_equal(host.transfers, 6);
    assert_int_equal(host.largest, 65536);
    assert_int_equal(rig.warnings, 0);
    assert_false(high());
}

static void test_lengths_around_a_piece(void **state)
{
    static const uint32_t lengths[] = {0, 1, 65535, 65536, 65537, 131072};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        memset(ram + 0x40000, 0, 0x40000);
        copy(RAM_BASE, RAM_BASE + 0x40000, lengths[i], START);
        finish();
        assert_int_equal(rig_read(dev, STATUS), DONE);
        assert_memory_equal(ram + 0x40000, ram, lengths[i]);
        assert_int_equal(ram[0x40000 + lengths[i]], 0);
    }
}

static void test_latency_register(void **state)
{
    assert_int_equal(rig_read(dev, LATENCY), 100);
    rig_write(dev, LATENCY, 7);
    copy(RAM_BASE, RAM_BASE + 16, 16, START);
    rig_run_until(7 * TRESTLE_NS - 1);
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    rig_run_until(7 * TRESTLE_NS);
    assert_int_equal(rig_read(dev, STATUS), DONE);
    assert_int_equal(rig_read(dev, CYCLE_COUNT), 7);
    rig_write(dev, CTRL, RESET | START); /* reset wins and keeps LATENCY */
    assert_int_equal(rig_read(dev, STATUS), 0);
    assert_int_equal(rig_read(dev, LATENCY), 7);
    assert_int_equal(rig_read(dev, LENGTH), 0);

    struct trestle_device *slow =
        rig_device(trestle_model_find("dma"),
                   (const char *const[]){"clock=1Hz", "default_latency=0xffffffff", NULL});
    rig_write(slow, CTRL, START); /* more than time can hold: at its end */
    assert_int_equal(trestle_sim_next(rig.sim), TRESTLE_TIME_NEVER - 1);
    trestle_device_destroy(slow);
}

static void test_interrupt_is_level(void **state)
{
    rig_write(dev, INT_ENABLE, 3);
    copy(RAM_BASE, RAM_BASE + 16, 16, START | INT_EN);
    assert_int_equal(rig_read(dev, CTRL), INT_EN);
    finish();
    assert_int_equal(rig_read(dev, INT_STATUS), 1);
    assert_true(high());
    rig_write(dev, INT_STATUS, 2); /* not that bit */
    assert_true(high());
    rig_write(dev, INT_ENABLE, 2);
    assert_false(high());
    rig_write(dev, INT_ENABLE, 0xff);
    assert_int_equal(rig_read(dev, INT_ENABLE), 3);
    assert_true(high());
    rig_write(dev, INT_STATUS, 1);
    assert_int_equal(rig_read(dev, INT_STATUS), 0);
    assert_false(high());

    copy(RAM_BASE, RAM_BASE + 16, 16, START); /* not enabled in CTRL: no bit, no interrupt */
    finish();
    assert_int_equal(rig_read(dev, STATUS), DONE);
    assert_int_equal(rig_read(dev, INT_STATUS), 0);
    copy(RAM_BASE, RAM_BASE + 16, 16, START | INT_EN);
    finish();
    assert_true(high());
    rig_write(dev, CTRL, RESET);
    assert_false(high());

    copy(RAM_BASE, RAM_BASE + 16, 16, START | INT_EN); /* bits add up until they are cleared */
    finish();
    copy(0, RAM_BASE + 16, 16, START | INT_EN);
    finish();
    assert_int_equal(rig_read(dev, INT_STATUS), 3);
}

static void test_bad_addresses(void **state)
{
    static const struct {
        uint32_t src, dst, length;
        const char *log;
    } bad[] = {
        {0x1000, RAM_BASE, 16, "dma: copy failed: source 0x1000 is not guest memory"},
        {RAM_BASE, 0x1000, 16, "dma: copy failed: destination 0x1000 is not guest memory"},
        {RAM_BASE + RAM_SIZE - 8, RAM_BASE, 16,
         "dma: copy failed: source 0x8007fff8 is not guest memory"},
        {RAM_BASE, RAM_BASE, (16u << 20) + 1, "dma: length 16777217 is above max_length"},
    };
    rig_write(dev, INT_ENABLE, 2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        copy(bad[i].src, bad[i].dst, bad[i].length, START | INT_EN);
        assert_int_equal(rig_read(dev, STATUS), BUSY);
        assert_false(high());
        finish();
        assert_int_equal(rig_read(dev, STATUS), ERROR);
        assert_int_equal(rig_read(dev, INT_STATUS), 2);
        assert_true(high());
        assert_string_equal(rig.log, bad[i].log);
        rig_write(dev, INT_STATUS, 2);
    }
    copy(RAM_BASE, RAM_BASE + 16, 16, START);
    assert_int_equal(rig_read(dev, STATUS), BUSY); /* error is cleared */

    finish();
    rig_write(dev, SRC_HIGH, UINT32_MAX);
    assert_int_equal(rig_read(dev, SRC_HIGH), UINT32_MAX);
    assert_int_equal(rig_read(dev, SRC), RAM_BASE);
    copy(0xfffffff8, RAM_BASE, 16, START); /* wraps */
    finish();
    assert_int_equal(rig_read(dev, STATUS), ERROR);
    rig_write(dev, SRC_HIGH, 0);
    rig_write(dev, DST_HIGH, 1);
    assert_int_equal(rig_read(dev, DST_HIGH), 1);
    copy(RAM_BASE, RAM_BASE, 16, START);
    finish();
    assert_int_equal(rig_read(dev, STATUS), ERROR);
}

static void test_parameters(void **state)
{
    struct trestle_device *d =
        rig_device(trestle_model_find("dma"), (const char *const[]){"max_length=16", NULL});
    rig_write(d, SRC, RAM_BASE);
    rig_write(d, DST, RAM_BASE + 0x100);
    rig_write(d, LENGTH, 17);
    rig_write(d, CTRL, START);
    finish();
    assert_int_equal(rig_read(d, STATUS), ERROR);
    assert_int_equal(host.transfers, 0);
    rig_write(d, LENGTH, 16);
    rig_write(d, CTRL, START);
    finish();
    assert_int_equal(rig_read(d, STATUS), DONE);
    trestle_device_destroy(d);

    struct trestle_param param = {"default_latency", "0x100000000"};
    struct trestle_device_options options = {
        .size = sizeof(options), .name = "d", .params = &param, .num_params = 1};
    char *error = NULL;
    assert_int_equal(
        trestle_device_create(rig.sim, trestle_model_find("dma"), &options, &d, &error), -EINVAL);
    assert_string_equal(
        error, "device 'd': parameter 'default_latency': '0x100000000' is not a number of 32 bits");
    free(error);
}

static void test_reset_while_waiting(void **state)
{
    copy(RAM_BASE, RAM_BASE + 0x100, 16, START | INT_EN);
    rig_write(dev, CTRL, RESET);
    finish();
    assert_int_equal(rig_read(dev, STATUS), 0);
    assert_int_equal(host.transfers, 0);
}

static void test_run_without_memory(void **state)
{
    rig.ops.dma = NULL;
    struct trestle_device *d = rig_device(trestle_model_find("dma"), NULL);
    rig_write(d, LENGTH, 4);
    rig_write(d, CTRL, START);
    finish();
    assert_int_equal(rig_read(d, STATUS), ERROR);
    assert_string_equal(rig.log, "dma: no access to guest memory in this run");
    trestle_device_destroy(d);
}

static void test_start_while_busy(void **state)
{
    copy(RAM_BASE, RAM_BASE + 0x100, 16, START);
    copy(RAM_BASE, RAM_BASE + 0x200, 32, START);
    assert_int_equal(rig.warnings, 1);
    finish();
    assert_memory_equal(ram + 0x100, ram, 16);
    assert_int_equal(host.transfers, 2);
}

static void test_reset_ends_a_copy(void **state)
{
    host.hold = true;
    copy(RAM_BASE, RAM_BASE + 0x8000, 16, START | INT_EN);
    finish();
    rig_write(dev, CTRL, RESET);
    release(); /* the piece arrives, and nothing comes of it */
    assert_int_equal(rig_read(dev, STATUS), 0);
    assert_int_equal(rig_read(dev, INT_STATUS), 0);
    assert_int_equal(host.transfers, 1);
}

/* A reset and a new start while the memory has not answered: the old piece must not count for the
 * new copy, nor write what has become of its buffer. */
static void test_reset_while_memory_is_slow(void **state)
{
    uint8_t before = ram[0x8000];
    host.hold = true;
    copy(RAM_BASE, RAM_BASE + 0x8000, 16, START);
    finish();
    assert_int_equal(host.num_held, 1);
    release();
    assert_int_equal(host.num_held, 1); /* the bytes are there, and being written */
    rig_write(dev, CTRL, RESET);
    copy(RAM_BASE + 0x1000, RAM_BASE + 0x9000, 32, START);
    finish();
    assert_int_equal(rig_read(dev, STATUS), BUSY);
    assert_int_equal(host.num_held, 2);
    release();
    assert_int_equal(ram[0x8000], before); /* the reset has ended it */
    release();
    release();
    assert_int_equal(rig_read(dev, STATUS), DONE);
    assert_memory_equal(ram + 0x9000, ram + 0x1000, 32);
    assert_int_equal(host.num_held, 0);
}

static void test_guest_reset_while_memory_is_slow(void **state)
{
    host.hold = true;
    copy(RAM_BASE, RAM_BASE + 0x8000, 16, START | INT_EN);
    finish();
    trestle_device_reset(dev);
    release(); /* finds no such transfer */
    assert_int_equal(rig_read(dev, STATUS), 0);
    copy(RAM_BASE, RAM_BASE + 0x8000, 16, START);
    finish();
    release();
    release();
    assert_int_equal(rig_read(dev, STATUS), DONE);
    assert_memory_equal(ram + 0x8000, ram, 16);
}

static void test_data_and_widths(void **state)
{
    rig_write(dev, DATA_IN, 0x12345678);
    assert_int_equal(rig_read(dev, DATA_OUT), 0x12345678);
    assert_int_equal(rig_read(dev, DATA_IN), 0);
    rig_write(dev, DATA_OUT, 1);
    rig_write(dev, STATUS, 1);
    rig_write(dev, CYCLE_COUNT, 1);
    assert_int_equal(rig.warnings, 3);
    assert_int_equal(rig_access(dev, false, SRC, 8, 0, NULL), -EINVAL);
    assert_int_equal(rig_access(dev, false, 0x34, 4, 0, NULL), -ERANGE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_copies_after_the_latency),
        TEST(test_lengths_around_a_piece),
        TEST(test_latency_register),
        TEST(test_interrupt_is_level),
        TEST(test_bad_addresses),
        TEST(test_parameters),
        TEST(test_reset_while_waiting),
        TEST(test_reset_ends_a_copy),
        TEST(test_run_without_memory),
        TEST(test_start_while_busy),
        TEST(test_reset_while_memory_is_slow),
        TEST(test_guest_reset_while_memory_is_slow),
        TEST(test_data_and_widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
