/* SPDX-License-Identifier: MIT */
/* The first two PCI buses of QEMU's q35 and virt boards. */
#include "pci.h"
#include "irq.h"

#define MSI_64 (1u << 23)
#define MSI_ENABLE (1u << 16)
#define MSIX_ENABLE (1u << 31)
#define MSIX_COUNT(control) (((control) >> 16 & 0x7ff) + 1)
#define HEADER 0x0c
#define BUSES 0x18         /* primary, secondary, subordinate */
#define BRIDGE_MEMORY 0x20 /* its first and its last MiB */
#define BRIDGE_BYTES (16u << 20)
#define BRIDGE_RESET (1u << 22)
#define BAR_IO 1u
#define BAR_64 4u

#if defined(__i386__)

#define ADDRESS 0xcf8
#define DATA 0xcfc
#define FIRST_PIRQ_INPUT 20 /* of the slots below 25 */
#define APIC 0xfee00000
#define FIRST_VECTOR 0x20
#define MESSAGE_INPUT 5 /* an old device's, which nobody uses */

static uintptr_t next_place = 0xe8000000, next_io = 0xc000;

bool pci_io_read(uintptr_t place, uint64_t *ret_value)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)place));
    *ret_value = value;
    return true;
}

bool pci_io_write(uintptr_t place, uint32_t value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"((uint16_t)place));
    return true;
}

static void select_register(unsigned devfn, unsigned offset)
{
    __asm__ volatile("outl %0, %1" ::"a"(0x80000000 | devfn << 8 | offset),
                     "Nd"((uint16_t)ADDRESS));
}

uint32_t pci_get(unsigned devfn, unsigned offset)
{
    uint32_t value;
    select_register(devfn, offset);
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)DATA));
    return value;
}

void pci_set(unsigned devfn, unsigned offset, uint32_t value)
{
    select_register(devfn, offset);
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"((uint16_t)DATA));
}

unsigned pci_intx_input(unsigned devfn)
{
    return FIRST_PIRQ_INPUT + (devfn >> 3) % 4;
}

bool pci_message(uint32_t *ret_addr, uint32_t *ret_data, unsigned *ret_input)
{
    *ret_addr = APIC;
    *ret_data = FIRST_VECTOR + MESSAGE_INPUT;
    *ret_input = MESSAGE_INPUT;
    return true;
}

#else

#if defined(__aarch64__) || defined(__arm__)

#if defined(__arm__)
#define ECAM 0x3f000000 /* of a board with highmem=off */
#else
#define ECAM 0x4010000000
#endif
#define IO 0x3eff0000
#define FIRST_INTX 3
#define V2M_SETSPI 0x08020040
#define FIRST_SPI 32
#define MESSAGE_INPUT 50
#define GICD_ICFGR 0x08000c00

static uintptr_t next_place = 0x10000000;

/* Messages are edges. */
bool pci_message(uint32_t *ret_addr, uint32_t *ret_data, unsigned *ret_input)
{
    unsigned spi = MESSAGE_INPUT + FIRST_SPI;
    volatile uint32_t *config = (volatile uint32_t *)(uintptr_t)(GICD_ICFGR + spi / 16 * 4);
    *config |= 2u << spi % 16 * 2;
    *ret_addr = V2M_SETSPI;
    *ret_data = spi;
    *ret_input = MESSAGE_INPUT;
    return true;
}

#else

#define ECAM 0x30000000
#define IO 0x03000000
#define FIRST_INTX 32

#define MESSAGE_INPUT 50

static uintptr_t next_place = 0x40000000;

/* With aia=aplic-imsic. */
bool pci_message(uint32_t *ret_addr, uint32_t *ret_data, unsigned *ret_input)
{
    *ret_addr = (uint32_t)arch_message_place();
    *ret_data = *ret_input = MESSAGE_INPUT;
    return *ret_addr != 0;
}

#endif

static uintptr_t next_io = 0x1000;

bool pci_io_read(uintptr_t place, uint64_t *ret_value)
{
    return mmio_read(IO + place, 4, ret_value);
}

bool pci_io_write(uintptr_t place, uint32_t value)
{
    return mmio_write(IO + place, 4, value);
}

static volatile uint32_t *reg(unsigned devfn, unsigned offset)
{
    return (volatile uint32_t *)(uintptr_t)(ECAM + ((uintptr_t)devfn << 12) + offset);
}

uint32_t pci_get(unsigned devfn, unsigned offset)
{
    return *reg(devfn, offset);
}

void pci_set(unsigned devfn, unsigned offset, uint32_t value)
{
    *reg(devfn, offset) = value;
}

unsigned pci_intx_input(unsigned devfn)
{
    return FIRST_INTX + (devfn >> 3) % 4;
}

#endif

static bool is_bridge(unsigned devfn)
{
    return pci_get(devfn, PCI_ID) != UINT32_MAX && (pci_get(devfn, HEADER) >> 16 & 0x7f) == 1;
}

