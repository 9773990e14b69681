/* SPDX-License-Identifier: MIT */
/* Start-up, traps and MMIO for QEMU's arm virt board, 32 bits, supervisor mode, MMU off. */
    .syntax unified
    .arm
    .fpu neon
    .section .text.start, "ax"
    .globl _start
_start:
    mrc p15, 0, r0, c0, c0, 5       /* MPIDR */
    ands r0, r0, #0xff
    bne park
    ldr sp, =stack_top
    cps #0x17                       /* abort mode has a stack of its own */
    ldr sp, =abort_stack_top
    cps #0x13
    ldr r0, =vectors
    mcr p15, 0, r0, c12, c0, 0      /* VBAR */
    mrc p15, 0, r0, c1, c0, 2       /* CPACR: the 64-bit accesses go through vector registers */
    orr r0, r0, #0xf << 20
    mcr p15, 0, r0, c1, c0, 2
    isb
    mov r0, #1 << 30                /* FPEXC.EN */
    vmsr fpexc, r0
    ldr r0, =bss_start
    ldr r1, =bss_end
    mov r2, #0
1:  cmp r0, r1
    bhs 2f
    str r2, [r0], #4
    b 1b
2:  bl arch_main
park:
    wfi
    b park

    .balign 32
vectors:
    b unexpected
    b unexpected
    b unexpected
    b unexpected
    b data_abort
    b unexpected
    b interrupt
    b unexpected

data_abort:
    push {r0-r3, r12, lr}
    mrc p15, 0, r0, c5, c0, 0       /* DFSR */
    sub r1, lr, #8                  /* the instruction that failed */
    bl arch_trap
    str r0, [sp, #20]
    pop {r0-r3, r12, lr}
    movs pc, lr
/* On the stack of what was interrupted, which a call wants aligned to 8. d0: it may have been in the
 * middle of a 64-bit access. */
interrupt:
    sub lr, lr, #4
    srsdb sp!, #0x13
    cps #0x13
    push {r0-r3, r12, lr}
    and r1, sp, #4
    sub sp, sp, r1
    push {r0, r1}
    vpush {d0}
    bl arch_interrupt
    vpop {d0}
    pop {r0, r1}
    add sp, sp, r1
    pop {r0-r3, r12, lr}
    rfeia sp!
unexpected:
    mrc p15, 0, r0, c5, c0, 0
    mov r1, lr
    bl arch_unexpected

/* uint64_t arch_load(uintptr_t addr, unsigned size): r0 and r1. */
    .text
    .globl arch_load, arch_store, mmio_text_start, mmio_text_end
mmio_text_start:
arch_load:
    cmp r1, #2
    blo 1f
    beq 2f
    cmp r1, #4
    beq 4f
    vldr d0, [r0]
    vmov r0, r1, d0
    bx lr
4:  ldr r0, [r0]
    mov r1, #0
    bx lr
2:  ldrh r0, [r0]
    mov r1, #0
    bx lr
1:  ldrb r0, [r0]
    mov r1, #0
    bx lr

/* void arch_store(uintptr_t addr, unsigned size, uint64_t value): the value in r2 and r3. */
arch_store:
    cmp r1, #2
    blo 1f
    beq 2f
    cmp r1, #4
    beq 4f
    vmov d0, r2, r3
    vstr d0, [r0]
    bx lr
4:  str r2, [r0]
    bx lr
2:  strh r2, [r0]
    bx lr
1:  strb r2, [r0]
    bx lr
mmio_text_end:

    .section .bss
    .balign 16
    .space 65536
stack_top:
    .space 4096
abort_stack_top:
