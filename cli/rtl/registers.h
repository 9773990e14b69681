/* SPDX-License-Identifier: MIT */
/* What the registers of a core are called: a vendor's description, or another model's table. */
#ifndef CLI_RTL_REGISTERS_H
#define CLI_RTL_REGISTERS_H

#include <stdio.h>

#include "trestle/registers.h"

struct rtl_registers {
    const struct trestle_model *model; /* whose they are; NULL: nobody says */
    struct svd_file *svd;
    struct trestle_model_library *library;
};

/* From a peripheral of a file in SVD. -EINVAL: *ret_error is a sentence; so below. */
int rtl_registers_from_svd(struct rtl_registers *registers, const char *path,
                           const char *peripheral, char **ret_error);
/* From a bundled model, or one in a file. */
int rtl_registers_from_model(struct rtl_registers *registers, const char *name, char **ret_error);
void rtl_registers_finish(struct rtl_registers *registers);
/* For the map of a core: rtl_regions, in C++. */
void rtl_registers_map(const struct rtl_registers *registers, FILE *out);

#endif
