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
    const char *plugin;     /* NULL: as the configuration says */
    int listen_fd;          /* not 0: the first device's socket, inherited */
    bool quiet;             /* for another trestle */
    int64_t watchdog_ms;    /* of trestle device; -1: the default */
    int report_fd;          /* not 0: a newline goes there once the device serves */
};

/* Prints sockets and QEMU's arguments, serves until a signal comes, prints the statistics.
 * Returns the exit code. */
int serve_config(const struct config *config, const struct serve_options *options);

#endif
