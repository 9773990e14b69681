/* SPDX-License-Identifier: MIT */
/* Serving devices to a QEMU that is started elsewhere: trestle serve and trestle device. */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "config/config.h"

struct serve_options {
    int verbosity;
    const char *stats;      /* NULL: none */
    const char *trace;      /* NULL: none */
    const char *socket_dir; /* NULL: a private directory */
    bool run_hash;          /* computed without a trace, too */
    bool without_shm;       /* there is none, which was said */
    const char *plugin;     /* NULL: as the configuration says */
    int listen_fd;          /* not 0: the first device's socket, inherited */
    bool quiet;             /* somebody else knows the sockets and wants no statistics */
    int64_t watchdog_ms;    /* of trestle device; -1: the default */
    /* Not 0: descriptors of a run that has started this process (base/handover.h). */
    int given_fd, say_fd;
    int control_fd;      /* not 0: where it listens for commands */
    const char *process; /* what it calls this one */
};

/* Prints sockets and QEMU's arguments, serves until a signal or the run's word comes, prints the
 * statistics or tells the run.
 * Returns the exit code. */
int serve_config(const struct config *config, const struct serve_options *options);
/* Says why it cannot be: to the run, or to people. Frees error, returns the exit code. */
int serve_refuse(const struct serve_options *options, char *error);

#endif
