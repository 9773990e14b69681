/* SPDX-License-Identifier: MIT */
/* Notes what stand-ins were asked for, and takes the place of the plugin's way to speak. */
#include "notes.h"

#undef NDEBUG /* asserts do things here */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plugin/device/device.h"
#include "plugin/qemu/say.h"

static char text[NOTES_SIZE];

static void note_line(const char *format, va_list args)
{
    size_t length = strlen(text), room = sizeof(text) - length;
    int n = vsnprintf(text + length, room, format, args);
    assert(n >= 0 && (size_t)n < room);
}

void note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note_line(format, args);
    va_end(args);
}

const char *notes(void)
{
    return text;
}

const char *notes_take(void)
{
    static char taken[sizeof(text)];
    memcpy(taken, text, sizeof(text));
    text[0] = '\0';
    return taken;
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note("say ");
    note_line(format, args);
    note("\n");
    va_end(args);
}

void say_device(const struct sst_device *dev, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note("%u: ", dev->number);
    note_line(format, args);
    note("\n");
    va_end(args);
}
