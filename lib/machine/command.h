/* SPDX-License-Identifier: MIT */
/* What Trestle's own programs ask of a QEMU besides running it. They have the library in them; it
 * exports none of this. */
#ifndef TRESTLE_MACHINE_COMMAND_H
#define TRESTLE_MACHINE_COMMAND_H

#include "trestle/machine.h"

/* The whole command line, ended by NULL, in one malloc'd block: free() it. Checks that QEMU,
 * kernel and plugin are there: -ENOENT, -EACCES; -EINVAL: unknown arch. Starts nothing. */
TRESTLE_CHECK int trestle_machine_args(const struct trestle_machine_options *options,
                                       char ***ret_argv, char **ret_error);

/* Makes the file that direct_dma has QEMU make, and drops it. Else negative errno, and what failed:
 * "memfd_create". Where files have a limit, SIGXFSZ must not end the caller. */
TRESTLE_CHECK int trestle_machine_try_ram(const struct trestle_machine_options *options,
                                          const char **ret_what);

/* The signal that ended QEMU, or 0: it runs, or exited by itself. */
int trestle_machine_signal(const struct trestle_machine *machine);
/* Asks QEMU to end (SIGTERM) and does not wait. */
void trestle_machine_ask_to_end(const struct trestle_machine *machine);

/* "7.2.22", from `qemu_path --version`. -EPROTO: it printed something else. *ret_version is
 * malloc'd. */
TRESTLE_CHECK int trestle_machine_version(const char *qemu_path, char **ret_version,
                                          char **ret_error);
/* The names that -M takes, one per line, as this QEMU lists them. -EPROTO: it listed none.
 * *ret_names is malloc'd. */
TRESTLE_CHECK int trestle_machine_boards(const char *qemu_path, char **ret_names, char **ret_error);

/* What the board of these options has. Asks its QEMU with the plugin, before any guest runs; needs
 * no devices. Lines, in this order:
 * - "board NAME VERSION": the board, and QEMU's version
 * - "tree yes" or "tree no": whether the board makes a device tree
 * - "interrupts FIRST LAST NAME": inputs of the interrupt controller; or "interrupts none", and
 * then the types of which there are several
 * - "candidate FIRST LAST NAME", after "interrupts none": an object with inputs, by path and type
 * - "used INPUT NAME": an input, of the controller or candidate before it, that one of the board's
 *   own devices uses
 * - "memory FIRST LAST NAME": a range of addresses that answers, both ends included
 * - "end"
 * - "note TEXT": what Trestle knows of such boards, and QEMU does not say
 *
 * Addresses are hexadecimal with 0x, inputs decimal, names QEMU's. -EPROTO: QEMU has not said it;
 * it has said why on standard error. *ret_report is malloc'd. */
TRESTLE_CHECK int trestle_machine_report(const struct trestle_machine_options *options,
                                         char **ret_report, char **ret_error);

#endif
