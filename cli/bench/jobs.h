/* SPDX-License-Identifier: MIT */
/* Several whole simulations at once, as who runs hundreds of them has it. */
#ifndef CLI_BENCH_JOBS_H
#define CLI_BENCH_JOBS_H

#include "bench/measure.h"

#define JOBS_MAX 256

/* Measures one side in `jobs` processes at the same time. Percentiles are the medians of theirs,
 * accesses per second their sum. Otherwise as bench_measure(). */
int bench_measure_jobs(const struct bench_setup *setup, const struct bench_side *side,
                       unsigned jobs, struct bench_result *ret_result, int *ret_signal);

#endif
