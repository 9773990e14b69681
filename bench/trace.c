/* SPDX-License-Identifier: MIT */
/*
 * What looking costs: an access to a model when nobody looks, when it is hashed, and when it is
 * written to a trace as well (to /dev/null: a thread of its own writes). Nanoseconds of processor
 * time of the thread that makes the accesses, each the median of five runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/command.h"
#include "trace/hash.h"
#include "trace/trace.h"
#include "trace/writer.h"

#define RUNS 5

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void check(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "trace: %s: %s\n", what, strerror(-r));
        exit(1);
    }
}

static int unit_read(struct trestle_device *dev, struct trestle_request *req,
                     const struct trestle_access *access, uint64_t *ret_data)
{
    *ret_data = *(uint64_t *)trestle_device_state(dev);
    return 0;
}

static int unit_write(struct trestle_device *dev, struct trestle_request *req,
                      const struct trestle_access *access)
{
    *(uint64_t *)trestle_device_state(dev) = access->data;
    return 0;
}

static const struct trestle_model unit_model = {
    .size = sizeof(unit_model),
    .name = "unit",
    .region_size = 16,
    .access_sizes = 4,
    .state_size = sizeof(uint64_t),
    .read = unit_read,
    .write = unit_write,
};

struct looker {
    struct trace_hash hash;
    struct trace_writer *writer;
};

static void look(void *ctx, const struct trestle_device *dev, struct trestle_trace_record *record)
{
    struct looker *looker = ctx;
    record->guest_time = record->time;
    trace_hash_add(&looker->hash, record);
    if (looker->writer)
        trace_writer_put(looker->writer, record);
}

enum looks { NOBODY, HASH, TRACE };

static struct trace_writer *new_writer(void)
{
    static const struct trestle_trace_device device = {.name = "unit", .model = "unit"};
    static const struct trestle_trace_header header = {.devices = &device, .num_devices = 1};
    struct trace_writer *writer;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    check(fd < 0 ? -errno : 0, "/dev/null");
    check(trace_writer_create(fd, &header, 1024, &writer), "writer");
    return writer;
}

static double run(enum looks looks, uint64_t accesses)
{
    struct trestle_sim *sim;
    struct trestle_device *dev;
    struct trestle_device_options options = {.size = sizeof(options), .name = "unit"};
    struct looker looker = {.writer = looks == TRACE ? new_writer() : NULL};
    struct trace_writer_result result;
    check(trestle_sim_create(&sim), "sim");
    check(trestle_device_create(sim, &unit_model, &options, &dev, NULL), "device");
    trace_hash_init(&looker.hash);
    if (looks != NOBODY)
        trestle_sim_observe(sim, look, &looker);
    double start = seconds();
    for (uint64_t i = 0; i < accesses; i++) {
        struct trestle_request req = {.access = {.offset = 4, .data = i, .size = 4},
                                      .write = i & 1};
        trestle_sim_run_until(sim, i * 400 * TRESTLE_NS);
        check(trestle_device_submit(dev, &req), "access");
    }
    double time = (seconds() - start) / (double)accesses;
    if (looker.writer)
        trace_writer_finish(looker.writer, trace_hash_value(&looker.hash), &result);
    trestle_device_destroy(dev);
    trestle_sim_destroy(sim);
    return time;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"nobody looks", "hashed", "hashed and written"};
    /* An argument scales the work down, for a quick look. */
    uint64_t scale = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t n = 4000000 / (scale ? scale : 1);
    for (enum looks looks = NOBODY; looks <= TRACE; looks++) {
        double times[RUNS];
        for (int i = 0; i < RUNS; i++)
            times[i] = run(looks, n);
        qsort(times, RUNS, sizeof(times[0]), compare);
        printf("an access, %-20s %8.1f ns\n", names[looks], times[RUNS / 2] * 1e9);
    }
    return 0;
}
