/* SPDX-License-Identifier: MIT */
/* What a run is doing, as numbers for trestle top. */
#ifndef CLI_RUN_VIEW_H
#define CLI_RUN_VIEW_H

#include <stdio.h>

struct run;
struct view;

/* From now on accesses and interrupts are looked at, which costs each some nanoseconds. */
struct view *view_begin(struct run *run);
/* NULL is fine. */
void view_end(struct view *view);

/* A line of JSON:
 *   { "engine": PS, "guest": PS, "next": PS, "pending": N, "host_ns": NS,
 *     "devices": [ { "name": ..., "reads": N, "writes": N, "errors": N, "p50_ns": NS, "p99_ns": NS,
 *                    "irqs": N, "levels": MASK } or { "name": ..., "own": true } ],
 *     "accesses": [ { "time": PS, "device": INDEX, "text": ... } ] }
 * Times that are not known are null. irqs counts lines that went up since view_begin(); accesses
 * are the last ones, the latest first. */
void view_print(const struct view *view, FILE *out);

#endif
