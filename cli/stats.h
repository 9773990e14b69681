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

/* Whether path ("-": standard output) can be written later; -EINVAL with the line. */
int stats_check_path(const char *path, char **ret_error);
/* JSON, whole or not at all. */
int stats_write(const struct trestle_bridge *bridge, const struct stats_qemu *qemu,
                const char *path, char **ret_error);

#endif
