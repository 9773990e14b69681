/* SPDX-License-Identifier: MIT */
/* Tables of registers: what they answer, and which are refused. */
#include "trestle/registers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim/command.h"
#include "sim/lookup.h"
#include "trestle/test.h"

struct bank {
    uint32_t ctrl, status, flags, fifo_reads;
    uint16_t half;
    uint8_t byte;
    uint64_t wide;
    uint32_t leds[4];
    struct {
        uint32_t addr, len;
    } channels[2];
    struct trestle_request *waiting;
    uint32_t hooks;
};

static int ctrl_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct bank *bank = trestle_device_state(dev);
    bank->hooks++;
    if (access->value & 0x80)
        trestle_device_self_reset(dev);
    return access->value & 0x40 ? -EIO : 0;
}

static int fifo_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct bank *bank = trestle_device_state(dev);
    access->value = ++bank->fifo_reads;
    return 0;
}

static int later_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    ((struct bank *)trestle_device_state(dev))->waiting = access->req;
    trestle_device_wake_after(dev, 0, TRESTLE_NS);
    return -EINPROGRESS;
}

static void bank_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    trestle_request_complete(((struct bank *)trestle_device_state(dev))->waiting, 0, 77);
}

static const struct trestle_register rows[] = {
    {"CTRL", 0x00, TRESTLE_AT(struct bank, ctrl), .on_write = ctrl_written, .reset = 0x10,
     .fields = TRESTLE_FIELDS({"enable", 1},
                              {"mode", 6, .values = TRESTLE_VALUES({"slow", 0}, {"fast", 3})},
                              {"level", 0x30}, {"fail", 0x40}, {"reset", 0x80, TRESTLE_TRIGGER})},
    {"STATUS", 0x04, TRESTLE_AT(struct bank, status), .access = TRESTLE_RO, .reset = 5},
    {"FLAGS", 0x08, TRESTLE_AT(struct bank, flags), .reset = 0xff, .widths = 1 | 4,
     .fields = TRESTLE_FIELDS({"w1c", 0x3, TRESTLE_W1C}, {"rc", 0x4, TRESTLE_RC},
                              {"w1s", 0x8, TRESTLE_W1S}, {"ro", 0x10, TRESTLE_RO},
                              {"wo", 0x20, TRESTLE_WO}, {"w1t", 0x40, TRESTLE_W1T},
                              {"w0c", 0x80, TRESTLE_W0C})},
    {"FIFO", 0x0c, .on_read = fifo_read, .access = TRESTLE_RO, .widths = 1 | 2 | 4, .whole = true},
    {"HALF", 0x10, TRESTLE_AT(struct bank, half), .size = 2, .widths = 2 | 4},
    {"BYTE", 0x12, TRESTLE_AT(struct bank, byte), .size = 1, .widths = 1 | 4, .keep = true},
    {"WIDE", 0x18, TRESTLE_AT(struct bank, wide), .size = 8, .widths = 4 | 8,
     .reset = 0x1122334455667788},
    {"LED", 0x20, TRESTLE_ARRAY_AT(struct bank, leds), .mask = 0xff},
    {"CH%s_ADDR", 0x40, TRESTLE_EACH_AT(struct bank, channels, addr), .stride = 0x10},
    {"CH%s_LEN", 0x44, TRESTLE_EACH_AT(struct bank, channels, len), .stride = 0x10},
    {"LATER", 0x60, .on_read = later_read, .access = TRESTLE_RO},
    {"OLD", 0x64, .access = TRESTLE_RESERVED},
};
static const struct trestle_region region = {TRESTLE_REGION(rows)};
static const struct trestle_model model = {
    .size = sizeof(model),
    .name = "bank",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("done", "error"),
    .ports = TRESTLE_NAMES("tx", "rx"),
    .timers = 1,
    .state_size = sizeof(struct bank),
    .wake = bank_wake,
};

static struct trestle_test *bench;
static struct trestle_device *dev;
static struct bank *bank;

static struct trestle_device *add(const struct trestle_model *of)
{
    const struct trestle_device_options options = {
        .size = sizeof(options), .name = of->name, .base_addr = 0x1000};
    return trestle_test_add(bench, of, &options);
}

