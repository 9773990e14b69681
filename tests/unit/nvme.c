/* SPDX-License-Identifier: MIT */
/* The nvme model, as a driver uses it, and as one that means harm does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "trestle/le.h"
#include "trestle/models.h"
#include "trestle/test.h"

enum { CAP = 0x00, INTMS = 0x0c, INTMC = 0x10, CC = 0x14, CSTS = 0x1c, AQA = 0x24 };
enum { ASQ = 0x28, ACQ = 0x30, DOORBELL = 0x1000 };
enum { READY = 1, FATAL = 2, SHUTDOWN_DONE = 8, DNR = 0x4000 };
enum { FLUSH = 0, WRITE = 1, READ = 2, IDENTIFY = 6, SET_FEATURES = 9, SHADOWS = 0x7c };

#define RAM UINT64_C(0x80000000)
#define RAM_BYTES 0x200000u
/* In the RAM. */
#define ADMIN_SQ 0x0000u
#define ADMIN_CQ 0x1000u
#define IO_SQ 0x2000u
#define IO_CQ 0x3000u
#define LIST 0x4000u
#define SHADOW 0x6000u
#define MARK 0x7000u
#define DATA 0x10000u
#define ENTRIES 8u
#define BLOCKS 2048u

static struct trestle_test *bench;
static struct trestle_device *dev;
static uint8_t *ram;
static uint32_t tails[2], heads[2];
static char path[] = "/tmp/trestle-nvme-XXXXXX";

static void enable(void)
{
    memset(tails, 0, sizeof(tails));
    memset(heads, 0, sizeof(heads));
    memset(ram, 0, DATA);
    trestle_test_write(dev, AQA, 4, (ENTRIES - 1) << 16 | (ENTRIES - 1));
    trestle_test_write(dev, ASQ, 8, RAM + ADMIN_SQ);
    trestle_test_write(dev, ACQ, 8, RAM + ADMIN_CQ);
    trestle_test_write(dev, CC, 4, 0x460001);
}

static void make_bench(const char *latency)
{
    char file[80];
    snprintf(file, sizeof(file), "file=%s", path);
    bench = trestle_test_create();
    dev = trestle_test_load(bench, "nvme", file, latency, NULL);
    ram = trestle_test_ram(bench, RAM, RAM_BYTES);
    enable();
}

static int setup(void **state)
{
    strcpy(path + strlen(path) - 6, "XXXXXX");
    int fd = mkstemp(path);
    assert_cmp(fd, >=, 0);
    assert_int_equal(ftruncate(fd, BLOCKS * 512), 0);
    close(fd);
    make_bench(NULL);
    return 0;
}

static int teardown(void **state)
{
    trestle_test_destroy(bench);
    unlink(path);
    return 0;
}

struct command {
    uint8_t opcode, flags;
    uint32_t namespace, words[6];
    uint64_t prp1, prp2;
};

static void put(unsigned queue, const struct command *command)
{
    uint8_t *entry = ram + (queue ? IO_SQ : ADMIN_SQ) + (size_t)tails[queue] * 64;
    memset(entry, 0, 64);
    entry[0] = command->opcode;
    entry[1] = command->flags;
    trestle_put_le16(entry + 2, (uint16_t)(0x100 + tails[queue]));
    trestle_put_le32(entry + 4, command->namespace);
    trestle_put_le64(entry + 24, command->prp1);
    trestle_put_le64(entry + 32, command->prp2);
    for (unsigned i = 0; i < 6; i++)
        trestle_put_le32(entry + 40 + 4 * i, command->words[i]);
    tails[queue] = (tails[queue] + 1) % ENTRIES;
}

static void ring(unsigned queue)
{
    trestle_test_write(dev, DOORBELL + 8 * queue, 4, tails[queue]);
}

