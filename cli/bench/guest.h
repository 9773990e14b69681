/* SPDX-License-Identifier: MIT */
/* What the guest mmio_bench prints, and what it says about one access. */
#ifndef CLI_BENCH_GUEST_H
#define CLI_BENCH_GUEST_H

#include <stdbool.h>
#include <stdint.h>

struct bench_result {
    double p50_ns, p90_ns, p99_ns, p999_ns; /* without the cost of looking at the clock */
    double per_second;                      /* accesses of all vCPUs */
    uint64_t accesses;
};

/* False: the text is not whole, or not the guest's. */
bool bench_guest_parse(const char *text, struct bench_result *ret_result);

#endif
