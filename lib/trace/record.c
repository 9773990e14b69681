/* SPDX-License-Identifier: MIT */
/* Encodes and decodes the records of a trace. */
#include "trace/record.h"

#include <errno.h>
#include <string.h>

#include "trace.h"
#include "trace/hash.h"
#include "trestle/le.h"

/* A status is an errno, and none is larger. */
#define STATUS_MAX 4095

/* --- numbers --------------------------------------------------------------------------------- */

/* Seven bits a byte, the low ones first; the high bit says that more follow (LEB128). */
static uint8_t *put_number(uint8_t *p, uint64_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

/* Small differences of either sign become small numbers. */
static uint64_t fold_sign(uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static uint64_t unfold_sign(uint64_t folded)
{
    return folded >> 1 ^ (0 - (folded & 1));
}

struct cursor {
    const uint8_t *at, *end;
    bool is_bad; /* something was not there: all further numbers are 0 */
};

static uint64_t get_number(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;
        uint64_t bits = byte & 0x7f;
        if (shift == 63 && bits > 1)
            break;
        value |= bits << shift;
        if (!(byte & 0x80))
            return value;
    }
    cursor->is_bad = true;
    return 0;
}

static uint32_t get_number32(struct cursor *cursor)
{
    uint64_t value = get_number(cursor);
    if (value > UINT32_MAX)
        cursor->is_bad = true;
    return (uint32_t)value;
}

/* --- out ------------------------------------------------------------------------------------- */

static uint8_t *put_fields(uint8_t *p, const struct trestle_trace_record *record)
{
    switch (record->kind) {
    case TRESTLE_TRACE_WRITE:
        p = put_number(p, record->size | record->number << TRACE_REGION_SHIFT);
        p = put_number(p, record->addr);
        return put_number(p, record->data);
    case TRESTLE_TRACE_READ:
        p = put_number(p, record->size | record->number << TRACE_REGION_SHIFT);
        return put_number(p, record->addr);
    case TRESTLE_TRACE_ANSWER:
        p = put_number(p, (uint64_t)-record->status);
        return put_number(p, record->data);
    case TRESTLE_TRACE_IRQ:
        p = put_number(p, record->number);
        return put_number(p, record->data);
    case TRESTLE_TRACE_SEND:
    case TRESTLE_TRACE_RECEIVE:
    case TRESTLE_TRACE_DMA_DATA:
        return put_number(p, record->number);
    case TRESTLE_TRACE_DMA_READ:
    case TRESTLE_TRACE_DMA_WRITE:
        p = put_number(p, record->number);
        p = put_number(p, record->addr);
        return put_number(p, record->data);
    case TRESTLE_TRACE_DMA_END:
    case TRESTLE_TRACE_DMA_REFUSED:
        p = put_number(p, record->number);
        return put_number(p, (uint64_t)-record->status);
    case TRESTLE_TRACE_RESET:
        if (record->number == TRESTLE_TRACE_RESET_GUEST)
            break;
        return put_number(p, record->number);
    case TRESTLE_TRACE_INPUT:
        break;
    }
    return p;
}

static bool has_bytes(enum trestle_trace_kind kind)
{
    return kind == TRESTLE_TRACE_SEND || kind == TRESTLE_TRACE_RECEIVE ||
           kind == TRESTLE_TRACE_DMA_DATA || kind == TRESTLE_TRACE_INPUT;
}

size_t trace_encode(uint8_t *buf, struct trace_times *times,
                    const struct trestle_trace_record *record)
{
    uint8_t fields[TRACE_FIELDS_MAX], *p = fields;
    bool has_guest_time = record->guest_time != TRESTLE_TIME_NEVER;
    *p++ = (uint8_t)(record->kind | (has_guest_time ? 0 : TRACE_NO_GUEST_TIME));
    p = put_number(p, record->device);
    p = put_number(p, record->time - times->time);
    times->time = record->time;
    if (has_guest_time) {
        trestle_time stall = record->time - record->guest_time;
        p = put_number(p, fold_sign(stall - times->stall));
        times->stall = stall;
    }
    p = put_fields(p, record);
    size_t num_fields = (size_t)(p - fields);
    size_t num_bytes = has_bytes(record->kind) ? record->size : 0;
    uint8_t *out = put_number(buf, num_fields + num_bytes);
    memcpy(out, fields, num_fields);
    out += num_fields;
    if (num_bytes) {
        memcpy(out, record->bytes, num_bytes);
        out += num_bytes;
    }
    return (size_t)(out - buf);
}

size_t trace_encode_end(uint8_t *buf, uint64_t num_records, uint64_t hash)
{
    uint8_t *p = buf + 1;
    *p++ = TRACE_KIND_END;
    p = put_number(p, num_records);
    trestle_put_le64(p, hash);
    p = put_number(p + 8, TRACE_HASH_WHOLE);
    buf[0] = (uint8_t)(p - buf - 1);
    return (size_t)(p - buf);
}

/* --- in -------------------------------------------------------------------------------------- */

/* All that a kind has behind device and times. */
static void get_fields(struct cursor *cursor, struct trestle_trace_record *record)
{
    switch (record->kind) {
    case TRESTLE_TRACE_READ:
    case TRESTLE_TRACE_WRITE:
        record->number = get_number32(cursor);
        record->size = record->number & ((1u << TRACE_REGION_SHIFT) - 1);
        record->number >>= TRACE_REGION_SHIFT;
        record->addr = get_number(cursor);
        if (record->kind == TRESTLE_TRACE_WRITE)
            record->data = get_number(cursor);
        break;
    case TRESTLE_TRACE_ANSWER:
        record->status = (int)get_number32(cursor);
        record->data = get_number(cursor);
        break;
    case TRESTLE_TRACE_IRQ:
        record->number = get_number32(cursor);
        record->data = get_number(cursor);
        break;
    case TRESTLE_TRACE_SEND:
    case TRESTLE_TRACE_RECEIVE:
    case TRESTLE_TRACE_DMA_DATA:
    case TRESTLE_TRACE_INPUT:
        if (record->kind != TRESTLE_TRACE_INPUT)
            record->number = get_number32(cursor);
        record->size = (uint32_t)(cursor->end - cursor->at);
        record->bytes = cursor->at;
        cursor->at = cursor->end;
        break;
    case TRESTLE_TRACE_DMA_READ:
    case TRESTLE_TRACE_DMA_WRITE:
        record->number = get_number32(cursor);
        record->addr = get_number(cursor);
        record->data = get_number(cursor);
        break;
    case TRESTLE_TRACE_DMA_END:
    case TRESTLE_TRACE_DMA_REFUSED:
        record->number = get_number32(cursor);
        record->status = (int)get_number32(cursor);
        break;
    case TRESTLE_TRACE_RESET:
        if (cursor->at < cursor->end)
            record->number = get_number32(cursor);
        break;
    default:
        cursor->is_bad = true;
    }
}

static const char *what_is_wrong(const struct trestle_trace_record *record,
                                 const struct trestle_trace_header *header)
{
    if (record->device >= header->num_devices)
        return "a device that the header does not have";
    if (record->status < 0 || record->status > STATUS_MAX)
        return "an unknown status";
    if (record->kind == TRESTLE_TRACE_IRQ &&
        (record->data > 1 || record->number >= TRESTLE_IRQ_LINES_MAX))
        return "an impossible interrupt line or level";
    if ((record->kind == TRESTLE_TRACE_READ || record->kind == TRESTLE_TRACE_WRITE) &&
        record->number > TRESTLE_REGIONS_MAX)
        return "an impossible region";
    bool is_message = record->kind == TRESTLE_TRACE_SEND || record->kind == TRESTLE_TRACE_RECEIVE;
    if (is_message && (record->size == 0 || record->size > TRESTLE_MESSAGE_MAX))
        return "a message of impossible size";
    if (is_message && record->number > 31)
        return "an impossible port";
    if (record->kind == TRESTLE_TRACE_RESET && record->number > TRESTLE_TRACE_RESET_ALONE)
        return "a reset of an unknown kind";
    if (record->kind == TRESTLE_TRACE_DMA_DATA &&
        (record->size == 0 || record->size > TRESTLE_TRACE_DATA_MAX))
        return "a piece of a transfer of impossible size";
    if (record->kind == TRESTLE_TRACE_INPUT &&
        (record->size == 0 || record->size > TRESTLE_INPUT_MAX))
        return "input of impossible size";
    return NULL;
}

int trace_decode(const uint8_t *buf, size_t size, struct trace_times *times,
                 const struct trestle_trace_header *header, struct trestle_trace_record *ret_record,
                 const char **ret_why)
{
    struct cursor cursor = {.at = buf + 1, .end = buf + size};
    struct trestle_trace_record record = {.kind = buf[0] & ~TRACE_NO_GUEST_TIME};
    record.device = get_number32(&cursor);
    uint64_t passed = get_number(&cursor);
    record.time = times->time + passed;
    record.guest_time = TRESTLE_TIME_NEVER;
    trestle_time stall = times->stall;
    if (!(buf[0] & TRACE_NO_GUEST_TIME)) {
        stall += unfold_sign(get_number(&cursor));
        record.guest_time = record.time - stall;
    }
    get_fields(&cursor, &record);
    *ret_why = NULL;
    if (cursor.is_bad || cursor.at != cursor.end)
        *ret_why = "not a record";
    else if (record.time < passed || record.time == TRESTLE_TIME_NEVER || stall > record.time)
        *ret_why = "an impossible time";
    else
        *ret_why = what_is_wrong(&record, header);
    if (*ret_why)
        return -EPROTO;
    record.status = -record.status;
    *times = (struct trace_times){record.time, stall};
    *ret_record = record;
    return 0;
}

int trace_decode_end(const uint8_t *buf, size_t size, uint64_t *ret_num_records, uint64_t *ret_hash,
                     uint64_t *ret_definition)
{
    struct cursor cursor = {.at = buf + 1, .end = buf + size};
    uint64_t num_records = get_number(&cursor);
    uint64_t definition = TRACE_HASH_FIRST, hash = 0;
    if (!cursor.is_bad && cursor.end - cursor.at >= 8) {
        hash = trestle_get_le64(cursor.at);
        cursor.at += 8;
        if (cursor.at < cursor.end)
            definition = get_number(&cursor);
        cursor.is_bad |= definition != TRACE_HASH_FIRST && definition != TRACE_HASH_WHOLE;
    } else {
        cursor.is_bad = true;
    }
    if (cursor.is_bad || cursor.at != cursor.end)
        return -EPROTO;
    *ret_num_records = num_records;
    *ret_hash = hash;
    *ret_definition = definition;
    return 0;
}

const char *trestle_trace_kind_name(enum trestle_trace_kind kind)
{
    static const char *const names[] = {
        [TRESTLE_TRACE_READ] = "read",           [TRESTLE_TRACE_WRITE] = "write",
        [TRESTLE_TRACE_ANSWER] = "answer",       [TRESTLE_TRACE_IRQ] = "irq",
        [TRESTLE_TRACE_RESET] = "reset",         [TRESTLE_TRACE_SEND] = "send",
        [TRESTLE_TRACE_RECEIVE] = "receive",     [TRESTLE_TRACE_DMA_READ] = "dma read",
        [TRESTLE_TRACE_DMA_WRITE] = "dma write", [TRESTLE_TRACE_DMA_DATA] = "dma data",
        [TRESTLE_TRACE_DMA_END] = "dma end",     [TRESTLE_TRACE_DMA_REFUSED] = "dma refused",
        [TRESTLE_TRACE_INPUT] = "input",
    };
    bool is_known = kind < sizeof(names) / sizeof(names[0]) && names[kind];
    return is_known ? names[kind] : "unknown";
}
