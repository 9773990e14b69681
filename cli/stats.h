/* SPDX-License-Identifier: MIT */
/* What a run has served, for people and for programs. */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include <stdio.h>

#include "trestle/bridge.h"

struct stats_qemu {
    const char *version; /* NULL: unknown */
    bool has_ended;
    int exit_code;
};

struct own_processes; /* see own.h; NULL: none */

void stats_print(const struct trestle_bridge *bridge, const struct own_processes *own, FILE *file);

/* JSON for --stats; see json_file.h. */
int stats_write(const struct trestle_bridge *bridge, const struct own_processes *own,
                const struct stats_qemu *qemu, const char *path, char **ret_error);

#endif
