/* SPDX-License-Identifier: MIT */
/* Interrupts of QEMU's riscv virt board: the PLIC, or with aia=aplic-imsic messages alone, and the
 * CLINT's timer for the limits of waits. */
#include "irq.h"
#include "arch.h"

#define PLIC 0x0c000000
#define PLIC_PRIORITY 0x000000
#define PLIC_ENABLE 0x002000 /* of hart 0, machine mode */
#define PLIC_THRESHOLD 0x200000
#define PLIC_CLAIM 0x200004
#define IMSIC 0x24000000 /* of hart 0, machine mode */
#define IMSIC_DELIVERY 0x70
#define IMSIC_ENABLE 0xc0
#define MTIMECMP 0x2004000
#define TICKS_PER_US 10
#define MIE_MTIE (1 << 7)
#define MIE_MEIE (1 << 11)
#define MSTATUS_MIE (1 << 3)
#define CAUSE_TIMER 7
#define CAUSE_EXTERNAL 11

const unsigned irq_first_input = 40;
volatile uintptr_t irq_taken_at;
const bool irq_has_cycles = true;

extern volatile uintptr_t trap_cycles; /* of start.S */

uint64_t arch_ticks(void);
void arch_interrupt(uintptr_t cause);

static volatile uint32_t *plic(uintptr_t offset)
{
    return (volatile uint32_t *)(PLIC + offset);
}

/* A register of the IMSIC: miselect says which one mireg is. */
static void imsic_set_bits(uintptr_t number, uintptr_t bits)
{
    __asm__ volatile("csrw 0x350, %0\n\tcsrs 0x351, %1" ::"r"(number), "r"(bits));
}

static bool has_imsic;

uintptr_t arch_message_place(void)
{
    uint64_t value;
    has_imsic = mmio_read(IMSIC, 4, &value);
    return has_imsic ? IMSIC : 0;
}

void arch_irq_start(void)
{
    if (has_imsic)
        imsic_set_bits(IMSIC_DELIVERY, 1); /* with threshold 0: all of them */
    else
        *plic(PLIC_THRESHOLD) = 0;
    arch_wake_after(UINT32_MAX);
    __asm__ volatile("csrs mie, %0" ::"r"(MIE_MEIE | MIE_MTIE));
}

void irq_enable(unsigned input)
{
    if (has_imsic) {
        imsic_set_bits(IMSIC_ENABLE + input / 32 / (__riscv_xlen / 32) * (__riscv_xlen / 32),
                       (uintptr_t)1 << input % __riscv_xlen);
        return;
    }
    *plic(PLIC_PRIORITY + 4 * input) = 1;
    *plic(PLIC_ENABLE + input / 32 * 4) |= 1U << input % 32;
}

void irq_mask(void)
{
    __asm__ volatile("csrc mstatus, %0" ::"r"(MSTATUS_MIE) : "memory");
}

void irq_unmask(void)
{
    __asm__ volatile("csrs mstatus, %0" ::"r"(MSTATUS_MIE) : "memory");
}

void arch_wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

void irq_sync_code(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}

static void wake_at(uint64_t ticks)
{
    volatile uint32_t *mtimecmp = (volatile uint32_t *)MTIMECMP;
    mtimecmp[1] = UINT32_MAX;
    mtimecmp[0] = (uint32_t)ticks;
    mtimecmp[1] = (uint32_t)(ticks >> 32);
}

void arch_wake_after(uint32_t us)
{
    wake_at(us == UINT32_MAX ? UINT64_MAX : arch_ticks() + (uint64_t)us * TICKS_PER_US);
}

/* An instruction takes a nanosecond: one more for an odd rest, and two in each round of the loop.
 */
void irq_align(uintptr_t ns)
{
    uintptr_t rest, odd;
    __asm__ volatile("   csrr %0, mcycle\n"
                     "   bgeu %0, %2, 3f\n"
                     "   sub %0, %2, %0\n"
                     "   andi %1, %0, 1\n"
                     "   beqz %1, 1f\n"
                     "   nop\n"
                     "1: srli %0, %0, 1\n"
                     "2: addi %0, %0, -1\n"
                     "   bgtz %0, 2b\n"
                     "3:\n"
                     : "=&r"(rest), "=&r"(odd)
                     : "r"(ns));
}

static volatile unsigned *ticks_count; /* irq_every() */
static uint64_t tick_at, tick_step;

void irq_every(uint32_t us, volatile unsigned *count)
{
    tick_step = (uint64_t)us * TICKS_PER_US;
    tick_at = arch_ticks() + tick_step;
    ticks_count = count;
    wake_at(tick_at);
}

static void on_own_timer(void)
{
    if (!ticks_count) {
        arch_wake_after(UINT32_MAX);
        return;
    }
    tick_at += tick_step;
    wake_at(tick_at);
    ++*ticks_count;
}

/* Reading mtopei claims what comes next, writing completes it. */
static void on_message(void)
{
    uintptr_t top;
    __asm__ volatile("csrrw %0, 0x35c, zero" : "=r"(top));
    if (top == 0)
        return;
    irq_taken_at = trap_cycles;
    arch_irq_handler((unsigned)(top >> 16));
}

/* From arch_trap(). */
void arch_interrupt(uintptr_t cause)
{
    cause &= 0xff;
    if (cause == CAUSE_TIMER)
        on_own_timer();
    if (cause != CAUSE_EXTERNAL)
        return;
    if (has_imsic) {
        on_message();
        return;
    }
    uint32_t input = *plic(PLIC_CLAIM);
    if (input == 0)
        return;
    irq_taken_at = trap_cycles;
    arch_irq_handler(input);
    *plic(PLIC_CLAIM) = input;
}
