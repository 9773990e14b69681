/* SPDX-License-Identifier: MIT */
/* Start-up, traps and MMIO for QEMU's riscv virt board, machine mode, 32 and 64 bits. The code
 * is built without compressed instructions, so that every instruction is four bytes long. */
#if __riscv_xlen == 64
#define STORE sd
#define LOAD ld
#define REG 8
#else
#define STORE sw
#define LOAD lw
#define REG 4
#endif

    .section .text.start, "ax"
    .globl _start
_start:
    csrr t0, mhartid
    bnez t0, other_hart
    la sp, stack_top
    la t0, trap_vector
    csrw mtvec, t0
    li t0, 1 << 13                  /* mstatus.FS = initial: fld and fsd work */
    csrs mstatus, t0
    la t0, bss_start
    la t1, bss_end
1:  bgeu t0, t1, 2f
    STORE zero, 0(t0)
    addi t0, t0, REG
    j 1b
2:  mv a0, a1                       /* QEMU: a1 = the device tree */
    call arch_main
park:
    wfi
    j park

/* Until guest_start_second() sends a software interrupt, which ends wfi and is never taken. */
other_hart:
    li t0, 1 << 3                   /* mie.MSIE */
    csrw mie, t0
1:  wfi
    csrr t0, mip
    andi t0, t0, 1 << 3
    beqz t0, 1b
    csrw mie, zero
    la sp, second_stack_top
    la t0, trap_vector
    csrw mtvec, t0
    li t0, 1 << 13
    csrs mstatus, t0
    call arch_second_main
    j park

/* mtvec wants the low two bits clear. The time of an interrupt is read as early as can be: one
 * instruction comes before. mstatus is kept, since a bus error in an interrupt's handler is a trap
 * inside of another; ft0, since an interrupt may come in the middle of a 64-bit access. */
#define FRAME (16 * REG + 32)
    .balign 4
trap_vector:
    csrw mscratch, t0
    csrr t0, mcycle
    addi sp, sp, -FRAME
    STORE ra, 0 * REG(sp)
    la ra, trap_cycles
    STORE t0, 0(ra)
    csrr t0, mscratch
    STORE t0, 1 * REG(sp)
    STORE t1, 2 * REG(sp)
    STORE t2, 3 * REG(sp)
    STORE t3, 4 * REG(sp)
    STORE t4, 5 * REG(sp)
    STORE t5, 6 * REG(sp)
    STORE t6, 7 * REG(sp)
    STORE a0, 8 * REG(sp)
    STORE a1, 9 * REG(sp)
    STORE a2, 10 * REG(sp)
    STORE a3, 11 * REG(sp)
    STORE a4, 12 * REG(sp)
    STORE a5, 13 * REG(sp)
    STORE a6, 14 * REG(sp)
    STORE a7, 15 * REG(sp)
    fsd ft0, 16 * REG(sp)
    csrr a0, mstatus
    STORE a0, 16 * REG + 8(sp)
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    call arch_trap
    csrw mepc, a0
    LOAD a0, 16 * REG + 8(sp)
    csrw mstatus, a0
    fld ft0, 16 * REG(sp)
    LOAD ra, 0 * REG(sp)
    LOAD t0, 1 * REG(sp)
    LOAD t1, 2 * REG(sp)
    LOAD t2, 3 * REG(sp)
    LOAD t3, 4 * REG(sp)
    LOAD t4, 5 * REG(sp)
    LOAD t5, 6 * REG(sp)
    LOAD t6, 7 * REG(sp)
    LOAD a0, 8 * REG(sp)
    LOAD a1, 9 * REG(sp)
    LOAD a2, 10 * REG(sp)
    LOAD a3, 11 * REG(sp)
    LOAD a4, 12 * REG(sp)
    LOAD a5, 13 * REG(sp)
    LOAD a6, 14 * REG(sp)
    LOAD a7, 15 * REG(sp)
    addi sp, sp, FRAME
    mret

/* uint64_t arch_load(uintptr_t addr, unsigned size): the value in a0, and a1 on riscv32.
 * The access itself may trap; what is returned then is not looked at. */
    .text
    .globl arch_load, arch_store, mmio_text_start, mmio_text_end
mmio_text_start:
arch_load:
    li t0, 2
    bltu a1, t0, 1f
    beq a1, t0, 2f
    li t0, 4
    beq a1, t0, 4f
#if __riscv_xlen == 64
    ld a0, 0(a0)
    ret
4:  lwu a0, 0(a0)
    ret
#else
    fld ft0, 0(a0)                  /* the one 64-bit access that riscv32 has */
    addi sp, sp, -16
    fsd ft0, 0(sp)
    lw a0, 0(sp)
    lw a1, 4(sp)
    addi sp, sp, 16
    ret
4:  lw a0, 0(a0)
    li a1, 0
    ret
#endif
2:  lhu a0, 0(a0)
    li a1, 0
    ret
1:  lbu a0, 0(a0)
    li a1, 0
    ret

/* void arch_store(uintptr_t addr, unsigned size, uint64_t value): a2, and a3 on riscv32. */
arch_store:
    li t0, 2
    bltu a1, t0, 1f
    beq a1, t0, 2f
    li t0, 4
    beq a1, t0, 4f
#if __riscv_xlen == 64
    sd a2, 0(a0)
    ret
#else
    addi sp, sp, -16
    sw a2, 0(sp)
    sw a3, 4(sp)
    fld ft0, 0(sp)
    addi sp, sp, 16
    fsd ft0, 0(a0)
    ret
#endif
4:  sw a2, 0(a0)
    ret
2:  sh a2, 0(a0)
    ret
1:  sb a2, 0(a0)
    ret
mmio_text_end:

    .section .bss
    .globl trap_cycles
    .balign 16
trap_cycles:
    .space REG
    .balign 16
    .space 65536
stack_top:
    .space 4096
second_stack_top:
