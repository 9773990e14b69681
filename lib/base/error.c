/* SPDX-License-Identifier: MIT */
/* Formats the one-line sentence that goes with a negative errno. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(char **ret_error, int error, const char *format, ...)
{
    va_list args;
    if (!ret_error)
        return error;
    va_start(args, format);
    if (vasprintf(ret_error, format, args) < 0)
        *ret_error = NULL;
    va_end(args);
    return error;
}

int error_no_memory(char **ret_error)
{
    return error_set(ret_error, -ENOMEM, "out of memory");
}

const char *error_text(int error)
{
    switch (-error) {
    case EMFILE:
        return "too many open files; raise the limit with ulimit -n";
    case ENFILE:
        return "too many open files on this machine; close some";
    default:
        return strerror(-error);
    }
}

bool error_is_limit(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS;
}
