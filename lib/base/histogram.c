/* SPDX-License-Identifier: MIT */
/* Records times in a histogram with 32 steps to each power of two. */
#include "base/histogram.h"

static uint64_t bucket_last_value(unsigned bucket)
{
    if (bucket < HISTOGRAM_STEPS)
        return bucket;
    if (bucket == HISTOGRAM_BUCKETS - 1)
        return UINT64_MAX;
    unsigned shift = bucket / HISTOGRAM_STEPS - 1;
    uint64_t first = (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << shift;
    return first + ((uint64_t)1 << shift) - 1;
}

uint64_t histogram_percentile(const struct histogram *h, unsigned permille)
{
    uint64_t wanted = (h->count * permille + 999) / 1000;
    uint64_t seen = 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= wanted) {
            uint64_t value = bucket_last_value(i);
            return value < h->max ? value : h->max;
        }
    }
    return 0;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    if (from->max > into->max)
        into->max = from->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}
