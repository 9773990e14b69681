/* SPDX-License-Identifier: MIT */
/*
 * A trace on its way to a file. Records are put into blocks of memory; a thread of its own writes
 * full ones. Whoever puts records touches no lock but once a block, and waits only when all blocks
 * are full: then the file is slower than the run, and nothing is lost.
 */
#ifndef TRESTLE_TRACE_WRITER_H
#define TRESTLE_TRACE_WRITER_H

#include <stdatomic.h>

#include "trace/trace.h"

struct trace_writer;

/* Owns fd from here on. -EFBIG: what the header says does not fit one. -ENOMEM, -EAGAIN. On an
 * error fd is the caller's still. */
TRESTLE_CHECK int trace_writer_create(int fd, const struct trestle_trace_header *header,
                                      size_t num_blocks, struct trace_writer **ret_writer);
/* While put() waits *is_waiting is true. Once *is_over is, nobody waits for a reader that takes
 * nothing for two seconds: -ETIMEDOUT. Both outlive the writer. For descriptors that do not block.
 */
void trace_writer_belong(struct trace_writer *writer, atomic_bool *is_waiting,
                         const atomic_bool *is_over);
/* One thread at a time. */
void trace_writer_put(struct trace_writer *writer, const struct trestle_trace_record *record);
/* Hands over what is there so far, if that needs no wait. */
void trace_writer_flush(struct trace_writer *writer);
/* 0, or the negative errno of the write that failed; from then on records are dropped. Known when
 * a block has been handed over. */
int trace_writer_error(const struct trace_writer *writer);

struct trace_writer_result {
    uint64_t num_records, num_bytes; /* in the file */
    uint64_t waited_ns;              /* for the file */
    int error;                       /* as trace_writer_error(): the trace is cut off */
};

/* Writes the end, waits until all is written, closes the file and frees the writer. It is over
 * then, too, for a reader that takes nothing. */
void trace_writer_finish(struct trace_writer *writer, uint64_t hash,
                         struct trace_writer_result *ret_result);

#endif
