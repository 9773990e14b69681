/* SPDX-License-Identifier: MIT */
/* A clock for tests that goes on only when somebody looks at it or waits. */
#include "clock.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define LOOK_NS 20000u
#define NS_PER_S 1000000000u
#define LONGEST_WAIT_NS (10u * (uint64_t)NS_PER_S)

int fuzz_clock_gettime(clockid_t clock, struct timespec *ret_now);
int fuzz_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int fuzz_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const void *mask);

void (*fuzz_meanwhile)(void);
static uint64_t now_ns = NS_PER_S;

int fuzz_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    (void)clock;
    now_ns += LOOK_NS;
    *ret_now = (struct timespec){.tv_sec = (time_t)(now_ns / NS_PER_S),
                                 .tv_nsec = (long)(now_ns % NS_PER_S)};
    return 0;
}

static int wait_for(struct pollfd *fds, nfds_t count, uint64_t wait_ns)
{
    if (wait_ns > 0 && fuzz_meanwhile)
        fuzz_meanwhile();
    int n = poll(fds, count, 0);
    if (n == 0)
        now_ns += wait_ns;
    return n;
}

int fuzz_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    return wait_for(fds, count, timeout_ms < 0 ? LONGEST_WAIT_NS : (uint64_t)timeout_ms * 1000000u);
}

int fuzz_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const void *mask)
{
    (void)mask;
    return wait_for(fds, count,
                    timeout ? (uint64_t)timeout->tv_sec * NS_PER_S + (uint64_t)timeout->tv_nsec
                            : LONGEST_WAIT_NS);
}
