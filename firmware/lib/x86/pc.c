/* SPDX-License-Identifier: MIT */
/* QEMU's pc board: 16550 console on its port, end by power-off or isa-debug-exit. */
#include "arch.h"

#define UART 0x3f8
#define UART_DATA 0
#define UART_LSR 5
#define UART_LSR_DR 1
#define UART_LSR_THRE 0x20
#define DEBUG_EXIT 0xf4
#define PM_TIMER 0x608 /* where SeaBIOS puts them; 24 bits at 3.58 MHz */
#define PM_CONTROL 0x604
#define PM_CONTROL_POWER_OFF 0x2000
#define PM_TIMER_MASK 0xffffff
#define NS_PER_1024_PM_TICKS 286070

/* In the PCI hole, below what SeaBIOS uses of it. */
const uintptr_t guest_device_base = 0xd0200000;
const bool guest_has_bus_errors = false;

const void *arch_fdt; /* there is none */
const char *arch_command_line;

/* The start of what multiboot hands over. */
struct multiboot_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};
#define MULTIBOOT_CMDLINE 4

__attribute__((noreturn)) void arch_main(const struct multiboot_info *info);

void arch_main(const struct multiboot_info *info)
{
    if (info->flags & MULTIBOOT_CMDLINE)
        arch_command_line = (const char *)info->cmdline;
    guest_exit(guest_main());
}

static uint8_t port_read(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void port_write(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static void port_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

void arch_putc(char c)
{
    while (!(port_read(UART + UART_LSR) & UART_LSR_THRE))
        ;
    port_write(UART + UART_DATA, (uint8_t)c);
}

int guest_try_getc(void)
{
    return port_read(UART + UART_LSR) & UART_LSR_DR ? port_read(UART + UART_DATA) : -1;
}

uint32_t guest_ticks(void)
{
    return (uint32_t)__builtin_ia32_rdtsc();
}

bool guest_flush_pages(void)
{
    return false;
}

/* Right if it is called every four seconds, before the counter wraps twice. */
uint64_t guest_now_ns(void)
{
    static uint64_t ticks;
    uint32_t now;
    __asm__ volatile("inl %1, %0" : "=a"(now) : "Nd"((uint16_t)PM_TIMER));
    ticks += (now - (uint32_t)ticks) & PM_TIMER_MASK;
    return ticks * NS_PER_1024_PM_TICKS >> 10;
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
        __asm__ volatile("cli; hlt");
}

void guest_exit(int code)
{
    if (code)
        port_write(DEBUG_EXIT, (uint8_t)code);
    else
        port_write16(PM_CONTROL, PM_CONTROL_POWER_OFF);
    guest_halt();
}
