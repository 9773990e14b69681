/* SPDX-License-Identifier: MIT */
/* Start-up, traps and MMIO for QEMU's arm virt board, 64 bits, EL1, MMU off. */
    .section .text.start, "ax"
    .globl _start
_start:
    mrs x0, mpidr_el1
    and x0, x0, #0xff
    cbnz x0, park
    ldr x0, =stack_top
    mov sp, x0
    ldr x0, =vectors
    msr vbar_el1, x0
    mov x0, #3 << 20                /* CPACR_EL1.FPEN: compilers may use the vector registers */
    msr cpacr_el1, x0
    isb
    ldr x0, =bss_start
    ldr x1, =bss_end
1:  cmp x0, x1
    b.hs 2f
    str xzr, [x0], #8
    b 1b
2:  bl arch_main
park:
    wfi
    b park

    .macro slot target
    .balign 128
    b \target
    .endm
    .balign 2048
vectors:
    .rept 4
    slot unexpected
    .endr
    slot synchronous                /* from this EL, with its own stack */
    slot interrupt
    .rept 10
    slot unexpected
    .endr

/* Nothing but the accesses below fails, and they are leaves: only what they keep is kept. */
synchronous:
    stp x0, x1, [sp, #-32]!
    stp x2, x30, [sp, #16]
    mrs x0, esr_el1
    mrs x1, elr_el1
    bl arch_trap
    msr elr_el1, x0
    ldp x2, x30, [sp, #16]
    ldp x0, x1, [sp], #32
    eret
/* A bus error in an interrupt's handler comes here in between, hence the two registers of state. */
interrupt:
    stp x0, x1, [sp, #-192]!
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x30, [sp, #144]
    mrs x0, elr_el1
    mrs x1, spsr_el1
    stp x0, x1, [sp, #160]
    bl arch_interrupt
    ldp x0, x1, [sp, #160]
    msr elr_el1, x0
    msr spsr_el1, x1
    ldp x18, x30, [sp, #144]
    ldp x16, x17, [sp, #128]
    ldp x14, x15, [sp, #112]
    ldp x12, x13, [sp, #96]
    ldp x10, x11, [sp, #80]
    ldp x8, x9, [sp, #64]
    ldp x6, x7, [sp, #48]
    ldp x4, x5, [sp, #32]
    ldp x2, x3, [sp, #16]
    ldp x0, x1, [sp], #192
    eret
unexpected:
    mrs x0, esr_el1
    mrs x1, elr_el1
    bl arch_unexpected

/* uint64_t arch_load(uintptr_t addr, unsigned size) */
    .text
    .globl arch_load, arch_store, mmio_text_start, mmio_text_end
mmio_text_start:
arch_load:
    cmp w1, #2
    b.lo 1f
    b.eq 2f
    cmp w1, #4
    b.eq 4f
    ldr x0, [x0]
    ret
4:  ldr w0, [x0]
    ret
2:  ldrh w0, [x0]
    ret
1:  ldrb w0, [x0]
    ret

/* void arch_store(uintptr_t addr, unsigned size, uint64_t value) */
arch_store:
    cmp w1, #2
    b.lo 1f
    b.eq 2f
    cmp w1, #4
    b.eq 4f
    str x2, [x0]
    ret
4:  str w2, [x0]
    ret
2:  strh w2, [x0]
    ret
1:  strb w2, [x0]
    ret
mmio_text_end:

    .section .bss
    .balign 16
    .space 65536
stack_top:
