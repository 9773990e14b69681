/* SPDX-License-Identifier: MIT */
/*
 * guest.h: what a bare-metal guest needs: a console, MMIO that survives bus errors, a clock, the
 * kernel command line, and an exit code.
 *
 * One processor, no libc, interrupts where irq.h has them. A guest implements guest_main(); its
 * return value becomes QEMU's exit code.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int guest_main(void);

/* --- console -------------------------------------------------------------------------------- */

/* %s %c %d %u %x, with l or ll, and a zero-padded width as in %08x. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vprint(const char *format, va_list args);
/* Waits for a character, busily; for ever on Cortex-M, whose console is for output only. */
char guest_getc(void);
/* The next character, or -1 while there is none. */
int guest_try_getc(void);

/* --- MMIO ----------------------------------------------------------------------------------- */

/* One access of 1, 2, 4 or 8 bytes, as one instruction (on riscv32 the 64-bit ones go through
 * the floating-point registers, on Cortex-M they are two of 32). False: it ended in a bus error,
 * and *ret_value is untouched. */
bool mmio_read(uintptr_t addr, unsigned size, uint64_t *ret_value);
bool mmio_write(uintptr_t addr, unsigned size, uint64_t value);

/* Bus errors since the start. */
unsigned mmio_faults(void);
/* What the processor said of the last one: mcause on riscv, the fault status on arm, the number
 * of the exception on Cortex-M. */
unsigned mmio_last_fault(void);

/* --- time and parameters -------------------------------------------------------------------- */

/* Guest time in nanoseconds; its step is the platform timer's (100 ns on riscv virt). */
uint64_t guest_now_ns(void);
/* Cortex-M only: the processor's clock, for boards whose SysTick does not know it. A guest that is
 * not on a microbit (16 MHz) defines its own. */
extern const uint32_t guest_clock_hz;
/* A counter of the host processor, cheaper to read than a device and wrapping within seconds; of
 * instructions under QEMU's -icount. Always 0 where there is none (arm, aarch64). */
uint32_t guest_ticks(void);

/* Where the machine has room for devices, at least 16 MiB. */
extern const uintptr_t guest_device_base;
/* False where an access to nothing reads as all ones instead (x86). */
extern const bool guest_has_bus_errors;

/* The text after QEMU's -append, "" without one. */
const char *guest_bootargs(void);
/* The number after "key=" in the command line (decimal, or hexadecimal with 0x), or fallback. */
uint64_t bootarg_u64(const char *key, uint64_t fallback);
/* True when the command line has exactly "key=value". */
bool bootarg_is(const char *key, const char *value);

/* Halts the processor until a timer of the machine has run for us microseconds of guest time.
 * False: there is no support for it on this architecture. */
bool guest_sleep_us(uint32_t us);
/* Has the second processor, if the machine has one, call run(), once. False: there is no support
 * for it on this architecture. */
bool guest_start_second(void (*run)(void));
/* Has the processor forget which addresses lead where. False: there is no support for it on this
 * architecture. */
bool guest_flush_pages(void);
/* Halts for ever, with interrupts off. */
__attribute__((noreturn)) void guest_halt(void);

/* Ends QEMU with this exit code, 0 to 127. On arm, aarch64 and Cortex-M it needs QEMU's
 * -semihosting. On x86 a code other than 0 needs "-device isa-debug-exit,iobase=0xf4,iosize=1",
 * which makes 2 * code + 1 of it. */
__attribute__((noreturn)) void guest_exit(int code);

#endif
