/* SPDX-License-Identifier: MIT */
/* A trace from a file, a record at a time. Nothing in the file is trusted. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "trace.h"
#include "trace/hash.h"
#include "trace/record.h"

struct trestle_trace_reader {
    FILE *file;
    uint64_t offset; /* in the file, of the next byte */
    uint64_t num_records;
    int end; /* what calls return from now on: 1 while records come */
    struct trestle_trace_header header;
    struct trace_times times;
    struct trace_hash hash;
    uint64_t definition; /* of the trace's hash */
    uint8_t record[TRACE_RECORD_MAX];
};

/* The bytes that are there, at most size. */
static size_t read_bytes(struct trestle_trace_reader *reader, uint8_t *bytes, size_t size)
{
    size_t got = fread(bytes, 1, size, reader->file);
    reader->offset += got;
    return got;
}

static int fail_read(struct trestle_trace_reader *reader, const char *inside, char **ret_error)
{
    if (ferror(reader->file))
        return error_set(ret_error, -EIO, "byte %" PRIu64 ": cannot be read: %s", reader->offset,
                         strerror(errno));
    return error_set(ret_error, -ENODATA,
                     "byte %" PRIu64 ": the trace is cut off %s, after %" PRIu64 " records",
                     reader->offset, inside, reader->num_records);
}

/* --- the header ------------------------------------------------------------------------------ */

static int read_header(struct trestle_trace_reader *reader, char **ret_error)
{
    uint8_t start[TRACE_HEADER_START];
    const char *why;
    size_t size;
    size_t got = read_bytes(reader, start, sizeof(start));
    size_t magic = got < sizeof(TRACE_MAGIC) - 1 ? got : sizeof(TRACE_MAGIC) - 1;
    if (memcmp(start, TRACE_MAGIC, magic) != 0)
        return error_set(ret_error, -EPROTO, "not a trace");
    if (got < sizeof(start))
        return fail_read(reader, "in its header", ret_error);
    int r = trace_header_size(start, &size, &why);
    if (r < 0)
        return error_set(ret_error, r, "%s", why);
    uint8_t *buf = malloc(size);
    if (!buf)
        return error_no_memory(ret_error);
    memcpy(buf, start, sizeof(start));
    size_t rest = size - sizeof(start);
    if (read_bytes(reader, buf + sizeof(start), rest) < rest) {
        r = fail_read(reader, "in its header", ret_error);
    } else {
        r = trace_decode_header(buf, size, &reader->header, &why);
        if (r < 0)
            error_set(ret_error, r, "%s", r == -ENOMEM ? "out of memory" : why);
    }
    free(buf);
    return r;
}

int trestle_trace_open(FILE *file, struct trestle_trace_reader **ret_reader, char **ret_error)
{
    struct trestle_trace_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return error_no_memory(ret_error);
    reader->file = file;
    reader->end = 1;
    reader->definition = TRACE_HASH_WHOLE; /* of one that is cut off */
    trace_hash_init(&reader->hash);
    int r = read_header(reader, ret_error);
    if (r < 0)
        trestle_trace_close(reader);
    else
        *ret_reader = reader;
    return r;
}

void trestle_trace_close(struct trestle_trace_reader *reader)
{
    if (!reader)
        return;
    trace_free_header(&reader->header);
    free(reader);
}

const struct trestle_trace_header *trestle_trace_header(const struct trestle_trace_reader *reader)
{
    return &reader->header;
}

uint64_t trestle_trace_count(const struct trestle_trace_reader *reader)
{
    return reader->num_records;
}

uint64_t trestle_trace_hash(const struct trestle_trace_reader *reader)
{
    return trace_hash_by(&reader->hash, reader->definition);
}

/* --- records --------------------------------------------------------------------------------- */

/* The length of the next record, at most three bytes. 0: it is none. */
static int read_length(struct trestle_trace_reader *reader, size_t *ret_size, char **ret_error)
{
    size_t size = 0;
    for (unsigned shift = 0; shift < 21; shift += 7) {
        uint8_t byte;
        if (read_bytes(reader, &byte, 1) == 0)
            return fail_read(reader, shift == 0 ? "before its last record" : "inside a record",
                             ret_error);
        size |= (size_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        *ret_size = size <= TRACE_RECORD_MAX ? size : 0;
        return 0;
    }
    *ret_size = 0;
    return 0;
}

/* 0: the end is as it should be. */
static int check_end(struct trestle_trace_reader *reader, size_t size, const char **ret_why)
{
    uint64_t num_records, hash;
    uint8_t byte;
    if (trace_decode_end(reader->record, size, &num_records, &hash, &reader->definition) < 0)
        *ret_why = "not a record";
    else if (num_records != reader->num_records)
        *ret_why = "the last record has another number of records than there are";
    else if (hash != trestle_trace_hash(reader))
        *ret_why = "the hash of the records is not the one in the last record";
    else if (read_bytes(reader, &byte, 1) > 0)
        *ret_why = "there are bytes after the last record";
    else
        return 0;
    return -EPROTO;
}

static int read_record(struct trestle_trace_reader *reader, struct trestle_trace_record *ret_record,
                       char **ret_error)
{
    uint64_t start = reader->offset;
    const char *why = "not a record";
    size_t size = 0;
    int r = read_length(reader, &size, ret_error);
    if (r < 0)
        return r;
    if (read_bytes(reader, reader->record, size) < size)
        return fail_read(reader, "inside a record", ret_error);
    if (size == 0) {
        r = -EPROTO;
    } else if (reader->record[0] == TRACE_KIND_END) {
        r = check_end(reader, size, &why);
    } else {
        r = trace_decode(reader->record, size, &reader->times, &reader->header, ret_record, &why);
        if (r == 0) {
            reader->num_records++;
            trace_hash_add(&reader->hash, ret_record);
            return 1;
        }
    }
    if (r < 0)
        error_set(ret_error, r, "byte %" PRIu64 ": %s; there are %" PRIu64 " records before it",
                  start, why, reader->num_records);
    return r;
}

int trestle_trace_next(struct trestle_trace_reader *reader, struct trestle_trace_record *ret_record,
                       char **ret_error)
{
    if (reader->end == 1)
        reader->end = read_record(reader, ret_record, ret_error);
    return reader->end;
}
