/* SPDX-License-Identifier: MIT */
/* Sets a device up alone, with links like the recorded ones, so that messages of its peers arrive
 * in the same order among its own events. */
#include "trace/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "util.h"

struct stage_peer {
    const struct trestle_trace_link *link;
    unsigned end; /* of the link: the peer's */
    struct trestle_component *component;
};

static struct stage_peer *peer_that_sent(const struct stage *stage,
                                         const struct trestle_trace_record *record)
{
    for (size_t i = 0; i < stage->num_peers; i++) {
        struct stage_peer *peer = &stage->peers[i];
        if (peer->link->devices[peer->end] == record->device &&
            peer->link->ports[peer->end] == record->number)
            return peer;
    }
    return NULL;
}

bool stage_is_from_peer(const struct stage *stage, const struct trestle_trace_record *record)
{
    return record->device != stage->replay->device && record->kind == TRESTLE_TRACE_SEND &&
           peer_that_sent(stage, record);
}

int stage_send(struct stage *stage, const struct trestle_trace_record *record)
{
    return trestle_component_send(peer_that_sent(stage, record)->component, 0, record->bytes,
                                  record->size);
}

void stage_log(void *ctx, struct trestle_device *dev, enum trestle_log_level level,
               const char *text)
{
    const struct replay *const *replay = ctx;
    (void)dev;
    (void)level;
    if (!(*replay)->is_verbose)
        return;
    char *line = xstrdup(text);
    replace_control_characters(line);
    fprintf(stderr, "%s\n", line);
    free(line);
}

static int add_links(struct stage *stage)
{
    const struct trestle_trace_header *header = trestle_trace_header(stage->replay->reader);
    struct trestle_component *own = trestle_device_component(stage->dev);
    uint32_t device = stage->replay->device;
    int r = 0;
    stage->peers = xcalloc(header->num_links, sizeof(*stage->peers));
    for (size_t i = 0; i < header->num_links && r == 0; i++) {
        const struct trestle_trace_link *link = &header->links[i];
        if (link->devices[0] != device && link->devices[1] != device)
            continue;
        if (link->devices[0] == link->devices[1]) {
            r = trestle_link_create(own, link->ports[0], own, link->ports[1], link->latency, NULL);
            continue;
        }
        struct stage_peer *peer = &stage->peers[stage->num_peers++];
        *peer = (struct stage_peer){.link = link, .end = link->devices[0] == device};
        r = trestle_component_create(stage->sim, 1, NULL, NULL, &peer->component);
        if (r == 0)
            r = trestle_link_create(peer->component, 0, own, link->ports[!peer->end], link->latency,
                                    NULL);
    }
    return r;
}

int stage_set_up(struct stage *stage, const struct replay *replay,
                 const struct trestle_host_ops *ops, void *ctx, char **ret_error)
{
    const struct config_device *configured = replay->configured;
    const struct trestle_device_options options = {.size = sizeof(options),
                                                   .name = configured->name,
                                                   .base_addr = configured->base_addr,
                                                   .region_size = configured->size,
                                                   .params = configured->params,
                                                   .num_params = configured->num_params,
                                                   .ops = ops,
                                                   .ctx = ctx};
    *stage = (struct stage){.replay = replay};
    int r = trestle_sim_create(&stage->sim);
    if (r == 0)
        r = trestle_device_create(stage->sim, configured->model, &options, &stage->dev, ret_error);
    if (r < 0)
        return r;
    r = add_links(stage);
    if (r < 0)
        *ret_error = xformat("the model cannot be linked as the trace has it: %s",
                             r == -EINVAL ? "it has no such port" : strerror(-r));
    return r < 0 ? r : trestle_device_start(stage->dev, ret_error);
}

void stage_finish(struct stage *stage)
{
    if (stage->sim)
        trestle_sim_observe(stage->sim, NULL, NULL);
    trestle_device_destroy(stage->dev);
    trestle_sim_destroy(stage->sim);
    free(stage->peers);
}
