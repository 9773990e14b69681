/* SPDX-License-Identifier: MIT */
/* QEMU's arm virt board, 32 and 64 bits: PL011 console, traps, time, end by semihosting. */
#include "arch.h"

#define UART 0x09000000
#define UART_DR 0x00
#define UART_FR 0x18
#define UART_FR_RXFE (1 << 4)
#define UART_FR_TXFF (1 << 5)

#define SYS_EXIT_EXTENDED 0x20
#define ADP_STOPPED_APPLICATION_EXIT 0x20026

const uintptr_t guest_device_base = 0x0b200000;
const bool guest_has_bus_errors = true;

const void *arch_fdt = (const void *)0x40000000; /* start of RAM, for kernels that are no Linux */
const char *arch_command_line;
extern const char mmio_text_start[], mmio_text_end[];

void arch_main(void);
uintptr_t arch_trap(uintptr_t status, uintptr_t pc);
__attribute__((noreturn)) void arch_unexpected(uintptr_t status, uintptr_t pc);

static bool ending;

void arch_main(void)
{
    guest_exit(guest_main());
}

static volatile uint32_t *uart(unsigned offset)
{
    return (volatile uint32_t *)(uintptr_t)(UART + offset);
}

void arch_putc(char c)
{
    while (*uart(UART_FR) & UART_FR_TXFF)
        ;
    *uart(UART_DR) = (uint8_t)c;
}

int guest_try_getc(void)
{
    return *uart(UART_FR) & UART_FR_RXFE ? -1 : (uint8_t)*uart(UART_DR);
}

bool guest_start_second(void (*run)(void))
{
    (void)run;
    return false;
}

bool guest_sleep_us(uint32_t us)
{
    (void)us;
    return false;
}

void guest_halt(void)
{
    for (;;)
        __asm__ volatile("wfi");
}

void guest_exit(int code)
{
    ending = true;
    uintptr_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, (uintptr_t)code};
#ifdef __aarch64__
    register uintptr_t op __asm__("x0") = SYS_EXIT_EXTENDED;
    register uintptr_t *arg __asm__("x1") = block;
    __asm__ volatile("hlt #0xf000" ::"r"(op), "r"(arg) : "memory");
#else
    register uintptr_t op __asm__("r0") = SYS_EXIT_EXTENDED;
    register uintptr_t *arg __asm__("r1") = block;
    __asm__ volatile("svc #0x123456" ::"r"(op), "r"(arg) : "memory");
#endif
    guest_halt();
}

/* Returns where to go on. Only the accesses of arch_load() and arch_store() may fail. */
uintptr_t arch_trap(uintptr_t status, uintptr_t pc)
{
    if (pc < (uintptr_t)mmio_text_start || pc >= (uintptr_t)mmio_text_end)
        arch_unexpected(status, pc);
    arch_faults++;
    arch_last_fault = (unsigned)status;
    return pc + 4;
}

void arch_unexpected(uintptr_t status, uintptr_t pc)
{
    /* Without semihosting the instruction that ends QEMU traps; to end again would trap again. */
    if (ending) {
        print("FAIL cannot end QEMU: start it with -semihosting\n");
        guest_halt();
    }
    print("FAIL unexpected trap: status 0x%lx pc 0x%lx\n", (unsigned long)status,
          (unsigned long)pc);
    guest_exit(3);
}

uint32_t guest_ticks(void)
{
    return 0;
}

bool guest_flush_pages(void)
{
    return false;
}

uint64_t guest_now_ns(void)
{
    uint64_t ticks;
#ifdef __aarch64__
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
#else
    uint32_t low, high;
    __asm__ volatile("mrrc p15, 1, %0, %1, c14" : "=r"(low), "=r"(high));
    ticks = (uint64_t)high << 32 | low;
#endif
    return ticks * 16; /* 62.5 MHz, the default in all versions for the processors of virt */
}
