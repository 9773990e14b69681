/* SPDX-License-Identifier: MIT */
/* Takes the place of the plugin's way to end QEMU. */
#include "refusal.h"

#include <stdarg.h>
#include <stdio.h>

#include "plugin/device/device.h"
#include "plugin/qemu/say.h"

jmp_buf refused;
char refusal[512];

void refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(refusal, sizeof(refusal), format, args);
    va_end(args);
    longjmp(refused, 1);
}

void refuse_device(const struct sst_device *dev, const char *format, ...)
{
    va_list args;
    int length = snprintf(refusal, sizeof(refusal), "%u: ", dev->number);
    va_start(args, format);
    vsnprintf(refusal + length, sizeof(refusal) - (size_t)length, format, args);
    va_end(args);
    longjmp(refused, 1);
}
