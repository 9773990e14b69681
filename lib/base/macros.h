/* SPDX-License-Identifier: MIT */
/* What the language lacks. */
#ifndef TRESTLE_BASE_MACROS_H
#define TRESTLE_BASE_MACROS_H

#include <stddef.h>

/* The struct that `pointer` is the `member` of. */
#define container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#endif
