// SPDX-License-Identifier: MIT
//
// Helpers for the headers of buses and for the generated map: values of ports, one access, and
// names of registers.
#ifndef TRESTLE_VERILATOR_PORTS_H
#define TRESTLE_VERILATOR_PORTS_H

#include <cstdint>
#include <cstring>

#include "trestle/registers.h"

namespace trestle_rtl
{

// One access, as the transaction on a bus.
struct transaction {
    uint64_t byte, addr; // where the access begins, and where the word around it begins
    uint64_t data;       // of a write, at its place in the word; of a read, 0 and then the word
    uint32_t lanes;      // bytes from addr on that the access covers
    uint32_t size;       // their number: 1, 2, 4 or 8, up to the bus's widest
    bool write;
};

// How a transaction went.
struct outcome {
    static constexpr bool rests_between = false; // the bus is idle for a cycle between two
    static constexpr bool reads = true,
                          writes = true; // the directions that the bus has channels for
    bool failed = false;                 // the core answered with an error
    const char *fault = nullptr;         // a rule of the bus that the core broke, or NULL
};

// Stands for a signal that the core lacks: takes any value, and reads as 0.
struct nowhere {
    template <class T> T operator=(T value) const
    {
        return value;
    }
    constexpr operator bool() const
    {
        return false;
    }
};

constexpr unsigned log2_of(uint32_t size)
{
    return size > 1 ? 1 + log2_of(size / 2) : 0;
}

// A port's bytes, of any width, the lowest first.
template <size_t n, class Port> void get_bytes(unsigned char (&to)[n], const Port &port)
{
    std::memset(to, 0, n);
    std::memcpy(to, &port, n < sizeof(port) ? n : sizeof(port));
}
template <size_t n, class Port> void set_bytes(Port &port, const unsigned char (&from)[n])
{
    static_assert(n <= sizeof(port), "a port holds its bytes");
    std::memcpy(&port, from, n);
}

template <size_t n> void set_bytes(const nowhere &, const unsigned char (&)[n])
{
}

template <unsigned bits> constexpr uint64_t low_bits(uint64_t value)
{
    return bits < 64 ? value & ((1ull << bits % 64) - 1) : value;
}

// Ports are numbers of as many bytes as they need, the lowest first.
inline void copy_bits(void *to, unsigned to_at, const void *from, unsigned from_at, unsigned bits)
{
    unsigned char *target = static_cast<unsigned char *>(to);
    const unsigned char *source = static_cast<const unsigned char *>(from);
    for (unsigned n; bits > 0; bits -= n, to_at += n, from_at += n) {
        unsigned to_left = 8 - to_at % 8, from_left = 8 - from_at % 8;
        n = to_left < from_left ? to_left : from_left;
        n = n < bits ? n : bits;
        unsigned mask = ((1u << n) - 1) << to_at % 8;
        unsigned value = source[from_at / 8] >> from_at % 8 << to_at % 8;
        unsigned char &byte = target[to_at / 8];
        byte = static_cast<unsigned char>((byte & ~mask) | (value & mask));
    }
}

// A field of a port that is a packed struct.
template <unsigned low, unsigned bits, class Port> struct field {
    Port &port;

    operator uint64_t() const
    {
        uint64_t value = 0;
        copy_bits(&value, 0, &port, low, bits < 64 ? bits : 64);
        return value;
    }
    template <class T> T operator=(T value) const
    {
        uint64_t number = static_cast<uint64_t>(value);
        copy_bits(&port, low, &number, 0, bits < 64 ? bits : 64);
        return value;
    }
};
template <unsigned low, unsigned bits, class Port> field<low, bits, Port> part(Port &port)
{
    return {port};
}
template <size_t n, unsigned low, unsigned bits, class Port>
void get_bytes(unsigned char (&to)[n], const field<low, bits, Port> &from)
{
    std::memset(to, 0, n);
    copy_bits(to, 0, &from.port, low, bits < 8 * n ? bits : 8 * n);
}
template <size_t n, unsigned low, unsigned bits, class Port>
void set_bytes(const field<low, bits, Port> &to, const unsigned char (&from)[n])
{
    copy_bits(&to.port, low, from, 0, bits < 8 * n ? bits : 8 * n);
}

// The constant value of an input; one of more than 64 bits is an array of words.
template <unsigned bits, class Port> void tie(Port &port, uint64_t value)
{
    if constexpr (bits > 64) {
        port[0] = static_cast<uint32_t>(value);
        port[1] = static_cast<uint32_t>(value >> 32);
    } else {
        port = static_cast<Port>(low_bits<bits>(value));
    }
}
template <unsigned, unsigned low, unsigned bits, class Port>
void tie(const field<low, bits, Port> &port, uint64_t value)
{
    port = value;
}

} // namespace trestle_rtl

#endif
