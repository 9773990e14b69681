/* SPDX-License-Identifier: MIT */
/* A negative errno comes with a sentence of one line for the user. */
#ifndef TRESTLE_BASE_ERROR_H
#define TRESTLE_BASE_ERROR_H

#include <stdbool.h>

/* Stores a formatted, malloc'd sentence in *ret_error if the caller wants one, and returns
 * `error`, so that a failure is one statement: return error_set(ret_error, -EINVAL, "..."). */
int error_set(char **ret_error, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* -ENOMEM, with that sentence. */
int error_no_memory(char **ret_error);

/* strerror() of a negative errno, with the remedy where a limit is the reason. Valid until the next
 * call. */
const char *error_text(int error);
/* The host is short of descriptors or memory: no fault of a path or a name that was given. */
bool error_is_limit(int error);

#endif
