/* SPDX-License-Identifier: MIT */
/* QEMU's riscv virt board: 16550 console, test finisher, traps, time. */
#include "arch.h"

#define UART 0x10000000
#define UART_THR 0
#define UART_RBR 0
#define UART_LSR 5
#define UART_LSR_DR 1
#define UART_LSR_THRE 0x20
#define MSIP 0x2000000     /* 32 bits for each hart */
#define MTIMECMP 0x2004000 /* 64 bits, in ticks */
#define NS_PER_TICK 100
#define TICKS_PER_US 10
#define MIE_MTIE (1 << 7)
#define FINISHER 0x100000
#define FINISHER_PASS 0x5555
#define FINISHER_FAIL 0x3333

#define CAUSE_LOAD_ACCESS_FAULT 5
#define CAUSE_STORE_ACCESS_FAULT 7

const uintptr_t guest_device_base = 0x10200000;
const bool guest_has_bus_errors = true;

const void *arch_fdt;
const char *arch_command_line;
extern const char mmio_text_start[], mmio_text_end[];

void arch_main(const void *fdt);
void arch_second_main(void);
uintptr_t arch_trap(uintptr_t cause, uintptr_t pc, uintptr_t value);
void arch_interrupt(uintptr_t cause);
uint64_t arch_ticks(void);

void arch_main(const void *fdt)
{
    arch_fdt = fdt;
    guest_exit(guest_main());
}

static void (*second_run)(void);

void arch_second_main(void)
{
    second_run();
}

bool guest_start_second(void (*run)(void))
{
    second_run = run;
    __asm__ volatile("fence" ::: "memory");
    ((volatile uint32_t *)MSIP)[1] = 1;
    return true;
}

/* Waits while the console is full: nothing is lost when its reader is slow. */
void arch_putc(char c)
{
    volatile uint8_t *uart = (volatile uint8_t *)UART;
    while (!(uart[UART_LSR] & UART_LSR_THRE))
        ;
    uart[UART_THR] = (uint8_t)c;
}

int guest_try_getc(void)
{
    volatile uint8_t *uart = (volatile uint8_t *)UART;
    return uart[UART_LSR] & UART_LSR_DR ? uart[UART_RBR] : -1;
}

uint64_t arch_ticks(void)
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
    return ticks;
}

uint32_t guest_ticks(void)
{
    uintptr_t ticks;
    __asm__ volatile("csrr %0, mcycle" : "=r"(ticks));
    return (uint32_t)ticks;
}

bool guest_flush_pages(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
    return true;
}

uint64_t guest_now_ns(void)
{
    return arch_ticks() * NS_PER_TICK;
}

static void write_mtimecmp(uint64_t ticks)
{
    volatile uint32_t *mtimecmp = (volatile uint32_t *)MTIMECMP;
    mtimecmp[1] = UINT32_MAX;
    mtimecmp[0] = (uint32_t)ticks;
    mtimecmp[1] = (uint32_t)(ticks >> 32);
}

/* wfi goes on when an interrupt is pending, taken or not. */
bool guest_sleep_us(uint32_t us)
{
    uint64_t until = arch_ticks() + (uint64_t)us * TICKS_PER_US;
    write_mtimecmp(until);
    __asm__ volatile("csrs mie, %0" ::"r"(MIE_MTIE));
    while (arch_ticks() < until)
        __asm__ volatile("wfi");
    __asm__ volatile("csrc mie, %0" ::"r"(MIE_MTIE));
    write_mtimecmp(UINT64_MAX);
    return true;
}

void guest_halt(void)
{
    for (;;)
        __asm__ volatile("wfi");
}

void guest_exit(int code)
{
    volatile uint32_t *finisher = (volatile uint32_t *)FINISHER;
    *finisher = code ? (uint32_t)code << 16 | FINISHER_FAIL : FINISHER_PASS;
    guest_halt();
}

/* Returns where to go on. Only the accesses of arch_load() and arch_store() may fail. */
uintptr_t arch_trap(uintptr_t cause, uintptr_t pc, uintptr_t value)
{
    if ((intptr_t)cause < 0) {
        arch_interrupt(cause);
        return pc;
    }
    bool mmio = pc >= (uintptr_t)mmio_text_start && pc < (uintptr_t)mmio_text_end;
    if (mmio && (cause == CAUSE_LOAD_ACCESS_FAULT || cause == CAUSE_STORE_ACCESS_FAULT)) {
        arch_faults++;
        arch_last_fault = (unsigned)cause;
        return pc + 4;
    }
    print("FAIL unexpected trap: mcause 0x%lx mepc 0x%lx mtval 0x%lx\n", (unsigned long)cause,
          (unsigned long)pc, (unsigned long)value);
    guest_exit(3);
}
