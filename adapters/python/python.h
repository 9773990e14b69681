/* SPDX-License-Identifier: MIT */
/* What the library knows of the module that makes models of Python files. */
#ifndef TRESTLE_PYTHON_H
#define TRESTLE_PYTHON_H

#include "trestle/device.h"

/* Exported by trestle-python.so under these names. */
#define TRESTLE_PYTHON_LOAD "trestle_python_load"
#define TRESTLE_PYTHON_UNLOAD "trestle_python_unload"

/* Makes a table of the one class in the file that derives from trestle.Model. NULL: *ret_error is a
 * sentence, the caller's to free. */
typedef struct trestle_model *trestle_python_load_fn(const char *path, char **ret_error);
typedef void trestle_python_unload_fn(struct trestle_model *model);

#endif
