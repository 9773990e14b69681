/* SPDX-License-Identifier: MIT */
/* Writes and reads memory at guest_device_base in all widths, and compares with a copy.
 *
 * Command line: size=N bytes (default 1024); square=OFFSET: what is written there is read back
 * squared. */
#include "check.h"

enum { SIZE_MAX_BYTES = 4096 };

static uint8_t copy[SIZE_MAX_BYTES];
static uint64_t seed = 1;

static uint64_t next_random(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 16;
}

static uint64_t expected(uint64_t at, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = size; i-- > 0;)
        value = value << 8 | copy[at + i];
    return value;
}

static void write_some(uint64_t at, unsigned size, uint64_t value)
{
    quiet_write(guest_device_base + (uintptr_t)at, size, value, "memory takes a write");
    for (unsigned i = 0; i < size; i++)
        copy[at + i] = (uint8_t)(value >> (8 * i));
}

static void read_some(uint64_t at, unsigned size)
{
    quiet_read(guest_device_base + (uintptr_t)at, size, expected(at, size),
               "memory gives back what was written");
}

static void test_memory(uint32_t size)
{
    for (uint32_t at = 0; at < size; at += 8)
        write_some(at, 8, next_random());
    for (unsigned i = 0; i < 2000; i++) {
        unsigned width = 1u << (next_random() & 3);
        uint32_t at = (uint32_t)next_random() % size & ~(width - 1);
        if (next_random() & 1)
            write_some(at, width, next_random());
        else
            read_some(at, width);
    }
    for (uint32_t at = 0; at < size; at++)
        read_some(at, 1);
}

int guest_main(void)
{
    uint32_t size = (uint32_t)bootarg_u64("size", 1024);
    uint64_t square = bootarg_u64("square", UINT64_MAX);
    print("memory: %lu bytes at 0x%lx\n", (unsigned long)size, (unsigned long)guest_device_base);
    check(size >= 8 && size <= SIZE_MAX_BYTES, "memory: a size that fits");
    test_memory(size);
    check(true, "memory: written and read");
    for (uint64_t i = 1; square != UINT64_MAX && i <= 100; i++) {
        uintptr_t at = guest_device_base + (uintptr_t)square;
        quiet_write(at, 4, i, "a number is taken");
        quiet_read(at, 4, i * i, "it comes back squared");
    }
    return check_summary("memory");
}
