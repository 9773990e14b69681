/* SPDX-License-Identifier: MIT */
/* arch.h: what each architecture gives the rest of the support library. */
#ifndef ARCH_H
#define ARCH_H

#include "guest.h"

void arch_putc(char c);

/* One instruction each, in arch's assembly, between mmio_text_start and mmio_text_end: a bus
 * error there is counted in arch_faults and the instruction skipped. size is 1, 2, 4 or 8. */
uint64_t arch_load(uintptr_t addr, unsigned size);
void arch_store(uintptr_t addr, unsigned size, uint64_t value);
extern volatile unsigned arch_faults, arch_last_fault;

/* The flattened device tree, or NULL. What lies there is looked at before it is believed. */
extern const void *arch_fdt;
/* The command line of a machine that hands it over in another way, or NULL. */
extern const char *arch_command_line;

#endif