static int setup(void **state)
{
    bench = trestle_test_create();
    dev = add(&model);
    bank = trestle_device_state(dev);
    return 0;
}

static int teardown(void **state)
{
    trestle_test_destroy(bench);
    return 0;
}

static uint32_t get(uint64_t offset)
{
    return (uint32_t)trestle_test_read(dev, offset, 4);
}

static void set(uint64_t offset, uint32_t value)
{
    trestle_test_write(dev, offset, 4, value);
}

static int status_of(bool write, uint64_t offset, uint32_t size)
{
    uint64_t data = 0;
    return write ? trestle_test_try_write(dev, offset, size, 0)
                 : trestle_test_try_read(dev, offset, size, &data);
}

static void test_what_a_table_says_of_the_model(void **state)
{
    const struct trestle_model *table = trestle_device_model(dev);
    uint32_t port;
    assert_int_equal(table->region_size, 0x68);
    assert_int_equal(table->access_sizes, 1 | 2 | 4 | 8);
    assert_int_equal(table->irq_lines, 2);
    assert_int_equal(table->peer_ports, 2);
    assert_int_equal(trestle_model_port(table, "tx", &port), 0);
    assert_int_equal(port, 0);
    assert_int_equal(trestle_model_port(table, "rx", &port), 0);
    assert_int_equal(port, 1);
    assert_int_equal(trestle_model_bytes(&model), 0x68);
}

static void test_reset_values_and_resets(void **state)
{
    assert_int_equal(get(0x00), 0x10);
    assert_int_equal(get(0x04), 5);
    assert_int_equal(trestle_test_read(dev, 0x18, 8), 0x1122334455667788);
    trestle_test_write(dev, 0x12, 1, 9);
    set(0x00, 0x21);
    assert_int_equal(get(0x00), 0x21);
    trestle_test_reset(dev);
    assert_int_equal(get(0x00), 0x10);
    assert_int_equal(trestle_test_read(dev, 0x12, 1), 9); /* kept */
    set(0x20, 7);
    set(0x00, 0x80); /* the bit of the register */
    assert_int_equal(get(0x20), 0);
    assert_int_equal(get(0x00), 0x10);
}

static void test_rights_of_fields(void **state)
{
    assert_int_equal(get(0x08), 0xdf);   /* wo reads as 0 */
    assert_int_equal(bank->flags, 0xfb); /* and reading has cleared rc */
    set(0x08, 0x01 | 0x40 | 0x80);
    assert_int_equal(bank->flags, 0x9a); /* w1c, w1t, wo by a plain 0 */
    set(0x08, 0x08 | 0x20 | 0x10);
    assert_int_equal(bank->flags, 0x3a); /* w0c by a 0, wo set, ro as it was */
    bank->flags = 0xff;
    trestle_test_write(dev, 0x09, 1, 0xff); /* a byte that holds no field */
    assert_int_equal(bank->flags, 0xff);
}

static const struct trestle_register rare_rows[] = {
    {"FLAGS", 0x00, .storage_size = 4, .reset = 0xf00,
     .fields = TRESTLE_FIELDS({"w0s", 0xf, TRESTLE_W0S}, {"w0t", 0xf0, TRESTLE_W0T},
                              {"wc", 0xf00, TRESTLE_WC}, {"ws", 0xf000, TRESTLE_WS},
                              {"rs", 0xf0000, TRESTLE_RS})},
    {"READ_SETS", 0x04, .access = TRESTLE_RS, .storage = 4, .storage_size = 4},
};
static const struct trestle_region rare_region = {TRESTLE_REGION(rare_rows)};
static const struct trestle_model rare = {.size = sizeof(rare),
                                          .name = "rare",
                                          .regions = TRESTLE_REGIONS(&rare_region),
                                          .state_size = 8};

