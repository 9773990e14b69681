/* SPDX-License-Identifier: MIT */
/* Two echo and two compute devices, driven interleaved: what one is told must never show up in
 * another. */
#include "check.h"
#include "compute_registers.h"
#include "echo_registers.h"

#define ROUNDS 16

static const uintptr_t echo[2] = {0x10200000, 0x10400000};
static const uintptr_t compute[2] = {0x10300000, 0x10500000};

static bool reset_all(void)
{
    bool ok = true;
    for (unsigned i = 0; i < 2; i++) {
        ok &= check_write(echo[i] + ECHO_CONTROL, 4, ECHO_CONTROL_RESET, "reset echo");
        ok &= check_write(compute[i] + COMPUTE_CONTROL, 4, COMPUTE_CONTROL_RESET, "reset compute");
    }
    return ok;
}

/* Every value below is different for each round and device. */
static uint32_t word(unsigned round, unsigned device)
{
    return 0x01000193U * (round * 4 + device + 1);
}

static void start_all(unsigned round)
{
    for (unsigned i = 0; i < 2; i++) {
        quiet_write(echo[i] + ECHO_DATA_IN, 4, word(round, i), "echo: data in");
        quiet_write(compute[i] + COMPUTE_OPERAND_A, 4, word(round, 2 + i), "compute: operand a");
    }
    for (unsigned i = 0; i < 2; i++)
        quiet_write(compute[i] + COMPUTE_OPERAND_B, 4, round + i, "compute: operand b");
    quiet_write(compute[0] + COMPUTE_OPERATION, 4, COMPUTE_OPERATION_OP_ADD,
                "compute 0: operation");
    quiet_write(compute[1] + COMPUTE_OPERATION, 4, COMPUTE_OPERATION_OP_SUBTRACT,
                "compute 1: operation");
    for (unsigned i = 2; i-- > 0;)
        quiet_write(compute[i] + COMPUTE_CONTROL, 4, COMPUTE_CONTROL_TRIGGER, "compute: trigger");
}

static void finish_all(unsigned round)
{
    for (unsigned i = 2; i-- > 0;) {
        if (!wait_for(compute[i] + COMPUTE_STATUS, COMPUTE_STATUS_READY, COMPUTE_STATUS_READY))
            check(false, "compute %u: ready in round %u", i, round);
        if (!wait_for(echo[i] + ECHO_STATUS, ECHO_STATUS_READY, ECHO_STATUS_READY))
            check(false, "echo %u: ready in round %u", i, round);
    }
    quiet_read(compute[0] + COMPUTE_RESULT, 4, word(round, 2) + round, "compute 0: sum");
    quiet_read(echo[1] + ECHO_DATA_OUT, 4, word(round, 1), "echo 1: data out");
    quiet_read(compute[1] + COMPUTE_RESULT, 4, word(round, 3) - (round + 1),
               "compute 1: difference");
    quiet_read(echo[0] + ECHO_DATA_OUT, 4, word(round, 0), "echo 0: data out");
    for (unsigned i = 0; i < 2; i++)
        quiet_read(compute[i] + COMPUTE_OPERAND_A, 4, word(round, 2 + i), "compute: operand kept");
}

/* A reset of one device leaves the others as they were. */
static void test_reset_is_local(void)
{
    uint64_t a = word(ROUNDS - 1, 3);
    check_write(compute[0] + COMPUTE_CONTROL, 4, COMPUTE_CONTROL_RESET, "reset compute 0 alone");
    check_read(compute[0] + COMPUTE_OPERAND_A, 4, 0, "compute 0 was reset");
    check_read(compute[1] + COMPUTE_OPERAND_A, 4, a, "compute 1 was not");
    check_read(echo[0] + ECHO_DATA_OUT, 4, word(ROUNDS - 1, 0), "echo 0 was not");
    check_read(echo[1] + ECHO_DATA_OUT, 4, word(ROUNDS - 1, 1), "echo 1 was not");
}

int guest_main(void)
{
    print("four_devices: echo and compute, twice, from 0x%lx\n", (unsigned long)echo[0]);
    if (reset_all()) {
        for (unsigned round = 0; round < ROUNDS; round++) {
            start_all(round);
            finish_all(round);
        }
        test_reset_is_local();
    }
    return check_summary("four_devices");
}
