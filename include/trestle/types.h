/* SPDX-License-Identifier: MIT */
/* trestle/types.h: the basis of all of Trestle's headers: time, log levels, how to wait. */
#ifndef TRESTLE_TYPES_H
#define TRESTLE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRESTLE_API __attribute__((visibility("default")))
#define TRESTLE_CHECK __attribute__((warn_unused_result))

typedef uint64_t trestle_time; /* picoseconds */

#define TRESTLE_PS ((trestle_time)1)
#define TRESTLE_NS ((trestle_time)1000)
#define TRESTLE_US ((trestle_time)1000 * 1000)
#define TRESTLE_MS ((trestle_time)1000 * 1000 * 1000)
#define TRESTLE_S ((trestle_time)1000 * 1000 * 1000 * 1000)
#define TRESTLE_TIME_NEVER UINT64_MAX

/* In place of a base address: the guest itself decides where the device is, as it does for PCI. */
#define TRESTLE_NO_BASE UINT64_MAX

enum trestle_log_level {
    TRESTLE_LOG_ERROR,   /* the run cannot go on as asked */
    TRESTLE_LOG_WARNING, /* something failed and was contained; guest mistakes too */
    TRESTLE_LOG_INFO,    /* once per run or per device; trestle shows it with -v */
    TRESTLE_LOG_DEBUG,   /* per access; with -vv */
};

/* A fault that a device has on purpose, to test whether its guest can live with it. */
enum trestle_fault {
    TRESTLE_FAULT_NONE,
    TRESTLE_FAULT_DEAD, /* every access is an error */
    TRESTLE_FAULT_HUNG, /* no access is answered */
};

/* How one side waits for the other. lib/ipc/wait.h has the reasons. */
enum trestle_wait {
    TRESTLE_WAIT_ADAPTIVE, /* spin while that pays, then sleep; never spins on one processor */
    TRESTLE_WAIT_SLEEP,    /* always sleep in the kernel */
    TRESTLE_WAIT_SPIN,     /* never sleep; for measurements */
};

#endif
