/* SPDX-License-Identifier: MIT */
/*
 * A PCI device with 64 interrupt lines: each vector of MSI-X writes a word of RAM of its own, so
 * that the guest sees which of them has sent.
 */
#include "check.h"
#include "pci.h"

enum { ID_OF_NO_MODEL = 0x53541234, VECTORS = 64, RAISE = 0, LOWER = 4 };

static volatile uint32_t words[VECTORS];

static bool aim(uintptr_t table)
{
    for (unsigned i = 0; i < VECTORS; i++)
        if (!pci_set_msix(table, i, (uintptr_t)&words[i], 0x100 + i))
            return false;
    return true;
}

/* Only the line's own word is written. */
static bool sends(uintptr_t registers, unsigned line)
{
    mmio_write(registers + RAISE, 4, line);
    mmio_write(registers + LOWER, 4, line);
    bool ok = words[line] == 0x100 + line;
    words[line] = 0;
    for (unsigned i = 0; i < VECTORS; i++)
        ok &= words[i] == 0;
    return ok;
}

int guest_main(void)
{
    int found = pci_find(ID_OF_NO_MODEL);
    uint64_t size;
    if (!check(found != PCI_NONE, "vectors: the device is found"))
        return check_summary("vectors");
    unsigned devfn = (unsigned)found, count = 0, good = 0;
    uintptr_t registers = pci_bar(devfn, 0, &size), table = pci_msix_table(devfn, &count);
    check(count == VECTORS, "vectors: the table has 64");
    pci_set(devfn, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pci_enable_msix(devfn);
    check(aim(table), "vectors: the table is written");
    for (unsigned line = 0; line < VECTORS; line++)
        good += sends(registers, line);
    check(good == VECTORS, "vectors: %u of %u", good, VECTORS);
    return check_summary("vectors");
}
