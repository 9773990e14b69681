/* SPDX-License-Identifier: MIT */
/* The one rule for public structs that begin with their size, so that old programs meet new
 * libraries and the other way round. */
#ifndef TRESTLE_BASE_SIZED_H
#define TRESTLE_BASE_SIZED_H

#include <stddef.h>

#include "trestle/types.h"

/* Copies such a struct: what an older, smaller one lacks is zero. -EINVAL: it is smaller than
 * min_size, which the oldest has, or far too large to be one. -E2BIG: it was made for a newer
 * library, and says something in a field that this one does not have. */
TRESTLE_CHECK int sized_import(void *ours, size_t our_size, size_t min_size, const void *theirs);

#endif
