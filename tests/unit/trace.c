/* SPDX-License-Identifier: MIT */
/* The bytes of traces, both ways, against those in docs/trace.md; the writer with a slow file and
 * with a full disk; the reader with what is no trace. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "trace/hash.h"
#include "trace/record.h"
#include "trace/trace.h"
#include "trace/writer.h"

#define NEVER TRESTLE_TIME_NEVER

/* --- the example of the documentation -------------------------------------------------------- */

static const struct trestle_param param = {"echo_latency", "7"};
static const struct trestle_trace_device devices[] = {
    {.name = "a", .model = "echo", .base_addr = 0x10200000, .size = 0x1000, &param, 1},
    {.name = "b", .model = "dma", .base_addr = 0x10201000, .size = 0x1000},
};
static const struct trestle_trace_link example_link = {.devices = {0, 1}, .latency = 1000};
static const struct trestle_trace_header header = {devices, 2, &example_link, 1};

#define BYTES(text) .bytes = (const uint8_t *)(text), .size = sizeof(text) - 1

static const struct trestle_trace_record records[] = {
    {TRESTLE_TRACE_RESET, 0, 0, NEVER},
    {TRESTLE_TRACE_WRITE, 0, 5000, 5000, .size = 4, .addr = 0, .data = 0xcafebabe},
    {TRESTLE_TRACE_ANSWER, 0, 5000, 5000},
    {TRESTLE_TRACE_READ, 0, 9000, 9000, .size = 8, .addr = 0x18},
    {TRESTLE_TRACE_SEND, 0, 9000, 9000, BYTES("\1\2\3")},
    {TRESTLE_TRACE_RECEIVE, 1, 10000, 9000, BYTES("\1\2\3")},
    {TRESTLE_TRACE_IRQ, 1, 10000, 9000, .number = 1, .data = 1},
    {TRESTLE_TRACE_ANSWER, 0, 509000, 9000, .data = 0xdef},
    {TRESTLE_TRACE_DMA_READ, 1, 600000, 100000, .addr = 0x80000100, .data = 5},
    {TRESTLE_TRACE_DMA_DATA, 1, 600000, 100000, BYTES("hello")},
    {TRESTLE_TRACE_DMA_END, 1, 600000, 100000},
    {TRESTLE_TRACE_DMA_WRITE, 1, 600000, 100000, .number = 1, .addr = 4, .data = 2},
    {TRESTLE_TRACE_DMA_DATA, 1, 600000, 100000, .number = 1, BYTES("\xff\0")},
    {TRESTLE_TRACE_DMA_END, 1, 600000, 100000, .number = 1, .status = -EFAULT},
    {TRESTLE_TRACE_INPUT, 1, 650000, 150000, BYTES("ok")},
    {TRESTLE_TRACE_WRITE, 1, 700000, 200000, .size = 1, .addr = 9, .data = 0x7f},
    {TRESTLE_TRACE_ANSWER, 1, 700000, 200000, .status = -EINVAL},
    {TRESTLE_TRACE_RESET, 0, 750000, 250000, .number = TRESTLE_TRACE_RESET_ALONE},
    {TRESTLE_TRACE_IRQ, 1, 800000, 300000, .number = 1, .data = 0},
};
#define NUM_RECORDS (sizeof(records) / sizeof(records[0]))

struct bytes {
    uint8_t at[4096];
    size_t size;
};

/* Lines of hexadecimal bytes in the section "An example". */
static const struct bytes *documented(void)
{
    static struct bytes bytes;
    char line[256];
    bool is_near = false, is_here = false;
    FILE *file = fopen(DOCUMENT, "re");
    assert_non_null(file);
    bytes.size = 0;
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, "### An example", 14) == 0)
            is_near = true;
        else if (is_near && strncmp(line, "```", 3) == 0)
            is_here = !is_here;
        char *rest = line, *end;
        for (; is_here && *rest != '#'; rest = end) {
            unsigned long byte = strtoul(rest, &end, 16);
            if (end == rest)
                break;
            bytes.at[bytes.size++] = (uint8_t)byte;
        }
    }
    fclose(file);
    assert_cmp(bytes.size, >, TRACE_HEADER_START);
    return &bytes;
}

static void assert_records_equal(const struct trestle_trace_record *a,
                                 const struct trestle_trace_record *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->device, b->device);
    assert_int_equal(a->time, b->time);
    assert_int_equal(a->guest_time, b->guest_time);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->addr, b->addr);
    assert_int_equal(a->data, b->data);
    assert_int_equal(a->status, b->status);
    assert_int_equal(!a->bytes, !b->bytes);
    if (a->bytes)
        assert_memory_equal(a->bytes, b->bytes, a->size);
}