/* The status of the next completion, without the bit of its phase; *ret_result. */
static unsigned reap(unsigned queue, uint32_t *ret_result)
{
    const uint8_t *entry = ram + (queue ? IO_CQ : ADMIN_CQ) + (size_t)(heads[queue] % ENTRIES) * 16;
    unsigned phase = !(heads[queue] / ENTRIES % 2), status;
    assert_true(trestle_test_wait_irq(dev, queue, TRESTLE_MS));
    status = trestle_get_le16(entry + 14);
    assert_int_equal(status & 1, phase);
    assert_int_equal(trestle_get_le16(entry + 12), 0x100 + heads[queue] % ENTRIES);
    *ret_result = trestle_get_le32(entry);
    heads[queue]++;
    trestle_test_write(dev, DOORBELL + 8 * queue + 4, 4, heads[queue] % ENTRIES);
    return status >> 1;
}

static unsigned perform(unsigned queue, const struct command *command)
{
    uint32_t result;
    put(queue, command);
    ring(queue);
    return reap(queue, &result);
}

static const struct command create_cq = {
    .opcode = 5, .prp1 = RAM + IO_CQ, .words = {(ENTRIES - 1) << 16 | 1, 1 << 16 | 3}};
static const struct command create_sq = {
    .opcode = 1, .prp1 = RAM + IO_SQ, .words = {(ENTRIES - 1) << 16 | 1, 1 << 16 | 1}};

static void make_queues(void)
{
    assert_int_equal(perform(0, &create_cq), 0);
    assert_int_equal(perform(0, &create_sq), 0);
}

static struct command blocks(uint8_t opcode, uint32_t first, uint32_t count, uint64_t prp1,
                             uint64_t prp2)
{
    return (struct command){.opcode = opcode,
                            .namespace = 1,
                            .prp1 = prp1,
                            .prp2 = prp2,
                            .words = {first, 0, count - 1}};
}

static unsigned move(uint8_t opcode, uint32_t first, uint32_t count, uint64_t prp1, uint64_t prp2)
{
    struct command command = blocks(opcode, first, count, prp1, prp2);
    return perform(1, &command);
}

/* --- as it should be ------------------------------------------------------------------------- */

static void test_is_enabled_and_shut_down(void **state)
{
    assert_int_equal(trestle_test_read(dev, CSTS, 4), READY);
    assert_int_equal(trestle_test_read(dev, CAP, 8) & 0xffff, 1023);
    trestle_test_write(dev, CC, 4, 0x464001);
    assert_int_equal(trestle_test_read(dev, CSTS, 4), READY | SHUTDOWN_DONE);
    trestle_test_write(dev, CC, 4, 0x460000);
    assert_int_equal(trestle_test_read(dev, CSTS, 4), 0);
}

static void test_says_who_it_is(void **state)
{
    uint32_t result;
    struct command identify = {.opcode = IDENTIFY, .words = {1}, .prp1 = RAM + DATA};
    assert_int_equal(perform(0, &identify), 0);
    assert_memory_equal(ram + DATA + 24, "Trestle NVMe ", 13);
    identify = (struct command){.opcode = IDENTIFY, .namespace = 1, .prp1 = RAM + DATA};
    assert_int_equal(perform(0, &identify), 0);
    assert_int_equal(trestle_get_le64(ram + DATA), BLOCKS);
    put(0, &(struct command){.opcode = SET_FEATURES, .words = {7, 0x3f003f}});
    ring(0);
    assert_int_equal(reap(0, &result), 0);
    assert_int_equal(result, 7 << 16 | 7);
}

/* Of one page, of two, and by a list; from the middle of a page. */
static void test_moves_blocks(void **state)
{
    uint8_t back[BLOCKS * 512];
    make_queues();
    for (unsigned i = 0; i < 0x40000; i++)
        ram[DATA + i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(move(WRITE, 0, 8, RAM + DATA, 0), 0);
    assert_int_equal(move(WRITE, 8, 8, RAM + DATA + 0x1200, RAM + DATA + 0x2000), 0);
    for (unsigned i = 0; i < 32; i++) /* the pages backwards */
        trestle_put_le64(ram + LIST + 0x800 + 8 * i, RAM + DATA + 0x20000 - 0x1000 * i);
    assert_int_equal(move(WRITE, 16, 256, RAM + DATA + 0x21000, RAM + LIST + 0x800), 0);
    assert_int_equal(perform(1, &(struct command){.opcode = FLUSH, .namespace = 1}), 0);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fread(back, 1, sizeof(back), file), sizeof(back));
    fclose(file);
    assert_memory_equal(back, ram + DATA, 4096);
    assert_memory_equal(back + 4096, ram + DATA + 0x1200, 4096);
    for (unsigned i = 0; i < 32; i++)
        assert_memory_equal(back + 8192 + 4096 * i, ram + DATA + 0x21000 - 0x1000 * i, 4096);

    uint8_t *to = ram + 0x100000;
    for (unsigned i = 0; i < 32; i++)
        trestle_put_le64(ram + LIST + 8 * i, RAM + 0x101000 + 0x1000 * i);
    assert_int_equal(move(READ, 16, 256, RAM + 0x100200, RAM + LIST), 0);
    assert_memory_equal(to + 0x200, back + 8192, 131072);
}

