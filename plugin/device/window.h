/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRESTLE_PLUGIN_WINDOW_H
#define TRESTLE_PLUGIN_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct sst_device;

/* A capability of the vendor's is in the configuration space, and may be a window. bytes: from its
 * length on. */
void window_add(struct sst_device *dev, unsigned at, const uint8_t *bytes);
/* The guest has written to the configuration space, or is about to read from it, and perhaps
 * from what it sees through the window. */
void window_access(struct sst_device *dev, bool write, uint32_t address, int length);

#endif
