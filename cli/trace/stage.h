/* SPDX-License-Identifier: MIT */
/* A device alone in an engine of its own, with components that stand in for its peers, for what a
 * trace says that it went through. */
#ifndef CLI_STAGE_H
#define CLI_STAGE_H

#include "trace/replay.h"

struct stage_peer;

struct stage {
    const struct replay *replay;
    struct trestle_sim *sim;
    struct trestle_device *dev;
    struct stage_peer *peers;
    size_t num_peers;
};

/* The device begins. ctx is what ops get, and begins with a pointer to the replay. */
int stage_set_up(struct stage *stage, const struct replay *replay,
                 const struct trestle_host_ops *ops, void *ctx, char **ret_error);
/* Half-built ones are fine. */
void stage_finish(struct stage *stage);

/* Another device has sent this to the one on the stage. */
bool stage_is_from_peer(const struct stage *stage, const struct trestle_trace_record *record);
/* It does so again. */
int stage_send(struct stage *stage, const struct trestle_trace_record *record);

/* For ops.log. */
void stage_log(void *ctx, struct trestle_device *dev, enum trestle_log_level level,
               const char *text);

#endif
