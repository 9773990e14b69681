/* SPDX-License-Identifier: MIT */
/* Interrupts of QEMU's pc boards: the I/O APIC, and the local APIC's timer for the limits of waits.
 */
#include "irq.h"
#include "arch.h"

#define PIC_MASK 0x21
#define PIC2_MASK 0xa1
#define IOAPIC 0xfec00000
#define IOAPIC_DATA 0x10
#define IOAPIC_ENTRY 0x10 /* two registers for each input */
#define ENTRY_LEVEL (1 << 15)
#define APIC 0xfee00000
#define APIC_EOI 0x0b0
#define APIC_SPURIOUS 0x0f0
#define APIC_ENABLE 0x100
#define APIC_TIMER 0x320
#define APIC_TIMER_COUNT 0x380
#define APIC_TIMER_DIVIDE 0x3e0
#define DIVIDE_BY_1 0xb   /* of a nanosecond */
#define FIRST_VECTOR 0x20 /* of the I/O APIC's inputs */
#define INPUTS 24
#define TIMER_VECTOR (FIRST_VECTOR + INPUTS)
#define NUM_VECTORS 32

const unsigned irq_first_input = 16; /* above those of the older devices */
volatile uintptr_t irq_taken_at;
const bool irq_has_cycles = false;

void irq_align(uintptr_t ns)
{
    (void)ns;
}

extern const char irq_entries[NUM_VECTORS][8];
void arch_interrupt(unsigned number);

static struct gate {
    uint16_t low, selector, flags, high;
} idt[FIRST_VECTOR + NUM_VECTORS];

static void port_write(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static volatile uint32_t *apic(uintptr_t offset)
{
    return (volatile uint32_t *)(APIC + offset);
}

static void ioapic_write(unsigned index, uint32_t value)
{
    *(volatile uint32_t *)IOAPIC = index;
    *(volatile uint32_t *)(IOAPIC + IOAPIC_DATA) = value;
}

void arch_irq_start(void)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) pointer = {sizeof(idt) - 1, (uint32_t)(uintptr_t)idt};
    for (unsigned i = 0; i < NUM_VECTORS; i++) {
        uint32_t entry = (uint32_t)(uintptr_t)irq_entries[i];
        idt[FIRST_VECTOR + i] = (struct gate){(uint16_t)entry, 8, 0x8e00, (uint16_t)(entry >> 16)};
    }
    __asm__ volatile("lidt %0" ::"m"(pointer));
    port_write(PIC_MASK, 0xff);
    port_write(PIC2_MASK, 0xff);
    *apic(APIC_SPURIOUS) = APIC_ENABLE | 0xff;
    *apic(APIC_TIMER_DIVIDE) = DIVIDE_BY_1;
    *apic(APIC_TIMER) = TIMER_VECTOR;
}

void irq_enable(unsigned input)
{
    ioapic_write(IOAPIC_ENTRY + 2 * input + 1, 0); /* to the first processor */
    ioapic_write(IOAPIC_ENTRY + 2 * input, ENTRY_LEVEL | (FIRST_VECTOR + input));
}

void irq_mask(void)
{
    __asm__ volatile("cli" ::: "memory");
}

void irq_unmask(void)
{
    __asm__ volatile("sti" ::: "memory");
}

/* Interrupts come on at the instruction after the next: none is slept through. */
void arch_wait_for_interrupt(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
}

void irq_sync_code(void)
{
    __asm__ volatile("" ::: "memory"); /* the processor sees to it */
}

void irq_every(uint32_t us, volatile unsigned *count)
{
    (void)us;
    (void)count;
}

void arch_wake_after(uint32_t us)
{
    *apic(APIC_TIMER_COUNT) = us < UINT32_MAX / 1000 ? us * 1000 : 0;
}

/* From the vector. */
void arch_interrupt(unsigned number)
{
    if (number < INPUTS)
        arch_irq_handler(number);
    *apic(APIC_EOI) = 0;
}
