/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the plugin's lines on stderr. */
#include "plugin/qemu/say.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "plugin/device/device.h"

/* Lines that nobody took, since the last that somebody did. */
static atomic_uint left_out;

static int note_left_out(char *line, size_t size, unsigned count)
{
    return count == 0 ? 0
                      : snprintf(line, size,
                                 "trestle-qemu: %u lines are missing here: nobody read the log in "
                                 "time\n",
                                 count);
}

/* One write, so that no other thread's output comes in between. Not where it would wait: QEMU
 * stands still meanwhile, with the guest. If stderr is gone there is nobody to tell. */
static void write_line(const char *from, const char *where, const char *format, va_list args)
{
    char text[512], line[2048];
    struct pollfd stderr_poll = {.fd = STDERR_FILENO, .events = POLLOUT};
    vsnprintf(text, sizeof(text), format, args);
    if (poll(&stderr_poll, 1, 0) != 1) {
        atomic_fetch_add(&left_out, 1);
        return;
    }
    int length = note_left_out(line, sizeof(line), atomic_exchange(&left_out, 0));
    length +=
        snprintf(line + length, sizeof(line) - (size_t)length - 1, "%s%s%s", from, where, text);
    if (length > (int)sizeof(line) - 2)
        length = (int)sizeof(line) - 2;
    line[length++] = '\n';
    (void)!write(STDERR_FILENO, line, (size_t)length);
}

/* A device that has no address yet is named by its place on the command line. */
static void write_device_line(const struct sst_device *dev, const char *format, va_list args)
{
    char where[160];
    if (dev->has_base)
        snprintf(where, sizeof(where), "device %.80s%sat 0x%" PRIx64 ": ",
                 dev->device_name ? dev->device_name : "", dev->device_name ? " " : "", dev->base);
    else
        snprintf(where, sizeof(where), "%s number %u: ", dev->bus->type, dev->number);
    write_line("trestle-qemu: ", where, format, args);
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line("trestle-qemu: ", "", format, args);
    va_end(args);
}

void say_device(const struct sst_device *dev, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_device_line(dev, format, args);
    va_end(args);
}

void refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line("trestle-qemu: ", "", format, args);
    va_end(args);
    exit(EXIT_REFUSED);
}

void refuse_device(const struct sst_device *dev, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (dev->label)
        write_line(dev->label, ": ", format, args);
    else
        write_device_line(dev, format, args);
    va_end(args);
    exit(EXIT_REFUSED);
}
