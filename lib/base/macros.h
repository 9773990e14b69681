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
/* Of a function: kept out of those that call it, since they mostly do not. */
#define cold __attribute__((cold, noinline))

/* Has the cache line of `at` brought here, so that a store finds it. GCC's __builtin_prefetch()
 * asks for no more than to read it, on a plain x86-64; processors without the instruction ignore
 * it. */
static inline void prefetch_to_write(const volatile void *at)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const volatile char *)at));
#else
    __builtin_prefetch((const void *)at, 1);
#endif
}

#endif
