/* SPDX-License-Identifier: MIT */
/* Drives an echo device and a compute device 1 MiB above it through all they do: every operation,
 * its errors, the link between the two, every access width. On riscv they are at 0x10200000 and
 * 0x10300000, elsewhere 1 MiB apart from guest_device_base. */
#include "check.h"
#include "compute_registers.h"
#include "echo_registers.h"

#define ECHO (guest_device_base)
#define COMPUTE (guest_device_base + 0x100000)

static void test_echo(void)
{
    check_write(ECHO + ECHO_CONTROL, 4, ECHO_CONTROL_RESET, "echo: reset");
    check_write(ECHO + ECHO_DATA_IN, 4, 0xcafebabe, "echo: write");
    check(wait_for(ECHO + ECHO_STATUS, ECHO_STATUS_READY | ECHO_STATUS_BUSY, ECHO_STATUS_READY),
          "echo: ready");
    check_read(ECHO + ECHO_DATA_OUT, 4, 0xcafebabe, "echo: comes back");
    check_write(ECHO + ECHO_DATA_IN, 4, 0x00000000, "echo: write zero");
    check(wait_for(ECHO + ECHO_STATUS, ECHO_STATUS_READY, ECHO_STATUS_READY), "echo: ready again");
    check_read(ECHO + ECHO_DATA_OUT, 4, 0x00000000, "echo: zero comes back");
}

/* Writes and reads of every width, at the 64-bit names of the data registers. */
static void test_widths(void)
{
    static const uint64_t data = 0x8877665544332211;
    for (unsigned size = 1; size <= 8; size *= 2) {
        uint64_t want = data >> (64 - 8 * size), got = ~want;
        bool ok = mmio_write(ECHO + ECHO_DATA_IN64, size, want) &&
                  wait_for(ECHO + ECHO_STATUS, ECHO_STATUS_READY, ECHO_STATUS_READY) &&
                  mmio_read(ECHO + ECHO_DATA_OUT64, 8, &got);
        check(ok && got == want, "echo: %u-byte write (0x%llx)", size, (unsigned long long)got);
    }
    for (unsigned size = 1; size <= 8; size *= 2) {
        uint64_t want = data & ~0ULL >> (64 - 8 * size), got = ~want;
        bool ok = mmio_read(ECHO + ECHO_DATA_OUT64, size, &got);
        check(ok && got == want, "echo: %u-byte read (0x%llx)", size, (unsigned long long)got);
    }
}

/* What compute refuses. A device that answers nothing at all has not refused anything. */
static void test_bus_errors(void)
{
    uint64_t value;
    if (!guest_has_bus_errors || !check_read(COMPUTE + COMPUTE_CONTROL, 4, 0, "compute: answers"))
        return;
    check(!mmio_read(COMPUTE + COMPUTE_RESULT, 1, &value), "compute: 1-byte read is a bus error");
    check(!mmio_write(COMPUTE + COMPUTE_OPERAND_A, 8, 1), "compute: 8-byte write is a bus error");
    check(!mmio_read(COMPUTE + 0x800, 4, &value), "compute: a bus error beyond the registers");
}

/* Starts an operation and waits for its end. False: it did not end. */
static bool compute(uint32_t a, uint32_t b, uint32_t operation, unsigned *ret_status,
                    unsigned *ret_result)
{
    uint64_t status, result;
    if (!mmio_write(COMPUTE + COMPUTE_OPERAND_A, 4, a) ||
        !mmio_write(COMPUTE + COMPUTE_OPERAND_B, 4, b) ||
        !mmio_write(COMPUTE + COMPUTE_OPERATION, 4, operation) ||
        !mmio_write(COMPUTE + COMPUTE_CONTROL, 4, COMPUTE_CONTROL_TRIGGER) ||
        !wait_for(COMPUTE + COMPUTE_STATUS, COMPUTE_STATUS_BUSY, 0) ||
        !mmio_read(COMPUTE + COMPUTE_STATUS, 4, &status) ||
        !mmio_read(COMPUTE + COMPUTE_RESULT, 4, &result))
        return false;
    *ret_status = (unsigned)status & (COMPUTE_STATUS_READY | COMPUTE_STATUS_ERROR);
    *ret_result = (unsigned)result;
    return true;
}

