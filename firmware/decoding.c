/* SPDX-License-Identifier: MIT */
/*
 * Two processors and a PCI device that takes its time: while the first waits for a read of its BAR,
 * the second, told by a character on the console, takes the BAR away: it switches decoding off, or
 * (way=power) puts the device into D3 and back, which resets it.
 */
#include "check.h"
#include "pci.h"

enum { ID_OF_NO_MODEL = 0x53541234, POWER_CONTROL = 4, D3 = 3 };

static unsigned devfn;
static uintptr_t registers;
static volatile bool is_off, has_read;

static void take_away(void)
{
    guest_getc();
    if (bootarg_is("way", "power")) {
        unsigned at = pci_capability(devfn, PCI_CAPABILITY_PM) + POWER_CONTROL;
        pci_set(devfn, at, D3);
        pci_set(devfn, at, 0);
    } else {
        pci_set(devfn, PCI_COMMAND, 0);
    }
    print("decoding: %s\n", has_read ? "too late" : "off");
    is_off = true;
}

int guest_main(void)
{
    uint64_t size, value = 0;
    int found = pci_find(ID_OF_NO_MODEL);
    if (!check(found != PCI_NONE, "decoding: the device is found"))
        return check_summary("decoding");
    devfn = (unsigned)found;
    registers = pci_bar(devfn, 0, &size);
    uint32_t bar = pci_get(devfn, PCI_BAR0);
    pci_set(devfn, PCI_COMMAND, PCI_COMMAND_MEMORY);
    check(guest_start_second(take_away), "decoding: the second is started");
    check(mmio_read(registers, 4, &value) && value == 0x11111111, "decoding: the read ends");
    has_read = true;
    while (!is_off)
        ;
    pci_set(devfn, PCI_BAR0, bar);
    pci_set(devfn, PCI_COMMAND, PCI_COMMAND_MEMORY);
    check(mmio_read(registers, 4, &value) && value == 0x22222222, "decoding: and another one");
    return check_summary("decoding");
}
