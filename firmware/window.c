/* SPDX-License-Identifier: MIT */
/*
 * A PCI device whose second BAR is plain memory: what the guest writes there the model finds, and
 * what the model writes there the guest reads, of any width.
 *
 * Command line: lost=1: the device is lost afterwards, and comes back; its memory has stayed.
 */
#include "check.h"
#include "pci.h"

enum { ID_OF_MODEL = 0x53571234, FIRST = 0, FILL = 4, SUM = 8, BYTES = 65536, VALUE = 0x1234567 };

static uintptr_t registers, memory;

static uint32_t get(unsigned offset)
{
    uint64_t value = 0;
    check_quiet(mmio_read(registers + offset, 4, &value), "the device answers a read");
    return (uint32_t)value;
}

static bool has_filled(uint32_t with)
{
    bool ok = true;
    mmio_write(registers + FILL, 4, with);
    for (unsigned i = 0; i < BYTES; i += 4)
        ok &= *(volatile uint32_t *)(memory + i) == with;
    return ok;
}

static bool has_summed(void)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < BYTES; i += 4) {
        *(volatile uint32_t *)(memory + i) = i * i;
        sum += i * i;
    }
    return get(SUM) == sum;
}

static bool has_bytes(void)
{
    *(volatile uint32_t *)memory = 0;
    *(volatile uint8_t *)(memory + 1) = 0x12;
    *(volatile uint16_t *)(memory + 2) = 0x5634;
    return get(FIRST) == 0x56341200;
}

static void lose(void)
{
    *(volatile uint32_t *)memory = VALUE;
    check(get(FIRST) == VALUE, "window: the model reads it");
    print("window: written\n");
    while (get(FIRST) == VALUE)
        ;
    check(*(volatile uint32_t *)memory == VALUE, "window: it is there without the device");
    *(volatile uint32_t *)memory = ~(uint32_t)VALUE;
    while (get(FIRST) == UINT32_MAX)
        ;
    check(get(FIRST) == ~(uint32_t)VALUE, "window: and the device finds it when it is back");
}

int guest_main(void)
{
    uint64_t size = 0;
    int found = pci_find(ID_OF_MODEL);
    if (!check(found != PCI_NONE, "window: the device is found"))
        return check_summary("window");
    unsigned devfn = (unsigned)found;
    registers = pci_bar(devfn, 0, &size);
    memory = pci_bar(devfn, 1, &size);
    check(size == BYTES, "window: the memory is all of a BAR");
    pci_set(devfn, PCI_COMMAND, PCI_COMMAND_MEMORY);
    check(*(volatile uint32_t *)memory == 0 && get(FIRST) == 0, "window: it is zero at the start");
    check(has_filled(0xa5a5a5a5) && has_filled(0), "window: the guest reads what the model writes");
    check(has_summed(), "window: the model reads what the guest writes");
    check(has_bytes(), "window: bytes, too");
    if (bootarg_is("lost", "1"))
        lose();
    return check_summary("window");
}
