/* SPDX-License-Identifier: MIT */
/* QEMU's riscv virt board: 16550 console, test finisher, traps, time. */
#include "arch.h"

#define UART 0x10000000
#define UART_THR 0
#define UART_LSR 5
#define UART_LSR_THRE 0x20
#define FINISHER 0x100000
#define FINISHER_PASS 0x5555
#define FINISHER_FAIL 0x3333

#define CAUSE_LOAD_ACCESS_FAULT 5
#define CAUSE_STORE_ACCESS_FAULT 7

const void *arch_fdt;
extern const char mmio_text_start[], mmio_text_end[];

void arch_main(const void *fdt);
uintptr_t arch_trap(uintptr_t cause, uintptr_t pc, uintptr_t value);

void arch_main(const void *fdt)
{
    arch_fdt = fdt;
    guest_exit(guest_main());
}

/* Waits while the console is full: nothing is lost when its reader is slow. */
void arch_putc(char c)
{
    volatile uint8_t *uart = (volatile uint8_t *)UART;
    while (!(uart[UART_LSR] & UART_LSR_THRE))
        ;
    uart[UART_THR] = (uint8_t)c;
}

void guest_exit(int code)
{
    volatile uint32_t *finisher = (volatile uint32_t *)FINISHER;
    *finisher = code ? (uint32_t)code << 16 | FINISHER_FAIL : FINISHER_PASS;
    for (;;)
        __asm__ volatile("wfi");
}

/* Returns where to go on. Only the accesses of arch_load() and arch_store() may fail. */
uintptr_t arch_trap(uintptr_t cause, uintptr_t pc, uintptr_t value)
{
    bool mmio = pc >= (uintptr_t)mmio_text_start && pc < (uintptr_t)mmio_text_end;
    if (mmio && (cause == CAUSE_LOAD_ACCESS_FAULT || cause == CAUSE_STORE_ACCESS_FAULT)) {
        arch_faults++;
        return pc + 4;
    }
    print("FAIL unexpected trap: mcause 0x%lx mepc 0x%lx mtval 0x%lx\n", (unsigned long)cause,
          (unsigned long)pc, (unsigned long)value);
    guest_exit(3);
}

uint64_t guest_now_ns(void)
{
#if __riscv_xlen == 64
    uint64_t ticks;
    __asm__ volatile("rdtime %0" : "=r"(ticks));
#else
    uint32_t high, low, again;
    do {
        __asm__ volatile("rdtimeh %0\n\trdtime %1\n\trdtimeh %2"
                         : "=&r"(high), "=&r"(low), "=&r"(again));
    } while (high != again);
    uint64_t ticks = (uint64_t)high << 32 | low;
#endif
    return ticks * 100; /* 10 MHz */
}
