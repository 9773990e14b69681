/* SPDX-License-Identifier: MIT */
/* Start-up, interrupts and MMIO for QEMU's pc board: a multiboot kernel, 32 bits, paging off. QEMU's
 * qemu-system-x86_64 takes no other. There are no bus errors to catch. */
    .set MAGIC, 0x1badb002
    .section .text.start, "ax"
    .balign 4
    .long MAGIC, 0, -MAGIC

    .globl _start
_start:
    movl $stack_top, %esp
    movl %cr0, %eax
    andl $~4, %eax                  /* CR0.EM off: the 64-bit accesses go through mm0 */
    movl %eax, %cr0
    fninit
    lgdt gdt_pointer
    ljmp $8, $1f
1:  movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    pushl %ebx                      /* what multiboot hands over */
    call arch_main

/* uint64_t arch_load(uintptr_t addr, unsigned size): eax and edx. */
    .text
    .globl arch_load, arch_store
arch_load:
    movl 4(%esp), %ecx
    xorl %edx, %edx
    cmpl $2, 8(%esp)
    jb 1f
    je 2f
    cmpl $4, 8(%esp)
    je 4f
    movq (%ecx), %mm0
    movd %mm0, %eax
    psrlq $32, %mm0
    movd %mm0, %edx
    ret
4:  movl (%ecx), %eax
    ret
2:  movzwl (%ecx), %eax
    ret
1:  movzbl (%ecx), %eax
    ret

/* void arch_store(uintptr_t addr, unsigned size, uint64_t value) */
arch_store:
    movl 4(%esp), %ecx
    movl 12(%esp), %eax
    cmpl $2, 8(%esp)
    jb 1f
    je 2f
    cmpl $4, 8(%esp)
    je 4f
    movq 12(%esp), %mm0
    movq %mm0, (%ecx)
    ret
4:  movl %eax, (%ecx)
    ret
2:  movw %ax, (%ecx)
    ret
1:  movb %al, (%ecx)
    ret

/* One entry for each vector from IRQ_FIRST_VECTOR on, 8 bytes apart. mm0: the interrupt may have
 * come in the middle of a 64-bit access. */
    .globl irq_entries
    .balign 8
irq_entries:
    .set number, 0
    .rept 32
    .balign 8
    pushl $number
    jmp interrupt
    .set number, number + 1
    .endr
interrupt:
    pushal
    subl $8, %esp
    movq %mm0, (%esp)
    pushl 40(%esp)
    call arch_interrupt
    addl $4, %esp
    movq (%esp), %mm0
    addl $8, %esp
    popal
    addl $4, %esp
    iret

    .section .rodata
    .balign 8
gdt:
    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff /* flat code and data */
gdt_pointer:
    .word . - gdt - 1
    .long gdt

    .section .bss
    .balign 16
    .space 65536
stack_top:
