/* SPDX-License-Identifier: MIT */
/* What passes between devices and the guest: into the hash of the run, and to a file if one is
 * wanted. The engine says what and when; the guest's time is the session's to know. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macros.h"
#include "bridge/internal.h"

/* 64 MiB: about a second of accesses as fast as they come. */
#define TRACE_BLOCKS 1024

/* --- records --------------------------------------------------------------------------------- */

static void say_failure(struct trestle_bridge *bridge, int error)
{
    bridge->trace_has_failed = true;
    bridge_log(bridge, TRESTLE_LOG_ERROR,
               "cannot write the trace %s: %s; it is cut off there, and the run goes on",
               bridge->trace_path, strerror(-error));
}

static void observe(void *ctx, const struct trestle_device *dev,
                    struct trestle_trace_record *record)
{
    struct trestle_bridge *bridge = ctx;
    const struct device_info *device = trestle_device_ctx(dev);
    record->device = device->index;
    record->guest_time = timeline_guest_time(&bridge->timeline, record->time);
    if (record->kind == TRESTLE_TRACE_ANSWER) {
        bridge->has_accesses = true;
        bridge->has_unknown_times |= record->guest_time == TRESTLE_TIME_NEVER;
    }
    trace_hash_add(&bridge->run_hash, record);
    if (unlikely(bridge->trace)) {
        trace_writer_put(bridge->trace, record);
        int error = trace_writer_error(bridge->trace);
        if (error && !bridge->trace_has_failed)
            say_failure(bridge, error);
    }
}

bool trestle_bridge_run_hash(const struct trestle_bridge *bridge, uint64_t *ret_hash,
                             bool *ret_has_times)
{
    if (!bridge->has_accesses)
        return false;
    *ret_hash = trace_hash_value(&bridge->run_hash);
    *ret_has_times = !bridge->has_unknown_times;
    return true;
}

void trace_begin(struct trestle_bridge *bridge)
{
    if (bridge->trace || bridge->options.run_hash)
        trestle_sim_observe(bridge->sim, observe, bridge);
}

/* --- what the header says -------------------------------------------------------------------- */

void trace_free_params(struct device_info *device)
{
    for (size_t i = 0; i < device->num_params; i++) {
        free((char *)device->params[i].key);
        free((char *)device->params[i].value);
    }
    free(device->params);
}

int trace_keep_params(struct device_info *device, const struct trestle_param *params, size_t num)
{
    device->params = calloc(num + 1, sizeof(*device->params));
    if (!device->params)
        return -ENOMEM;
    for (size_t i = 0; i < num; i++) {
        struct trestle_param *kept = &device->params[device->num_params++];
        kept->key = strdup(params[i].key);
        kept->value = strdup(params[i].value);
        if (!kept->key || !kept->value)
            return -ENOMEM;
    }
    return 0;
}

int trace_keep_link(struct trestle_bridge *bridge, const struct trestle_trace_link *link)
{
    struct trestle_trace_link *links =
        reallocarray(bridge->links, bridge->num_links + 1, sizeof(*links));
    if (!links)
        return -ENOMEM;
    bridge->links = links;
    links[bridge->num_links++] = *link;
    return 0;
}

static int create_writer(struct trestle_bridge *bridge, int fd)
{
    struct trestle_trace_device *devices = calloc(bridge->num_devices + 1, sizeof(*devices));
    if (!devices)
        return -ENOMEM;
    for (uint32_t i = 0; i < bridge->num_devices; i++) {
        const struct device_info *device = bridge->devices[i];
        devices[i] = (struct trestle_trace_device){
            .name = device->name,
            .model = device->device ? trestle_device_model(device->device)->name : "",
            .base_addr = device->base_addr,
            .size = device->size,
            .params = device->params,
            .num_params = device->num_params};
    }
    const struct trestle_trace_header header = {.devices = devices,
                                                .num_devices = bridge->num_devices,
                                                .links = bridge->links,
                                                .num_links = bridge->num_links};
    int error = trace_writer_create(fd, &header, TRACE_BLOCKS, &bridge->trace);
    free(devices);
    return error;
}

/* --- life ------------------------------------------------------------------------------------ */

int trestle_bridge_trace(struct trestle_bridge *bridge, const char *path, char **ret_error)
{
    if (bridge->trace || bridge->is_listening)
        return error_set(ret_error, -EBUSY, "a trace is begun once, before the bridge listens");
    char *copy = strdup(path);
    int fd = copy ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    int error = !copy ? -ENOMEM : fd < 0 ? -errno : 0;
    if (!error)
        error = create_writer(bridge, fd);
    if (error) {
        if (fd >= 0)
            close(fd);
        free(copy);
        return error_set(ret_error, error, "cannot write the trace %s: %s", path, strerror(-error));
    }
    bridge->trace_path = copy;
    return 0;
}

bool trestle_bridge_trace_end(struct trestle_bridge *bridge,
                              struct trestle_bridge_trace_stats *ret_stats)
{
    struct trace_writer_result result;
    if (!bridge->trace)
        return false;
    trace_writer_finish(bridge->trace, trace_hash_value(&bridge->run_hash), &result);
    bridge->trace = NULL;
    if (result.error && !bridge->trace_has_failed)
        say_failure(bridge, result.error);
    *ret_stats = (struct trestle_bridge_trace_stats){.records = result.num_records,
                                                     .bytes = result.num_bytes,
                                                     .waited_ns = result.waited_ns,
                                                     .is_whole = result.error == 0};
    return true;
}

void trace_finish(struct trestle_bridge *bridge)
{
    struct trestle_bridge_trace_stats stats;
    (void)trestle_bridge_trace_end(bridge, &stats);
    if (bridge->sim)
        trestle_sim_observe(bridge->sim, NULL, NULL);
    free(bridge->trace_path);
    free(bridge->links);
}
