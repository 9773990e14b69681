/* SPDX-License-Identifier: MIT */
/*
 * A PCI device with four BARs: memory, I/O, memory, memory of 64 bits. Each is what it says, and
 * what is written to one is in no other.
 */
#include "check.h"
#include "pci.h"

enum { REGIONS_ID = 0x53551234, LEVEL = 0x1fc };

static const struct {
    unsigned bar, kind;
    uint32_t bytes, last; /* of its size, and an offset near its end */
} BARS[] = {{0, 0, 4096, 60}, {1, 1, 16, 0}, {2, 0, 4096, 0}, {3, 4, 8192, 8188}};

static uintptr_t places[4];

/* All that is not the address. */
static uint32_t kind_of(unsigned devfn, unsigned bar)
{
    uint32_t value = pci_get(devfn, PCI_BAR0 + 4 * bar);
    return value & 1 ? 1 : value & 6;
}

static bool get(unsigned i, unsigned offset, uint64_t *ret_value)
{
    return BARS[i].kind == 1 ? pci_io_read(places[i] + offset, ret_value)
                             : mmio_read(places[i] + offset, 4, ret_value);
}

static void set(unsigned i, unsigned offset, uint32_t value)
{
    if (BARS[i].kind == 1)
        pci_io_write(places[i] + offset, value);
    else
        mmio_write(places[i] + offset, 4, value);
}

int guest_main(void)
{
    int found = pci_find(REGIONS_ID);
    if (!check(found != PCI_NONE, "bars: the device is found"))
        return check_summary("bars");
    unsigned devfn = (unsigned)found;
    uint64_t size, value = 0;
    for (unsigned i = 0; i < 4; i++) {
        places[i] = pci_bar(devfn, BARS[i].bar, &size);
        check(places[i] != 0 && size == BARS[i].bytes, "bars: BAR %u has %u bytes", BARS[i].bar,
              (unsigned)size);
        check(kind_of(devfn, BARS[i].bar) == BARS[i].kind, "bars: BAR %u is of its kind",
              BARS[i].bar);
    }
    pci_set(devfn, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    for (unsigned i = 0; i < 4; i++)
        set(i, BARS[i].last, 0x1000 + i);
    for (unsigned i = 0; i < 4; i++)
        check(get(i, BARS[i].last, &value) && value == 0x1000 + i, "bars: BAR %u keeps its own",
              BARS[i].bar);
    check(get(3, 0, &value) && value == 0, "bars: the beginning is not the end");
    check(get(2, LEVEL, &value) && value == 0, "bars: the last register of a table");
    set(2, LEVEL, 1);
    check(pci_get(devfn, PCI_COMMAND) & 1u << 19, "bars: its interrupt");
    return check_summary("bars");
}
