/* SPDX-License-Identifier: MIT */
/*
 * A PCI device with 64 interrupt lines: each vector of MSI-X writes a word of RAM of its own, so
 * that the guest sees which of them has sent.
 */
#include "check.h"
#include "pci.h"

enum { ID_OF_NO_MODEL = 0x53541234, VECTORS = 64, RAISE = 0, LOWER = 4, MSIX_ENABLE_BIT = 31 };

static volatile uint32_t words[VECTORS];

static bool aim(uintptr_t table)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        const uint64_t place = (uintptr_t)&words[i];
        const uint32_t entry[] = {(uint32_t)place, (uint32_t)(place >> 32), 0x100 + i, 0};
        for (unsigned word = 0; word < 4; word++)
            if (!mmio_write(table + 16 * i + 4 * word, 4, entry[word]))
                return false;
    }
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
    unsigned devfn = (unsigned)found, at = pci_capability(devfn, PCI_CAPABILITY_MSIX), good = 0;
    uint32_t control = pci_get(devfn, at), table = pci_get(devfn, at + 4);
    check((control >> 16 & 0x7ff) + 1 == VECTORS, "vectors: the table has 64");
    uintptr_t registers = pci_bar(devfn, 0, &size);
    uintptr_t entries = pci_bar(devfn, table & 7, &size) + (table & ~7u);
    pci_set(devfn, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pci_set(devfn, at, control | 1u << MSIX_ENABLE_BIT);
    check(aim(entries), "vectors: the table is written");
    for (unsigned line = 0; line < VECTORS; line++)
        good += sends(registers, line);
    check(good == VECTORS, "vectors: %u of %u", good, VECTORS);
    return check_summary("vectors");
}
