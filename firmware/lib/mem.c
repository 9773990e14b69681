/* SPDX-License-Identifier: MIT */
/* The functions that a compiler may call from code that names none of them. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    char *t = to;
    const char *f = from;
    while (size--)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    char *t = to;
    while (size--)
        *t++ = (char)byte;
    return to;
}

/* Debian's gcc has no run-time library for rv32g with ilp32. */
#if defined(__riscv) && __riscv_xlen == 32
uint64_t __lshrdi3(uint64_t value, int bits);
uint64_t __ashldi3(uint64_t value, int bits);

uint64_t __lshrdi3(uint64_t value, int bits)
{
    uint32_t high = (uint32_t)(value >> 32), low = (uint32_t)value;
    if (bits == 0)
        return value;
    if (bits >= 32)
        return high >> (bits - 32);
    return (uint64_t)(high >> bits) << 32 | (low >> bits | high << (32 - bits));
}

uint64_t __ashldi3(uint64_t value, int bits)
{
    uint32_t high = (uint32_t)(value >> 32), low = (uint32_t)value;
    if (bits == 0)
        return value;
    if (bits >= 32)
        return (uint64_t)(low << (bits - 32)) << 32;
    return (uint64_t)(high << bits | low >> (32 - bits)) << 32 | low << bits;
}
#endif
