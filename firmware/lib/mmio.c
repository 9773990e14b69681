/* SPDX-License-Identifier: MIT */
/* Device accesses of a guest that survive a bus error. */
#include "arch.h"

volatile unsigned arch_faults, arch_last_fault;

bool mmio_read(uintptr_t addr, unsigned size, uint64_t *ret_value)
{
    unsigned before = arch_faults;
    uint64_t value = arch_load(addr, size);
    if (arch_faults != before)
        return false;
    *ret_value = value;
    return true;
}

bool mmio_write(uintptr_t addr, unsigned size, uint64_t value)
{
    unsigned before = arch_faults;
    arch_store(addr, size, value);
    return arch_faults == before;
}

unsigned mmio_faults(void)
{
    return arch_faults;
}

unsigned mmio_last_fault(void)
{
    return arch_last_fault;
}
