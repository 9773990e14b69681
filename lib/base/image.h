/* SPDX-License-Identifier: MIT */
/* What a guest's kernel is: an ELF file, or one of the forms in which Linux comes. */
#ifndef TRESTLE_BASE_IMAGE_H
#define TRESTLE_BASE_IMAGE_H

#include <stdbool.h>

enum image_kind {
    IMAGE_UNREADABLE,
    IMAGE_UNKNOWN,
    IMAGE_ELF,
    IMAGE_LINUX,
};

/* *ret_arch: QEMU's name of the architecture, "riscv64"; "riscv" for an Image, which does not say
 * its width; NULL where the file does not say. */
enum image_kind image_look(const char *path, const char **ret_arch);
/* Can a guest for found run on a machine of this arch? */
bool image_runs_on(const char *found, const char *arch);

#endif
