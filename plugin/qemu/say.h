/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plugin's lines on stderr. Each is written whole, and none is written per access. */
#ifndef TRESTLE_PLUGIN_SAY_H
#define TRESTLE_PLUGIN_SAY_H

#define EXIT_REFUSED 2
#define SAY_FORMAT(n) __attribute__((format(printf, n, (n) + 1)))

struct sst_device;

void say(const char *format, ...) SAY_FORMAT(1);
/* "trestle-qemu: device at 0x10200000: ..." */
void say_device(const struct sst_device *dev, const char *format, ...) SAY_FORMAT(2);

/* The same, then QEMU ends with status 2: what the user asked for cannot be had. */
void refuse(const char *format, ...) SAY_FORMAT(1) __attribute__((noreturn));
void refuse_device(const struct sst_device *dev, const char *format, ...) SAY_FORMAT(2)
    __attribute__((noreturn));

#endif
