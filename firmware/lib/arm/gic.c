/* SPDX-License-Identifier: MIT */
/* Interrupts of QEMU's arm virt board, 32 and 64 bits: a GICv2 or a GICv3, whichever is there, and
 * the virtual timer for the limits of waits. */
#include "arch.h"
#include "irq.h"

#define GICD 0x08000000
#define GICD_CTLR 0x000
#define GICD_CTLR_GROUPS 3
#define GICD_CTLR_ARE 0x10
#define GICD_IGROUPR 0x080
#define GICD_ISENABLER 0x100
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR 0x800
#define GICD_PIDR2 0xffe8 /* of a GICv3; a GICv2 has nothing there */
#define GICC 0x08010000
#define GICC_CTLR 0x00
#define GICC_PMR 0x04
#define GICC_IAR 0x0c
#define GICC_EOIR 0x10
#define GICR 0x080a0000 /* of the first processor */
#define GICR_WAKER 0x14
#define GICR_WAKER_SLEEPS 6
#define GICR_PRIVATE 0x10000 /* laid out as the distributor, for the first 32 */
#define FIRST_SPI 32
#define FIRST_SPECIAL 1020
#define VIRTUAL_TIMER 27
#define NS_PER_TICK 16

#ifdef __aarch64__
#define READ(name, value) __asm__ volatile("isb\n\tmrs %0, " name : "=r"(value))
#define WRITE(name, value) __asm__ volatile("msr " name ", %0\n\tisb" ::"r"((uint64_t)(value)))
#define ICC_PMR "s3_0_c4_c6_0"
#define ICC_IAR1 "s3_0_c12_c12_0"
#define ICC_EOIR1 "s3_0_c12_c12_1"
#define ICC_SRE "s3_0_c12_c12_5"
#define ICC_IGRPEN1 "s3_0_c12_c12_7"
#define CNTV_CTL "cntv_ctl_el0"
#else
#define READ(name, value) __asm__ volatile("isb\n\tmrc p15, 0, %0, " name : "=r"(value))
#define WRITE(name, value) __asm__ volatile("mcr p15, 0, %0, " name "\n\tisb" ::"r"(value))
#define ICC_PMR "c4, c6, 0"
#define ICC_IAR1 "c12, c12, 0"
#define ICC_EOIR1 "c12, c12, 1"
#define ICC_SRE "c12, c12, 5"
#define ICC_IGRPEN1 "c12, c12, 7"
#define CNTV_CTL "c14, c3, 1"
#endif

const unsigned irq_first_input = 180; /* above those of the message-signalled ones and of the bus */
volatile uintptr_t irq_taken_at;
const bool irq_has_cycles = false;

void irq_align(uintptr_t ns)
{
    (void)ns;
}

static bool is_v3;

void arch_interrupt(void);

static volatile uint32_t *word(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

static void enable(unsigned id)
{
    uintptr_t base = is_v3 && id < FIRST_SPI ? GICR + GICR_PRIVATE : GICD;
    *(volatile uint8_t *)(base + GICD_IPRIORITYR + id) = 0x80;
    if (is_v3) /* of group 1, which comes as IRQ; routed to the first processor after reset */
        *word(base + GICD_IGROUPR + id / 32 * 4) |= 1U << id % 32;
    else
        *(volatile uint8_t *)(base + GICD_ITARGETSR + id) = 1;
    *word(base + GICD_ISENABLER + id / 32 * 4) = 1U << id % 32;
}

static void start_v3(void)
{
    *word(GICD + GICD_CTLR) = GICD_CTLR_GROUPS | GICD_CTLR_ARE;
    *word(GICR + GICR_WAKER) = 0;
    while (*word(GICR + GICR_WAKER) & GICR_WAKER_SLEEPS)
        ;
    WRITE(ICC_SRE, 1);
    WRITE(ICC_PMR, 0xff);
    WRITE(ICC_IGRPEN1, 1);
}

static void start_v2(void)
{
    *word(GICD + GICD_CTLR) = 1;
    *word(GICC + GICC_PMR) = 0xff;
    *word(GICC + GICC_CTLR) = 1;
}

void arch_irq_start(void)
{
    uint64_t id;
    is_v3 = mmio_read(GICD + GICD_PIDR2, 4, &id) && (id >> 4 & 15) >= 3;
    (is_v3 ? start_v3 : start_v2)();
    enable(VIRTUAL_TIMER);
}

void irq_enable(unsigned input)
{
    enable(input + FIRST_SPI);
}

void irq_mask(void)
{
#ifdef __aarch64__
    __asm__ volatile("msr daifset, #2" ::: "memory");
#else
    __asm__ volatile("cpsid i" ::: "memory");
#endif
}

void irq_unmask(void)
{
#ifdef __aarch64__
    __asm__ volatile("msr daifclr, #2" ::: "memory");
#else
    __asm__ volatile("cpsie i" ::: "memory");
#endif
}

void arch_wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

void irq_sync_code(void)
{
#ifdef __aarch64__
    __asm__ volatile("dsb sy\n\tic iallu\n\tdsb sy\n\tisb" ::: "memory");
#else
    __asm__ volatile("dsb sy\n\tmcr p15, 0, %0, c7, c5, 0\n\tdsb sy\n\tisb" ::"r"(0) : "memory");
#endif
}

void irq_every(uint32_t us, volatile unsigned *count)
{
    (void)us;
    (void)count;
}

static void set_limit(uint64_t ticks)
{
#ifdef __aarch64__
    __asm__ volatile("msr cntv_cval_el0, %0" ::"r"(ticks));
#else
    __asm__ volatile("mcrr p15, 3, %0, %1, c14" ::"r"((uint32_t)ticks),
                     "r"((uint32_t)(ticks >> 32)));
#endif
}

void arch_wake_after(uint32_t us)
{
    bool on = us != UINT32_MAX;
    if (on)
        set_limit(guest_now_ns() / NS_PER_TICK + us * UINT64_C(125) / 2);
    WRITE(CNTV_CTL, on);
}

static uint32_t claim(void)
{
    uintptr_t id;
    if (!is_v3)
        return *word(GICC + GICC_IAR) & 0x3ff;
    READ(ICC_IAR1, id);
    return (uint32_t)id & 0xffffff;
}

static void complete(uint32_t id)
{
    if (is_v3)
        WRITE(ICC_EOIR1, id);
    else
        *word(GICC + GICC_EOIR) = id;
}

/* From the vector. */
void arch_interrupt(void)
{
    uint32_t id = claim();
    if (id >= FIRST_SPECIAL)
        return;
    if (id == VIRTUAL_TIMER)
        arch_wake_after(UINT32_MAX);
    else
        arch_irq_handler(id - FIRST_SPI);
    complete(id);
}
