/* SPDX-License-Identifier: MIT */
/* The log of what happens on the guests' side. */
#include "front/front.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

void front_log(struct front *front, enum trestle_log_level level, const char *format, ...)
{
    char text[512];
    va_list args;
    if (!front->log || (level == TRESTLE_LOG_DEBUG && !front->log_debug))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    front->log(front->log_ctx, level, text);
}

void front_say_no_shm(struct front *front, const char *what, int error)
{
    front->has_no_shm = true;
    front_log(front, TRESTLE_LOG_WARNING,
              "there is no shared memory (%s: %s); messages go over sockets, which is slower", what,
              error_text(error));
}
