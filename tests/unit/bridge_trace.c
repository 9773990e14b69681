/* SPDX-License-Identifier: MIT */
/* The hash and the trace of runs on a live bridge. */
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bridge/command.h"
#include "bridge_fixture.h"
#include "trace/trace.h"

static struct fixture fixture;

static struct fixture *open_bridge(bool with_hash, const char *trace)
{
    struct fixture *f = &fixture;
    struct trestle_bridge_options options = {.size = sizeof(options),
                                             .wait = TRESTLE_WAIT_SLEEP,
                                             .log = fixture_log,
                                             .ctx = f,
                                             .run_hash = with_hash};
    *f = (struct fixture){0};
    assert_int_equal(trestle_bridge_create(&options, &f->bridge, NULL), 0);
    add_devices(f, 3);
    if (trace)
        assert_int_equal(trestle_bridge_trace(f->bridge, trace, NULL), 0);
    assert_int_equal(trestle_bridge_listen(f->bridge, NULL), 0);
    return f;
}

struct client {
    int fds[3];
    uint64_t seq[3];
};

static void join(struct fixture *f, struct client *c, uint32_t index)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_hello hello = {.version_min = 2,
                                     .version_max = 2,
                                     .features = TRESTLE_V2_FEATURE_TIME,
                                     .client_id = "a client's id..",
                                     .base_addr = BASE + index * STRIDE,
                                     .size = 4096};
    c->fds[index] = client_connect(f, index);
    c->seq[index] = 0;
    trestle_v2_encode_hello(bytes, &hello);
    client_send(c->fds[index], bytes, sizeof(bytes));
    assert_true(client_receive(f, c->fds[index], bytes, sizeof(bytes)));
}

static void ask(struct fixture *f, struct client *c, uint32_t index, struct trestle_v2_message m)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    m.seq = m.id = ++c->seq[index];
    m.device = index;
    m.size = 8;
    trestle_v2_encode(bytes, &m);
    client_send(c->fds[index], bytes, sizeof(bytes));
    assert_true(client_receive(f, c->fds[index], bytes, sizeof(bytes)));
}

/* What one guest does; `value` is what it writes first. */
static void guest(struct fixture *f, const unsigned *order, uint64_t value)
{
    struct client c;
    for (unsigned i = 0; i < 3; i++)
        join(f, &c, order[i]);
    ask(f, &c, 1,
        (struct trestle_v2_message){
            .type = TRESTLE_V2_WRITE, .addr = REG_VALUE, .data = value, .time = 1000});
    ask(f, &c, 0,
        (struct trestle_v2_message){
            .type = TRESTLE_V2_WRITE, .addr = REG_TIMER, .data = 100, .time = 2000});
    ask(f, &c, 2,
        (struct trestle_v2_message){.type = TRESTLE_V2_READ, .addr = REG_DEFERRED, .time = 3000});
    ask(f, &c, 1,
        (struct trestle_v2_message){.type = TRESTLE_V2_READ, .addr = REG_VALUE, .time = 4000});
    for (unsigned i = 0; i < 3; i++)
        close(c.fds[i]);
}

static uint64_t hash_of_run(const unsigned *order, uint64_t value)
{
    struct fixture *f = open_bridge(true, NULL);
    uint64_t hash;
    bool has_times;
    assert_false(trestle_bridge_run_hash(f->bridge, &hash, &has_times)); /* nothing yet */
    guest(f, order, value);
    assert_true(trestle_bridge_run_hash(f->bridge, &hash, &has_times));
    assert_true(has_times);
    trestle_bridge_destroy(f->bridge);
    return hash;
}

static const unsigned forwards[] = {0, 1, 2}, backwards[] = {2, 1, 0};

static void test_order_of_connections_does_not_matter(void **state)
{
    uint64_t hash = hash_of_run(forwards, 7);
    assert_int_equal(hash_of_run(backwards, 7), hash);
    assert_int_not_equal(hash_of_run(forwards, 8), hash);
}

static void test_no_hash_unless_asked_for(void **state)
{
    struct fixture *f = open_bridge(false, NULL);
    struct trestle_bridge_trace_stats stats;
    uint64_t hash;
    bool has_times;
    guest(f, forwards, 7);
    assert_false(trestle_bridge_run_hash(f->bridge, &hash, &has_times));
    assert_false(trestle_bridge_trace_end(f->bridge, &stats));
    trestle_bridge_destroy(f->bridge);
}

static void count_answers(void *ctx, const struct trestle_device *dev,
                          struct trestle_trace_record *record)
{
    unsigned *count = ctx;
    if (record->kind != TRESTLE_TRACE_ANSWER)
        return;
    count[record->device]++;
    assert_int_equal(record->guest_time % 1000, 0);
    assert_cmp(record->guest_time, <=, 4000);
}

