/* SPDX-License-Identifier: MIT */
/* QEMU's command line. */
#ifndef TRESTLE_MACHINE_ARGS_H
#define TRESTLE_MACHINE_ARGS_H

#include "trestle/machine.h"

/* Options of any version, brought to this library's. */
TRESTLE_CHECK int machine_import(const struct trestle_machine_options *theirs,
                                 struct trestle_machine_options *ret_options, char **ret_error);
/* trestle_machine_args() for what was imported. is_owned: QEMU ends with this process, even where
 * it is not this process's child. */
TRESTLE_CHECK int machine_args(const struct trestle_machine_options *options, bool is_owned,
                               char ***ret_argv, char **ret_error);

#endif
