/* SPDX-License-Identifier: MIT */
/* The names of a core's registers, from a vendor's description or another model's table. */
#ifndef CLI_RTL_REGISTERS_H
#define CLI_RTL_REGISTERS_H

#include <stdio.h>

#include "trestle/registers.h"

struct rtl_registers {
    const struct trestle_model *model; /* NULL: the registers have no names */
    struct svd_file *svd;
    struct trestle_model_library *library;
};

/* From a peripheral of an SVD file. -EINVAL: *ret_error is a sentence; the same below. */
int rtl_registers_from_svd(struct rtl_registers *registers, const char *path,
                           const char *peripheral, char **ret_error);
/* From a bundled model, or from a model in a file. */
int rtl_registers_from_model(struct rtl_registers *registers, const char *name, char **ret_error);
void rtl_registers_finish(struct rtl_registers *registers);
/* Prints rtl_regions for the map of a core, in C++. */
void rtl_registers_map(const struct rtl_registers *registers, FILE *out);

#endif
