/* SPDX-License-Identifier: MIT */
/* Takes ten interrupts of a timer through the NVIC, on any Cortex-M board that has memory at 0 and
 * at 0x20000000. Without any library; it speaks and ends through semihosting. */
#include <stdint.h>

#define TIMER 0xa0000000u
#define INPUT 31 /* of the NVIC: free on mps2-an385 and microbit */
#define TURNS 10

enum { COUNT = 0x00, COMPARE = 0x08, CONTROL = 0x10, STATUS = 0x14 };
enum { SYS_WRITE0 = 0x04, SYS_EXIT = 0x18, EXIT_OK = 0x20026, EXIT_ERROR = 0x20024 };

void start(void);

static volatile unsigned taken;

static uint32_t in(uint32_t address)
{
    return *(volatile uint32_t *)address;
}

static void out(uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static void semihost(uint32_t operation, uint32_t argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register uint32_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void start_timer(void)
{
    out(TIMER + COMPARE + 4, 0);
    out(TIMER + COMPARE, in(TIMER + COUNT) + 100000);
}

static void on_timer(void)
{
    taken = taken + 1;
    if (taken < TURNS)
        start_timer();
    else
        out(TIMER + CONTROL, 0);
}

static void on_fault(void)
{
    semihost(SYS_WRITE0, (uint32_t) "FAIL an exception that nobody expects\n");
    semihost(SYS_EXIT, EXIT_ERROR);
}

void start(void)
{
    out(0xe000e100, 1u << INPUT); /* NVIC_ISER */
    start_timer();
    out(TIMER + CONTROL, 1);
    while (taken < TURNS)
        __asm__ volatile("wfi");
    semihost(SYS_WRITE0, (uint32_t) "cortex-m: 10 interrupts taken\n");
    semihost(SYS_EXIT, EXIT_OK);
    for (;;)
        ;
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t stack;
    void (*exceptions[15])(void);
    void (*inputs[32])(void);
} vectors = {
    .stack = 0x20002000,
    .exceptions = {start, on_fault, on_fault},
    .inputs = {[INPUT] = on_timer},
};
