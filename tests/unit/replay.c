/* SPDX-License-Identifier: MIT */
/* Replays of traces that no guest makes in a predictable way: transfers that end late, resets in
 * the middle, messages that come together with timers; and models that do something else. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"
#include "sim/command.h"
#include "trace/hash.h"
#include "trace/replay.h"
#include "trace/trace.h"
#include "trace/writer.h"
#include "trace_unit.h"

/* --- recording ------------------------------------------------------------------------------- */

struct recording {
    struct trestle_device *devices[2];
    uint64_t counts[2]; /* records of each */
    struct trace_writer *writer;
    struct trace_hash hash;
    int fd;
};

static struct recording recording;
static uint64_t last_id;

static void look(void *ctx, const struct trestle_device *dev, struct trestle_trace_record *record)
{
    record->device = dev == recording.devices[1];
    record->guest_time = record->time;
    recording.counts[record->device]++;
    trace_hash_add(&recording.hash, record);
    trace_writer_put(recording.writer, record);
}

static int host_dma(void *ctx, struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                    size_t size, uint64_t id)
{
    last_id = id;
    return size == 1 ? -ENOTSUP : 0;
}

/* Two devices whose ports are linked, or with latency "never" a single one. */
static struct trestle_device *record(trestle_time latency)
{
    bool has_link = latency != TRESTLE_TIME_NEVER;
    const struct trestle_trace_device devices[] = {
        {.name = "a", .model = "unit", .base_addr = 0x10000000, .size = 0x20},
        {.name = "b", .model = "unit", .base_addr = 0x20000000, .size = 0x20}};
    const struct trestle_trace_link links[] = {{.devices = {1, 0}, .latency = latency}};
    const struct trestle_trace_header header = {devices, 2, links, has_link};
    recording = (struct recording){.fd = memfd_create("trace", MFD_CLOEXEC)};
    rig.ops.dma = host_dma;
    for (unsigned i = 0; i < 2; i++)
        recording.devices[i] =
            rig_device_at(&unit_model, devices[i].name, devices[i].base_addr, NULL);
    if (has_link)
        assert_int_equal(trestle_link_create(trestle_device_component(recording.devices[1]), 0,
                                             trestle_device_component(recording.devices[0]), 0,
                                             latency, NULL),
                         0);
    trace_hash_init(&recording.hash);
    assert_int_equal(trace_writer_create(dup(recording.fd), &header, 4, &recording.writer), 0);
    trestle_sim_observe(rig.sim, look, NULL);
    return recording.devices[0];
}

static void stop(void)
{
    struct trace_writer_result result;
    trestle_sim_observe(rig.sim, NULL, NULL);
    trace_writer_finish(recording.writer, trace_hash_value(&recording.hash), &result);
    assert_int_equal(result.error, 0);
    for (unsigned i = 0; i < 2; i++)
        trestle_device_destroy(recording.devices[i]);
}

/* --- replaying ------------------------------------------------------------------------------- */

static char *replay_by(int (*play)(struct replay *, char **), const struct trestle_model *model,
                       uint32_t device, uint64_t *ret_compared)
{
    const struct config_device configured = {
        .name = "dut", .model = model, .base_addr = 0x10000000, .size = 0x20};
    struct replay run = {.device = device, .configured = &configured};
    char *error = NULL;
    lseek(recording.fd, 0, SEEK_SET);
    FILE *file = fdopen(dup(recording.fd), "r");
    assert_int_equal(trestle_trace_open(file, &run.reader, NULL), 0);
    if (play(&run, &error) < 0)
        fail_msg("%s", error);
    trestle_trace_close(run.reader);
    fclose(file);
    *ret_compared = run.compared;
    return run.difference;
}

static char *replay(const struct trestle_model *model, uint32_t device, uint64_t *ret_compared)
{
    return replay_by(replay_run, model, device, ret_compared);
}

/* Both devices do the same again, and values alone are the same, too. */
static void assert_no_difference(void)
{
    stop();
    for (uint32_t device = 0; device < 2; device++) {
        uint64_t compared;
        char *difference = replay(&unit_model, device, &compared);
        if (difference)
            fail_msg("%u: %s", device, difference);
        assert_int_equal(compared, recording.counts[device]);
        difference = replay_by(replay_values, &unit_model, device, &compared);
        if (difference)
            fail_msg("%u by values: %s", device, difference);
    }
    close(recording.fd);
}

