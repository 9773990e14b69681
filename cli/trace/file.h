/* SPDX-License-Identifier: MIT */
/* A trace that a command reads. What is wrong is said in one line; functions return 0 or the exit
 * code. */
#ifndef CLI_TRACE_FILE_H
#define CLI_TRACE_FILE_H

#include "trace/trace.h"

#define TRACE_ALL_DEVICES UINT32_MAX

struct trace_file {
    const char *path;
    FILE *file;
    struct trestle_trace_reader *reader;
};

/* path "-": standard input. */
int trace_file_open(struct trace_file *trace, const char *path);
void trace_file_close(struct trace_file *trace);
/* It is being written while it is read, by way of a pipe. */
bool trace_file_is_live(const struct trace_file *trace);
int trace_file_device(const struct trace_file *trace, const char *name, uint32_t *ret_device);
/* Says what the reader has said, and frees it. */
int trace_file_fail(const struct trace_file *trace, char *error);

#endif
