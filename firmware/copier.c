/* SPDX-License-Identifier: MIT */
/* Drives the core of tests/rtl/axil_copy.v, a master that copies words of memory. */
#include "check.h"
#include "guest.h"
#include "irq.h"

enum { SOURCE = 0x0, TARGET = 0x4, LEFT = 0x8, FAILED = 0xc };

#define INPUT 40
#define COPIER guest_device_base
#define WORDS 64

static uint32_t source[WORDS], target[WORDS + 1];
static volatile unsigned taken;

static void on_irq(unsigned input)
{
    check(input == INPUT, "interrupt: it is the core's");
    check_write(COPIER + FAILED, 4, 0, "interrupt: acknowledged");
    taken++;
}

static void start(uintptr_t from, uintptr_t to, uint32_t words)
{
    check_write(COPIER + SOURCE, 4, (uint32_t)from, "the source is set");
    check_write(COPIER + TARGET, 4, (uint32_t)to, "the target is set");
    check_write(COPIER + LEFT, 4, words, "it starts");
}

int guest_main(void)
{
    irq_start(on_irq);
    irq_enable(INPUT);
    for (unsigned turn = 1; turn <= 4; turn++) {
        unsigned same = 0;
        for (unsigned i = 0; i < WORDS; i++) {
            source[i] = 0x01010101u * turn + i;
            target[i] = 0;
        }
        target[WORDS] = turn;
        start((uintptr_t)source, (uintptr_t)target, WORDS);
        check(irq_wait(&taken, turn, 1000000), "the interrupt comes");
        for (unsigned i = 0; i < WORDS; i++)
            same += ((volatile uint32_t *)target)[i] == source[i];
        check(same == WORDS, "the words are there with the interrupt");
        check(target[WORDS] == turn, "and none behind them");
        check_read(COPIER + FAILED, 4, 0, "nothing has failed");
    }
    start((uintptr_t)source, COPIER, 1);
    /* The read of LEFT is answered when it is 0: the core is master and slave at once. */
    check_read(COPIER + LEFT, 4, 0, "the end of a copy to what is no memory");
    check_read(COPIER + FAILED, 4, 1, "it has failed");
    return check_summary("copier");
}
