/* SPDX-License-Identifier: MIT */
/* Lines of the log on behalf of a device. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "device.h"

#define LINE_SIZE 512

static void emit(struct trestle_device *dev, enum trestle_log_level level, char *line)
{
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
    dev->ops.log(dev->facts.ctx, dev, level, line);
}

bool device_refuse_thread(struct trestle_device *dev, const char *function)
{
    char line[LINE_SIZE];
    if (!dev->ops.log || atomic_exchange(&dev->told_thread, true))
        return true;
    snprintf(line, sizeof(line),
             "%s: model '%s' calls %s() from a thread of its own, so the call does nothing; call "
             "it from the model's callbacks only",
             dev->facts.name, dev->model.name, function);
    emit(dev, TRESTLE_LOG_ERROR, line);
    return true;
}

static void emit_left_out(struct trestle_device *dev, enum trestle_log_level level, uint64_t count)
{
    char line[LINE_SIZE];
    if (count == 0)
        return;
    snprintf(line, sizeof(line), "%s: %" PRIu64 " more %s left out", dev->facts.name, count,
             level == TRESTLE_LOG_ERROR ? "errors" : "warnings");
    emit(dev, level, line);
}

/* A guest can make a mistake in a loop. Simulated time, so that two runs give the same lines. */
static bool limit_allows(struct trestle_device *dev, enum trestle_log_level level)
{
    uint64_t left_out;
    if (level > TRESTLE_LOG_WARNING)
        return true;
    bool allows =
        rate_limit_allows(&dev->log_limits[level], dev->facts.sim->now, TRESTLE_S, &left_out);
    emit_left_out(dev, level, left_out);
    return allows;
}

void trestle_device_log(struct trestle_device *dev, enum trestle_log_level level,
                        const char *format, ...)
{
    if (device_is_elsewhere(dev, "trestle_device_log") || !dev->ops.log ||
        (level == TRESTLE_LOG_DEBUG && !dev->log_debug) || !limit_allows(dev, level))
        return;
    char line[LINE_SIZE];
    int n = snprintf(line, sizeof(line), "%s: ", dev->facts.name);
    if (n >= 0 && (size_t)n < sizeof(line)) {
        va_list args;
        va_start(args, format);
        vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
        va_end(args);
    }
    emit(dev, level, line);
}

void device_say_overflow(struct trestle_device *dev)
{
    if (dev->told_overflow)
        return;
    dev->told_overflow = true;
    trestle_device_log(dev, TRESTLE_LOG_ERROR,
                       "model '%s' has written beyond its state of %zu bytes, in its %s()",
                       dev->model.name, dev->model.state_size,
                       activity_name(atomic_load_explicit(&dev->callback, memory_order_relaxed)));
}

void device_log_finish(struct trestle_device *dev)
{
    emit_left_out(dev, TRESTLE_LOG_ERROR, dev->log_limits[TRESTLE_LOG_ERROR].left_out);
    emit_left_out(dev, TRESTLE_LOG_WARNING, dev->log_limits[TRESTLE_LOG_WARNING].left_out);
}
