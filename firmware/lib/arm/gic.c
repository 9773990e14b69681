/* SPDX-License-Identifier: MIT */
/* Interrupts of QEMU's arm virt board, 64 bits: a GICv2, and the virtual timer for the limits of
 * waits. */
#include "irq.h"
#include "arch.h"

#define GICD 0x08000000
#define GICD_CTLR 0x000
#define GICD_ISENABLER 0x100
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR 0x800
#define GICC 0x08010000
#define GICC_CTLR 0x00
#define GICC_PMR 0x04
#define GICC_IAR 0x0c
#define GICC_EOIR 0x10
#define FIRST_SPI 32
#define FIRST_SPECIAL 1020
#define VIRTUAL_TIMER 27
#define NS_PER_TICK 16

const unsigned irq_first_input = 180; /* above those of the message-signalled ones and of the bus */
volatile uintptr_t irq_taken_at;
const bool irq_has_cycles = false;

void arch_interrupt(void);

static volatile uint32_t *word(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

static void enable(unsigned id)
{
    *(volatile uint8_t *)(uintptr_t)(GICD + GICD_IPRIORITYR + id) = 0x80;
    *(volatile uint8_t *)(uintptr_t)(GICD + GICD_ITARGETSR + id) = 1;
    *word(GICD + GICD_ISENABLER + id / 32 * 4) = 1U << id % 32;
}

void arch_irq_start(void)
{
    *word(GICD + GICD_CTLR) = 1;
    *word(GICC + GICC_PMR) = 0xff;
    *word(GICC + GICC_CTLR) = 1;
    enable(VIRTUAL_TIMER);
}

void irq_enable(unsigned input)
{
    enable(input + FIRST_SPI);
}

void irq_mask(void)
{
    __asm__ volatile("msr daifset, #2" ::: "memory");
}

void irq_unmask(void)
{
    __asm__ volatile("msr daifclr, #2" ::: "memory");
}

void arch_wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

void irq_sync_code(void)
{
    __asm__ volatile("dsb sy\n\tic iallu\n\tdsb sy\n\tisb" ::: "memory");
}

void arch_wake_after(uint32_t us)
{
    uint64_t now, on = us != UINT32_MAX;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(now));
    if (on)
        __asm__ volatile("msr cntv_cval_el0, %0" ::"r"(now + (uint64_t)us * 1000 / NS_PER_TICK));
    __asm__ volatile("msr cntv_ctl_el0, %0\n\tisb" ::"r"(on));
}

/* From the vector. */
void arch_interrupt(void)
{
    uint32_t id = *word(GICC + GICC_IAR) & 0x3ff;
    if (id >= FIRST_SPECIAL)
        return;
    if (id == VIRTUAL_TIMER)
        arch_wake_after(UINT32_MAX);
    else
        arch_irq_handler(id - FIRST_SPI);
    *word(GICC + GICC_EOIR) = id;
}
