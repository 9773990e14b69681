/* SPDX-License-Identifier: MIT */
/*
 * trestle/process.h: a program that serves devices of a run.
 *
 * A configuration gives such a program's command ("process": { "name": "soc", "command":
 * ["./sim"] }), the run starts it, supervises it and tells it which devices it is to serve. The
 * program has a model for each (trestle/device.h); all of them share one timeline.
 *
 * Life: create, add each device in order, serve, destroy. One thread at a time. SystemC's users
 * have all this in trestle::serve() (trestle/systemc.h).
 *
 * Errors: 0 or negative errno, and a malloc'd one-line sentence in *ret_error, the caller's to
 * free.
 */
#ifndef TRESTLE_PROCESS_H
#define TRESTLE_PROCESS_H

#include "trestle/bridge.h"

#ifdef __cplusplus
extern "C" {
#endif

struct trestle_process;

/* Names the descriptors on which the run speaks. */
#define TRESTLE_PROCESS_VARIABLE "TRESTLE_PROCESS"

struct trestle_process_options {
    size_t size; /* sizeof(struct trestle_process_options) */
    /* What the run wants to have in its log, as much of it as its -v asks for; text has no newline,
     * and standard error is where the run's goes. */
    void (*log)(void *ctx, enum trestle_log_level level, const char *text);
    void *ctx;
};

/* variable is what getenv(TRESTLE_PROCESS_VARIABLE) gives. -ENOENT: it is NULL, no run has started
 * this program. -EINVAL: it is not a run's. */
TRESTLE_API TRESTLE_CHECK int trestle_process_create(const char *variable,
                                                     const struct trestle_process_options *options,
                                                     struct trestle_process **ret_process,
                                                     char **ret_error);
/* Closes the sockets. NULL is fine. */
TRESTLE_API void trestle_process_destroy(struct trestle_process *process);

/* What is to be served: names and sizes as in the configuration. They live as long as the process.
 */
TRESTLE_API uint32_t trestle_process_num_devices(const struct trestle_process *process);
TRESTLE_API const char *trestle_process_device_name(const struct trestle_process *process,
                                                    uint32_t index);
TRESTLE_API uint64_t trestle_process_device_size(const struct trestle_process *process,
                                                 uint32_t index);

/* The next device, from 0 on, gets its model, which outlives the process. *ret_device (if wanted)
 * is as trestle_bridge_add_device() gives it. -ENOENT: all have one. */
TRESTLE_API TRESTLE_CHECK int trestle_process_add_device(struct trestle_process *process,
                                                         const struct trestle_model *model,
                                                         struct trestle_device **ret_device,
                                                         char **ret_error);
/* Serves until the run is over, and tells it what was served. */
TRESTLE_API TRESTLE_CHECK int trestle_process_serve(struct trestle_process *process,
                                                    char **ret_error);
/* Tells the run why nothing is served, for its one line about that. Once, and then the program
 * ends. */
TRESTLE_API void trestle_process_refuse(struct trestle_process *process, const char *sentence);

/* For a program with a bridge of its own making: tells a run that listens on out_fd what the bridge
 * has served. */
TRESTLE_API int trestle_process_tell(int out_fd, const struct trestle_bridge *bridge);

#ifdef __cplusplus
}
#endif
#endif
