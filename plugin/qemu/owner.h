/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run that this QEMU belongs to: when it is gone, QEMU ends. A run kills its QEMU when it ends,
 * even by SIGKILL, but knows nothing of one that a script has started in its place. */
#ifndef TRESTLE_PLUGIN_OWNER_H
#define TRESTLE_PLUGIN_OWNER_H

#include <stdbool.h>

/* value: "PID:START:NAMESPACE", as /proc has them: the process, when it started in clock ticks, and
 * the inode of its namespace of process ids. False: it is not of that form. */
bool owner_set(const char *value);
/* Once QEMU's main loop can be asked. */
void owner_watch(void);

#endif
