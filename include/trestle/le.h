/* SPDX-License-Identifier: MIT */
/* trestle/le.h: little-endian integers in byte buffers, at any alignment. Compilers turn each into
 * one move. */
#ifndef TRESTLE_LE_H
#define TRESTLE_LE_H

#include <stdint.h>

static inline void trestle_put_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void trestle_put_le32(uint8_t *p, uint32_t v)
{
    trestle_put_le16(p, (uint16_t)v);
    trestle_put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void trestle_put_le64(uint8_t *p, uint64_t v)
{
    trestle_put_le32(p, (uint32_t)v);
    trestle_put_le32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t trestle_get_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t trestle_get_le32(const uint8_t *p)
{
    return trestle_get_le16(p) | (uint32_t)trestle_get_le16(p + 2) << 16;
}

static inline uint64_t trestle_get_le64(const uint8_t *p)
{
    return trestle_get_le32(p) | (uint64_t)trestle_get_le32(p + 4) << 32;
}

#endif