static uint64_t hash_of(const struct trestle_trace_record *list, size_t count)
{
    struct trace_hash hash;
    trace_hash_init(&hash);
    for (size_t i = 0; i < count; i++)
        trace_hash_add(&hash, &list[i]);
    return trace_hash_value(&hash);
}

static void test_documented_bytes_are_read(void **state)
{
    const struct bytes *bytes = documented();
    struct trestle_trace_reader *reader;
    struct trestle_trace_record record;
    char *error = NULL;
    FILE *file = fmemopen((void *)bytes->at, bytes->size, "r");
    assert_int_equal(trestle_trace_open(file, &reader, NULL), 0);
    const struct trestle_trace_header *got = trestle_trace_header(reader);
    assert_int_equal(got->num_devices, 2);
    assert_int_equal(got->num_links, 1);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(got->devices[i].name, devices[i].name);
        assert_string_equal(got->devices[i].model, devices[i].model);
        assert_int_equal(got->devices[i].base_addr, devices[i].base_addr);
        assert_int_equal(got->devices[i].size, devices[i].size);
        assert_int_equal(got->devices[i].num_params, devices[i].num_params);
    }
    assert_string_equal(got->devices[0].params[0].key, param.key);
    assert_string_equal(got->devices[0].params[0].value, param.value);
    assert_memory_equal(&got->links[0], &example_link, sizeof(example_link));
    for (size_t i = 0; i < NUM_RECORDS; i++) {
        assert_int_equal(trestle_trace_next(reader, &record, &error), 1);
        assert_records_equal(&record, &records[i]);
    }
    assert_int_equal(trestle_trace_next(reader, &record, &error), 0);
    assert_int_equal(trestle_trace_next(reader, &record, &error), 0);
    assert_int_equal(trestle_trace_count(reader), NUM_RECORDS);
    assert_int_equal(trestle_trace_hash(reader), hash_of(records, NUM_RECORDS));
    trestle_trace_close(reader);
    fclose(file);
}

static void test_documented_bytes_are_written(void **state)
{
    const struct bytes *bytes = documented();
    struct trace_writer *writer;
    struct trace_writer_result result;
    uint8_t written[sizeof(bytes->at)];
    int fd = memfd_create("trace", MFD_CLOEXEC);
    assert_int_equal(trace_writer_create(dup(fd), &header, 2, &writer), 0);
    for (size_t i = 0; i < NUM_RECORDS; i++)
        trace_writer_put(writer, &records[i]);
    trace_writer_finish(writer, hash_of(records, NUM_RECORDS), &result);
    assert_int_equal(result.error, 0);
    assert_int_equal(result.num_records, NUM_RECORDS);
    assert_int_equal(result.num_bytes, bytes->size);
    assert_int_equal(pread(fd, written, sizeof(written), 0), bytes->size);
    assert_memory_equal(written, bytes->at, bytes->size);
    close(fd);
}

/* --- the hash -------------------------------------------------------------------------------- */

static void test_hash_of_nothing_is_that_of_xxh64(void **state)
{
    assert_int_equal(hash_of(NULL, 0), 0xef46db3751d8e999);
}

static void test_one_change_changes_the_hash(void **state)
{
    struct trestle_trace_record changed[NUM_RECORDS];
    uint64_t hash = hash_of(records, NUM_RECORDS);
    for (size_t i = 0; i < NUM_RECORDS - 1; i++) {
        memcpy(changed, records, sizeof(records));
        bool counts = (records[i].kind != TRESTLE_TRACE_RESET ||
                       records[i].number == TRESTLE_TRACE_RESET_ALONE) &&
                      records[i].kind != TRESTLE_TRACE_SEND &&
                      records[i].kind != TRESTLE_TRACE_RECEIVE;
        changed[i].guest_time ^= UINT64_C(1) << 63;
        assert_int_equal(hash_of(changed, NUM_RECORDS) != hash, counts);
        changed[i] = records[i];
        changed[i].time ^= 1;
        assert_int_equal(hash_of(changed, NUM_RECORDS) != hash, counts);
        changed[i] = records[i];
        changed[i].device ^= 1;
        assert_int_equal(hash_of(changed, NUM_RECORDS) != hash, counts);
    }
    memcpy(changed, records, sizeof(records));
    changed[1].data ^= UINT64_C(1) << 63;
    assert_int_not_equal(hash_of(changed, NUM_RECORDS), hash);
    changed[1] = records[1];
    changed[3].size = 4;
    assert_int_not_equal(hash_of(changed, NUM_RECORDS), hash);
    changed[3] = records[3];
    changed[9].bytes = (const uint8_t *)"hullo";
    assert_int_not_equal(hash_of(changed, NUM_RECORDS), hash);
}

