/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a board has, on standard output, for trestle_machine_report() (trestle/machine.h has the
 * form). */
#ifndef TRESTLE_PLUGIN_REPORT_H
#define TRESTLE_PLUGIN_REPORT_H

/* Once the machine is complete. Ends QEMU. */
_Noreturn void report_board(void);

#endif
