/* SPDX-License-Identifier: MIT */
/* Tells the forms of a guest's kernel apart by their magic numbers. */
#include "base/image.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/elf.h"

#define HEAD_SIZE 0x210u

/* Linux's Documentation/arch: riscv/boot-image-header, arm64/booting, arm/booting, x86/boot; the
 * last three are wrappings that do not say what is in them. */
static const struct magic {
    size_t offset;
    const char *bytes;
    size_t length;
    const char *arch;
} MAGICS[] = {
    {0x38, "RSC\x05", 4, "riscv"},
    {0x38, "ARM\x64", 4, "aarch64"},
    {0x24, "\x18\x28\x6f\x01", 4, "arm"},
    {0x202, "HdrS", 4, "x86_64"},
    {0x04, "zimg", 4, NULL},
    {0x00, "\x27\x05\x19\x56", 4, NULL},
    {0x00, "\x1f\x8b", 2, NULL},
};

enum image_kind image_look(const char *path, const char **ret_arch)
{
    uint8_t head[HEAD_SIZE] = {0};
    struct stat st;
    *ret_arch = NULL;
    FILE *file = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "rbe") : NULL;
    if (!file)
        return IMAGE_UNREADABLE;
    size_t length = fread(head, 1, sizeof(head), file);
    fclose(file);
    if (length >= ELF_HEAD_SIZE && memcmp(head, ELFMAG, SELFMAG) == 0) {
        *ret_arch = elf_arch(head);
        return IMAGE_ELF;
    }
    for (size_t i = 0; i < sizeof(MAGICS) / sizeof(MAGICS[0]); i++) {
        const struct magic *magic = &MAGICS[i];
        if (magic->offset + magic->length > length ||
            memcmp(head + magic->offset, magic->bytes, magic->length) != 0)
            continue;
        *ret_arch = magic->arch;
        return IMAGE_LINUX;
    }
    return IMAGE_UNKNOWN;
}

bool image_runs_on(const char *found, const char *arch)
{
    if (!found || strcmp(found, arch) == 0)
        return true;
    if (strcmp(found, "riscv") == 0)
        return strncmp(arch, "riscv", strlen("riscv")) == 0;
    /* An aarch64 machine may have 32-bit processors. */
    return strcmp(found, "arm") == 0 && strcmp(arch, "aarch64") == 0;
}
