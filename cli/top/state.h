/* SPDX-License-Identifier: MIT */
/* What a run was doing at one moment, as its control socket says it. */
#ifndef CLI_TOP_STATE_H
#define CLI_TOP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct attached;

#define STATE_UNKNOWN UINT64_MAX /* of a time */

struct state_device {
    char *name;
    bool is_unknown; /* but for its name: nobody who could tell answers */
    uint64_t reads, writes, errors, p50_ns, p99_ns, irqs, levels;
};

struct state_access {
    uint64_t time;
    size_t device;
    char *text;
};

struct state {
    bool has_times;
    uint64_t engine, guest, next; /* picoseconds; of the run's own process, if that has devices */
    uint64_t pending, host_ns;
    size_t num_devices, num_accesses;
    struct state_device *devices;
    struct state_access *accesses; /* the latest first */
};

/* Asks the run and its processes for it. A negative errno with the sentence. */
int state_get(struct attached *run, struct state *ret_state, char **ret_error);
/* Fine on zeroes. */
void state_finish(struct state *state);

#endif