/* It sees what passes, with and without a hash, which stays what it is. */
static void test_an_observer_from_aside(void **state)
{
    uint64_t expected = hash_of_run(forwards, 7), hash;
    for (int with_hash = 0; with_hash < 2; with_hash++) {
        struct fixture *f = open_bridge(with_hash, NULL);
        unsigned count[3] = {0};
        bool has_times;
        trestle_bridge_observe(f->bridge, count_answers, count);
        guest(f, forwards, 7);
        assert_int_equal(count[0], 1);
        assert_int_equal(count[1], 2);
        assert_int_equal(count[2], 1);
        trestle_bridge_observe(f->bridge, NULL, NULL);
        assert_int_equal(trestle_bridge_run_hash(f->bridge, &hash, &has_times), with_hash);
        if (with_hash)
            assert_int_equal(hash, expected);
        trestle_bridge_destroy(f->bridge);
    }
}

static void test_version_1_has_no_times(void **state)
{
    struct fixture *f = open_bridge(true, NULL);
    uint8_t bytes[TRESTLE_V1_REQUEST_SIZE];
    struct trestle_v1_request request = {
        .type = TRESTLE_V1_READ, .size = 8, .addr = BASE + REG_VALUE};
    uint64_t hash;
    bool has_times;
    int fd = client_connect(f, 0);
    trestle_v1_encode_request(bytes, &request);
    client_send(fd, bytes, sizeof(bytes));
    assert_true(client_receive(f, fd, bytes, TRESTLE_V1_RESPONSE_SIZE));
    assert_true(trestle_bridge_run_hash(f->bridge, &hash, &has_times));
    assert_false(has_times);
    close(fd);
    trestle_bridge_destroy(f->bridge);
}

/* --- the trace ------------------------------------------------------------------------------- */

static void expect(struct trestle_trace_reader *reader, enum trestle_trace_kind kind,
                   uint32_t device, trestle_time guest_time, trestle_time time)
{
    struct trestle_trace_record record;
    assert_int_equal(trestle_trace_next(reader, &record, NULL), 1);
    assert_int_equal(record.kind, kind);
    assert_int_equal(record.device, device);
    assert_int_equal(record.guest_time, guest_time);
    assert_int_equal(record.time, time);
}

/* While the guest waits 500 ns for device 2, which are none for it, the timer of device 0 comes. */
static void test_both_times(void **state)
{
    char path[64];
    int fd = memfd_create("trace", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct fixture *f = open_bridge(false, path);
    struct trestle_bridge_trace_stats stats;
    struct trestle_trace_reader *reader;
    struct trestle_trace_record record;
    uint64_t hash;
    bool has_times;
    assert_int_equal(trestle_bridge_trace(f->bridge, path, NULL), -EBUSY);
    guest(f, forwards, 7);
    assert_true(trestle_bridge_run_hash(f->bridge, &hash, &has_times));
    assert_true(trestle_bridge_trace_end(f->bridge, &stats));
    assert_true(stats.is_whole);
    assert_int_equal(stats.records, 9);
    trestle_bridge_destroy(f->bridge);

    FILE *file = fdopen(fd, "r");
    assert_int_equal(trestle_trace_open(file, &reader, NULL), 0);
    assert_int_equal(trestle_trace_header(reader)->num_devices, 3);
    assert_string_equal(trestle_trace_header(reader)->devices[1].name, "dev1");
    assert_string_equal(trestle_trace_header(reader)->devices[1].model, "memory");
    const trestle_time late = 3000 + 500 * TRESTLE_NS, stall = 500 * TRESTLE_NS;
    expect(reader, TRESTLE_TRACE_WRITE, 1, 1000, 1000);
    expect(reader, TRESTLE_TRACE_ANSWER, 1, 1000, 1000);
    expect(reader, TRESTLE_TRACE_WRITE, 0, 2000, 2000);
    expect(reader, TRESTLE_TRACE_ANSWER, 0, 2000, 2000);
    expect(reader, TRESTLE_TRACE_READ, 2, 3000, 3000);
    expect(reader, TRESTLE_TRACE_IRQ, 0, 3000, 2000 + 100 * TRESTLE_NS);
    expect(reader, TRESTLE_TRACE_ANSWER, 2, 3000, late);
    expect(reader, TRESTLE_TRACE_READ, 1, 4000, 4000 + stall);
    expect(reader, TRESTLE_TRACE_ANSWER, 1, 4000, 4000 + stall);
    assert_int_equal(trestle_trace_next(reader, &record, NULL), 0);
    assert_int_equal(trestle_trace_hash(reader), hash);
    trestle_trace_close(reader);
    fclose(file);
}

/* Somebody reads it while the run goes on: what is known is there before the end. */
static void test_a_trace_with_a_reader(void **state)
{
    char dir[] = "/tmp/trestle-unit-XXXXXX", path[64], bytes[4096];
    struct trestle_bridge_trace_stats stats;
    uint64_t of_nothing, count = 0;
    ssize_t n;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/trace", dir);
    struct fixture *f = open_bridge(false, "/dev/null");
    assert_true(trestle_bridge_trace_end(f->bridge, &stats));
    of_nothing = stats.bytes;
    trestle_bridge_destroy(f->bridge);

    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    f = open_bridge(false, path);
    guest(f, forwards, 7);
    for (unsigned i = 0; i < 10000 && count <= of_nothing; i++) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        turn(f);
        if (poll(&readable, 1, 1) == 1 && (n = read(fd, bytes, sizeof(bytes))) > 0)
            count += (uint64_t)n;
    }
    assert_cmp(count, >, of_nothing);
    assert_true(trestle_bridge_trace_end(f->bridge, &stats));
    assert_true(stats.is_whole);
    trestle_bridge_destroy(f->bridge);
    close(fd);
    unlink(path);
    rmdir(dir);
}

