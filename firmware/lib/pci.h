/* SPDX-License-Identifier: MIT */
/*
 * pci.h: devices on the first PCI bus: finding one, giving its BARs addresses where no firmware
 * has, and its interrupts. x86_64 (q35), riscv and arm (virt; on 32-bit arm with highmem=off).
 */
#ifndef PCI_H
#define PCI_H

#include "guest.h"

enum { PCI_NONE = -1 };

enum {
    PCI_ID = 0x00,      /* device << 16 | vendor */
    PCI_COMMAND = 0x04, /* with the status above it */
    PCI_COMMAND_IO = 1,
    PCI_COMMAND_MEMORY = 2,
    PCI_COMMAND_MASTER = 4,
    PCI_CLASS = 0x08, /* with the revision below it */
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM = 0x2c,
    PCI_CAPABILITIES = 0x34,
    PCI_LINE = 0x3c,
    PCI_CAPABILITY_PM = 0x01,
    PCI_CAPABILITY_MSI = 0x05,
    PCI_CAPABILITY_EXPRESS = 0x10,
    PCI_CAPABILITY_MSIX = 0x11,
};

/* Registers of the configuration space, 32 bits each. devfn: bus * 256 + slot * 8 + function. */
uint32_t pci_get(unsigned devfn, unsigned offset);
void pci_set(unsigned devfn, unsigned offset, uint32_t value);

/* The first bridge of bus 0, through which bus 1 is reached from then on, or PCI_NONE. */
int pci_open_bridge(void);
/* Resets all that is behind a bridge. */
void pci_reset_bus(unsigned bridge);
/* The first device with that id (as PCI_ID has it) on buses 0 and 1, or PCI_NONE. */
int pci_find(uint32_t id);
/* Where a BAR is; one that is nowhere gets a place first. Its size in *ret_size. 0: there is none.
 */
uintptr_t pci_bar(unsigned devfn, unsigned bar, uint64_t *ret_size);
/* 32 bits of a BAR of I/O. False: a bus error. */
bool pci_io_read(uintptr_t place, uint64_t *ret_value);
bool pci_io_write(uintptr_t place, uint32_t value);
/* Where a capability is in the configuration space, or 0. */
unsigned pci_capability(unsigned devfn, unsigned id);

/* The input of the machine's interrupt controller that INTA of a slot is. */
unsigned pci_intx_input(unsigned devfn);
/* The input that a message with this address and data is, if the machine has messages at all. */
bool pci_message(uint32_t *ret_addr, uint32_t *ret_data, unsigned *ret_input);

/* Where the table of MSI-X is, and how many entries it has. 0: the device does not have it. */
uintptr_t pci_msix_table(unsigned devfn, unsigned *ret_count);
void pci_enable_msix(unsigned devfn);
/* What a vector writes, and where. False: a bus error. */
bool pci_set_msix(uintptr_t table, unsigned vector, uint64_t addr, uint32_t data);

/* All messages of MSI-X become the one, or that of MSI. False: the device does not have it. */
bool pci_start_msix(unsigned devfn, uint32_t addr, uint32_t data);
bool pci_start_msi(unsigned devfn, uint32_t addr, uint32_t data);

#endif