/* The last place of a list's page says where the list goes on. */
static void test_lists_go_on(void **state)
{
    make_queues();
    trestle_put_le64(ram + LIST + 0xff8, RAM + LIST + 0x1000);
    for (unsigned i = 0; i < 3; i++)
        trestle_put_le64(ram + LIST + 0x1000 + 8 * i, RAM + DATA + 0x1000 * (i + 1));
    memset(ram + DATA, 0x5a, 0x4000);
    assert_int_equal(move(WRITE, 0, 32, RAM + DATA, RAM + LIST + 0xff8), 0);
    memset(ram + DATA, 0, 0x4000);
    assert_int_equal(move(READ, 0, 32, RAM + DATA, RAM + LIST + 0xff8), 0);
    assert_int_equal(ram[DATA] + ram[DATA + 0x3fff], 0xb4);
}

/* More commands than there is room for answers, each with its own edge. */
static void test_full_queues(void **state)
{
    uint32_t result;
    make_queues();
    for (unsigned round = 0; round < 5; round++) {
        unsigned edges = trestle_test_irq_count(dev, 1);
        for (unsigned i = 0; i < ENTRIES - 1; i++)
            put(1, &(struct command){.opcode = FLUSH, .namespace = 1});
        ring(1);
        trestle_test_run(bench, TRESTLE_MS);
        assert_int_equal(trestle_test_irq_count(dev, 1) - edges, ENTRIES - 1);
        put(1, &(struct command){.opcode = FLUSH, .namespace = 1});
        ring(1);
        trestle_test_run(bench, TRESTLE_MS); /* waits for room */
        assert_int_equal(trestle_test_irq_count(dev, 1) - edges, ENTRIES - 1);
        for (unsigned i = 0; i < ENTRIES; i++)
            assert_int_equal(reap(1, &result), 0);
        assert_false(trestle_test_irq(dev, 1));
    }
}

static void test_masked_interrupts(void **state)
{
    trestle_test_write(dev, INTMS, 4, 1);
    put(0, &(struct command){.opcode = SET_FEATURES, .words = {7}});
    ring(0);
    trestle_test_run(bench, TRESTLE_MS);
    assert_false(trestle_test_irq(dev, 0));
    assert_int_equal(trestle_test_read(dev, INTMC, 4), 1);
    trestle_test_write(dev, INTMC, 4, 1);
    assert_true(trestle_test_irq(dev, 0));
}

/* --- doorbells in memory --------------------------------------------------------------------- */

static const struct command share = {.opcode = SHADOWS, .prp1 = RAM + SHADOW, .prp2 = RAM + MARK};

/* As Linux does. Returns whether it has rung. */
static bool ring_lazily(unsigned doorbell, uint32_t value)
{
    uint16_t old = (uint16_t)trestle_get_le32(ram + SHADOW + 4 * doorbell);
    uint16_t mark = (uint16_t)trestle_get_le32(ram + MARK + 4 * doorbell);
    trestle_put_le32(ram + SHADOW + 4 * doorbell, value);
    if ((uint16_t)(value - mark - 1) >= (uint16_t)(value - old))
        return false;
    trestle_test_write(dev, DOORBELL + 4 * doorbell, 4, value);
    return true;
}

