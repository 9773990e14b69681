/* SPDX-License-Identifier: MIT */
/* The host's clock, in nanoseconds from an arbitrary start: all deadlines are times of it. */
#ifndef TRESTLE_BASE_CLOCK_H
#define TRESTLE_BASE_CLOCK_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define CLOCK_NEVER UINT64_MAX

/* CLOCK_MONOTONIC. */
static inline uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline struct timespec clock_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* What poll() takes: milliseconds until the deadline, rounded so that it has come then; -1 for
 * CLOCK_NEVER. */
static inline int clock_ms_until(uint64_t deadline_ns)
{
    uint64_t now_ns = clock_ns();
    if (deadline_ns == CLOCK_NEVER)
        return -1;
    if (now_ns >= deadline_ns)
        return 0;
    uint64_t ms = (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

#endif
