/* SPDX-License-Identifier: MIT */
/* check.h: PASS and FAIL lines, their summary, and waiting with a bound. */
#ifndef CHECK_H
#define CHECK_H

#include "guest.h"

/* Prints "PASS <what>" or "FAIL <what>". Returns ok. */
bool check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A read that must give exactly want. */
bool check_read(uintptr_t addr, unsigned size, uint64_t want, const char *what);
/* A write that must not end in a bus error. */
bool check_write(uintptr_t addr, unsigned size, uint64_t value, const char *what);
/* Prints and counts only what is not so. */
bool check_quiet(bool ok, const char *what);
/* Quiet forms for loops over many devices: count, and print only failures. */
bool quiet_read(uintptr_t addr, unsigned size, uint64_t want, const char *what);
bool quiet_write(uintptr_t addr, unsigned size, uint64_t value, const char *what);

/* Reads the 32-bit register until all bits of mask equal those of want. False: a bus error, or
 * neither a second of guest time nor 100,000 reads were enough. */
bool wait_for(uintptr_t addr, uint32_t mask, uint32_t want);

/* Prints "<program>: N passed, N failed" and gives guest_main()'s return value: 1 on any
 * failure, and also when nothing was checked. */
int check_summary(const char *program);

#endif