/* x86's firmware has done it. */
int pci_open_bridge(void)
{
    unsigned devfn = 0;
    while (devfn < 256 && !is_bridge(devfn))
        devfn++;
    if (devfn == 256)
        return PCI_NONE;
    if ((pci_get(devfn, BUSES) & 0xff00) == 0) {
        next_place = (next_place + BRIDGE_BYTES - 1) & ~((uintptr_t)BRIDGE_BYTES - 1);
        pci_set(devfn, BUSES, 1 << 8 | 1 << 16);
        uintptr_t last = next_place + BRIDGE_BYTES - 1;
        pci_set(devfn, BRIDGE_MEMORY, (uint32_t)(next_place >> 16 | (last & 0xfff00000)));
    }
    pci_set(devfn, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    return (int)devfn;
}

void pci_reset_bus(unsigned bridge)
{
    uint32_t control = pci_get(bridge, PCI_LINE);
    pci_set(bridge, PCI_LINE, control | BRIDGE_RESET);
    pci_set(bridge, PCI_LINE, control);
}

int pci_find(uint32_t id)
{
    for (unsigned devfn = 0; devfn < 512; devfn++)
        if (pci_get(devfn, PCI_ID) == id)
            return (int)devfn;
    return PCI_NONE;
}

/* Firmware has given what is not 0 a place. */
static uintptr_t place_bar(uintptr_t *ref_next, uint32_t size)
{
    uintptr_t place = (*ref_next + size - 1) & ~((uintptr_t)size - 1);
    *ref_next = place + size;
    return place;
}

uintptr_t pci_bar(unsigned devfn, unsigned bar, uint64_t *ret_size)
{
    unsigned at = PCI_BAR0 + 4 * bar;
    uint32_t was = pci_get(devfn, at);
    pci_set(devfn, at, UINT32_MAX);
    uint32_t mask = pci_get(devfn, at);
    pci_set(devfn, at, was);
    if (mask == 0)
        return 0;
    uint32_t flags = mask & BAR_IO ? 3u : 15u;
    uint32_t size = ~(mask & ~flags) + 1;
    if ((was & ~flags) == 0) {
        was = (uint32_t)place_bar(mask & BAR_IO ? &next_io : &next_place, size);
        pci_set(devfn, at, was);
        if (!(mask & BAR_IO) && (mask & BAR_64))
            pci_set(devfn, at + 4, 0);
    }
    *ret_size = size;
    return was & ~flags;
}

unsigned pci_capability(unsigned devfn, unsigned id)
{
    unsigned at = pci_get(devfn, PCI_CAPABILITIES) & 0xfc;
    for (unsigned i = 0; at != 0 && i < 48; i++) {
        uint32_t head = pci_get(devfn, at);
        if ((head & 0xff) == id)
            return at;
        at = head >> 8 & 0xfc;
    }
    return 0;
}

uintptr_t pci_msix_table(unsigned devfn, unsigned *ret_count)
{
    unsigned at = pci_capability(devfn, PCI_CAPABILITY_MSIX);
    uint64_t size;
    if (at == 0)
        return 0;
    uint32_t control = pci_get(devfn, at), table = pci_get(devfn, at + 4);
    uintptr_t bar = pci_bar(devfn, table & 7, &size);
    *ret_count = MSIX_COUNT(control);
    return bar ? bar + (table & ~7u) : 0;
}

void pci_enable_msix(unsigned devfn)
{
    unsigned at = pci_capability(devfn, PCI_CAPABILITY_MSIX);
    pci_set(devfn, at, pci_get(devfn, at) | MSIX_ENABLE);
}

bool pci_set_msix(uintptr_t table, unsigned vector, uint64_t addr, uint32_t data)
{
    const uint32_t words[] = {(uint32_t)addr, (uint32_t)(addr >> 32), data, 0};
    for (unsigned word = 0; word < 4; word++)
        if (!mmio_write(table + 16 * vector + 4 * word, 4, words[word]))
            return false;
    return true;
}

bool pci_start_msix(unsigned devfn, uint32_t addr, uint32_t data)
{
    unsigned count;
    uintptr_t table = pci_msix_table(devfn, &count);
    if (table == 0)
        return false;
    pci_enable_msix(devfn);
    for (unsigned vector = 0; vector < count; vector++)
        if (!pci_set_msix(table, vector, addr, data))
            return false;
    return true;
}

bool pci_start_msi(unsigned devfn, uint32_t addr, uint32_t data)
{
    unsigned at = pci_capability(devfn, PCI_CAPABILITY_MSI);
    if (at == 0)
        return false;
    uint32_t control = pci_get(devfn, at);
    pci_set(devfn, at + 4, addr);
    if (control & MSI_64)
        pci_set(devfn, at + 8, 0);
    pci_set(devfn, at + (control & MSI_64 ? 12 : 8), data);
    pci_set(devfn, at, control | MSI_ENABLE);
    return true;
}
