/* SPDX-License-Identifier: MIT */
/* CMSIS-SVD of devices that describe themselves, for the peripheral views of debuggers. */
#ifndef CLI_SVD_EXPORT_H
#define CLI_SVD_EXPORT_H

#include <stdio.h>

#include "config/config.h"

/* All devices of a configuration, with their addresses and interrupts. name is the chip's. In it
 * and in the names of devices, every character but letters, digits and '_' becomes '_'. */
void svd_export(FILE *out, const char *name, const struct config *config);

#endif
