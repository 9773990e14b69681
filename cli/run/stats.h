/* SPDX-License-Identifier: MIT */
/* What a run has served, for people and for programs. */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include <stdio.h>

#include "trestle/bridge.h"

struct stats_qemu {
    const char *version; /* NULL: unknown */
    bool has_ended;      /* false: it is somebody else's */
    bool was_stopped;    /* it did not end by itself */
    int exit_code;
};

struct run; /* see run.h; its trace has ended */

/* What the devices have served so far; those with a process of their own, once that has ended. */
void stats_print_table(const struct run *run, FILE *file);
/* To the log. */
void stats_print(const struct run *run, const struct stats_qemu *qemu);
/* What the registers of devices in this process hold, without reading them. */
void stats_print_registers(const struct run *run);

/* JSON for --stats; see json_file.h. */
int stats_write(const struct run *run, const struct stats_qemu *qemu, const char *path,
                char **ret_error);

#endif
