/* SPDX-License-Identifier: MIT */
/* A model driven by what a trace says that its device went through, and compared with it. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "config/config.h"
#include "trace/trace.h"

struct replay {
    struct trestle_trace_reader *reader;
    uint32_t device;                        /* of the trace */
    const struct config_device *configured; /* model and parameters */
    bool is_verbose;                        /* the model's warnings go to standard error */

    /* Results. */
    uint64_t compared; /* records of the device */
    char *difference;  /* the first, a sentence; NULL: none. The caller's to free */
};

/* 0, or a negative errno with *ret_error (maybe NULL): the trace or the device is no good. There
 * may be a difference then, too: before what is wrong with the trace. */
int replay_run(struct replay *replay, char **ret_error);
/* The same by values and not by times: for a model that is another one of the same device. */
int replay_values(struct replay *replay, char **ret_error);

#endif
