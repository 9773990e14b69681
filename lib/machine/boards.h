/* SPDX-License-Identifier: MIT */
/* What is known of boards beforehand: how each architecture's usual one is started. Where there is
 * room on a board, its QEMU is asked (trestle_machine_report()). */
#ifndef TRESTLE_MACHINE_BOARDS_H
#define TRESTLE_MACHINE_BOARDS_H

#include "trestle/machine.h"

struct board {
    const char *arch, *qemu;
    const char *name;        /* what -M says */
    const char *cpu;         /* on that board; NULL: QEMU's default */
    const char *no_firmware; /* what -bios says so that a bare ELF file starts alone, or NULL */
    const char *args[3];     /* more that it needs, ended by NULL */
    const char *memory;      /* its own size of RAM, as a memory backend takes it */
    const char *note;        /* what does not show in QEMU's memory map and wires, or NULL */
    const char *same_tree; /* what -M says so that its device tree has no random numbers, or NULL */
};

/* The usual board of the options' architecture; one that says nothing for a QEMU of another. */
TRESTLE_CHECK int board_find(const struct trestle_machine_options *options,
                             const struct board **ret_board, char **ret_error);

#endif
