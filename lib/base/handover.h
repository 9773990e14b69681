/* SPDX-License-Identifier: MIT */
/* What passes between a run and a process that it starts for some of its devices: over one pipe
 * what there is to serve, whose end means that the process is to end; over the other that it
 * serves, and at its end what it has served. Both are fields "key=value", each ended by a NUL; an
 * empty one ends what there is to serve. */
#ifndef TRESTLE_BASE_HANDOVER_H
#define TRESTLE_BASE_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trestle/bridge.h"

/* The environment's name for the numbers of the two descriptors, "IN,OUT". */
#define HANDOVER_VARIABLE "TRESTLE_PROCESS"

struct handover_param {
    char *key, *value;
};

struct handover_device {
    char *name;
    char *model; /* NULL: the process has its own */
    uint64_t base_addr, size;
    bool is_pci;
    int listen_fd;
    char *backend; /* descriptors of its host end, as backend_lend() says them; NULL: it has none */
    struct handover_param *params;
    size_t num_params;
};

struct handover_link {
    char *from, *to;
    trestle_time latency;
    uint64_t bandwidth; /* bits per second, or 0 */
};

struct handover {
    char *name;    /* of the process */
    char *trace;   /* NULL: none */
    bool run_hash; /* is wanted */
    bool without_shm;
    int64_t watchdog_ms;
    int verbosity;
    int control_fd; /* a socket that listens for commands; 0: none */
    struct handover_device *devices;
    size_t num_devices;
    struct handover_link *links;
    size_t num_links;
};

/* What a process says. */
struct handover_report {
    bool serves;
    bool has_lost;     /* a model has failed in its fini(), and said so */
    char *failure;     /* a sentence, or NULL */
    char *run_hash;    /* or NULL */
    char *disturbance; /* or NULL */
    struct trestle_bridge_trace_stats trace;
    struct trestle_device_stats *devices;
    size_t num_devices;
};

/* --- the run's side ---------------------------------------------------------------------------
 */

/* As bytes; malloc'd. -ENOMEM. */
int handover_write(const struct handover *handover, char **ret_bytes, size_t *ret_size);
/* What has come of a report so far. A field of which only a part has come is left out. -ENOMEM. */
int handover_read_report(const char *bytes, size_t size, struct handover_report *ret_report);
void handover_finish_report(struct handover_report *report);

/* --- the process's side -----------------------------------------------------------------------
 */

/* Takes the descriptors of the variable's value over. -EINVAL: they are none, or what comes there
 * is not what a run says. */
int handover_take(const char *variable, int *ret_in_fd, int *ret_out_fd,
                  struct handover **ret_handover);
void handover_free(struct handover *handover);
/* One field. An error means that the run has gone. */
int handover_say(int out_fd, const char *key, const char *value);
int handover_say_counts(int out_fd, const struct trestle_device_stats *stats);
int handover_say_trace(int out_fd, const struct trestle_bridge_trace_stats *trace);

#endif
