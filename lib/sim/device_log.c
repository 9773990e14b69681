/* SPDX-License-Identifier: MIT */
/* Lines of the log on behalf of a device. */
#include <inttypes.h>
#include <stdio.h>

#include "device.h"

#define LINES_PER_SECOND 10
#define LINE_SIZE 512

static void emit(struct trestle_device *dev, enum trestle_log_level level, char *line)
{
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
    dev->ops.log(dev->ctx, dev, level, line);
}

static void emit_left_out(struct trestle_device *dev, enum trestle_log_level level)
{
    struct log_limit *limit = &dev->log_limits[level];
    char line[LINE_SIZE];
    if (limit->left_out == 0)
        return;
    snprintf(line, sizeof(line), "%s: %" PRIu64 " more %s left out", dev->name, limit->left_out,
             level == TRESTLE_LOG_ERROR ? "errors" : "warnings");
    limit->left_out = 0;
    emit(dev, level, line);
}

/* A guest can make a mistake in a loop. Simulated time, so that two runs give the same lines. */
static bool limit_allows(struct trestle_device *dev, enum trestle_log_level level)
{
    if (level > TRESTLE_LOG_WARNING)
        return true;
    struct log_limit *limit = &dev->log_limits[level];
    uint64_t second = dev->sim->now / TRESTLE_S;
    if (second != limit->second) {
        emit_left_out(dev, level);
        limit->second = second;
        limit->lines = 0;
    }
    if (limit->lines == LINES_PER_SECOND) {
        limit->left_out++;
        return false;
    }
    limit->lines++;
    return true;
}

void trestle_device_log(struct trestle_device *dev, enum trestle_log_level level,
                        const char *format, ...)
{
    if (!dev->ops.log || (level == TRESTLE_LOG_DEBUG && !dev->log_debug) ||
        !limit_allows(dev, level))
        return;
    char line[LINE_SIZE];
    int n = snprintf(line, sizeof(line), "%s: ", dev->name);
    if (n >= 0 && (size_t)n < sizeof(line)) {
        va_list args;
        va_start(args, format);
        vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
        va_end(args);
    }
    emit(dev, level, line);
}

void device_log_finish(struct trestle_device *dev)
{
    emit_left_out(dev, TRESTLE_LOG_ERROR);
    emit_left_out(dev, TRESTLE_LOG_WARNING);
}
