/* SPDX-License-Identifier: MIT */
/* Asks each of N id devices who it is, gives each a number of its own, and asks all of them for it
 * in other orders.
 *
 * Command line: n=<devices> (without it: as many as answer in a row), base=, stride=, rounds=. */
#include "check.h"
#include "id_registers.h"

#define MAX_DEVICES 1024

static struct {
    uintptr_t base, stride;
    unsigned n, rounds;
} run;

static uintptr_t device(unsigned i)
{
    return run.base + i * run.stride;
}

static uint64_t number(unsigned round, unsigned i)
{
    return (i + 1) * 0x9e3779b97f4a7c15 ^ round;
}

static unsigned count_devices(void)
{
    uint64_t id;
    unsigned n = 0;
    while (n < MAX_DEVICES && mmio_read(device(n) + ID_ID, 8, &id) &&
           (guest_has_bus_errors || id == device(n)))
        n++;
    return n;
}

static void run_round(unsigned round)
{
    for (unsigned i = 0; i < run.n; i++)
        quiet_write(device(i) + ID_SCRATCH, 8, number(round, i), "number");
    for (unsigned i = run.n; i-- > 0;)
        quiet_read(device(i) + ID_ID, 8, device(i), "identity");
    for (unsigned odd = 0; odd < 2; odd++) {
        for (unsigned i = odd; i < run.n; i += 2)
            quiet_read(device(i) + ID_SCRATCH, 8, number(round, i), "number");
    }
}

int guest_main(void)
{
    run.base = (uintptr_t)bootarg_u64("base", guest_device_base);
    run.stride = (uintptr_t)bootarg_u64("stride", 0x1000);
    run.n = (unsigned)bootarg_u64("n", 0);
    run.rounds = (unsigned)bootarg_u64("rounds", 2);
    if (!run.n)
        run.n = count_devices();
    print("many_devices: %u from 0x%lx, 0x%lx apart\n", run.n, (unsigned long)run.base,
          (unsigned long)run.stride);
    for (unsigned round = 0; round < run.rounds && run.n; round++)
        run_round(round);
    check(run.n > 0, "%u devices were there", run.n);
    return check_summary("many_devices");
}
