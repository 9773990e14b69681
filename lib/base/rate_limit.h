/* SPDX-License-Identifier: MIT */
/* At most so many lines of a kind in a window of time, and then a count of those left out. */
#ifndef TRESTLE_BASE_RATE_LIMIT_H
#define TRESTLE_BASE_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_LIMIT_LINES 10u

/* Begins as zeroes. */
struct rate_limit {
    uint64_t begin; /* of the window */
    uint32_t lines; /* in it */
    uint64_t left_out;
};

/* True when a line may be said now. *ret_left_out: so many were not since the last that might, to
 * be said first; otherwise 0. now and window in any unit of any clock. */
bool rate_limit_allows(struct rate_limit *limit, uint64_t now, uint64_t window,
                       uint64_t *ret_left_out);

#endif
