/* SPDX-License-Identifier: MIT */
/* Calls a guest's handlers for interrupts, and waits for interrupts. */
#include "irq.h"

irq_handler *arch_irq_handler;

void irq_start(irq_handler *handler)
{
    arch_irq_handler = handler;
    arch_irq_start();
    irq_unmask();
}

/* What is pending ends a halt even when it is masked, so that nothing can come in between. */
bool irq_wait(const volatile unsigned *count, unsigned want, uint32_t limit_us)
{
    uint64_t until = guest_now_ns() + (uint64_t)limit_us * 1000;
    irq_mask();
    arch_wake_after(limit_us + 1);
    while (*count < want && guest_now_ns() < until) {
        arch_wait_for_interrupt();
        irq_unmask();
        irq_mask();
    }
    bool reached = *count >= want;
    arch_wake_after(UINT32_MAX);
    irq_unmask();
    return reached;
}
