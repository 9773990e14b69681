/* SPDX-License-Identifier: MIT */
/* A machine with a PCI bus, as plugin/device/pci.c sees one: its functions of QEMU are this file's,
 * and what the plugin asks of it is noted (notes.h). */
#ifndef TRESTLE_TESTS_PCI_MACHINE_H
#define TRESTLE_TESTS_PCI_MACHINE_H

#include "plugin/device/device.h"

struct pci_machine {
    /* What it is like; to be set before pci_machine_add(). */
    bool is_express, has_no_msix, has_no_msi, has_no_room, has_no_config, is_late;
    const char *lacks; /* all of it, since QEMU lacks that */

    /* What the guest has done. */
    bool msix_is_on, msi_is_on, has_iommu;
    bool next_msix_is_on; /* from the next write to the configuration space on */

    /* What became of it. */
    int inta;
    uint8_t config[256], writable[256];
    uint32_t registers; /* what a read of the device gives */
    void *memory;       /* the bytes of the latest BAR of memory, and its region */
    void *memory_region;
};

extern struct pci_machine pci_machine;

/* As before a test. All devices are gone. */
void pci_machine_clear(void);
/* A device as "-device sst-pci-device,..." makes it, whose properties are still to be set. */
struct sst_device *pci_machine_add(void);
/* Realizes it. False: it was refused, as `refusal` says (refusal.h). */
bool pci_machine_realize(struct sst_device *dev);
/* Makes it go, and frees it. */
void pci_machine_unplug(struct sst_device *dev);
void pci_machine_free(struct sst_device *dev);
/* The machine is complete, and is reset for the first time. */
void pci_machine_start(void);
/* The whole machine, or this device alone. */
void pci_machine_reset(struct sst_device *dev);
void pci_machine_reset_alone(struct sst_device *dev);
/* The guest's accesses to the configuration space. */
uint32_t pci_machine_read(struct sst_device *dev, uint32_t address, int length);
void pci_machine_write(struct sst_device *dev, uint32_t address, uint32_t value, int length);
/* Where the capability is, or 0. The number-th of them, from 0. */
unsigned pci_machine_capability(uint8_t id, unsigned number);

#endif