static void expect_result(const char *what, uint32_t a, uint32_t b, uint32_t operation,
                          uint32_t want)
{
    unsigned status = 0, result = 0;
    bool ended = compute(a, b, operation, &status, &result);
    check(ended && status == COMPUTE_STATUS_READY && result == want,
          "compute: %s (status %u, result 0x%x)", what, status, result);
}

static void expect_error(const char *what, uint32_t a, uint32_t b, uint32_t operation)
{
    unsigned status = 0, result = ~0U;
    bool ended = compute(a, b, operation, &status, &result);
    check(ended && status & COMPUTE_STATUS_ERROR && result == 0,
          "compute: %s is an error with result 0 (status %u, result 0x%x)", what, status, result);
}

static void test_compute(void)
{
    check_write(COMPUTE + COMPUTE_CONTROL, 4, COMPUTE_CONTROL_RESET, "compute: reset");
    expect_result("1000 + 234", 1000, 234, COMPUTE_OPERATION_OP_ADD, 1234);
    expect_result("add wraps", 0xffffffff, 2, COMPUTE_OPERATION_OP_ADD, 1);
    expect_result("1000 - 234", 1000, 234, COMPUTE_OPERATION_OP_SUBTRACT, 766);
    expect_result("sub wraps", 1, 2, COMPUTE_OPERATION_OP_SUBTRACT, 0xffffffff);
    expect_result("1000 * 234", 1000, 234, COMPUTE_OPERATION_OP_MULTIPLY, 234000);
    expect_result("mul wraps", 0x10001, 0x10001, COMPUTE_OPERATION_OP_MULTIPLY, 0x20001);
    expect_result("1000 / 234", 1000, 234, COMPUTE_OPERATION_OP_DIVIDE, 4);
    expect_error("division by zero", 1000, 0, COMPUTE_OPERATION_OP_DIVIDE);
    expect_result("an error is over after the next trigger", 7, 5, COMPUTE_OPERATION_OP_ADD, 12);
    expect_error("an unknown operation", 1, 2, 99);
    check_write(COMPUTE + COMPUTE_CONTROL, 4, COMPUTE_CONTROL_RESET, "compute: reset again");
    check_read(COMPUTE + COMPUTE_OPERAND_A, 4, 0, "compute: reset clears the operands");
    check_read(COMPUTE + COMPUTE_RESULT, 4, 0, "compute: reset clears the result");
}

/* Asks the linked echo device for what it last echoed. */
static void test_peer(void)
{
    check_write(ECHO + ECHO_DATA_IN, 4, 0x5eed0001, "peer: echo has data");
    check(wait_for(ECHO + ECHO_STATUS, ECHO_STATUS_READY, ECHO_STATUS_READY), "peer: echo ready");
    check_write(COMPUTE + COMPUTE_PEER_OUT, 4, 1, "peer: compute asks");
    check(wait_for(COMPUTE + COMPUTE_STATUS, COMPUTE_STATUS_PEER_READY, COMPUTE_STATUS_PEER_READY),
          "peer: echo answered");
    check_read(COMPUTE + COMPUTE_PEER_IN, 4, 0x5eed0001, "peer: the data");
    check(wait_for(COMPUTE + COMPUTE_STATUS, COMPUTE_STATUS_PEER_READY, 0),
          "peer: reading clears peer ready");
}

int guest_main(void)
{
    print("two_devices: echo at 0x%lx, compute at 0x%lx\n", (unsigned long)ECHO,
          (unsigned long)COMPUTE);
    test_echo();
    test_compute();
    test_peer();
    test_widths();
    test_bus_errors();
    return check_summary("two_devices");
}
