/* SPDX-License-Identifier: MIT */
/* Any Cortex-M board: semihosting for console, command line and end, SysTick for time, the NVIC. */
#include "arch.h"
#include "irq.h"

#define SYS_OPEN 0x01
#define SYS_WRITE 0x05
#define SYS_GET_CMDLINE 0x15
#define SYS_EXIT_EXTENDED 0x20
#define ADP_STOPPED_APPLICATION_EXIT 0x20026
#define OPEN_FOR_WRITING 4

#define SYST_CSR 0xe000e010
#define SYST_CSR_ENABLE 1
#define SYST_CSR_TICKINT 2
#define SYST_CSR_PROCESSOR 4 /* counts the processor's clock, not the reference's */
#define SYST_RVR 0xe000e014
#define SYST_CVR 0xe000e018
#define SYST_CALIB 0xe000e01c
#define SYST_CALIB_NOREF (1U << 31)
#define SYST_MAX 0xffffff
#define NVIC_ISER 0xe000e100
#define ICSR 0xe000ed04
#define ICSR_PENDSTSET (1 << 26)
#define FIRST_INPUT 16 /* behind the exceptions */

const uintptr_t guest_device_base = 0xa0000000;
const bool guest_has_bus_errors = true;
const unsigned irq_first_input = 24; /* on most boards */
volatile uintptr_t irq_taken_at;
const bool irq_has_cycles = false;
__attribute__((weak)) const uint32_t guest_clock_hz = 16000000; /* microbit's */

const void *arch_fdt;
const char *arch_command_line;
extern const char mmio_text_start[], mmio_text_end[];

/* What the processor puts on the stack for a handler. */
struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

__attribute__((noreturn)) void arch_main(void);
void arch_fault(struct frame *frame);
__attribute__((noreturn)) void arch_unexpected(const struct frame *frame);
void arch_systick(void);
void arch_interrupt(void);

