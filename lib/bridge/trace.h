/* SPDX-License-Identifier: MIT */
/* What passes between devices and the guest: into the hash of the run, and to a file if one is
 * wanted. */
#ifndef TRESTLE_BRIDGE_TRACE_H
#define TRESTLE_BRIDGE_TRACE_H

#include "front/port.h"
#include "sim/command.h"
#include "trace/hash.h"
#include "trace/trace.h"
#include "trace/writer.h"

struct bridge_trace {
    struct front *front;
    bool is_kept; /* for the hash and the writer; otherwise only somebody else looks */
    struct trace_hash hash;
    bool has_accesses, has_unknown_times; /* in it */
    struct trace_writer *writer;          /* or NULL */
    char *path;
    bool is_live;            /* somebody reads it meanwhile */
    bool has_failed;         /* and it was said */
    trestle_observe_fn also; /* is told as well; or NULL */
    void *also_ctx;
    struct trestle_trace_link *links;
    size_t num_links;
};

void bridge_trace_init(struct bridge_trace *trace, struct front *front);
void bridge_trace_finish(struct bridge_trace *trace);
/* For the header: the parameters of a device, and a link. -ENOMEM. */
TRESTLE_CHECK int bridge_trace_keep_params(struct port *port, const struct trestle_param *params,
                                           size_t num);
void bridge_trace_free_params(struct port *port);
TRESTLE_CHECK int bridge_trace_keep_link(struct bridge_trace *trace,
                                         const struct trestle_trace_link *link);
/* The guest does nothing at the moment: a reader of the file now sees all records so far. */
void bridge_trace_rest(struct bridge_trace *trace);
/* From here on it looks at what passes; what devices did while they were made is no part of a run.
 */
void bridge_trace_begin(struct bridge_trace *trace);

#endif