static void test_rare_rights(void **state)
{
    struct trestle_device_options options = {.size = sizeof(options), .name = "rare"};
    struct trestle_device *rarely = trestle_test_add(bench, &rare, &options);
    const uint32_t *flags = trestle_device_state(rarely);
    assert_int_equal(trestle_test_read(rarely, 0, 4), 0xf00);
    assert_int_equal(*flags, 0xf0f00); /* reading has set rs */
    trestle_test_write(rarely, 0, 4, 0x0aa5a);
    /* Zeroes set in the first field (0b1010) and toggle in the second (0b0101); any write clears
     * the third and sets the fourth. */
    assert_int_equal(*flags, 0xff0a5);
    assert_int_equal(trestle_test_read(rarely, 4, 4), 0);
    trestle_test_write(rarely, 4, 4, 0);
    assert_string_equal(trestle_test_log(bench),
                        "rare: write to read-only register READ_SETS ignored");
    assert_int_equal(trestle_test_read(rarely, 4, 4), 0xffffffff);
}

#define ALONE(n, right)                                                           \
    {                                                                             \
#right, 4 * (n), .storage = 4 * (n), .storage_size = 4,                   \
                         .fields = TRESTLE_FIELDS({"all", 0xff, TRESTLE_##right}) \
    }
static const struct trestle_register alone_rows[] = {
    ALONE(0, W1C), ALONE(1, W1S), ALONE(2, W1T), ALONE(3, W0C),
    ALONE(4, W0S), ALONE(5, W0T), ALONE(6, WC),  ALONE(7, WS),
};
static const struct trestle_region alone_region = {TRESTLE_REGION(alone_rows)};
static const struct trestle_model alone = {.size = sizeof(alone),
                                           .name = "alone",
                                           .regions = TRESTLE_REGIONS(&alone_region),
                                           .state_size = 32};

/* No other right of the register makes a write more than a store. */
static void test_each_right_alone(void **state)
{
    static const uint32_t after[] = {0x30, 0xfc, 0xf0, 0x0c, 0x3f, 0x0f, 0x00, 0xff};
    struct trestle_device *one = add(&alone);
    uint32_t *words = trestle_device_state(one);
    for (unsigned i = 0; i < 8; i++) {
        words[i] = 0x3c;
        trestle_test_write(one, 4 * i, 4, 0xcc);
    }
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(words[i], after[i]);
}

static const struct trestle_register secret_rows[] = {
    {"KEY", 0x00, .storage_size = 4,
     .fields = TRESTLE_FIELDS({"open", 0xf}, {"secret", 0xf0, TRESTLE_WO})},
};
static const struct trestle_region secret_region = {TRESTLE_REGION(secret_rows)};
static const struct trestle_model secret = {.size = sizeof(secret),
                                            .name = "secret",
                                            .regions = TRESTLE_REGIONS(&secret_region),
                                            .state_size = 4};

static void test_write_only_fields_read_as_zero(void **state)
{
    struct trestle_device *keeper = add(&secret);
    trestle_test_write(keeper, 0, 4, 0x5a);
    assert_int_equal(*(const uint32_t *)trestle_device_state(keeper), 0x5a);
    assert_int_equal(trestle_test_read(keeper, 0, 4), 0xa);
}

static void test_access_latency(void **state)
{
    trestle_device_set_access_latency(dev, 5 * TRESTLE_NS);
    set(0x20, 7);
    assert_int_equal(trestle_test_now(bench), 5 * TRESTLE_NS);
    assert_int_equal(get(0x20), 7);
    assert_int_equal(get(0x60), 77); /* itself a nanosecond late */
    assert_int_equal(trestle_test_now(bench), 16 * TRESTLE_NS);
    assert_int_equal(status_of(false, 0x30, 4), -EINVAL); /* at once */
    assert_int_equal(trestle_test_now(bench), 16 * TRESTLE_NS);
    set(0x00, 0x80); /* a reset of its own does not cancel it */
    assert_int_equal(bank->hooks, 1);

    /* A reset does. */
    struct trestle_request req = {.access = {.offset = 0x20, .size = 4, .data = 9}, .write = true};
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_test_reset(dev);
    assert_int_equal(req.status, -ECANCELED);
    trestle_test_run(bench, TRESTLE_US);
    trestle_device_set_access_latency(dev, 0);
    assert_int_equal(get(0x20), 0);
}

static void test_masks_and_read_only_registers(void **state)
{
    set(0x2c, 0x1234);
    assert_int_equal(bank->leds[3], 0x34);
    set(0x04, 9);
    assert_int_equal(get(0x04), 5);
    assert_string_equal(trestle_test_log(bench),
                        "bank: write to read-only register STATUS ignored");
    assert_int_equal(get(0x64), 0);
    assert_string_equal(trestle_test_log(bench), "bank: read of reserved register OLD ignored");
}

static void test_widths(void **state)
{
    trestle_test_write(dev, 0x1c, 4, 0xaabbccdd); /* half of a wide one */
    assert_int_equal(bank->wide, 0xaabbccdd55667788);
    assert_int_equal(get(0x18), 0x55667788);
    set(0x10, 0x00561234); /* two registers at once */
    assert_int_equal(bank->half, 0x1234);
    assert_int_equal(bank->byte, 0x56);
    assert_int_equal(get(0x10), 0x00561234);
    assert_int_equal(trestle_test_read(dev, 0x0c, 1), 1); /* whole: its hook once */
    assert_int_equal(trestle_test_read(dev, 0x0c, 2), 2);
    assert_int_equal(status_of(false, 0x0d, 1), -EINVAL);
    assert_int_equal(status_of(false, 0x00, 1), -EINVAL); /* not a width of CTRL */
    assert_int_equal(status_of(false, 0x00, 8), -EINVAL);
}

static void test_arrays(void **state)
{
    set(0x50, 1);
    set(0x54, 2);
    assert_int_equal(bank->channels[1].addr, 1);
    assert_int_equal(bank->channels[1].len, 2);
    assert_int_equal(bank->channels[0].addr, 0);
}

static void test_holes(void **state)
{
    assert_int_equal(status_of(false, 0x30, 4), -EINVAL);
    assert_string_equal(trestle_test_log(bench),
                        "bank: read of 4 bytes at offset 0x30 refused: no register there");
    assert_int_equal(status_of(true, 0x68, 4), -ERANGE);
    static const struct trestle_region lenient = {TRESTLE_REGION(rows), .bytes = 0x100,
                                                  .holes = TRESTLE_HOLES_ZERO};
    struct trestle_model other = model;
    other.name = "lenient";
    other.regions = TRESTLE_REGIONS(&lenient);
    dev = add(&other);
    assert_int_equal(get(0x30), 0);
    assert_int_equal(get(0xfc), 0);
    assert_int_equal(trestle_test_logged(bench, TRESTLE_LOG_WARNING), 4);
}

static void test_hooks(void **state)
{
    set(0x00, 1);
    assert_int_equal(bank->hooks, 1);
    assert_int_equal(status_of(true, 0x00, 4), 0);
    assert_int_equal(trestle_test_try_write(dev, 0x00, 4, 0x40), -EIO);
    assert_int_equal(get(0x60), 77);
    assert_int_equal(trestle_test_now(bench), TRESTLE_NS);
}

static void test_names(void **state)
{
    struct trestle_register_at at = {0};
    char text[64];
    uint32_t where;
    uint64_t value;
    assert_true(trestle_device_register(dev, 0, 0x55, &at));
    assert_int_equal(at.offset, 0x54);
    assert_string_equal(trestle_register_name(at.reg, at.index, text, sizeof(text)), "CH1_LEN");
    assert_true(trestle_device_find_register(dev, "led[2]", &where, &at));
    assert_int_equal(at.offset, 0x28);
    set(0x28, 0x42);
    assert_true(trestle_device_stored(dev, &at, &value));
    assert_int_equal(value, 0x42);
    assert_false(trestle_device_register(dev, 0, 0x30, &at));
    assert_false(trestle_device_find_register(dev, "NONE", &where, &at));
    at.reg = NULL;
    unsigned count = 0;
    while (trestle_device_next_register(dev, 0, &at))
        count++;
    assert_int_equal(count, 17);
    assert_true(trestle_device_register(dev, 0, 0, &at));
    assert_string_equal(trestle_register_format(at.reg, 0x37, text, sizeof(text)),
                        "0x37 {enable mode=fast level=0x3}");
    assert_string_equal(trestle_register_format(at.reg, 0, text, sizeof(text)), "0x0 {mode=slow}");
    assert_string_equal(trestle_register_format(at.reg, 0x37, text, 10), "0x37 {ena");
}

static void check_text(bool write, uint64_t offset, uint32_t size, uint64_t data, const char *want)
{
    char text[128];
    struct trestle_request req = {.access = {.offset = offset, .size = size, .data = data},
                                  .write = write,
                                  .ret_data = write ? 0 : data};
    assert_string_equal(trestle_device_access_text(dev, &req, text, sizeof(text)), want);
}

static void test_accesses_as_text(void **state)
{
    check_text(true, 0x00, 4, 1, "CTRL <- 0x1 {enable mode=slow}");
    check_text(false, 0x28, 4, 9, "LED[2] -> 0x9");
    check_text(true, 0x09, 1, 9, "FLAGS (part) <- 0x900");
    check_text(false, 0x10, 4, 0x561234, "HALF -> 0x1234 ...");
    check_text(false, 0x30, 4, 0, "");
}

/* --- tables that are refused ----------------------------------------------------------------- */

static void check_refused_model(const struct trestle_model *wrong, const char *sentence)
{
    const struct trestle_device_options options = {
        .size = sizeof(options), .name = "d", .base_addr = 0x1000};
    struct trestle_device *made = NULL;
    char *error = NULL;
    assert_int_equal(trestle_test_try_add(bench, wrong, &options, &made, &error), -EINVAL);
    assert_non_null(error);
    if (!strstr(error, sentence))
        fail_msg("no \"%s\" in \"%s\"", sentence, error);
    free(error);
}

static void check_refused(const struct trestle_register *wrong, size_t count, const char *sentence)
{
    const struct trestle_region other = {TRESTLE_REGION_SIZES, .registers = wrong,
                                         .num_registers = count};
    struct trestle_model table = model;
    table.regions = TRESTLE_REGIONS(&other);
    check_refused_model(&table, sentence);
}

static void test_refused(void **state)
{
    const struct {
        struct trestle_register row;
        const char *sentence;
    } wrong[] = {
        {{"A", 2, TRESTLE_AT(struct bank, ctrl)}, "A: its offset is not a multiple of its size"},
        {{"A", 0, TRESTLE_AT(struct bank, ctrl), .size = 3}, "A: its size is not 1, 2, 4 or 8"},
        {{"A", 0}, "A: nothing says what a read returns: it has no storage and no on_read"},
        {{"A", 0, .on_read = fifo_read}, "A: nothing says what a write does"},
        {{"", 0, TRESTLE_AT(struct bank, ctrl)}, "it has no name"},
        {{"A", 0, TRESTLE_AT(struct bank, wide)}, "A: its storage is wider than the register"},
        {{"A", 0, .storage = sizeof(struct bank), .storage_size = 4},
         "A: its storage lies beyond the model's state_size"},
        {{"A", 0, TRESTLE_AT(struct bank, ctrl), .count = 100},
         "A: its storage lies beyond the model's state_size"},
        {{"A", 0, TRESTLE_AT(struct bank, byte), .size = 1, .reset = 0x100},
         "A: its reset value or its mask is wider than the register"},
        {{"A", 0, TRESTLE_AT(struct bank, ctrl), .widths = 16}, "A: its widths are not"},
        {{"A", 0, TRESTLE_AT(struct bank, ctrl), .stride = 2, .count = 1},
         "A: its stride is not a multiple of its size"},
        {{"A", 0, .on_read = fifo_read, .access = TRESTLE_RO, .count = 2000000},
         "A: a region has at most 1048576 registers"},
        {{"A", UINT64_MAX - 3, TRESTLE_AT(struct bank, ctrl)}, "A: it lies beyond 4 GiB"},
        {{"A", 0, TRESTLE_AT(struct bank, ctrl),
          .fields = TRESTLE_FIELDS({"f", UINT64_C(0x100000000)})},
         "A: field f (0x100000000) is not a run of bits within its 4 bytes"},
        {{"A", 0, TRESTLE_AT(struct bank, ctrl), .fields = TRESTLE_FIELDS({"f", 5})},
         "A: field f (0x5) is not a run of bits"},
        {{"A", 0, TRESTLE_AT(struct bank, ctrl), .fields = TRESTLE_FIELDS({"f", 6}, {"g", 4})},
         "A: field g overlaps another"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        check_refused(&wrong[i].row, 1, wrong[i].sentence);
    static const struct trestle_register overlap[] = {
        {"A", 0x10, TRESTLE_AT(struct bank, wide), .size = 8},
        {"B", 0x14, TRESTLE_AT(struct bank, ctrl)},
    };
    check_refused(overlap, 2, "register B overlaps A at offset 0x14");
    check_refused(overlap, 0, "a region has 0 registers");
    static const struct trestle_region small = {TRESTLE_REGION(rows), .bytes = 0x20};
    struct trestle_model table = model;
    table.regions = TRESTLE_REGIONS(&small);
    check_refused_model(&table, "LED: it lies beyond the region's bytes");
}

/* A table of an older library, whose rows end before the hooks. */
static void test_smaller_rows(void **state)
{
    enum { SIZE = offsetof(struct trestle_register, on_read) };
    char old[2 * SIZE];
    memset(old, 0, sizeof(old));
    memcpy(old, &(struct trestle_register){"A", 0, TRESTLE_AT(struct bank, ctrl), .reset = 3},
           SIZE);
    memcpy(old + SIZE, &(struct trestle_register){"B", 4, TRESTLE_AT(struct bank, status)}, SIZE);
    struct trestle_region other = {TRESTLE_REGION_SIZES, .num_registers = 2,
                                   .registers = (const void *)old};
    other.register_size = SIZE;
    other.size = offsetof(struct trestle_region, name); /* nor has the region more */
    struct trestle_model table = model;
    table.name = "old";
    table.regions = TRESTLE_REGIONS(&other);
    dev = add(&table);
    assert_int_equal(get(0), 3);
    set(4, 9);
    assert_int_equal(get(4), 9);
    assert_int_equal(trestle_device_model(dev)->access_sizes, 4);
    other.size = sizeof(other);
    other.widths = 1 | 4;
    table.name = "older";
    assert_int_equal(trestle_device_model(add(&table))->access_sizes, 1 | 4);
}

static const struct trestle_register *row_of(const struct trestle_device *of)
{
    struct trestle_register_at at;
    assert_true(trestle_device_register(of, 0, 0, &at));
    return at.reg;
}

static void test_devices_of_one_model_share_its_tables(void **state)
{
    struct trestle_sim *sim;
    struct trestle_device *devices[3];
    struct trestle_model other = model;
    const struct trestle_device_options options = {
        .size = sizeof(options), .name = "d", .base_addr = 0x1000};
    other.access_sizes = 4;
    assert_int_equal(trestle_sim_create(&sim), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            trestle_device_create(sim, i < 2 ? &model : &other, &options, &devices[i], NULL), 0);
    assert_ptr_equal(row_of(devices[0]), row_of(devices[1]));
    assert_ptr_not_equal(row_of(devices[0]), row_of(devices[2]));
    trestle_device_destroy(devices[0]);
    assert_string_equal(row_of(devices[1])->name, "CTRL");
    trestle_device_destroy(devices[1]); /* whose tables were made first */
    assert_string_equal(row_of(devices[2])->name, "CTRL");
    trestle_device_destroy(devices[2]);
    trestle_sim_destroy(sim);
}

/* --- start and failure ----------------------------------------------------------------------- */

static int refuse_start(struct trestle_device *of)
{
    trestle_device_fail(of, "the cable %s", "is missing");
    return -EINVAL;
}

static int forget_to_return_it(struct trestle_device *of)
{
    trestle_device_fail(of, "the cable %s", "is missing");
    return 0;
}

static int forget_in_init(struct trestle_device *of, const struct trestle_params *params)
{
    (void)params;
    return forget_to_return_it(of);
}

static int fail_read(struct trestle_device *of, struct trestle_register_access *access)
{
    trestle_device_fail(of, "it burns");
    return 0;
}

static void test_failure(void **state)
{
    struct trestle_model table = model;
    char *error = NULL;
    static const struct trestle_register burning[] = {
        {"A", 0, .access = TRESTLE_RO, .on_read = fail_read},
        {"B", 4, TRESTLE_AT(struct bank, ctrl)},
    };
    static const struct trestle_region other = {TRESTLE_REGION(burning)};
    table.regions = TRESTLE_REGIONS(&other);
    dev = add(&table);
    assert_int_equal(trestle_device_start(dev, NULL), 0);
    assert_int_equal(get(4), 0);
    (void)get(0);
    assert_int_equal(status_of(false, 4, 4), -EIO);
    assert_string_equal(trestle_test_log(bench),
                        "bank: read of 4 bytes at offset 0x4 (B) refused: it burns");
    trestle_test_reset(dev);
    assert_int_equal(get(4), 0);
    table.start = refuse_start;
    dev = add(&table);
    assert_int_equal(trestle_device_start(dev, &error), -EINVAL);
    assert_string_equal(error, "device 'bank': model 'bank' did not start: the cable is missing");
    free(error);
    table.start = forget_to_return_it;
    dev = add(&table);
    assert_int_equal(trestle_device_start(dev, &error), -EIO);
    assert_string_equal(error, "device 'bank': model 'bank' did not start: the cable is missing");
    free(error);
    table.init = forget_in_init;
    const struct trestle_device_options options = {.size = sizeof(options), .name = "other"};
    assert_int_equal(trestle_test_try_add(bench, &table, &options, &dev, &error), -EIO);
    assert_string_equal(error, "device 'other': model 'bank' did not start: the cable is missing");
    free(error);
}

static int double_read(struct trestle_device *of, struct trestle_request *req,
                       const struct trestle_access *access, uint64_t *ret_data)
{
    *ret_data = 2 * access->offset;
    return 0;
}

static int take_write(struct trestle_device *of, struct trestle_request *req,
                      const struct trestle_access *access)
{
    return access->data == 13 ? -EIO : 0;
}

static const struct trestle_register named[] = {
    {"STATUS", 4, .access = TRESTLE_RO, .fields = TRESTLE_FIELDS({"ready", 8}), .reset = 5},
    {"KEY", 8, .access = TRESTLE_WO},
};

/* The model answers, where there are registers and where there are none, and whatever their rights;
 * the log has their names. */
static void test_a_table_that_only_has_names(void **state)
{
    static const struct trestle_region other = {TRESTLE_REGION(named), .names_only = true};
    const struct trestle_model table = {.size = sizeof(table),
                                        .name = "core",
                                        .region_size = 32,
                                        .access_sizes = 1 | 4,
                                        .regions = TRESTLE_REGIONS(&other),
                                        .read = double_read,
                                        .write = take_write};
    struct trestle_register_at at;
    uint32_t in;
    dev = add(&table);
    assert_int_equal(get(4), 8);
    assert_int_equal(trestle_test_read(dev, 5, 1), 10);
    assert_int_equal(get(20), 40);
    set(4, 1);
    assert_int_equal(status_of(true, 4, 4), 0);
    assert_true(trestle_device_find_register(dev, "status", &in, &at));
    assert_int_equal(at.offset, 4);
    assert_false(trestle_device_stored(dev, &at, &(uint64_t){0}));
    check_text(false, 4, 4, 8, "STATUS -> 0x8 {ready}");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_a_table_says_of_the_model),
        TEST(test_reset_values_and_resets),
        TEST(test_rights_of_fields),
        TEST(test_rare_rights),
        TEST(test_each_right_alone),
        TEST(test_write_only_fields_read_as_zero),
        TEST(test_access_latency),
        TEST(test_masks_and_read_only_registers),
        TEST(test_widths),
        TEST(test_arrays),
        TEST(test_holes),
        TEST(test_hooks),
        TEST(test_names),
        TEST(test_refused),
        TEST(test_accesses_as_text),
        TEST(test_smaller_rows),
        TEST(test_devices_of_one_model_share_its_tables),
        TEST(test_failure),
        TEST(test_a_table_that_only_has_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
