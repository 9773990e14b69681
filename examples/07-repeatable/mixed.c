/* SPDX-License-Identifier: MIT */
/*
 * Four devices, 4 KiB apart from guest_device_base, all at work at once: a timer that interrupts
 * 10,000 times a second (irq_first_input), a DMA engine (the next input), an echo and a compute
 * device that asks it for its data.
 *
 * Command line: rounds=100, a DMA each. icount=0 under QEMU's -icount shift=0: on riscv everything
 * here then comes at the same times in every run and every version of QEMU, since it begins at a
 * time of its own; the way there depends on QEMU's device tree.
 */
#include "check.h"
#include "compute_registers.h"
#include "dma_registers.h"
#include "echo_registers.h"
#include "irq.h"
#include "timer_registers.h"

enum { PERIOD_NS = 100000, LIMIT_US = 1000000, BEGIN_NS = 1000000, WORDS = 512 };

#define TIMER guest_device_base
#define DMA (guest_device_base + 0x1000)
#define ECHO (guest_device_base + 0x2000)
#define COMPUTE (guest_device_base + 0x3000)

static volatile unsigned expired, copied;
static uint64_t compare;
static uint32_t source[WORDS], target[WORDS];

static uint64_t get(uintptr_t addr, unsigned size)
{
    uint64_t value = 0;
    check_quiet(mmio_read(addr, size, &value), "a device answers a read");
    return value;
}

static void set(uintptr_t addr, unsigned size, uint64_t value)
{
    check_quiet(mmio_write(addr, size, value), "a device answers a write");
}

static void on_interrupt(unsigned input)
{
    if (input == irq_first_input) {
        compare += PERIOD_NS;
        set(TIMER + TIMER_COMPARE, 8, compare);
        expired++;
        return;
    }
    set(DMA + DMA_INT_STATUS, 4, get(DMA + DMA_INT_STATUS, 4));
    get(DMA + DMA_INT_STATUS, 4); /* a posted write has arrived when a read is answered */
    copied++;
}

static void start_timer(void)
{
    compare = get(TIMER + TIMER_COUNT, 8) + PERIOD_NS;
    set(TIMER + TIMER_COMPARE, 8, compare);
    set(TIMER + TIMER_CONTROL, 4, TIMER_CONTROL_ENABLE);
}

static void start_copy(uint32_t words)
{
    set(DMA + DMA_SRC, 4, (uint32_t)(uintptr_t)source);
    set(DMA + DMA_DST, 4, (uint32_t)(uintptr_t)target);
    set(DMA + DMA_LENGTH, 4, 4 * words);
    set(DMA + DMA_CTRL, 4, DMA_CTRL_START | DMA_CTRL_INT_ENABLE);
}

/* While the copy is under way, and the timer interrupts: an echo, and a product of it. */
static bool use_the_others(uint32_t value)
{
    set(ECHO + ECHO_DATA_IN, 4, value);
    if (!wait_for(ECHO + ECHO_STATUS, ECHO_STATUS_READY, ECHO_STATUS_READY))
        return false;
    set(COMPUTE + COMPUTE_PEER_OUT, 4, 1);
    if (!wait_for(COMPUTE + COMPUTE_STATUS, COMPUTE_STATUS_PEER_READY, COMPUTE_STATUS_PEER_READY))
        return false;
    set(COMPUTE + COMPUTE_OPERAND_A, 4, get(COMPUTE + COMPUTE_PEER_IN, 4));
    set(COMPUTE + COMPUTE_OPERAND_B, 4, value >> 16);
    set(COMPUTE + COMPUTE_OPERATION, 4, COMPUTE_OPERATION_OP_MULTIPLY);
    set(COMPUTE + COMPUTE_CONTROL, 4, COMPUTE_CONTROL_TRIGGER);
    return wait_for(COMPUTE + COMPUTE_STATUS, COMPUTE_STATUS_READY, COMPUTE_STATUS_READY) &&
           get(COMPUTE + COMPUTE_RESULT, 4) == (uint32_t)(value * (value >> 16));
}

int guest_main(void)
{
    unsigned rounds = (unsigned)bootarg_u64("rounds", 100), right_copies = 0, right_others = 0;
    uint32_t state = 1;
    if (bootarg_is("icount", "0"))
        irq_align(BEGIN_NS);
    irq_start(on_interrupt);
    irq_enable(irq_first_input);
    irq_enable(irq_first_input + 1);
    set(DMA + DMA_INT_ENABLE, 4, DMA_INT_STATUS_DONE);
    start_timer();
    for (unsigned round = 0; round < rounds; round++) {
        uint32_t words = 1 + round * 37 % WORDS;
        for (uint32_t i = 0; i < words; i++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            source[i] = state;
            target[i] = ~state;
        }
        start_copy(words);
        right_others += use_the_others(state);
        bool right = irq_wait(&copied, round + 1, LIMIT_US);
        for (uint32_t i = 0; i < words; i++)
            right = right && target[i] == source[i];
        right_copies += right;
    }
    check(irq_wait(&expired, rounds, LIMIT_US), "the timer interrupts");
    set(TIMER + TIMER_CONTROL, 4, 0);
    check(right_copies == rounds, "%u of %u copies", right_copies, rounds);
    check(right_others == rounds, "%u of %u products of what the peer said", right_others, rounds);
    return check_summary("mixed");
}
