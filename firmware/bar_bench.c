/* SPDX-License-Identifier: MIT */
/*
 * What a read of a PCI device's BAR costs, compared with a read of a device at an address: two
 * devices of the model id, in turns. If a device has a BAR that is memory, it is compared with RAM.
 *
 * Command line: rounds=N (default 20), reads=N of a round (default 20000).
 */
#include "check.h"
#include "pci.h"

enum { ID_OF_NO_MODEL = 0x53541234, ID_WITH_MEMORY = 0x53571234 };

/* Nanoseconds for so many reads. */
static uint64_t time_reads(uintptr_t addr, unsigned reads, unsigned *ref_failed)
{
    uint64_t start = guest_now_ns(), value;
    for (unsigned i = 0; i < reads; i++)
        *ref_failed += !mmio_read(addr, 4, &value);
    return guest_now_ns() - start;
}

/* In nanoseconds, of microseconds in all: 32 bits are enough. */
static unsigned each_ns(uint64_t all_ns, unsigned rounds, unsigned reads)
{
    return (unsigned)((uint32_t)(all_ns >> 10) / (rounds * reads / 1024 | 1));
}

static void time_memory(unsigned rounds, unsigned reads, unsigned *ref_failed)
{
    uint64_t size, bar_ns = 0, ram_ns = 0;
    uint32_t ram = 0;
    int found = pci_find(ID_WITH_MEMORY);
    if (found == PCI_NONE)
        return;
    uintptr_t bar = pci_bar((unsigned)found, 1, &size);
    pci_set((unsigned)found, PCI_COMMAND, PCI_COMMAND_MEMORY);
    for (unsigned i = 0; i < rounds; i++) {
        bar_ns += time_reads(bar, reads, ref_failed);
        ram_ns += time_reads((uintptr_t)&ram, reads, ref_failed);
    }
    print("bar_bench: a read of memory in a BAR %u ns, of RAM %u ns\n",
          each_ns(bar_ns, rounds, reads), each_ns(ram_ns, rounds, reads));
}

int guest_main(void)
{
    unsigned rounds = (unsigned)bootarg_u64("rounds", 20), failed = 0;
    unsigned reads = (unsigned)bootarg_u64("reads", 20000);
    uint64_t size, bar_ns = 0, mmio_ns = 0;
    int found = pci_find(ID_OF_NO_MODEL);
    if (!check(found != PCI_NONE && reads > 0 && rounds > 0, "bar_bench: the device is found"))
        return check_summary("bar_bench");
    uintptr_t bar = pci_bar((unsigned)found, 0, &size);
    pci_set((unsigned)found, PCI_COMMAND, PCI_COMMAND_MEMORY);
    for (unsigned i = 0; i < rounds; i++) {
        bar_ns += time_reads(bar, reads, &failed);
        mmio_ns += time_reads(guest_device_base, reads, &failed);
    }
    uint32_t bar_us = (uint32_t)(bar_ns >> 10), mmio_us = (uint32_t)(mmio_ns >> 10) | 1;
    print("bar_bench: a read of the BAR %u ns, at an address %u ns, %u percent\n",
          each_ns(bar_ns, rounds, reads), each_ns(mmio_ns, rounds, reads),
          (unsigned)(bar_us / ((mmio_us + 99) / 100)));
    time_memory(rounds, reads, &failed);
    check(failed == 0, "bar_bench: all are answered");
    return check_summary("bar_bench");
}
