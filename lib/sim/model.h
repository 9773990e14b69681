/* SPDX-License-Identifier: MIT */
/* Model tables of any size, brought to this library's. */
#ifndef TRESTLE_SIM_MODEL_H
#define TRESTLE_SIM_MODEL_H

#include "trestle/sim.h"

/* Checks a table and copies it; callbacks that an older, smaller table does not have are NULL.
 * -EINVAL: the table is wrong. -E2BIG: it was made for a newer library and uses what this one
 * does not have. *ret_error (if wanted) is a malloc'd sentence. */
TRESTLE_CHECK int model_import(const struct trestle_model *model, struct trestle_model *ret_model,
                               char **ret_error);

#endif
