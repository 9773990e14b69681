/* SPDX-License-Identifier: MIT */
/*
 * A clock that goes on only when somebody looks or waits, so that no input costs time. What is
 * fuzzed with it is compiled with -Dclock_gettime=fuzz_clock_gettime and so on.
 */
#ifndef TRESTLE_TESTS_FUZZ_CLOCK_H
#define TRESTLE_TESTS_FUZZ_CLOCK_H

/* Called before each wait, if it is set: what the other side does meanwhile. */
extern void (*fuzz_meanwhile)(void);

#endif
