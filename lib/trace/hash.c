/* SPDX-License-Identifier: MIT */
/* XXH64, the hash of a run, over the canonical bytes of its records. */
#include "trace/hash.h"

#include <string.h>

#include "trace.h"
#include "trestle/le.h"

/* --- XXH64, seed 0, of whole stripes --------------------------------------------------------- */

#define P1 UINT64_C(0x9e3779b185ebca87)
#define P2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define P3 UINT64_C(0x165667b19e3779f9)
#define P4 UINT64_C(0x85ebca77c2b2ae63)
#define P5 UINT64_C(0x27d4eb2f165667c5)

#define STRIPE 32u

static inline uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline uint64_t mix(uint64_t lane, uint64_t word)
{
    return rotate(lane + word * P2, 31) * P1;
}

static inline __attribute__((always_inline)) void add_stripe(struct xxh64 *xxh, uint64_t a,
                                                             uint64_t b, uint64_t c, uint64_t d)
{
    xxh->lanes[0] = mix(xxh->lanes[0], a);
    xxh->lanes[1] = mix(xxh->lanes[1], b);
    xxh->lanes[2] = mix(xxh->lanes[2], c);
    xxh->lanes[3] = mix(xxh->lanes[3], d);
    xxh->num_bytes += STRIPE;
}

/* Zeroes up to the end of the last stripe. */
static void add_bytes(struct xxh64 *xxh, const uint8_t *bytes, size_t size)
{
    for (; size >= STRIPE; bytes += STRIPE, size -= STRIPE)
        add_stripe(xxh, trestle_get_le64(bytes), trestle_get_le64(bytes + 8),
                   trestle_get_le64(bytes + 16), trestle_get_le64(bytes + 24));
    if (size > 0) {
        uint8_t padded[STRIPE] = {0};
        memcpy(padded, bytes, size);
        add_bytes(xxh, padded, STRIPE);
    }
}

static uint64_t finish(const struct xxh64 *xxh)
{
    static const unsigned rotations[] = {1, 7, 12, 18};
    uint64_t h = 0;
    for (unsigned i = 0; i < 4; i++)
        h += rotate(xxh->lanes[i], rotations[i]);
    for (unsigned i = 0; i < 4; i++)
        h = (h ^ mix(0, xxh->lanes[i])) * P1 + P4;
    if (xxh->num_bytes == 0)
        h = P5;
    h += xxh->num_bytes;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}

/* --- of a run -------------------------------------------------------------------------------- */

void trace_hash_init(struct trace_hash *hash)
{
    *hash = (struct trace_hash){.running.lanes = {P1 + P2, P2, 0, 0 - P1}};
}

static void add_other(struct trace_hash *hash, const struct trestle_trace_record *record,
                      uint64_t head)
{
    struct xxh64 *xxh = &hash->running;
    trestle_time guest = record->guest_time, time = record->time;
    if (!hash->is_beyond)
        hash->at_access = *xxh;
    hash->is_beyond = true;
    switch (record->kind) {
    case TRESTLE_TRACE_IRQ:
        add_stripe(xxh, head, guest, time, (uint64_t)record->number << 1 | record->data);
        break;
    case TRESTLE_TRACE_DMA_READ:
    case TRESTLE_TRACE_DMA_WRITE:
        add_stripe(xxh, head, guest, time, record->addr);
        add_stripe(xxh, record->data, record->number, 0, 0);
        break;
    case TRESTLE_TRACE_DMA_DATA:
    case TRESTLE_TRACE_INPUT:
        add_stripe(xxh, head, guest, time,
                   record->kind == TRESTLE_TRACE_INPUT ? record->size : record->number);
        add_bytes(xxh, record->bytes, record->size);
        break;
    case TRESTLE_TRACE_DMA_END:
    case TRESTLE_TRACE_DMA_REFUSED:
        add_stripe(xxh, head, guest, time, record->number);
        break;
    default:
        /* Messages stay inside the engine; what they cause is in the stream. */
        break;
    }
}

void trace_hash_add(struct trace_hash *hash, const struct trestle_trace_record *record)
{
    struct xxh64 *xxh = &hash->running;
    uint64_t head = (uint64_t)record->kind | (uint64_t)(uint16_t)-record->status << 16 |
                    (uint64_t)record->device << 32;
    uint64_t width = (uint64_t)(uint8_t)record->size << 8 | (uint64_t)record->number << 16;
    switch (record->kind) {
    case TRESTLE_TRACE_READ:
        add_stripe(xxh, head | width, record->guest_time, record->time, record->addr);
        break;
    case TRESTLE_TRACE_WRITE:
        add_stripe(xxh, head | width, record->guest_time, record->time, record->addr);
        add_stripe(xxh, record->data, 0, 0, 0);
        break;
    case TRESTLE_TRACE_ANSWER:
        add_stripe(xxh, head, record->guest_time, record->time, record->data);
        break;
    case TRESTLE_TRACE_RESET:
        /* The guest's own deed where it is of one device. But QEMU's versions differ in how often
         * they reset a machine before its guest starts. */
        if (record->number == TRESTLE_TRACE_RESET_GUEST)
            return;
        add_stripe(xxh, head, record->guest_time, record->time, record->number);
        break;
    default:
        add_other(hash, record, head);
        return;
    }
    hash->is_beyond = false;
}

uint64_t trace_hash_value(const struct trace_hash *hash)
{
    return finish(&hash->running);
}

uint64_t trace_hash_by(const struct trace_hash *hash, uint64_t definition)
{
    bool is_first = definition == TRACE_HASH_FIRST;
    return finish(is_first && hash->is_beyond ? &hash->at_access : &hash->running);
}
