/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRESTLE_PLUGIN_PCI_H
#define TRESTLE_PLUGIN_PCI_H

/* Registers the type sst-pci-device; where this QEMU lacks something for it, one that says so. */
void pci_register(void);
/* When the machine is complete. */
void pci_start(void);

#endif