static void assert_difference(const struct trestle_model *model, const char *expected)
{
    uint64_t compared;
    stop();
    char *difference = replay(model, 0, &compared);
    assert_non_null(difference);
    assert_string_equal(difference, expected);
    free(difference);
    close(recording.fd);
}

static void test_accesses(void **state)
{
    struct trestle_device *dev = record(TRESTLE_TIME_NEVER);
    rig_run_until(100);
    rig_write(dev, VALUE, 7);
    rig_read(dev, LATER);
    rig_write(dev, LINE, 1);
    rig_access(dev, true, NOTHING, 4, 1, NULL);
    rig_access(dev, true, SAY, 4, 1, NULL);
    rig_access(dev, true, 0x11, 3, 1, NULL);
    rig_write(dev, LINE, 0);
    assert_no_difference();
}

/* The model takes no more than it has asked for, in the replay as well. */
static void test_input(void **state)
{
    struct trestle_device *dev = record(TRESTLE_TIME_NEVER);
    rig_run_until(100);
    assert_int_equal(trestle_device_input(dev, "1 up", 4), 0);
    rig_write(dev, VALUE, 7);
    assert_int_equal(trestle_device_input(dev, "12345", 5), -ENOBUFS);
    assert_int_equal(trestle_device_input(dev, "0", 1), 0);
    assert_int_equal(trestle_device_input_room(dev), 3);
    assert_no_difference();
}

static void unit_accepts_less(struct trestle_device *dev, const void *data, size_t size)
{
    trestle_device_accept_input(dev, 0);
}

static void test_input_that_is_not_taken(void **state)
{
    struct trestle_model other = unit_model;
    struct trestle_device *dev = record(TRESTLE_TIME_NEVER);
    other.input = unit_accepts_less;
    assert_int_equal(trestle_device_input(dev, "0", 1), 0);
    assert_int_equal(trestle_device_input(dev, "0", 1), 0);
    assert_difference(&other, "record 2 at 0.000 ns: expected input  1 bytes: 30, got nothing");
}

static void test_a_transfer_that_ends_late(void **state)
{
    struct trestle_device *dev = record(TRESTLE_TIME_NEVER);
    rig_write(dev, FETCH, TRESTLE_TRACE_DATA_MAX + 3);
    uint64_t first = last_id;
    rig_run_until(500);
    rig_write(dev, STORE, 2); /* another one meanwhile, over the same buffer */
    rig_run_until(700);
    assert_int_equal(trestle_device_dma_complete(dev, last_id, -EFAULT), 0);
    rig_run_until(800);
    rig_access(dev, true, STORE, 4, 1, NULL); /* refused */
    memset(trestle_device_dma_buffer(dev, first, NULL), 0x77, TRESTLE_TRACE_DATA_MAX + 3);
    assert_int_equal(trestle_device_dma_complete(dev, first, 0), 0);
    rig_run_until(900);
    rig_write(dev, STORE, 2);
    rig_run_until(1000);
    rig_read(dev, VALUE); /* and that one never ends */
    assert_no_difference();
}

static void test_a_reset_in_the_middle(void **state)
{
    struct trestle_device *dev = record(1000);
    struct trestle_request req = {.access = {.offset = LATER, .size = 4}, .done = rig_done};
    rig_write(dev, LINE, 1);
    rig_write(dev, FETCH, 4);
    rig_write(recording.devices[1], SAY, 1);
    rig_run_until(10);
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    rig_run_until(20);
    trestle_device_reset(dev); /* and the message never comes */
    rig_run_until(2000);
    rig_write(dev, FETCH, 4);
    assert_int_equal(trestle_device_dma_complete(dev, last_id, -EFAULT), 0);
    rig_run_until(1000 * TRESTLE_NS);
    rig_read(dev, VALUE);
    assert_no_difference();
}

/* The message that raises the line arrives when the access is answered, before or after it. */
static void test_messages_and_timers_at_one_time(void **state)
{
    for (unsigned first = 0; first < 2; first++) {
        struct trestle_device *dev = record(500 * TRESTLE_NS);
        struct trestle_request req = {.access = {.offset = LATER, .size = 4}, .done = rig_done};
        if (first == 0)
            rig_write(recording.devices[1], SAY, 1);
        assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
        if (first == 1)
            rig_write(recording.devices[1], SAY, 1);
        rig_run_until(500 * TRESTLE_NS);
        assert_int_equal(req.status, 0);
        rig_write(dev, SAY, 1);
        rig_run_until(2000 * TRESTLE_NS);
        rig_write(dev, LINE, 0);
        assert_no_difference();
    }
}

