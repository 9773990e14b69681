/* SPDX-License-Identifier: MIT */
/* Reads what the guest mmio_bench prints and computes percentiles from it. */
#include "bench/guest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* The guest prints the buckets in ascending order. */
struct bench_histogram {
    struct {
        uint64_t time, times;
    } * buckets;
    size_t count;
    uint64_t total;
};

static void add_bucket(struct bench_histogram *histogram, uint64_t time, uint64_t times)
{
    histogram->buckets =
        xrealloc(histogram->buckets, histogram->count + 1, sizeof(*histogram->buckets));
    histogram->buckets[histogram->count].time = time;
    histogram->buckets[histogram->count++].times = times;
    histogram->total += times;
}

static double quantile(const struct bench_histogram *histogram, double part)
{
    double rank = part * (double)histogram->total;
    uint64_t seen = 0;
    for (size_t i = 0; i < histogram->count; i++) {
        seen += histogram->buckets[i].times;
        if ((double)seen >= rank)
            return (double)histogram->buckets[i].time;
    }
    return 0;
}

struct bench_output {
    uint64_t accesses, others, batch, total_ns;
    struct bench_histogram overhead, latency; /* in a unit of ns_per_time */
    double ns_per_time;
    bool has_begun, has_total, has_ended;
};

static void parse_line(const char *line, struct bench_output *output)
{
    uint64_t a, b;
    const char *begin = strstr(line, "bench 1 "); /* behind what firmware has begun to print */
    if (begin &&
        sscanf(begin, "bench 1 %" SCNu64 " %" SCNu64, &output->accesses, &output->batch) == 2)
        output->has_begun = true;
    else if (sscanf(line, "total %" SCNu64, &output->total_ns) == 1)
        output->has_total = true;
    else if (sscanf(line, "others %" SCNu64, &a) == 1)
        output->others = a;
    else if (sscanf(line, "ticks %" SCNu64 " %" SCNu64, &a, &b) == 2 && a > 0)
        output->ns_per_time = (double)b / (double)a;
    else if (sscanf(line, "overhead %" SCNu64 " %" SCNu64, &a, &b) == 2)
        add_bucket(&output->overhead, a, b);
    else if (sscanf(line, "latency %" SCNu64 " %" SCNu64, &a, &b) == 2)
        add_bucket(&output->latency, a, b);
    else if (strcmp(line, "end") == 0)
        output->has_ended = true;
}

/* The share of one access in a batch between two looks at the clock. */
static double per_access(const struct bench_output *output, double part)
{
    double time = quantile(&output->latency, part) - quantile(&output->overhead, 0.5);
    return (time > 0 ? time : 0) * output->ns_per_time / (double)output->batch;
}

bool bench_guest_parse(const char *text, struct bench_result *ret_result)
{
    struct bench_output output = {.ns_per_time = 1};
    char *copy = xstrdup(text), *rest = copy;
    for (char *line; (line = strsep(&rest, "\r\n"));)
        parse_line(line, &output);
    free(copy);
    bool whole = output.has_begun && output.has_total && output.has_ended && output.batch > 0 &&
                 output.total_ns > 0 && output.latency.total > 0 && output.overhead.total > 0;
    if (whole)
        *ret_result = (struct bench_result){
            .p50_ns = per_access(&output, 0.50),
            .p90_ns = per_access(&output, 0.90),
            .p99_ns = per_access(&output, 0.99),
            .p999_ns = per_access(&output, 0.999),
            .per_second = (double)(output.accesses + output.others) * 1e9 / (double)output.total_ns,
            .accesses = output.accesses,
        };
    free(output.overhead.buckets);
    free(output.latency.buckets);
    return whole;
}
