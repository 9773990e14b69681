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

void stats_print(const struct trestle_bridge *bridge, FILE *file);

/* JSON for --stats; see json_file.h. */
int stats_write(const struct trestle_bridge *bridge, const struct stats_qemu *qemu,
                const char *path, char **ret_error);

#endif