static volatile uint32_t *word(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

static uint32_t exception(void)
{
    uint32_t number;
    __asm__ volatile("mrs %0, ipsr" : "=r"(number));
    return number;
}

static uintptr_t semihost(uint32_t operation, void *block)
{
    register uintptr_t r0 __asm__("r0") = operation;
    register void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* --- console, start and end ------------------------------------------------------------------- */

void arch_putc(char c)
{
    static uintptr_t handle;
    if (!handle) {
        uintptr_t open[3] = {(uintptr_t) ":tt", OPEN_FOR_WRITING, 3};
        handle = semihost(SYS_OPEN, open);
    }
    uintptr_t write[3] = {handle, (uintptr_t)&c, 1};
    semihost(SYS_WRITE, write);
}

/* Semihosting has no read that does not wait. */
int guest_try_getc(void)
{
    return -1;
}

/* "guest.elf the rest" */
static void take_command_line(void)
{
    static char line[256];
    uintptr_t block[2] = {(uintptr_t)line, sizeof(line)};
    if (semihost(SYS_GET_CMDLINE, block) != 0)
        return;
    const char *rest = line;
    while (*rest && *rest != ' ')
        rest++;
    arch_command_line = *rest ? rest + 1 : rest;
}

void guest_halt(void)
{
    irq_mask();
    for (;;)
        __asm__ volatile("wfi");
}

void guest_exit(int code)
{
    uintptr_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, (uintptr_t)code};
    semihost(SYS_EXIT_EXTENDED, block);
    guest_halt();
}

/* Only the accesses of arch_load() and arch_store() may fail. */
void arch_fault(struct frame *frame)
{
    if (frame->pc < (uintptr_t)mmio_text_start || frame->pc >= (uintptr_t)mmio_text_end)
        arch_unexpected(frame);
    arch_faults++;
    arch_last_fault = exception();
    frame->pc += 2;
}

void arch_unexpected(const struct frame *frame)
{
    static bool ending; /* without semihosting its own instruction ends here, too */
    if (ending)
        guest_halt();
    ending = true;
    print("FAIL unexpected exception %lu: pc 0x%lx\n", (unsigned long)exception(),
          (unsigned long)frame->pc);
    guest_exit(3);
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

uint32_t guest_ticks(void)
{
    return 0;
}

bool guest_flush_pages(void)
{
    return false;
}

/* --- time: SysTick counts down to 0, interrupts there, and begins again ----------------------- */

static uint64_t ticks_before; /* in the rounds that are over */
static uint32_t round_ticks;
static uint64_t ns_per_tick;  /* in 2^-20 ns */
static uint32_t ticks_per_us; /* in 2^-16 */

static uint64_t divide(uint64_t value, uint32_t by)
{
    uint64_t quotient = 0, rest = 0;
    for (int bit = 63; bit >= 0; bit--) {
        rest = rest << 1 | (value >> bit & 1);
        quotient <<= 1;
        if (rest >= by) {
            rest -= by;
            quotient |= 1;
        }
    }
    return quotient;
}

/* The rounds behind it are long, so that none is missed however late the guest wakes. */
static void begin_round(uint32_t ticks)
{
    round_ticks = ticks;
    *word(SYST_RVR) = ticks - 1;
    *word(SYST_CVR) = 0; /* any write: from the start, at the next tick */
    while (*word(SYST_CVR) == 0)
        ;
    *word(SYST_RVR) = SYST_MAX;
}

static void start_clock(void)
{
    uint32_t calibration = *word(SYST_CALIB), source = 0, hz = guest_clock_hz;
    if (calibration & SYST_CALIB_NOREF)
        source = SYST_CSR_PROCESSOR;
    else /* of 10 ms */
        hz = ((calibration & SYST_MAX) + 1) * 100;
    ns_per_tick = divide(UINT64_C(1000000000) << 20, hz);
    ticks_per_us = (uint32_t)divide((uint64_t)hz << 16, 1000000);
    *word(SYST_RVR) = SYST_MAX; /* with 0 there it would not begin */
    *word(SYST_CSR) = source | SYST_CSR_TICKINT | SYST_CSR_ENABLE;
    begin_round(SYST_MAX);
}

/* From the vector. */
void arch_systick(void)
{
    ticks_before += round_ticks;
    round_ticks = SYST_MAX + 1;
}

/* With interrupts off. */
static uint64_t count_ticks(void)
{
    uint32_t left = *word(SYST_CVR);
    uint64_t ticks = ticks_before;
    if (*word(ICSR) & ICSR_PENDSTSET) {
        left = *word(SYST_CVR);
        ticks += round_ticks;
    }
    return ticks + (left ? round_ticks - left : 0);
}

static bool mask(void)
{
    uint32_t was_masked;
    __asm__ volatile("mrs %0, primask" : "=r"(was_masked));
    irq_mask();
    return was_masked;
}

uint64_t guest_now_ns(void)
{
    bool was_masked = mask();
    uint64_t ticks = count_ticks();
    if (!was_masked)
        irq_unmask();
    return ticks * ns_per_tick >> 20;
}

/* A round that is cut off loses a tick or two. */
void arch_wake_after(uint32_t us)
{
    bool was_masked = mask();
    uint64_t ticks = us == UINT32_MAX ? SYST_MAX : ((uint64_t)us * ticks_per_us >> 16) + 1;
    uint64_t until_now = count_ticks();
    begin_round(ticks < SYST_MAX ? (uint32_t)ticks : SYST_MAX);
    *word(ICSR) = ICSR_PENDSTSET >> 1; /* PENDSTCLR: what was pending is counted */
    ticks_before = until_now;
    if (!was_masked)
        irq_unmask();
}

void arch_main(void)
{
    take_command_line();
    start_clock();
    guest_exit(guest_main());
}

/* --- interrupts ------------------------------------------------------------------------------- */

void arch_irq_start(void)
{
}

void irq_enable(unsigned input)
{
    *word(NVIC_ISER + input / 32 * 4) = 1U << input % 32;
}

/* From the vector. */
void arch_interrupt(void)
{
    arch_irq_handler(exception() - FIRST_INPUT);
}

void irq_mask(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

void irq_unmask(void)
{
    __asm__ volatile("cpsie i\n\tisb" ::: "memory");
}

void arch_wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

void irq_every(uint32_t us, volatile unsigned *count)
{
    (void)us;
    (void)count;
}

void irq_align(uintptr_t ns)
{
    (void)ns;
}

void irq_sync_code(void)
{
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}
