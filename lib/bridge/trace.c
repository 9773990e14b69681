/* SPDX-License-Identifier: MIT */
/* Looks at what passes. The engine says what and when; the timeline knows the guest's time. */
#include "bridge/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macros.h"
#include "bridge/bridge.h"
#include "command.h"
#include "sim/activity.h"
#include "sim/command.h"
#include "sim/lookup.h"
#include "trace/trace.h"
#include "trestle/registers.h"

/* 64 MiB: about a second of accesses as fast as they come. */
#define TRACE_BLOCKS 512

/* --- records --------------------------------------------------------------------------------- */

static void say_failure(struct bridge_trace *trace, int error)
{
    trace->has_failed = true;
    bool is_over = error == -ETIMEDOUT;
    front_log(trace->front, TRESTLE_LOG_ERROR,
              "cannot write the trace %s: %s; it is cut off there%s", trace->path,
              is_over ? "nobody reads it, and the run is over" : error_text(error),
              is_over ? "" : ", and the run goes on");
}

static void keep(struct bridge_trace *trace, const struct trestle_trace_record *record)
{
    if (record->kind == TRESTLE_TRACE_ANSWER) {
        trace->has_accesses = true;
        trace->has_unknown_times |= record->guest_time == TRESTLE_TIME_NEVER;
    }
    trace_hash_add(&trace->hash, record);
    if (unlikely(trace->writer)) {
        trace_writer_put(trace->writer, record);
        int r = trace_writer_error(trace->writer);
        if (r && !trace->has_failed)
            say_failure(trace, r);
    }
}

static void observe(void *ctx, const struct trestle_device *dev,
                    struct trestle_trace_record *record)
{
    struct bridge_trace *trace = ctx;
    const struct port *port = trestle_device_ctx(dev);
    record->device = port->index;
    record->guest_time = timeline_guest_time(&trace->front->timeline, record->time);
    if (likely(trace->is_kept))
        keep(trace, record);
    if (unlikely(trace->also))
        trace->also(trace->also_ctx, dev, record);
}

void trestle_bridge_observe(struct trestle_bridge *bridge, trestle_observe_fn also, void *ctx)
{
    struct bridge_trace *trace = &bridge->trace;
    trace->also = also;
    trace->also_ctx = ctx;
    trestle_sim_observe(bridge->sim, also || trace->is_kept ? observe : NULL, trace);
}

bool trestle_bridge_run_hash(const struct trestle_bridge *bridge, uint64_t *ret_hash,
                             bool *ret_has_times)
{
    const struct bridge_trace *trace = &bridge->trace;
    if (!trace->has_accesses)
        return false;
    *ret_hash = trace_hash_value(&trace->hash);
    *ret_has_times = !trace->has_unknown_times;
    return true;
}

void bridge_trace_begin(struct bridge_trace *trace)
{
    trace->is_kept = true;
    trestle_sim_observe(trace->front->timeline.sim, observe, trace);
}

/* --- what the header says -------------------------------------------------------------------- */

int bridge_trace_keep_params(struct port *port, const struct trestle_param *params, size_t num)
{
    port->params = calloc(num + 1, sizeof(*port->params));
    if (!port->params)
        return -ENOMEM;
    for (size_t i = 0; i < num; i++) {
        struct trestle_param *kept = &port->params[port->num_params++];
        kept->key = strdup(params[i].key);
        kept->value = strdup(params[i].value);
        if (!kept->key || !kept->value)
            return -ENOMEM;
    }
    return 0;
}

void bridge_trace_free_params(struct port *port)
{
    for (size_t i = 0; i < port->num_params; i++) {
        free((char *)port->params[i].key);
        free((char *)port->params[i].value);
    }
    free(port->params);
}

int bridge_trace_keep_link(struct bridge_trace *trace, const struct trestle_trace_link *link)
{
    struct trestle_trace_link *links =
        reallocarray(trace->links, trace->num_links + 1, sizeof(*links));
    if (!links)
        return -ENOMEM;
    trace->links = links;
    links[trace->num_links++] = *link;
    return 0;
}

/* The next row of a device's tables: its first register. */
static bool next_row(const struct port *port, uint32_t *ref_region,
                     struct trestle_register_at *ref_at)
{
    if (!port->device)
        return false;
    do {
        if (trestle_device_next_register(port->device, *ref_region, ref_at))
            continue;
        ref_at->reg = NULL;
        ref_at->index = 1;
        ++*ref_region;
    } while (ref_at->index > 0 && *ref_region < TRESTLE_REGIONS_MAX);
    return *ref_region < TRESTLE_REGIONS_MAX;
}