static void put_flush(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put(1, &(struct command){.opcode = FLUSH, .namespace = 1});
}

/* What has been completed on queue 1, and its doorbell. Returns how often that was rung. */
static unsigned reap_lazily(unsigned count)
{
    unsigned rung = 0;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *entry = ram + IO_CQ + (size_t)(heads[1] % ENTRIES) * 16;
        assert_int_equal(trestle_get_le16(entry + 14), !(heads[1] / ENTRIES % 2));
        heads[1]++;
        rung += ring_lazily(3, heads[1] % ENTRIES);
    }
    return rung;
}

/* The whole of a command is done while its doorbell is written, and hardly any other is rung. */
static void test_doorbells_in_memory(void **state)
{
    unsigned rung = 0;
    trestle_test_destroy(bench);
    make_bench("latency=0ns");
    make_queues();
    assert_int_equal(perform(0, &share), 0);
    for (unsigned i = 0; i < 10 * ENTRIES; i++) {
        unsigned edges = trestle_test_irq_count(dev, 1);
        put_flush(1);
        assert_true(ring_lazily(2, tails[1]));
        assert_int_equal(trestle_test_irq_count(dev, 1), edges + 1);
        rung += reap_lazily(1);
    }
    assert_cmp(rung, <=, 20);
    assert_int_equal(perform(0, &(struct command){.opcode = 0x7f}), DNR | 0x001); /* as before */
    assert_int_equal(trestle_test_irq_count(dev, 0), 4);
    assert_int_equal(trestle_test_now(bench), 0);
}

/* Commands that come while others are under way need no doorbell; the queue of answers is full now
 * and then. */
static void test_doorbell_is_not_missed(void **state)
{
    make_queues();
    assert_int_equal(perform(0, &share), 0);
    for (unsigned round = 0; round < 10; round++) {
        put_flush(1);
        assert_true(ring_lazily(2, tails[1]));
        put_flush(1);
        assert_false(ring_lazily(2, tails[1]));
        put_flush(ENTRIES - 3);
        assert_false(ring_lazily(2, tails[1]));
        trestle_test_run(bench, TRESTLE_MS);
        put_flush(2);
        assert_true(ring_lazily(2, tails[1]));
        trestle_test_run(bench, TRESTLE_MS);
        (void)reap_lazily(ENTRIES - 1);
        trestle_test_run(bench, TRESTLE_MS);
        (void)reap_lazily(2);
    }
    assert_int_equal(trestle_test_logged(bench, TRESTLE_LOG_WARNING), 0);
}

/* A line that may be a pin's is low when the guest has seen all. */
static void test_pin_goes_low(void **state)
{
    struct command cq = create_cq;
    cq.words[1] = 3; /* vector 0 */
    assert_int_equal(perform(0, &cq), 0);
    assert_int_equal(perform(0, &create_sq), 0);
    assert_int_equal(perform(0, &share), 0);
    for (unsigned i = 0; i < 3 * ENTRIES; i++) {
        put_flush(2);
        assert_true(ring_lazily(2, tails[1]));
        trestle_test_run(bench, TRESTLE_MS);
        assert_true(trestle_test_irq(dev, 0));
        assert_int_equal(reap_lazily(2), 2);
        assert_false(trestle_test_irq(dev, 0));
    }
}

static void test_doorbells_in_memory_that_are_nonsense(void **state)
{
    struct command bad = share;
    bad.prp2++;
    assert_int_equal(perform(0, &bad), DNR | 0x002);
    bad.prp2 = 0; /* no memory */
    assert_int_equal(perform(0, &bad), 0x004);
    make_queues();
    assert_int_equal(perform(0, &share), 0);
    trestle_put_le32(ram + SHADOW + 8, ENTRIES);
    put_flush(1);
    trestle_test_write(dev, DOORBELL + 8, 4, tails[1]);
    trestle_test_run(bench, TRESTLE_MS);
    assert_int_equal(trestle_test_logged(bench, TRESTLE_LOG_WARNING), 1);
    trestle_put_le32(ram + SHADOW + 8, tails[1]);
    trestle_put_le32(ram + SHADOW + 12, 3); /* which has not been completed */
    (void)reap_lazily(1);
    put_flush(1);
    assert_true(ring_lazily(2, tails[1]));
    trestle_test_run(bench, TRESTLE_MS);
    (void)reap_lazily(1);
    assert_int_equal(trestle_test_read(dev, CSTS, 4), READY);
}