/* How often a machine is reset before its guest starts is its QEMU's business. */
static void test_reset_of_one_device_is_in_the_hash(void **state)
{
    struct trestle_trace_record reset = {TRESTLE_TRACE_RESET, 0, 7000, 7000};
    uint64_t none = hash_of(NULL, 0);
    assert_int_equal(hash_of(&reset, 1), none);
    reset.number = TRESTLE_TRACE_RESET_ALONE;
    uint64_t one = hash_of(&reset, 1);
    assert_int_not_equal(one, none);
    reset.time++;
    assert_int_not_equal(hash_of(&reset, 1), one);
}

static void test_what_no_access_follows_is_in_the_hash(void **state)
{
    assert_int_not_equal(hash_of(records, NUM_RECORDS), hash_of(records, NUM_RECORDS - 1));
}

/* --- traces that are none -------------------------------------------------------------------- */

/* Reads all; returns what ended it, with the records before. */
static int read_all(const void *bytes, size_t size, uint64_t *ret_count, char **ret_error)
{
    struct trestle_trace_reader *reader;
    struct trestle_trace_record record;
    FILE *file = size ? fmemopen((void *)bytes, size, "r") : fopen("/dev/null", "re");
    assert_non_null(file);
    *ret_count = 0;
    *ret_error = NULL;
    int r = trestle_trace_open(file, &reader, ret_error);
    if (r == 0) {
        while ((r = trestle_trace_next(reader, &record, ret_error)) > 0)
            ;
        *ret_count = trestle_trace_count(reader);
        trestle_trace_close(reader);
    }
    fclose(file);
    return r;
}

static void test_cut_off_anywhere(void **state)
{
    const struct bytes *bytes = documented();
    uint64_t count, most = 0;
    for (size_t size = 0; size < bytes->size; size++) {
        char *error, offset[64];
        assert_int_equal(read_all(bytes->at, size, &count, &error), -ENODATA);
        snprintf(offset, sizeof(offset), "byte %zu: ", size);
        assert_non_null(strstr(error, offset));
        assert_cmp(count, >=, most);
        most = count;
        free(error);
    }
    assert_int_equal(most, NUM_RECORDS);
}

/* Most flips are errors, some another trace; none is worse. */
static void test_damaged_anywhere(void **state)
{
    struct bytes bytes = *documented();
    uint64_t count;
    char *error;
    for (size_t i = 0; i < 8 * bytes.size; i++) {
        bytes.at[i / 8] ^= (uint8_t)(1 << i % 8);
        int r = read_all(bytes.at, bytes.size, &count, &error);
        if (r != 0 && r != -EPROTO)
            assert_int_equal(r, -ENODATA);
        assert_int_equal(r == 0, error == NULL);
        bytes.at[i / 8] ^= (uint8_t)(1 << i % 8);
        free(error);
    }
}

static void assert_refused(size_t offset, uint8_t byte, const char *why)
{
    struct bytes bytes = *documented();
    uint64_t count;
    char *error;
    bytes.at[offset] = byte;
    assert_int_equal(read_all(bytes.at, bytes.size, &count, &error), -EPROTO);
    if (!strstr(error, why))
        fail_msg("\"%s\" is not in \"%s\"", why, error);
    free(error);
}

static const struct trestle_register table[] = {
    {"CTRL", 0x00, .size = 4, .stride = 4,
     .fields = TRESTLE_FIELDS({"mode", 6, .values = TRESTLE_VALUES({"slow", 0}, {"fast", 3})})},
    {"LED%s", 0x10, .size = 2, .count = 3, .stride = 8},
};

