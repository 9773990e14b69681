/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes for the devices in the tree that QEMU's board hands to the guest, so that the guest's own
 * drivers find them. Nothing goes through a file, which would be wrong for the next size of memory.
 */
#ifndef TRESTLE_PLUGIN_TREE_H
#define TRESTLE_PLUGIN_TREE_H

struct sst_device;

/* When the first device is created: the board's last work on its tree is still to come. target is
 * QEMU's name of the architecture; check ends QEMU where a device's properties make no sense. */
void tree_prepare(const char *target, void (*check)(struct sst_device *dev));
/* When the machine is complete: what was assumed of the board's own nodes has come true, or QEMU
 * ends with one line. */
void tree_check(void);

#endif
