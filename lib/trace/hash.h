/* SPDX-License-Identifier: MIT */
/*
 * The hash of a run: XXH64 over a stream of bytes that docs/trace.md defines. XXH64 because it is
 * widely known, so that anybody can check it; because its four independent lanes take 32
 * bytes in the time of one multiplication or two; and because, unlike FNV-1a over words, no two
 * changes of a high bit cancel each other. It is no protection against those who want a collision.
 *
 * The stream consists of multiples of 32 bytes, so that nothing is ever left over.
 */
#ifndef TRESTLE_TRACE_HASH_H
#define TRESTLE_TRACE_HASH_H

#include "trace/trace.h"

struct xxh64 {
    uint64_t lanes[4];
    uint64_t num_bytes;
};

/* Which definition a hash follows. By the first, interrupts and transfers count only when an access
 * follows them. */
enum { TRACE_HASH_FIRST = 1, TRACE_HASH_WHOLE = 2 };

struct trace_hash {
    struct xxh64 running;
    struct xxh64 at_access;
    bool is_beyond; /* some came since then; if not, at_access is not valid */
};

void trace_hash_init(struct trace_hash *hash);
void trace_hash_add(struct trace_hash *hash, const struct trestle_trace_record *record);
/* By the definition in use, and by one that older traces have. */
uint64_t trace_hash_value(const struct trace_hash *hash);
uint64_t trace_hash_by(const struct trace_hash *hash, uint64_t definition);

#endif