/* With a table the header has another version, and gives it back; none of its bytes is trusted. */
static void test_registers(void **state)
{
    const struct trestle_trace_device two[] = {
        {.name = "a", .model = "m", .registers = table, .num_registers = 2},
        {.name = "b", .model = ""},
    };
    const struct trestle_trace_header said = {.devices = two, .num_devices = 2};
    struct trestle_trace_header got;
    const char *why;
    uint8_t *buf;
    size_t size, told;
    assert_int_equal(trace_encode_header(&said, &buf, &size), 0);
    assert_int_equal(buf[8], 2);
    assert_int_equal(trace_header_size(buf, &told, &why), 0);
    assert_int_equal(told, size);
    assert_int_equal(trace_decode_header(buf, size, &got, &why), 0);
    assert_int_equal(got.devices[0].num_registers, 2);
    assert_int_equal(got.devices[1].num_registers, 0);
    const struct trestle_register *reg = got.devices[0].registers;
    assert_string_equal(reg[0].name, "CTRL");
    assert_string_equal(reg[0].fields[0].values[1].name, "fast");
    assert_null(reg[0].fields[1].name);
    assert_int_equal(reg[1].offset, 0x10);
    assert_int_equal(reg[1].count, 3);
    assert_int_equal(reg[1].stride, 8);
    trace_free_header(&got);
    for (size_t i = 24; i < size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            buf[i] ^= (uint8_t)(1u << bit);
            if (trace_decode_header(buf, size, &got, &why) == 0)
                trace_free_header(&got);
            buf[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t cut = 24; cut < size; cut++)
        assert_int_equal(trace_decode_header(buf, cut, &got, &why), -EPROTO);
    free(buf);
}

/* Their hash ends with the last access, and their last record does not say by which definition. */
static void test_older_traces_are_as_good_as_ever(void **state)
{
    struct bytes bytes = *documented();
    struct trace_hash hash;
    uint64_t count;
    char *error = NULL;
    trace_hash_init(&hash);
    for (size_t i = 0; i < NUM_RECORDS; i++)
        trace_hash_add(&hash, &records[i]);
    assert_int_not_equal(trace_hash_by(&hash, TRACE_HASH_FIRST), trace_hash_value(&hash));
    bytes.size--;
    bytes.at[bytes.size - 11]--; /* the length of the last record */
    for (unsigned i = 0; i < 8; i++)
        bytes.at[bytes.size - 8 + i] = (uint8_t)(trace_hash_by(&hash, TRACE_HASH_FIRST) >> 8 * i);
    assert_int_equal(read_all(bytes.at, bytes.size, &count, &error), 0);
    assert_int_equal(count, NUM_RECORDS);
}

static void test_each_damage_is_named(void **state)
{
    struct bytes bytes = *documented();
    size_t first = bytes.at[12]; /* the first record */
    assert_refused(0, 'X', "not a trace");
    assert_refused(8, 4, "another version");
    assert_refused(12, 23, "a header of impossible size");
    assert_refused(12, (uint8_t)(first - 1), "a damaged header");
    assert_refused(17, 1, "a damaged header");         /* more devices than bytes */
    assert_refused(first - 24, 2, "a damaged header"); /* a link of a device that is none */
    assert_refused(first, 0, "not a record");
    assert_refused(first + 1, 0x0e, "not a record");
    assert_refused(first + 2, 2, "a device that the header does not have");
    assert_refused(first + 9, 3, "an impossible time"); /* stall before the start */
    assert_refused(bytes.size - 1, 3, "not a record");  /* a hash of a kind that is not known */
    assert_refused(bytes.size - 2, 0, "the hash");
    assert_refused(bytes.size - 10, 20, "another number of records");
    assert_refused(bytes.size - 22, 2, "a reset of an unknown kind");
    bytes.at[bytes.size++] = 0;
    uint64_t count;
    char *error;
    assert_int_equal(read_all(bytes.at, bytes.size, &count, &error), -EPROTO);
    assert_non_null(strstr(error, "bytes after the last record"));
    assert_int_equal(count, NUM_RECORDS);
    free(error);
}

/* --- slow files and full disks --------------------------------------------------------------- */

#define MANY 200000u

static void *put_many(void *ctx)
{
    struct trace_writer *writer = ctx;
    for (uint64_t i = 0; i < MANY; i++) {
        struct trestle_trace_record record = {
            TRESTLE_TRACE_WRITE, 0, i * 1000, i * 1000, .size = 8, .addr = 8, .data = i << 32};
        trace_writer_put(writer, &record);
    }
    return NULL;
}

/* Nothing is read from the pipe until the other side waits: it does wait, and nothing is lost. */
static void test_a_slow_file_loses_nothing(void **state)
{
    struct trace_writer *writer;
    struct trace_writer_result result;
    struct trestle_trace_reader *reader;
    struct trestle_trace_record record;
    atomic_bool is_waiting = false;
    pthread_t thread;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    /* At the end it has to hold what is left, and before that not all. */
    assert_int_equal(fcntl(fds[0], F_SETPIPE_SZ, 1 << 20), 1 << 20);
    assert_int_equal(trace_writer_create(fds[1], &header, 3, &writer), 0);
    trace_writer_belong(writer, &is_waiting, NULL);
    assert_int_equal(pthread_create(&thread, NULL, put_many, writer), 0);
    while (!atomic_load(&is_waiting))
        sched_yield();
    FILE *file = fdopen(fds[0], "r");
    assert_int_equal(trestle_trace_open(file, &reader, NULL), 0);
    for (uint64_t i = 0; i < MANY - 10000; i++) {
        assert_int_equal(trestle_trace_next(reader, &record, NULL), 1);
        assert_int_equal(record.data, i << 32);
    }
    pthread_join(thread, NULL);
    trace_writer_finish(writer, 0, &result);
    assert_int_equal(result.num_records, MANY);
    assert_cmp(result.waited_ns, >, 0);
    assert_int_equal(result.error, 0);
    for (uint64_t i = MANY - 10000; i < MANY; i++) {
        assert_int_equal(trestle_trace_next(reader, &record, NULL), 1);
        assert_int_equal(record.data, i << 32);
    }
    assert_int_equal(trestle_trace_next(reader, &record, NULL), -EPROTO); /* not its hash */
    trestle_trace_close(reader);
    fclose(file);
}

/* It is waited for as long as the run goes on, and no longer. */
static void test_nobody_reads_it(void **state)
{
    struct trace_writer *writer;
    struct trace_writer_result result;
    atomic_bool is_waiting = false, is_over = false;
    pthread_t thread;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(trace_writer_create(fds[1], &header, 3, &writer), 0);
    trace_writer_belong(writer, &is_waiting, &is_over);
    assert_int_equal(pthread_create(&thread, NULL, put_many, writer), 0);
    while (!atomic_load(&is_waiting))
        sched_yield();
    assert_int_equal(trace_writer_error(writer), 0);
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
    assert_int_equal(trace_writer_error(writer), -ETIMEDOUT);
    trace_writer_finish(writer, 0, &result);
    assert_int_equal(result.error, -ETIMEDOUT);
    assert_cmp(result.num_bytes, >, 0);
    close(fds[0]);
}

static void test_a_full_disk(void **state)
{
    struct trace_writer *writer;
    struct trace_writer_result result;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_cmp(fd, >=, 0);
    assert_int_equal(trace_writer_create(fd, &header, 2, &writer), 0);
    put_many(writer); /* does not wait for ever */
    assert_int_equal(trace_writer_error(writer), -ENOSPC);
    trace_writer_finish(writer, 0, &result);
    assert_int_equal(result.error, -ENOSPC);
    assert_int_equal(result.num_records, 0);
}

/* What the writer says it has written is what a reader finds. */
static void test_a_file_that_is_cut_off(void **state)
{
    const struct rlimit limit = {100003, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    struct trace_writer_result result;
    struct trestle_trace_reader *reader;
    struct trestle_trace_record record;
    struct trace_writer *writer;
    FILE *file = tmpfile();
    uint64_t found = 0;
    assert_non_null(file);
    int fd = dup(fileno(file));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(trace_writer_create(fd, &header, 2, &writer), 0);
    put_many(writer);
    trace_writer_finish(writer, 0, &result);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(result.error, -EFBIG);
    assert_int_equal(result.num_bytes, 100003);
    rewind(file);
    assert_int_equal(trestle_trace_open(file, &reader, NULL), 0);
    while (trestle_trace_next(reader, &record, NULL) == 1)
        found++;
    assert_cmp(found, >, 0);
    assert_int_equal(result.num_records, found);
    trestle_trace_close(reader);
    fclose(file);
}

static void test_a_header_that_does_not_fit(void **state)
{
    static char name[70000];
    const struct trestle_trace_device device = {.name = name, .model = "m"};
    const struct trestle_trace_header large = {&device, 1, NULL, 0};
    struct trace_writer *writer;
    memset(name, 'n', sizeof(name) - 1);
    assert_int_equal(trace_writer_create(-1, &large, 2, &writer), -EFBIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documented_bytes_are_read),
        cmocka_unit_test(test_documented_bytes_are_written),
        cmocka_unit_test(test_hash_of_nothing_is_that_of_xxh64),
        cmocka_unit_test(test_one_change_changes_the_hash),
        cmocka_unit_test(test_reset_of_one_device_is_in_the_hash),
        cmocka_unit_test(test_what_no_access_follows_is_in_the_hash),
        cmocka_unit_test(test_older_traces_are_as_good_as_ever),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_damaged_anywhere),
        cmocka_unit_test(test_registers),
        cmocka_unit_test(test_each_damage_is_named),
        cmocka_unit_test(test_a_slow_file_loses_nothing),
        cmocka_unit_test(test_nobody_reads_it),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_a_file_that_is_cut_off),
        cmocka_unit_test(test_a_header_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