static int take_two_params(struct trestle_device *dev, const struct trestle_params *params)
{
    uint64_t a, b;
    int r = trestle_params_u64(params, "a", 0, &a);
    return r < 0 ? r : trestle_params_u64(params, "b", 0, &b);
}

static void test_parameters_are_in_it(void **state)
{
    const struct trestle_param params[] = {{"a", "1"}, {"b", "0x2"}};
    struct trestle_bridge_options options = {.size = sizeof(options)};
    struct trestle_model model = memory_model;
    struct trestle_bridge_device device = {.size = sizeof(device),
                                           .name = "dev",
                                           .model = &model,
                                           .base_addr = BASE,
                                           .params = params,
                                           .num_params = 2};
    struct trestle_trace_reader *reader;
    char path[64];
    int fd = memfd_create("trace", MFD_CLOEXEC);
    model.init = take_two_params;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct trestle_bridge *bridge;
    assert_int_equal(trestle_bridge_create(&options, &bridge, NULL), 0);
    assert_int_equal(trestle_bridge_add_device(bridge, &device, NULL, NULL), 0);
    assert_int_equal(trestle_bridge_trace(bridge, path, NULL), 0);
    trestle_bridge_destroy(bridge);
    FILE *file = fdopen(fd, "r");
    assert_int_equal(trestle_trace_open(file, &reader, NULL), 0);
    const struct trestle_trace_device *traced = trestle_trace_header(reader)->devices;
    assert_int_equal(traced->num_params, 2);
    assert_string_equal(traced->params[0].key, "a");
    assert_string_equal(traced->params[1].key, "b");
    assert_string_equal(traced->params[1].value, "0x2");
    trestle_trace_close(reader);
    fclose(file);
}

/* The run goes on, and hears of it once. */
static void test_a_full_disk(void **state)
{
    static const char text[] = "cannot write the trace /dev/full: No space left on device; it is "
                               "cut off there, and the run goes on";
    struct fixture *f = open_bridge(false, "/dev/full");
    struct trestle_bridge_trace_stats stats;
    guest(f, forwards, 7);
    for (unsigned i = 0; i < 10000 && !log_has(f, text); i++) {
        guest(f, forwards, 7);
        turn(f);
    }
    assert_log_has(f, text);
    assert_true(trestle_bridge_trace_end(f->bridge, &stats));
    assert_false(stats.is_whole);
    assert_null(strstr(strstr(f->log, text) + 1, text));
    trestle_bridge_destroy(f->bridge);
}

static void test_a_place_that_cannot_be_written(void **state)
{
    struct fixture *f = open_bridge(false, NULL);
    char *error = NULL;
    assert_int_equal(trestle_bridge_trace(f->bridge, "/tmp", &error), -EBUSY); /* it listens */
    free(error);
    trestle_bridge_destroy(f->bridge);
    struct trestle_bridge_options options = {.size = sizeof(options)};
    assert_int_equal(trestle_bridge_create(&options, &f->bridge, NULL), 0);
    assert_int_equal(trestle_bridge_trace(f->bridge, "/tmp", &error), -EISDIR);
    assert_string_equal(error, "cannot write the trace /tmp: Is a directory");
    free(error);
    trestle_bridge_destroy(f->bridge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_connections_does_not_matter),
        cmocka_unit_test(test_no_hash_unless_asked_for),
        cmocka_unit_test(test_an_observer_from_aside),
        cmocka_unit_test(test_version_1_has_no_times),
        cmocka_unit_test(test_both_times),
        cmocka_unit_test(test_a_trace_with_a_reader),
        cmocka_unit_test(test_parameters_are_in_it),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_a_place_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
