/* SPDX-License-Identifier: MIT */
/*
 * trestle/process.h: a program that serves devices of a run.
 *
 * A configuration names such a program's command ("process": { "name": "soc", "command":
 * ["./sim"] }). The run starts the program, supervises it, and tells it which devices to serve. The
 * program has a model for each device (trestle/device.h); all of them share one timeline.
 *
 * Life: create, add each device in order, serve, destroy. One thread at a time. For SystemC,
 * trestle::serve() does all of this (trestle/systemc.h).
 *
 * Errors: 0 or negative errno, and a malloc'd one-line sentence in *ret_error, which the caller
 * frees.
 */
#ifndef TRESTLE_PROCESS_H
#define TRESTLE_PROCESS_H

#include "trestle/bridge.h"

#ifdef __cplusplus
extern "C" {
#endif

struct trestle_process;

/* Names the descriptors through which the run talks to the program. */
#define TRESTLE_PROCESS_VARIABLE "TRESTLE_PROCESS"

struct trestle_process_options {
    size_t size; /* sizeof(struct trestle_process_options) */
    /* Takes lines for the log, as many as the run's -v asks for. text has no newline. The run's log
     * goes to standard error. */
    void (*log)(void *ctx, enum trestle_log_level level, const char *text);
    void *ctx;
};

/* variable is what getenv(TRESTLE_PROCESS_VARIABLE) gives. -ENOENT: it is NULL, no run has started
 * this program. -EINVAL: no run has set it. */
TRESTLE_API TRESTLE_CHECK int trestle_process_create(const char *variable,
                                                     const struct trestle_process_options *options,
                                                     struct trestle_process **ret_process,
                                                     char **ret_error);
/* Closes the sockets. NULL is fine. */
TRESTLE_API void trestle_process_destroy(struct trestle_process *process);

/* A device to serve, as in the configuration. */
struct trestle_process_device {
    const char *name;
    uint64_t size;
};
/* Each process begins with this; the library writes it, others only read it. */
struct trestle_process_facts {
    const struct trestle_process_device *devices; /* to serve; they live as long as the process */
    uint32_t num_devices;
};
static inline const struct trestle_process_device *
trestle_process_devices(const struct trestle_process *process, uint32_t *ret_num)
{
    const struct trestle_process_facts *facts = (const struct trestle_process_facts *)process;
    *ret_num = facts->num_devices;
    return facts->devices;
}

/* Gives the next device, from 0 on, its model, which outlives the process. *ret_device (if wanted)
 * is as from trestle_bridge_add_device(). -ENOENT: all devices have a model. */
TRESTLE_API TRESTLE_CHECK int trestle_process_add_device(struct trestle_process *process,
                                                         const struct trestle_model *model,
                                                         struct trestle_device **ret_device,
                                                         char **ret_error);
/* Serves until the run is over, and tells it what was served. */
TRESTLE_API TRESTLE_CHECK int trestle_process_serve(struct trestle_process *process,
                                                    char **ret_error);
/* Tells the run why nothing is served, for its one line about it. Call it once; then the program
 * ends. */
TRESTLE_API void trestle_process_refuse(struct trestle_process *process, const char *sentence);

#ifdef __cplusplus
}
#endif
#endif
