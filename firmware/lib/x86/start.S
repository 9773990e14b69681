/* SPDX-License-Identifier: MIT */
/* Start-up and MMIO for QEMU's pc board: a multiboot kernel, 32 bits, paging off. QEMU's
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

    .section .bss
    .balign 16
    .space 65536
stack_top:
