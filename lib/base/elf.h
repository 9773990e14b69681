/* SPDX-License-Identifier: MIT */
/* What an ELF file is for, and whether it is whole. */
#ifndef TRESTLE_BASE_ELF_H
#define TRESTLE_BASE_ELF_H

#include <stddef.h>
#include <stdint.h>

#define ELF_HEAD_SIZE 64u

/* QEMU's name of the architecture, "riscv32"; NULL: this is no ELF file, or of one not known. */
const char *elf_arch(const uint8_t head[ELF_HEAD_SIZE]);
/* Why the loader could not take, or would crash at, a shared object: "it is for riscv64, and this
 * is x86_64", "it is cut off". NULL: nothing of the kind. */
const char *elf_flaw(const char *path, char buffer[128]);

#endif