/* --- transfers that take time ---------------------------------------------------------------- */

static struct {
    uint64_t id, addr;
    void *buf;
    size_t size;
    bool is_write;
} transfers[64];
static unsigned num_transfers;

static int begin_transfer(void *ctx, struct trestle_device *device, bool write, uint64_t addr,
                          void *buf, size_t size, uint64_t id)
{
    assert_cmp(num_transfers, <, 64);
    transfers[num_transfers].id = id;
    transfers[num_transfers].addr = addr;
    transfers[num_transfers].buf = buf;
    transfers[num_transfers].size = size;
    transfers[num_transfers++].is_write = write;
    return 0;
}

static void end_transfers(void)
{
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned k = 0; k < num_transfers; k++) {
            uint8_t *at = ram + (transfers[k].addr - RAM);
            if (!trestle_device_dma_buffer(dev, transfers[k].id, NULL))
                continue; /* it was given up: this host is slow */
            if (transfers[k].is_write)
                memcpy(at, transfers[k].buf, transfers[k].size);
            else
                memcpy(transfers[k].buf, at, transfers[k].size);
            assert_int_equal(trestle_device_dma_complete(dev, transfers[k].id, 0), 0);
        }
        num_transfers = 0;
        rig_run_until(trestle_sim_now(rig.sim) + 20 * TRESTLE_US);
    }
}

static unsigned perform_slowly(unsigned queue, const struct command *command)
{
    const uint8_t *entry = ram + (queue ? IO_CQ : ADMIN_CQ) + (size_t)(heads[queue] % ENTRIES) * 16;
    put(queue, command);
    rig_write(dev, DOORBELL + 8 * queue, tails[queue]);
    end_transfers();
    assert_int_equal(trestle_get_le16(entry + 12), 0x100 + heads[queue] % ENTRIES);
    heads[queue]++;
    rig_write(dev, DOORBELL + 8 * queue + 4, heads[queue] % ENTRIES);
    return trestle_get_le16(entry + 14) >> 1;
}

