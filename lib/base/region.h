/* SPDX-License-Identifier: MIT */
/* The rule for regions of guest memory: a device's begins at a multiple of 8, holds a byte at
 * least, ends within the address space, and overlaps no other. One without a base
 * (TRESTLE_NO_BASE) only has to hold a byte. */
#ifndef TRESTLE_BASE_REGION_H
#define TRESTLE_BASE_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trestle/types.h"

#define REGION_ALIGN 8u

enum region_flaw { REGION_FINE, REGION_MISALIGNED, REGION_EMPTY, REGION_WRAPS };

/* The address of the last byte. */
static inline uint64_t region_last(uint64_t base, uint64_t size)
{
    return base + (size - 1);
}

/* Any bytes of memory, a device's or not, which are some. */
static inline bool region_wraps(uint64_t base, uint64_t size)
{
    return region_last(base, size) < base;
}

/* Of neither that wraps; one without a base overlaps nothing. */
static inline bool regions_overlap(uint64_t base, uint64_t size, uint64_t other_base,
                                   uint64_t other_size)
{
    return base != TRESTLE_NO_BASE && other_base != TRESTLE_NO_BASE &&
           base <= region_last(other_base, other_size) && other_base <= region_last(base, size);
}

static inline enum region_flaw region_check(uint64_t base, uint64_t size)
{
    if (base == TRESTLE_NO_BASE)
        return size == 0 ? REGION_EMPTY : REGION_FINE;
    return base % REGION_ALIGN        ? REGION_MISALIGNED
           : size == 0                ? REGION_EMPTY
           : region_wraps(base, size) ? REGION_WRAPS
                                      : REGION_FINE;
}

/* "the base is not a multiple of 8", or NULL; for a sentence that names base and size. */
static inline const char *region_complaint(uint64_t base, uint64_t size)
{
    static const char *const texts[] = {
        [REGION_FINE] = NULL,
        [REGION_MISALIGNED] = "the base is not a multiple of 8",
        [REGION_EMPTY] = "no register fits into that; give it a size",
        [REGION_WRAPS] = "that goes beyond the last address",
    };
    return texts[region_check(base, size)];
}

#endif
