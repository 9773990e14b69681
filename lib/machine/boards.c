/* SPDX-License-Identifier: MIT */
/* The usual board of each architecture. */
#include "machine/boards.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"

static const struct board boards[] = {
    {.arch = "riscv32",
     .qemu = "qemu-system-riscv32",
     .name = "virt",
     .no_firmware = "none",
     .memory = "128M"},
    {.arch = "riscv64",
     .qemu = "qemu-system-riscv64",
     .name = "virt",
     .no_firmware = "none",
     .memory = "128M"},
    {.arch = "arm",
     .qemu = "qemu-system-arm",
     .name = "virt",
     .cpu = "cortex-a15",
     .memory = "128M",
     .same_tree = "virt,dtb-randomness=off"},
    {.arch = "aarch64",
     .qemu = "qemu-system-aarch64",
     .name = "virt",
     .cpu = "cortex-a57",
     .memory = "128M",
     .same_tree = "virt,dtb-randomness=off"},
    {.arch = "x86_64",
     .qemu = "qemu-system-x86_64",
     .name = "q35",
     .args = {"-nic", "none"},
     .memory = "128M",
     .note =
         "PCI devices get their addresses below 0xfec00000, and their lines at inputs 16 to 23"},
};
#define NUM_BOARDS (sizeof(boards) / sizeof(boards[0]))

/* A QEMU for another target: the user says all of its machine. */
static const struct board unknown = {.memory = "128M"};

static bool is_other_target(const struct trestle_machine_options *options)
{
    static const char prefix[] = "qemu-system-";
    const char *slash = options->qemu ? strrchr(options->qemu, '/') : NULL;
    const char *name = slash ? slash + 1 : options->qemu;
    if (options->arch || !name || strncmp(name, prefix, strlen(prefix)) != 0)
        return false;
    for (size_t i = 0; i < NUM_BOARDS; i++)
        if (strcmp(boards[i].qemu, name) == 0)
            return false;
    return true;
}

int board_find(const struct trestle_machine_options *options, const struct board **ret_board,
               char **ret_error)
{
    const char *arch = options->arch;
    if (is_other_target(options)) {
        *ret_board = &unknown;
        return 0;
    }
    for (size_t i = 0; i < NUM_BOARDS; i++) {
        if (!arch || strcmp(boards[i].arch, arch) == 0) {
            *ret_board = &boards[i];
            return 0;
        }
    }
    return error_set(ret_error, -EINVAL,
                     "unknown arch %s; use riscv32, riscv64, arm, aarch64 or x86_64", arch);
}
