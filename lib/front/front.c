/* SPDX-License-Identifier: MIT */
/* The log of what happens on the guests' side. */
#include "front/front.h"

#include <stdarg.h>
#include <stdio.h>

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
