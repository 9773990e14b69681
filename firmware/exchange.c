/* SPDX-License-Identifier: MIT */
/*
 * One of two machines that exchange numbers. An echo device at guest_device_base shows this one's
 * number to the other machine, whose compute device is linked to it; a compute device 1 MiB above
 * asks the other machine's echo device for the number there.
 *
 * Command line: key=K, different on the two machines; rounds=N (default 20).
 * In round r a machine shows K + r, and goes on when the other has come as far.
 */
#include "check.h"
#include "compute_registers.h"
#include "echo_registers.h"

#define ECHO (guest_device_base)
#define COMPUTE (guest_device_base + 0x100000)

enum { PATIENCE = 1000000 };

static void show(uint32_t value)
{
    check_quiet(mmio_write(ECHO + ECHO_DATA_IN, 4, value), "echo takes a number");
    check_quiet(
        wait_for(ECHO + ECHO_STATUS, ECHO_STATUS_READY | ECHO_STATUS_BUSY, ECHO_STATUS_READY),
        "echo shows it");
}

static uint32_t ask(void)
{
    uint64_t value = 0;
    check_quiet(mmio_write(COMPUTE + COMPUTE_PEER_OUT, 4, 1), "compute asks");
    check_quiet(
        wait_for(COMPUTE + COMPUTE_STATUS, COMPUTE_STATUS_PEER_READY, COMPUTE_STATUS_PEER_READY),
        "the other machine's echo answers");
    check_quiet(mmio_read(COMPUTE + COMPUTE_PEER_IN, 4, &value), "compute has the number");
    return (uint32_t)value;
}

int guest_main(void)
{
    uint32_t key = (uint32_t)bootarg_u64("key", 0x1000), other = 0, before = 0;
    unsigned rounds = (unsigned)bootarg_u64("rounds", 20), right = 0, asked = 0;
    for (unsigned round = 1; round <= rounds; round++) {
        show(key + round);
        for (before = other; (other & 0xfff) < round && asked < PATIENCE; asked++)
            other = ask();
        /* It is here or one round ahead, and never goes back. */
        right += other >= before && ((other & 0xfff) == round || (other & 0xfff) == round + 1);
    }
    check(right == rounds, "exchange: %u of %u rounds", right, rounds);
    check((other & ~0xfffU) != key && other >> 12 != 0, "exchange: with 0x%x", other & ~0xfffU);
    print("exchange: asked %u times\n", asked);
    return check_summary("exchange");
}
