/* SPDX-License-Identifier: MIT */
/*
 * Random accesses of all widths to N id devices, each compared with what a model of the device in
 * this program says.
 *
 * Command line: n=, base=, stride=, seconds= (of guest time), seed=.
 */
#include "check.h"
#include "id_registers.h"

enum { MAX_DEVICES = 64, BATCH = 4096, MISMATCHES_MAX = 10 };

static struct {
    uintptr_t base;
    uint64_t registers[2]; /* ID, SCRATCH */
} devices[MAX_DEVICES];

static uint64_t state;

/* xorshift64* without its multiplication: good enough to meet every order of accesses. */
static uint32_t random_below(uint32_t limit)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((uint64_t)(uint32_t)(state >> 16) * limit >> 32); /* arm has no division */
}

static uint64_t mask_of(unsigned size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

/* False: not what the model says, which is printed. */
static bool access_at_random(unsigned num_devices)
{
    unsigned i = random_below(num_devices), width = random_below(4), size = 1U << width;
    unsigned offset = random_below(16U >> width) << width, shift = 8 * (offset % 8);
    uint64_t *reg = &devices[i].registers[offset / 8], value = state;
    uint64_t mask = mask_of(size);
    bool is_write = offset >= ID_SCRATCH && random_below(2);
    bool is_done = is_write ? mmio_write(devices[i].base + offset, size, value & mask)
                            : mmio_read(devices[i].base + offset, size, &value);
    if (is_write && is_done)
        *reg = (*reg & ~(mask << shift)) | (value & mask) << shift;
    if (is_done && (is_write || value == (*reg >> shift & mask)))
        return true;
    return check(false, "device %u: %s of %u bytes at 0x%x: %s 0x%llx, not 0x%llx", i,
                 is_write ? "write" : "read", size, offset, is_done ? "gave" : "bus error",
                 (unsigned long long)value, (unsigned long long)(*reg >> shift & mask));
}

int guest_main(void)
{
    uintptr_t base = (uintptr_t)bootarg_u64("base", guest_device_base);
    uintptr_t stride = (uintptr_t)bootarg_u64("stride", 0x1000);
    unsigned num_devices = (unsigned)bootarg_u64("n", 16), mismatches = 0;
    uint64_t start_ns = guest_now_ns(), said_ns = start_ns, accesses = 0;
    uint64_t end_ns = start_ns + (bootarg_u64("seconds", 1) * 1000000000);
    state = bootarg_u64("seed", 1) << 1 | 1;
    if (num_devices < 1 || num_devices > MAX_DEVICES)
        num_devices = 16;
    for (unsigned i = 0; i < num_devices; i++) {
        devices[i].base = base + i * stride;
        devices[i].registers[0] = devices[i].base;
    }
    print("soak: %u devices from 0x%lx\n", num_devices, (unsigned long)base);
    while (guest_now_ns() < end_ns && mismatches < MISMATCHES_MAX) {
        for (unsigned i = 0; i < BATCH; i++)
            mismatches += !access_at_random(num_devices);
        accesses += BATCH;
        if (guest_now_ns() - said_ns < 1000000000)
            continue;
        said_ns = guest_now_ns();
        print("soak: %llu accesses\n", (unsigned long long)accesses);
    }
    check(mismatches == 0, "%llu accesses were as they should be", (unsigned long long)accesses);
    return check_summary("soak");
}
