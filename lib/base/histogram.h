/* SPDX-License-Identifier: MIT */
/* A histogram of times with 32 steps to each power of two: percentiles are exact to 1 in 32,
 * recording is a handful of instructions, and no value is ever lost. */
#ifndef TRESTLE_BASE_HISTOGRAM_H
#define TRESTLE_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 5
#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEP_BITS)
/* Values from 2^40 on (18 minutes in nanoseconds) share the last bucket. */
#define HISTOGRAM_MAX_BITS 40
#define HISTOGRAM_BUCKETS ((HISTOGRAM_MAX_BITS - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t count, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    unsigned msb = 63u - (unsigned)__builtin_clzll(value);
    if (msb >= HISTOGRAM_MAX_BITS)
        return HISTOGRAM_BUCKETS - 1;
    unsigned shift = msb - HISTOGRAM_STEP_BITS;
    return (shift + 1) * HISTOGRAM_STEPS + (unsigned)((value >> shift) & (HISTOGRAM_STEPS - 1));
}

static inline void histogram_record(struct histogram *h, uint64_t value)
{
    h->count++;
    if (value > h->max)
        h->max = value;
    h->buckets[histogram_bucket(value)]++;
}

/* The smallest recorded value that `permille` of all values do not exceed, rounded up to the end
 * of its bucket but never above the maximum. 0 when empty. */
uint64_t histogram_percentile(const struct histogram *h, unsigned permille);
void histogram_merge(struct histogram *into, const struct histogram *from);

#endif