static void test_messages_without_latency(void **state)
{
    struct trestle_device *dev = record(0);
    for (unsigned i = 0; i < 3; i++) {
        rig_write(dev, SAY, 1);
        rig_run_until(100 * i); /* as a bridge does before each access */
        rig_write(recording.devices[1], SAY, 1);
        rig_run_until(100 * i + 50);
        rig_write(dev, LINE, 0);
        rig_write(recording.devices[1], LINE, 0);
    }
    assert_no_difference();
}

/* --- models that do something else ----------------------------------------------------------- */

static void deaf_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
}

static void sluggish_message(struct trestle_device *dev, uint32_t port, const void *data,
                             size_t size)
{
    trestle_device_wake_after(dev, 0, 7 * TRESTLE_NS);
}

static void sluggish_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    trestle_device_irq(dev, 0, true);
}

static void hasty_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct unit *unit = trestle_device_state(dev);
    trestle_device_irq(dev, 0, true);
    trestle_request_complete(unit->pending, 0, 0xdef);
}

static int other_read(struct trestle_device *dev, struct trestle_request *req,
                      const struct trestle_access *access, uint64_t *ret_data)
{
    *ret_data = 0x12;
    return 0;
}

static void test_what_is_missing(void **state)
{
    struct trestle_model deaf = unit_model;
    deaf.message = deaf_message;
    struct trestle_device *dev = record(100);
    rig_write(recording.devices[1], SAY, 1);
    rig_run_until(300);
    rig_read(dev, VALUE);
    assert_difference(&deaf, "record 5 at 0.100 ns: expected irq 0 up, got nothing");
}

static void test_what_is_late(void **state)
{
    struct trestle_model sluggish = unit_model;
    sluggish.message = sluggish_message;
    sluggish.wake = sluggish_wake;
    struct trestle_device *dev = record(100);
    rig_write(recording.devices[1], SAY, 1);
    rig_run_until(300);
    rig_read(dev, VALUE);
    assert_difference(&sluggish,
                      "record 5 at 0.100 ns: expected irq 0 up, got irq 0 up at 7.100 ns");
}

static void test_what_is_too_much(void **state)
{
    struct trestle_model hasty = unit_model;
    hasty.wake = hasty_wake;
    struct trestle_device *dev = record(TRESTLE_TIME_NEVER);
    rig_read(dev, LATER);
    assert_difference(&hasty,
                      "record 2 at 500.000 ns: read  4  0x04: expected answer 0xdef, got irq 0 up");
}

static void test_what_is_else_or_too_early(void **state)
{
    struct trestle_model other = unit_model;
    other.read = other_read;
    struct trestle_device *dev = record(TRESTLE_TIME_NEVER);
    rig_read(dev, LATER);
    assert_difference(
        &other, "record 2 at 500.000 ns: read  4  0x04: expected answer 0xdef, got answer 0x12 at "
                "0.000 ns");
}

static void test_a_model_without_the_line(void **state)
{
    struct trestle_model lineless = unit_model;
    lineless.irq_lines = 0;
    struct trestle_device *dev = record(TRESTLE_TIME_NEVER);
    rig_write(dev, LINE, 1);
    assert_difference(
        &lineless, "record 2 at 0.000 ns: write 4  0x08  0x1: expected irq 0 up, got answer 0x0");
}

/* --- values without times ----------------------------------------------------------------------
 */

static int slow_read(struct trestle_device *dev, struct trestle_request *req,
                     const struct trestle_access *access, uint64_t *ret_data)
{
    int r = unit_model.read(dev, req, access, ret_data);
    if (r == -EINPROGRESS)
        trestle_device_wake_after(dev, 0, 7 * TRESTLE_US);
    return r;
}

static void other_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct unit *unit = trestle_device_state(dev);
    (void)timer;
    (void)now;
    trestle_request_complete(unit->pending, 0, 0xdee);
}

static void put_read(trestle_time time)
{
    const struct trestle_trace_record record = {
        .kind = TRESTLE_TRACE_READ, .time = time, .guest_time = time, .addr = LATER, .size = 4};
    trace_writer_put(recording.writer, &record);
}

