/* SPDX-License-Identifier: MIT */
/* QEMU's command line. */
#ifndef TRESTLE_MACHINE_ARGS_H
#define TRESTLE_MACHINE_ARGS_H

#include "trestle/machine.h"

/* Options of any version, brought to this library's. */
TRESTLE_CHECK int machine_import(const struct trestle_machine_options *theirs,
                                 struct trestle_machine_options *ret_options, char **ret_error);
enum machine_purpose {
    MACHINE_IS_SHOWN, /* whoever starts it */
    MACHINE_IS_OWNED, /* it ends with this process, even where it is not this process's child */
    MACHINE_REPORTS,  /* says what its board has, and ends */
};

/* trestle_machine_args() for what was imported. */
TRESTLE_CHECK int machine_args(const struct trestle_machine_options *options,
                               enum machine_purpose purpose, char ***ret_argv, char **ret_error);

#endif
