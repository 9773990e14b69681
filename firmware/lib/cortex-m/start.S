/* SPDX-License-Identifier: MIT */
/* Vectors, start-up and MMIO of Cortex-M, in the instructions that all of them have. */
    .syntax unified
    .thumb
    .section .vectors, "a"
    .word stack_top
    .word _start
    .word unexpected                /* NMI */
    .word fault                     /* HardFault; all other faults become one */
    .rept 11
    .word unexpected
    .endr
    .word arch_systick
    .rept 240
    .word arch_interrupt
    .endr

    .section .text.start, "ax"
    .globl _start
    .thumb_func
_start:
    ldr r0, =bss_start
    ldr r1, =bss_end
    movs r2, #0
1:  cmp r0, r1
    bhs 2f
    str r2, [r0]
    adds r0, #4
    b 1b
2:  bl arch_main
3:  b 3b

/* Handlers are called as C functions are; they get what the processor has put on the stack. */
    .thumb_func
fault:
    mrs r0, msp
    ldr r1, =arch_fault
    bx r1
    .thumb_func
unexpected:
    mrs r0, msp
    ldr r1, =arch_unexpected
    bx r1
    .pool

/* uint64_t arch_load(uintptr_t addr, unsigned size): r0 and r1. All of 16 bits. */
    .text
    .globl arch_load, arch_store, mmio_text_start, mmio_text_end
mmio_text_start:
    .thumb_func
arch_load:
    cmp r1, #2
    blo 1f
    beq 2f
    cmp r1, #4
    beq 4f
    mov r2, r0
    ldr r0, [r2]
    ldr r1, [r2, #4]
    bx lr
4:  ldr r0, [r0]
    movs r1, #0
    bx lr
2:  ldrh r0, [r0]
    movs r1, #0
    bx lr
1:  ldrb r0, [r0]
    movs r1, #0
    bx lr

/* void arch_store(uintptr_t addr, unsigned size, uint64_t value): the value in r2 and r3. */
    .thumb_func
arch_store:
    cmp r1, #2
    blo 1f
    beq 2f
    cmp r1, #4
    beq 4f
    str r2, [r0]
    str r3, [r0, #4]
    bx lr
4:  str r2, [r0]
    bx lr
2:  strh r2, [r0]
    bx lr
1:  strb r2, [r0]
    bx lr
mmio_text_end:
