/* SPDX-License-Identifier: MIT */
/* What has been measured, as a table, as JSON and as a page. */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include <stdio.h>

#include "bench/guest.h"
#include "bench/plan.h"

struct bench_machine {
    char *cpu, *kernel, *qemu; /* "unknown" where that is so */
    unsigned processors;
};

struct bench_report {
    struct bench_machine machine;
    unsigned rounds;
    unsigned busy;      /* processes that computed meanwhile */
    unsigned jobs;      /* simulations at once; 0: one */
    const char *no_kvm; /* why sides under KVM were left out; NULL: they were not */
    double line_ns;     /* bench_line_ns(), the median of the rounds; 0: not measured */
    const struct bench_plan *plan;
    struct bench_result *results; /* of each side, the median of its rounds, field by field */
};

struct json_t;

/* qemu: as for --qemu, NULL: the default. */
void bench_machine_init(struct bench_machine *machine, const char *qemu);
void bench_machine_finish(struct bench_machine *machine);

double bench_median_of(double *ref_values, size_t count); /* sorts them */
struct bench_result bench_median(const struct bench_result *results, size_t count);

/* What to compare in any run: how many times as long one median is as another. That of a cache line
 * leaves the floor's share out of the access. */
struct bench_ratio {
    double times;
    const char *what; /* "shared memory against the floor" */
};
enum { BENCH_RATIOS_MAX = 8 };
/* Those whose both sides were measured; returns how many. */
size_t bench_ratios(const struct bench_report *report,
                    struct bench_ratio ret_ratios[BENCH_RATIOS_MAX]);

void bench_table(const struct bench_report *report, FILE *file);
struct json_t *bench_json(const struct bench_report *report);
/* A page that loads nothing; malloc'd. */
char *bench_html(const struct bench_report *report);

#endif
