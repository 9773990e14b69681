/* SPDX-License-Identifier: MIT */
/* What no access between two processes can take less than, on this machine at this time. */
#ifndef CLI_BENCH_LINE_H
#define CLI_BENCH_LINE_H

#include <stdint.h>

/* Nanoseconds that a cache line takes from one thread to another, and another one back: the least
 * of so many batches of 64, or of as many as there are within 100 ms, since what else the host does
 * is not meant. 0: one processor, or no thread. */
double bench_line_ns(uint64_t batches);

#endif