/* As under SST: it works, and does not offer doorbells in memory. */
static void test_slow_transfers(void **state)
{
    static uint8_t memory[RAM_BYTES];
    struct command read = blocks(READ, 0, 32, RAM + DATA, RAM + LIST), write = read;
    write.opcode = WRITE;
    ram = memory;
    rig.ops.dma = begin_transfer;
    dev = rig_device(trestle_model_find("nvme"), NULL);
    memset(tails, 0, sizeof(tails));
    memset(heads, 0, sizeof(heads));
    rig_write(dev, AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
    rig_write_sized(dev, ASQ, 8, RAM + ADMIN_SQ);
    rig_write_sized(dev, ACQ, 8, RAM + ADMIN_CQ);
    rig_write(dev, CC, 0x460001);
    assert_int_equal(
        perform_slowly(0, &(struct command){.opcode = IDENTIFY, .words = {1}, .prp1 = RAM + DATA}),
        0);
    assert_memory_equal(ram + DATA + 24, "Trestle NVMe ", 13);
    assert_int_equal(trestle_get_le16(ram + DATA + 256), 0);
    assert_int_equal(perform_slowly(0, &share), DNR | 0x001);
    assert_int_equal(perform_slowly(0, &create_cq), 0);
    assert_int_equal(perform_slowly(0, &create_sq), 0);
    for (unsigned i = 0; i < 3; i++)
        trestle_put_le64(ram + LIST + 8 * i, RAM + DATA + 0x1000 * (i + 1));
    memset(ram + DATA, 0x5a, 0x4000);
    assert_int_equal(perform_slowly(1, &write), 0);
    memset(ram + DATA, 0, 0x4000);
    assert_int_equal(perform_slowly(1, &read), 0);
    assert_int_equal(ram[DATA] + ram[DATA + 0x3fff], 0xb4);
    trestle_device_destroy(dev);
}

/* --- as it should not ------------------------------------------------------------------------ */

static void test_commands_that_cannot_be(void **state)
{
    struct command command;
    make_queues();
    assert_int_equal(perform(0, &(struct command){.opcode = 0x7f}), DNR | 0x001);
    assert_int_equal(perform(0, &(struct command){.opcode = IDENTIFY, .words = {99}}), DNR | 0x002);
    assert_int_equal(perform(0, &(struct command){.opcode = 5, .words = {7 << 16 | 9, 1}}),
                     DNR | 0x101); /* no such queue */
    assert_int_equal(perform(0, &(struct command){.opcode = 5, .words = {7 << 16 | 1, 1}}),
                     DNR | 0x101); /* it is there */
    assert_int_equal(perform(0, &(struct command){.opcode = 5, .words = {0xffff0002, 1}}),
                     DNR | 0x102);
    assert_int_equal(
        perform(0, &(struct command){.opcode = 5, .words = {7 << 16 | 2, 9 << 16 | 1}}),
        DNR | 0x108);
    assert_int_equal(
        perform(0, &(struct command){.opcode = 1, .words = {7 << 16 | 2, 2 << 16 | 1}}),
        DNR | 0x100);
    assert_int_equal(perform(0, &(struct command){.opcode = 4, .words = {1}}), DNR | 0x10c);
    assert_int_equal(perform(0, &(struct command){.opcode = 2, .words = {5}}), DNR | 0x109);
    command = blocks(READ, 0, 1, RAM + DATA, 0);
    command.flags = 0x40;
    assert_int_equal(perform(1, &command), DNR | 0x002);
    command.flags = 0;
    command.namespace = 2;
    assert_int_equal(perform(1, &command), DNR | 0x00b);
    assert_int_equal(move(READ, BLOCKS, 1, RAM + DATA, 0), DNR | 0x080);
    assert_int_equal(move(READ, BLOCKS - 1, 2, RAM + DATA, 0), DNR | 0x080);
    command = blocks(READ, UINT32_MAX, 1, RAM + DATA, 0);
    command.words[1] = UINT32_MAX;
    assert_int_equal(perform(1, &command), DNR | 0x080);
    assert_int_equal(move(READ, 0, 257, RAM + DATA, RAM + LIST), DNR | 0x002);
    assert_int_equal(move(READ, 0, 1, RAM + DATA + 2, 0), DNR | 0x013);
    assert_int_equal(move(READ, 0, 16, RAM + DATA, RAM + DATA + 8), DNR | 0x013);
    assert_int_equal(move(READ, 0, 24, RAM + DATA, RAM + LIST + 4), DNR | 0x013);
    trestle_put_le64(ram + LIST + 0xff8, RAM + LIST + 0xff8); /* a list that is its own next one */
    assert_int_equal(move(READ, 0, 24, RAM + DATA, RAM + LIST + 0xff8), DNR | 0x013);
    assert_int_equal(move(READ, 0, 1, UINT64_MAX - 511, 0), 0x004);
    assert_int_equal(move(READ, 0, 24, RAM + DATA, 0), 0x004);
    assert_int_equal(move(WRITE, 0, 1, 0, 0), 0x004);
    assert_int_equal(move(READ, 0, 1, RAM + DATA, 0), 0); /* it lives */
}

static void test_doorbells_that_are_not_there(void **state)
{
    trestle_test_write(dev, DOORBELL, 4, ENTRIES);
    trestle_test_write(dev, DOORBELL + 4, 4, 0xffff);
    trestle_test_write(dev, DOORBELL + 8 * 3, 4, 1);
    assert_int_equal(trestle_test_logged(bench, TRESTLE_LOG_WARNING), 3);
    assert_int_equal(perform(0, &(struct command){.opcode = SET_FEATURES, .words = {7}}), 0);
}

static void test_queues_that_are_not_in_memory(void **state)
{
    for (unsigned which = 0; which < 2; which++) {
        trestle_test_write(dev, CC, 4, 0x460000);
        enable();
        trestle_test_write(dev, CC, 4, 0x460000);
        trestle_test_write(dev, which ? ASQ : ACQ, 8, UINT64_C(0xfffffffffffff000));
        trestle_test_write(dev, CC, 4, 0x460001);
        put(0, &(struct command){.opcode = SET_FEATURES, .words = {7}});
        ring(0);
        trestle_test_run(bench, TRESTLE_MS);
        assert_int_equal(trestle_test_read(dev, CSTS, 4), READY | FATAL);
    }
    trestle_test_write(dev, CC, 4, 0x460000);
    enable();
    assert_int_equal(perform(0, &(struct command){.opcode = SET_FEATURES, .words = {7}}), 0);
    trestle_test_write(dev, CC, 4, 0x460000);
    trestle_test_write(dev, AQA, 4, 0);
    trestle_test_write(dev, CC, 4, 0x460001);
    assert_int_equal(trestle_test_read(dev, CSTS, 4), FATAL);
}

/* Whatever stands in the queues, in the lists and in the data. */
static void test_noise(void **state)
{
    uint32_t noise = 1;
    for (unsigned round = 0; round < 400; round++) {
        trestle_test_write(dev, CC, 4, 0x460000);
        enable();
        make_queues();
        for (unsigned i = 0; i < ENTRIES * 64; i++) {
            noise = noise * 1664525u + 1013904223u;
            ram[IO_SQ + i] = (uint8_t)(noise >> 24);
            ram[ADMIN_SQ + i] = (uint8_t)(noise >> 16);
        }
        for (unsigned i = 0; i < ENTRIES; i++) {
            ram[IO_SQ + i * 64] &= 3;
            ram[ADMIN_SQ + i * 64] &= 15;
            memset(ram + IO_SQ + i * 64 + 1, 0, 1);
            memset(ram + ADMIN_SQ + i * 64 + 1, 0, 1);
            memset(ram + ADMIN_SQ + i * 64 + 41, 0, 1);
            memset(ram + IO_SQ + i * 64 + 28, noise >> 30 ? 0 : 0xff, 4);
        }
        trestle_test_write(dev, DOORBELL, 4, round % ENTRIES);
        trestle_test_write(dev, DOORBELL + 8, 4, noise % ENTRIES);
        trestle_test_run(bench, TRESTLE_MS);
    }
    trestle_test_reset(dev);
    enable();
    assert_int_equal(perform(0, &(struct command){.opcode = SET_FEATURES, .words = {7}}), 0);
}

static void test_files_that_cannot_be(void **state)
{
    const struct trestle_param missing = {"file", "/tmp/trestle-nvme-none"},
                               none = {"file", "/dev/null"}, huge = {"size", "0x8000000000000000"};
    const struct trestle_param *const params[] = {&missing, &none, &huge};
    const char *const why[] = {"/tmp/trestle-nvme-none: No such file or directory",
                               "/dev/null has no block of 512 bytes; name a file that has",
                               "its memory of 9223372036854775808 bytes: File too large"};
    for (unsigned i = 0; i < 3; i++) {
        struct trestle_device_options options = {
            .size = sizeof(options), .name = "disk", .params = params[i], .num_params = 1};
        struct trestle_device *refused;
        char *error = NULL;
        assert_cmp(
            trestle_test_try_add(bench, trestle_model_find("nvme"), &options, &refused, &error), <,
            0);
        assert_non_null(strstr(error, why[i]));
        free(error);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_is_enabled_and_shut_down),
        TEST(test_says_who_it_is),
        TEST(test_moves_blocks),
        TEST(test_lists_go_on),
        TEST(test_full_queues),
        TEST(test_masked_interrupts),
        TEST(test_commands_that_cannot_be),
        TEST(test_doorbells_that_are_not_there),
        TEST(test_queues_that_are_not_in_memory),
        TEST(test_noise),
        TEST(test_files_that_cannot_be),
        TEST(test_doorbells_in_memory),
        TEST(test_doorbell_is_not_missed),
        TEST(test_pin_goes_low),
        TEST(test_doorbells_in_memory_that_are_nonsense),
        RIG_TEST(test_slow_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