static int keep_registers(const struct port *port, struct trestle_trace_device *device)
{
    struct trestle_register_at at = {0};
    uint32_t region = 0;
    size_t count = 0;
    while (next_row(port, &region, &at))
        count++;
    struct trestle_register *rows = calloc(count + 1, sizeof(*rows));
    uint8_t *regions = calloc(count + 1, 1);
    device->registers = rows;
    device->row_regions = regions;
    if (!rows || !regions)
        return -ENOMEM;
    region = 0;
    at.reg = NULL;
    for (; device->num_registers < count && next_row(port, &region, &at); device->num_registers++) {
        rows[device->num_registers] = *at.reg;
        regions[device->num_registers] = (uint8_t)region;
    }
    return 0;
}

/* As a configuration would have it. */
static const char *name_model(const struct port *port)
{
    if (port->model_file)
        return port->model_file;
    return port->device ? trestle_device_model(port->device)->name : "";
}

static int create_writer(struct bridge_trace *trace, int fd)
{
    const struct front *front = trace->front;
    struct trestle_trace_device *devices = calloc(front->num_ports + 1, sizeof(*devices));
    int r = devices ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < front->num_ports && r == 0; i++) {
        const struct port *port = front->ports[i];
        devices[i] = (struct trestle_trace_device){.name = port->name,
                                                   .model = name_model(port),
                                                   .base_addr = port->base_addr,
                                                   .size = port->size,
                                                   .params = port->params,
                                                   .num_params = port->num_params};
        r = keep_registers(port, &devices[i]);
    }
    const struct trestle_trace_header header = {.devices = devices,
                                                .num_devices = front->num_ports,
                                                .links = trace->links,
                                                .num_links = trace->num_links};
    if (r == 0)
        r = trace_writer_create(fd, &header, TRACE_BLOCKS, &trace->writer);
    if (r == 0) {
        atomic_bool *is_waiting;
        const atomic_bool *is_over;
        activity_of_waiting(front->timeline.sim, &is_waiting, &is_over);
        trace_writer_belong(trace->writer, is_waiting, is_over);
    }
    for (uint32_t i = 0; devices && i < front->num_ports; i++) {
        free((void *)devices[i].registers);
        free((void *)devices[i].row_regions);
    }
    free(devices);
    return r;
}

/* --- life ------------------------------------------------------------------------------------ */

void bridge_trace_init(struct bridge_trace *trace, struct front *front)
{
    trace->front = front;
    trace_hash_init(&trace->hash);
}

/* If it is not a regular file, it may have a reader; the run does not wait for that reader at its
 * end. The open file description is ours alone, so nobody else gets O_NONBLOCK. */
static int look_at_file(struct bridge_trace *trace, int fd)
{
    struct stat st;
    trace->is_live = fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
    return trace->is_live && fcntl(fd, F_SETFL, O_WRONLY | O_NONBLOCK) < 0 ? -errno : 0;
}

int trestle_bridge_trace(struct trestle_bridge *bridge, const char *path, char **ret_error)
{
    struct bridge_trace *trace = &bridge->trace;
    if (trace->writer || bridge->is_listening)
        return error_set(ret_error, -EBUSY, "begin one trace only, before the bridge listens");
    char *copy = strdup(path);
    int fd = copy ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    int r = !copy ? -ENOMEM : fd < 0 ? -errno : 0;
    if (!r)
        r = look_at_file(trace, fd);
    if (!r)
        r = create_writer(trace, fd);
    if (r) {
        if (fd >= 0)
            close(fd);
        free(copy);
        return error_set(ret_error, r, "cannot write the trace %s: %s", path, error_text(r));
    }
    trace->path = copy;
    return 0;
}

void bridge_trace_rest(struct bridge_trace *trace)
{
    if (unlikely(trace->is_live) && trace->writer)
        trace_writer_flush(trace->writer);
}

bool trestle_bridge_trace_end(struct trestle_bridge *bridge,
                              struct trestle_bridge_trace_stats *ret_stats)
{
    struct bridge_trace *trace = &bridge->trace;
    struct trace_writer_result result;
    if (!trace->writer)
        return false;
    trace_writer_finish(trace->writer, trace_hash_value(&trace->hash), &result);
    trace->writer = NULL;
    if (result.error && !trace->has_failed)
        say_failure(trace, result.error);
    *ret_stats = (struct trestle_bridge_trace_stats){.records = result.num_records,
                                                     .bytes = result.num_bytes,
                                                     .waited_ns = result.waited_ns,
                                                     .is_whole = result.error == 0};
    return true;
}

void bridge_trace_finish(struct bridge_trace *trace)
{
    struct trace_writer_result result;
    if (trace->writer)
        trace_writer_finish(trace->writer, trace_hash_value(&trace->hash), &result);
    if (trace->front && trace->front->timeline.sim)
        trestle_sim_observe(trace->front->timeline.sim, NULL, NULL);
    free(trace->path);
    free(trace->links);
    *trace = (struct bridge_trace){0};
}
