/* SPDX-License-Identifier: MIT */
/* Names of registers, from the tables that a trace carries. */
#ifndef CLI_TRACE_NAMES_H
#define CLI_TRACE_NAMES_H

#include "trace/trace.h"

struct trace_names;

/* The header must outlive it. */
struct trace_names *trace_names_create(const struct trestle_trace_header *header);
void trace_names_destroy(struct trace_names *names);

/* The register that an access begins in, and which of an array: false where there is none. */
bool trace_names_find(struct trace_names *names, const struct trestle_trace_record *access,
                      const struct trestle_register **ret_reg, uint32_t *ret_index);
/* "STATUS", or "" ; into buf, which it returns. */
const char *trace_names_register(struct trace_names *names,
                                 const struct trestle_trace_record *access, char *buf, size_t size);
/* "0x2 {ready}", or "0x2" if no register is known to be all of the access. */
const char *trace_names_value(struct trace_names *names, const struct trestle_trace_record *access,
                              uint64_t value, char *buf, size_t size);

#endif
