/* SPDX-License-Identifier: MIT */
/* The bytes of a trace, docs/trace.md: pure functions over buffers. */
#ifndef TRESTLE_TRACE_RECORD_H
#define TRESTLE_TRACE_RECORD_H

#include "trace/trace.h"

#define TRACE_MAGIC "TRSTRACE"
#define TRACE_VERSION 1             /* without tables of registers */
#define TRACE_VERSION_REGISTERS 2   /* with them, behind the links */
#define TRACE_VERSION_REGIONS 3     /* some of them are not of a first region */
#define TRACE_HEADER_START 24       /* bytes of the header before its tables */
#define TRACE_HEADER_MAX (4u << 20) /* bytes of a header */

/* Longest record but for its bytes, its length included. */
#define TRACE_FIELDS_MAX 80u
#define TRACE_RECORD_MAX (TRACE_FIELDS_MAX + TRESTLE_MESSAGE_MAX)

/* Behind the width of an access, in one number. */
#define TRACE_REGION_SHIFT 4

/* The last record: no event, so not in enum trestle_trace_kind. */
#define TRACE_KIND_END 0x7f
#define TRACE_NO_GUEST_TIME 0x80 /* in the byte of the kind */

/* Times are differences to those of the record before; zeroes at the start. */
struct trace_times {
    trestle_time time, stall;
};

/* Returns the bytes written, at most TRACE_FIELDS_MAX + record->size. */
size_t trace_encode(uint8_t *buf, struct trace_times *times,
                    const struct trestle_trace_record *record);
/* The hash is by the definition in use. */
size_t trace_encode_end(uint8_t *buf, uint64_t num_records, uint64_t hash);

/* The record of `size` bytes behind its length; its bytes are in buf. -EPROTO: what is wrong stands
 * in *ret_why, a constant. */
TRESTLE_CHECK int trace_decode(const uint8_t *buf, size_t size, struct trace_times *times,
                               const struct trestle_trace_header *header,
                               struct trestle_trace_record *ret_record, const char **ret_why);
TRESTLE_CHECK int trace_decode_end(const uint8_t *buf, size_t size, uint64_t *ret_num_records,
                                   uint64_t *ret_hash, uint64_t *ret_definition);

/* malloc'd. -EFBIG: beyond TRACE_HEADER_MAX, or a text beyond 65535 bytes. */
TRESTLE_CHECK int trace_encode_header(const struct trestle_trace_header *header, uint8_t **ret_buf,
                                      size_t *ret_size);
/* The whole header's size, from its first TRACE_HEADER_START bytes. -EPROTO with *ret_why. */
TRESTLE_CHECK int trace_header_size(const uint8_t *buf, size_t *ret_size, const char **ret_why);
/* The texts are copies: all is freed with trace_free_header(). -EPROTO with *ret_why, -ENOMEM. */
TRESTLE_CHECK int trace_decode_header(const uint8_t *buf, size_t size,
                                      struct trestle_trace_header *ret_header,
                                      const char **ret_why);
void trace_free_header(struct trestle_trace_header *header);

#endif
