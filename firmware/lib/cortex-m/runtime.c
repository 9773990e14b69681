/* SPDX-License-Identifier: MIT */
/* What compilers call where Cortex-M has no instruction: shifts and products of 64 bits, division,
 * copies. The names are the ARM run-time ABI's. */
#include <stddef.h>
#include <stdint.h>

uint64_t __aeabi_llsl(uint64_t value, int bits);
uint64_t __aeabi_llsr(uint64_t value, int bits);
int64_t __aeabi_lasr(int64_t value, int bits);
uint64_t __aeabi_lmul(uint64_t a, uint64_t b);
uint32_t __aeabi_uidiv(uint32_t value, uint32_t by);
uint64_t __aeabi_uidivmod(uint32_t value, uint32_t by);
int32_t __aeabi_idiv(int32_t value, int32_t by);
uint64_t __aeabi_idivmod(int32_t value, int32_t by);
void __aeabi_memcpy(char *to, const char *from, size_t size);
void __aeabi_memcpy4(char *to, const char *from, size_t size);
void __aeabi_memcpy8(char *to, const char *from, size_t size);
void __aeabi_memset(char *to, size_t size, int byte);
void __aeabi_memset4(char *to, size_t size, int byte);
void __aeabi_memset8(char *to, size_t size, int byte);
void __aeabi_memclr(char *to, size_t size);
void __aeabi_memclr4(char *to, size_t size);
void __aeabi_memclr8(char *to, size_t size);

static uint64_t pair(uint32_t low, uint32_t high)
{
    union {
        uint32_t halves[2];
        uint64_t whole;
    } value = {{low, high}};
    return value.whole;
}

static uint32_t high_of(uint64_t value)
{
    union {
        uint64_t whole;
        uint32_t halves[2];
    } parts = {value};
    return parts.halves[1];
}

uint64_t __aeabi_llsl(uint64_t value, int bits)
{
    uint32_t low = (uint32_t)value, high = high_of(value);
    if (bits == 0)
        return value;
    if (bits >= 32)
        return pair(0, low << (bits - 32));
    return pair(low << bits, high << bits | low >> (32 - bits));
}

uint64_t __aeabi_llsr(uint64_t value, int bits)
{
    uint32_t low = (uint32_t)value, high = high_of(value);
    if (bits == 0)
        return value;
    if (bits >= 32)
        return pair(high >> (bits - 32), 0);
    return pair(low >> bits | high << (32 - bits), high >> bits);
}

int64_t __aeabi_lasr(int64_t value, int bits)
{
    uint32_t low = (uint32_t)value;
    int32_t high = (int32_t)high_of((uint64_t)value);
    if (bits == 0)
        return value;
    if (bits >= 32)
        return (int64_t)pair((uint32_t)(high >> (bits - 32)), (uint32_t)(high >> 31));
    return (int64_t)pair(low >> bits | (uint32_t)high << (32 - bits), (uint32_t)(high >> bits));
}

static uint64_t multiply_words(uint32_t a, uint32_t b)
{
    uint32_t a_low = a & 0xffff, a_high = a >> 16, b_low = b & 0xffff, b_high = b >> 16;
    uint32_t low = a_low * b_low, mid = a_high * b_low + (low >> 16);
    uint32_t other = a_low * b_high + (mid & 0xffff);
    return pair((other << 16) + (low & 0xffff), a_high * b_high + (mid >> 16) + (other >> 16));
}

uint64_t __aeabi_lmul(uint64_t a, uint64_t b)
{
    uint32_t a_low = (uint32_t)a, b_low = (uint32_t)b;
    return multiply_words(a_low, b_low) + pair(0, high_of(a) * b_low + a_low * high_of(b));
}

/* The quotient in the low word, the rest in the high one: as the callers of ...divmod want it. */
uint64_t __aeabi_uidivmod(uint32_t value, uint32_t by)
{
    uint32_t quotient = 0, rest = 0;
    for (int bit = 31; bit >= 0; bit--) {
        uint32_t carry = rest >> 31;
        rest = rest << 1 | (value >> bit & 1);
        if (carry || rest >= by) {
            rest -= by;
            quotient |= 1U << bit;
        }
    }
    return pair(quotient, rest);
}

uint32_t __aeabi_uidiv(uint32_t value, uint32_t by)
{
    return (uint32_t)__aeabi_uidivmod(value, by);
}

static uint32_t magnitude(int32_t value)
{
    return value < 0 ? 0 - (uint32_t)value : (uint32_t)value;
}

uint64_t __aeabi_idivmod(int32_t value, int32_t by)
{
    uint64_t both = __aeabi_uidivmod(magnitude(value), magnitude(by));
    uint32_t quotient = (uint32_t)both, rest = high_of(both);
    return pair((value < 0) != (by < 0) ? 0 - quotient : quotient, value < 0 ? 0 - rest : rest);
}

int32_t __aeabi_idiv(int32_t value, int32_t by)
{
    return (int32_t)(uint32_t)__aeabi_idivmod(value, by);
}

void __aeabi_memcpy(char *to, const char *from, size_t size)
{
    while (size--)
        *to++ = *from++;
}

void __aeabi_memset(char *to, size_t size, int byte)
{
    while (size--)
        *to++ = (char)byte;
}

void __aeabi_memclr(char *to, size_t size)
{
    __aeabi_memset(to, size, 0);
}

/* Those for aligned memory are the same. */
void __aeabi_memcpy4(char *to, const char *from, size_t size)
    __attribute__((alias("__aeabi_memcpy")));
void __aeabi_memcpy8(char *to, const char *from, size_t size)
    __attribute__((alias("__aeabi_memcpy")));
void __aeabi_memset4(char *to, size_t size, int byte) __attribute__((alias("__aeabi_memset")));
void __aeabi_memset8(char *to, size_t size, int byte) __attribute__((alias("__aeabi_memset")));
void __aeabi_memclr4(char *to, size_t size) __attribute__((alias("__aeabi_memclr")));
void __aeabi_memclr8(char *to, size_t size) __attribute__((alias("__aeabi_memclr")));