/* The first of two things that are wrong with a trace is said. */
static void test_a_trace_that_is_no_good_and_is_cut_off(void **state)
{
    const struct config_device configured = {
        .name = "dut", .model = &unit_model, .base_addr = 0x10000000, .size = 0x20};
    struct replay run = {.configured = &configured};
    char *error = NULL;
    struct stat st;
    (void)state;
    record(TRESTLE_TIME_NEVER);
    put_read(0);
    put_read(1);
    stop();
    assert_int_equal(fstat(recording.fd, &st), 0);
    assert_int_equal(ftruncate(recording.fd, st.st_size - 1), 0);
    lseek(recording.fd, 0, SEEK_SET);
    FILE *file = fdopen(recording.fd, "r");
    assert_int_equal(trestle_trace_open(file, &run.reader, NULL), 0);
    assert_int_equal(replay_values(&run, &error), -EPROTO);
    assert_string_equal(error, "an access begins before the previous one is answered");
    free(error);
    trestle_trace_close(run.reader);
    fclose(file);
}

/* All that follows waits for it. */
static void test_a_model_that_is_slower(void **state)
{
    struct trestle_model slow = unit_model;
    slow.read = slow_read;
    struct trestle_device *dev = record(TRESTLE_TIME_NEVER);
    (void)state;
    rig_read(dev, LATER);
    rig_write(dev, LINE, 1);
    rig_write(dev, FETCH, 4);
    assert_int_equal(trestle_device_dma_complete(dev, last_id, -EFAULT), 0);
    rig_read(dev, LATER);
    rig_write(dev, LINE, 0);
    rig_write(dev, STORE, 2);
    stop();
    uint64_t compared;
    char *difference = replay(&slow, 0, &compared);
    assert_non_null(difference);
    free(difference);
    difference = replay_by(replay_values, &slow, 0, &compared);
    if (difference)
        fail_msg("%s", difference);
    assert_int_equal(compared, 6 + 2 + 2 + 1); /* answers, edges, transfers, bytes of one */
    close(recording.fd);
}

static int hasty_start(struct trestle_device *dev)
{
    struct unit *unit = trestle_device_state(dev);
    int r = trestle_device_dma_read(dev, 0x80000000, unit->buffer, 4, 0);
    return r == -ENOTSUP ? 0 : r;
}

/* Before all that the trace has: it is refused, as where there is no memory. */
static void test_a_transfer_at_the_start(void **state)
{
    struct trestle_model hasty = unit_model;
    uint64_t compared;
    (void)state;
    hasty.start = hasty_start;
    rig_write(record(TRESTLE_TIME_NEVER), LINE, 1);
    stop();
    assert_null(replay_by(replay_values, &hasty, 0, &compared));
    assert_int_equal(compared, 2);
    close(recording.fd);
}

static void assert_other_value(const struct trestle_model *model, const char *expected)
{
    uint64_t compared;
    stop();
    char *difference = replay_by(replay_values, model, 0, &compared);
    assert_non_null(difference);
    assert_string_equal(difference, expected);
    free(difference);
    close(recording.fd);
}

static void test_another_value(void **state)
{
    struct trestle_model other = unit_model;
    other.wake = other_wake;
    struct trestle_device *dev = record(TRESTLE_TIME_NEVER);
    (void)state;
    rig_write(dev, VALUE, 1);
    rig_read(dev, LATER);
    assert_other_value(&other, "record 4: read  4  0x04: expected answer 0xdef, got answer 0xdee");
}

static void test_an_interrupt_that_never_comes(void **state)
{
    struct trestle_model lineless = unit_model;
    lineless.irq_lines = 0;
    struct trestle_device *dev = record(TRESTLE_TIME_NEVER);
    (void)state;
    rig_write(dev, LINE, 1);
    rig_read(dev, VALUE);
    assert_other_value(&lineless, "record 2: expected irq 0 up, got nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_accesses),
        RIG_TEST(test_input),
        RIG_TEST(test_input_that_is_not_taken),
        RIG_TEST(test_a_transfer_that_ends_late),
        RIG_TEST(test_a_reset_in_the_middle),
        RIG_TEST(test_messages_and_timers_at_one_time),
        RIG_TEST(test_messages_without_latency),
        RIG_TEST(test_what_is_missing),
        RIG_TEST(test_what_is_late),
        RIG_TEST(test_what_is_too_much),
        RIG_TEST(test_what_is_else_or_too_early),
        RIG_TEST(test_a_model_without_the_line),
        RIG_TEST(test_a_trace_that_is_no_good_and_is_cut_off),
        RIG_TEST(test_a_model_that_is_slower),
        RIG_TEST(test_a_transfer_at_the_start),
        RIG_TEST(test_another_value),
        RIG_TEST(test_an_interrupt_that_never_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
