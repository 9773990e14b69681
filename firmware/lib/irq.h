/* SPDX-License-Identifier: MIT */
/*
 * irq.h: interrupts from the machine's controller (the PLIC or an IMSIC on riscv, a GICv2 or GICv3
 * on arm and aarch64, the NVIC on Cortex-M, the I/O APIC on x86), and waiting for them.
 *
 * An input is a number as QEMU's -device sst-device,irq= has it: a source of the PLIC, an SPI of
 * the GIC, an interrupt of the NVIC, a pin of the I/O APIC. Of an IMSIC it is a message's number.
 */
#ifndef IRQ_H
#define IRQ_H

#include "guest.h"

/* Called with interrupts off, between claim and completion. */
typedef void irq_handler(unsigned input);

/* From here on interrupts are taken, of those inputs that irq_enable() names. */
void irq_start(irq_handler *handler);
void irq_enable(unsigned input);

/* Halts until *count has reached want, which a handler sees to. False: it has not after limit_us
 * of guest time. An interrupt between a look at *count and the halt is not slept through. */
bool irq_wait(const volatile unsigned *count, unsigned want, uint32_t limit_us);

/* The board's own timer interrupts every so often from now on, and counts. Only on riscv; no
 * irq_wait() meanwhile. */
void irq_every(uint32_t us, volatile unsigned *count);

/* Interrupts off and on, for what handlers change as well. */
void irq_mask(void);
void irq_unmask(void);

/* What the processor's cycle counter said in the last interrupt, after the first two instructions
 * of it, the one that reads it included. Under QEMU's -icount it is guest time in nanoseconds. */
extern volatile uintptr_t irq_taken_at;
/* False: there is nothing to read it from. */
extern const bool irq_has_cycles;
/* Under -icount shift=0: returns at this time in nanoseconds, give or take none, if it is not over.
 * What a guest does from there on comes at the same times whatever it was slowed by before, such as
 * another device tree. Nothing where there is no such counter. */
void irq_align(uintptr_t ns);

/* Makes instructions that something else has written visible to the processor. */
void irq_sync_code(void);

/* Where inputs begin that the board leaves free, at least 8. */
extern const unsigned irq_first_input;

/* --- of each architecture ----------------------------------------------------------------------
 */

void arch_irq_start(void);
/* An interrupt becomes pending so much later, and is gone when it was taken. UINT32_MAX: never. */
void arch_wake_after(uint32_t us);
void arch_wait_for_interrupt(void);
extern irq_handler *arch_irq_handler;
/* On riscv, before irq_start(): where messages go, each with its input as data; from then on no
 * other interrupts come. 0: this machine has no messages. */
uintptr_t arch_message_place(void);

#endif
