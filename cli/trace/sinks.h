/* SPDX-License-Identifier: MIT */
/* What `trestle trace` makes of a trace, a record at a time. */
#ifndef CLI_TRACE_SINKS_H
#define CLI_TRACE_SINKS_H

#include <stdio.h>

#include "trace/trace.h"

struct trace_sink {
    void (*record)(struct trace_sink *sink, const struct trestle_trace_record *record);
    /* Writes what is left, and frees the sink. The file stays open. False: some of it is lost, but
     * not on the way into the file, which knows that itself. */
    bool (*end)(struct trace_sink *sink);
    FILE *file;
};

struct trace_names;
/* What a record says, but when and where: "irq 0 up". names may be NULL. */
void trace_print_record(const struct trestle_trace_record *record, struct trace_names *names,
                        FILE *file);

/* The header must outlive the sink. */
struct trace_sink *trace_text_sink(const struct trestle_trace_header *header, FILE *file);
struct trace_sink *trace_perfetto_sink(const struct trestle_trace_header *header, FILE *file);
/* NULL: there is no temporary file to be had. */
struct trace_sink *trace_vcd_sink(const struct trestle_trace_header *header, FILE *file);

/* What registers held at the end, or at another time. */
struct trace_sink *trace_registers_sink(const struct trestle_trace_header *header, FILE *file);
void trace_registers_until(struct trace_sink *sink, trestle_time until);

#endif
