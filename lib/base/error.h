/* SPDX-License-Identifier: MIT */
/* One-line sentences for the user beside a negative errno. */
#ifndef TRESTLE_BASE_ERROR_H
#define TRESTLE_BASE_ERROR_H

/* Stores a formatted, malloc'd sentence in *ret_error if the caller wants one, and returns
 * `error`, so that a failure is one statement: return error_set(ret_error, -EINVAL, "..."). */
int error_set(char **ret_error, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
