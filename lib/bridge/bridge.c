/* SPDX-License-Identifier: MIT */
/* The bridge from create to destroy. */
#include "bridge/bridge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/sized.h"
#include "bridge/devices.h"
#include "command.h"
#include "front/connection.h"
#include "front/v1/v1.h"
#include "front/v2/v2.h"
#include "ipc/barrier.h"
#include "ipc/shm.h"
#include "sim/activity.h"
#include "sim/lazy.h"
#include "trace/trace.h"

/* Protocol 1 has nothing to be recognised by. */
static const struct protocol *const protocols[] = {&v2_protocol, &v1_protocol, NULL};

/* --- create and destroy ---------------------------------------------------------------------- */

static int copy_string(const char *text, char **ret_copy)
{
    *ret_copy = text ? strdup(text) : NULL;
    return text && !*ret_copy ? -ENOMEM : 0;
}

static int front_init(struct front *front, const struct trestle_bridge_options *options)
{
    front->protocols = protocols;
    front->log = options->log;
    front->log_ctx = options->ctx;
    front->log_debug = options->log_debug;
    front->wait_policy = options->wait;
    front->has_dma = options->uses_memory;
    front->has_no_shm = options->without_shm;
    ipc_wait_init(&front->wait, options->wait, &front->crowd);
    front->wait.may_go_elsewhere = true;
    front->needs_fence = !barrier_register();
    return loop_init(&front->loop);
}

int trestle_bridge_create(const struct trestle_bridge_options *options,
                          struct trestle_bridge **ret_bridge, char **ret_error)
{
    struct trestle_bridge *bridge = calloc(1, sizeof(*bridge));
    if (!bridge)
        return error_set(ret_error, -ENOMEM, "cannot create the bridge: out of memory");
    struct trestle_bridge_options *own = &bridge->options;
    bridge->front.loop.epoll_fd = bridge->timer.fd = -1;
    bridge->timer_ns = CLOCK_NEVER;
    bridge->own_dir = PRIVATE_DIR_NONE;
    bridge_trace_init(&bridge->trace, &bridge->front);
    int r =
        sized_import(own, sizeof(*own), offsetof(struct trestle_bridge_options, advance), options);
    if (!r)
        r = copy_string(own->socket_dir, &bridge->socket_dir);
    if (!r)
        r = copy_string(own->runtime_dir, &bridge->runtime_dir);
    if (!r)
        r = trestle_sim_create(&bridge->sim);
    if (!r)
        timeline_init(&bridge->front.timeline, bridge->sim, clock_ns,
                      &(struct timeline_outside){own->advance, own->expect, own->ctx});
    if (!r)
        r = front_init(&bridge->front, own);
    if (!r)
        r = serve_create_timer(bridge);
    if (r) {
        trestle_bridge_destroy(bridge);
        return error_set(ret_error, r, "cannot create the bridge: %s", error_text(r));
    }
    *ret_bridge = bridge;
    return 0;
}

int trestle_bridge_remove_devices(struct trestle_bridge *bridge)
{
    struct front *front = &bridge->front;
    bridge_trace_finish(&bridge->trace);
    while (front->num_ports > 0)
        devices_free_port(front->ports[--front->num_ports]);
    return bridge->sim && activity_has_lost(bridge->sim) ? -EIO : 0;
}

void trestle_bridge_destroy(struct trestle_bridge *bridge)
{
    if (!bridge)
        return;
    struct front *front = &bridge->front;
    (void)trestle_bridge_remove_devices(bridge);
    free(front->ports);
    serve_finish(bridge);
    loop_finish(&front->loop);
    trestle_sim_destroy(bridge->sim);
    if (bridge->socket_dir != bridge->own_dir.path)
        free(bridge->socket_dir);
    private_dir_remove(&bridge->own_dir);
    free(bridge->runtime_dir);
    free(bridge);
}

/* --- listen ---------------------------------------------------------------------------------- */

/* Sockets without a path of their own get one in the directory. */
static int name_sockets(struct trestle_bridge *bridge, char **ret_error)
{
    for (uint32_t i = 0; i < bridge->front.num_ports; i++) {
        struct port *port = bridge->front.ports[i];
        int r = 0;
        if (port->socket_path || port->is_inherited)
            continue;
        if (!bridge->socket_dir) {
            r = private_dir_create(&bridge->own_dir, bridge->runtime_dir, ret_error);
            bridge->socket_dir = bridge->own_dir.path;
        }
        if (r)
            return r;
        if (asprintf(&port->socket_path, "%s/device%u.sock", bridge->socket_dir, i) < 0) {
            port->socket_path = NULL;
            return error_set(ret_error, -ENOMEM, "%s: out of memory", port->name);
        }
        port->is_private = bridge->own_dir.path != NULL;
    }
    return 0;
}

/* All devices and links are there. */
static int find_lazy_devices(const struct front *front, char **ret_error)
{
    size_t count = 0;
    struct trestle_device **devices = calloc(front->num_ports + 1, sizeof(*devices));
    if (!devices)
        return error_set(ret_error, -ENOMEM, "cannot listen: out of memory");
    for (uint32_t i = 0; i < front->num_ports; i++)
        if (front->ports[i]->device)
            devices[count++] = front->ports[i]->device;
    lazy_find(devices, count);
    free(devices);
    return 0;
}

static int check_shm(char **ret_error)
{
    struct shm shm;
    const char *what;
    int r = shm_create(&shm, &what);
    if (r)
        return error_set(ret_error, -ENOTSUP, "there is no shared memory here (%s: %s)", what,
                         error_text(r));
    shm_close(&shm);
    return 0;
}

bool trestle_bridge_try_shm(struct trestle_bridge *bridge)
{
    struct front *front = &bridge->front;
    struct shm shm;
    const char *what;
    int r = front->has_no_shm ? 0 : shm_create(&shm, &what);
    if (r)
        front_say_no_shm(front, what, r);
    else if (!front->has_no_shm)
        shm_close(&shm);
    return !front->has_no_shm;
}

/* Models may look for their peers now. */
static int start_devices(struct front *front, char **ret_error)
{
    int r = 0;
    for (uint32_t i = 0; i < front->num_ports && !r; i++)
        if (front->ports[i]->device)
            r = trestle_device_start(front->ports[i]->device, ret_error);
    return r;
}

int trestle_bridge_listen(struct trestle_bridge *bridge, char **ret_error)
{
    struct front *front = &bridge->front;
    int r = start_devices(front, ret_error);
    if (!r)
        r = find_lazy_devices(front, ret_error);
    if (!r && bridge->options.needs_shm)
        r = check_shm(ret_error);
    if (!r)
        r = name_sockets(bridge, ret_error);
    for (uint32_t i = 0; i < front->num_ports && !r; i++)
        r = setup_device_socket(front->ports[i], ret_error);
    if (r) {
        for (uint32_t i = 0; i < front->num_ports; i++)
            finish_device_socket(front->ports[i]);
        return r;
    }
    if (bridge->trace.writer || bridge->options.run_hash)
        bridge_trace_begin(&bridge->trace);
    timeline_start(&front->timeline);
    bridge->is_listening = true;
    return 0;
}

void trestle_bridge_remove_sockets(struct trestle_bridge *bridge)
{
    for (uint32_t i = 0; i < bridge->front.num_ports; i++)
        if (!bridge->front.ports[i]->is_inherited)
            listener_unlink(&bridge->front.ports[i]->listener);
    if (bridge->own_dir.path)
        rmdir(bridge->own_dir.path);
}

/* --- what the caller may ask ----------------------------------------------------------------- */

int trestle_bridge_advanced(struct trestle_bridge *bridge, trestle_time now)
{
    return timeline_advanced(&bridge->front.timeline, now);
}

uint32_t trestle_bridge_num_devices(const struct trestle_bridge *bridge)
{
    return bridge->front.num_ports;
}

uint32_t trestle_bridge_num_connected(const struct trestle_bridge *bridge)
{
    return bridge->front.num_connected;
}

const char *trestle_bridge_socket_path(const struct trestle_bridge *bridge, uint32_t index)
{
    return bridge->front.ports[index]->socket_path;
}

int trestle_bridge_listen_fd(const struct trestle_bridge *bridge, uint32_t index)
{
    return bridge->front.ports[index]->listener.fd;
}

void trestle_bridge_disturb(struct trestle_bridge *bridge, const char *reason)
{
    struct front *front = &bridge->front;
    if (!front->disturbance)
        front->disturbance = reason;
    timeline_at_host(&front->timeline);
}

void trestle_bridge_settle(struct trestle_bridge *bridge)
{
    if (bridge->front.session)
        v2_tell_unasked(bridge->front.session);
}

trestle_time trestle_bridge_guest_time(const struct trestle_bridge *bridge)
{
    const struct timeline *timeline = &bridge->front.timeline;
    return timeline_guest_time(timeline, trestle_sim_now(timeline->sim));
}

int trestle_bridge_input(struct trestle_bridge *bridge, uint32_t index, const void *data,
                         size_t size)
{
    struct trestle_device *dev = bridge->front.ports[index]->device;
    if (!dev)
        return -EINVAL;
    if (size > trestle_device_input_room(dev))
        return -ENOBUFS;
    trestle_bridge_disturb(bridge, "its devices had input from outside");
    int r = trestle_device_input(dev, data, size);
    trestle_bridge_settle(bridge);
    return r;
}

int trestle_bridge_set_fault(struct trestle_bridge *bridge, uint32_t index,
                             enum trestle_fault fault)
{
    return port_set_fault(bridge->front.ports[index], fault);
}

const char *trestle_bridge_disturbance(const struct trestle_bridge *bridge)
{
    return bridge->front.disturbance;
}

struct trestle_device *trestle_bridge_device(const struct trestle_bridge *bridge, uint32_t index)
{
    return bridge->front.ports[index]->device;
}

struct trestle_sim *trestle_bridge_sim(struct trestle_bridge *bridge)
{
    return bridge->sim;
}

static void stats_latency(struct trestle_device_stats *stats, const struct histogram *latency)
{
    stats->latency_p50_ns = histogram_percentile(latency, 500);
    stats->latency_p99_ns = histogram_percentile(latency, 990);
    stats->latency_max_ns = latency->max;
}

static void add_stats(struct trestle_device_stats *stats, const struct port *port)
{
    stats->reads += port->reads;
    stats->writes += port->writes;
    stats->bytes += port->bytes;
    stats->errors += port->errors;
}

static void total_stats(const struct front *front, struct trestle_device_stats *ret_stats)
{
    struct histogram *latency = calloc(1, sizeof(*latency));
    *ret_stats = (struct trestle_device_stats){.name = "total"};
    for (uint32_t i = 0; i < front->num_ports; i++) {
        add_stats(ret_stats, front->ports[i]);
        if (latency)
            histogram_merge(latency, &front->ports[i]->latency);
    }
    if (latency)
        stats_latency(ret_stats, latency);
    free(latency);
}

void trestle_bridge_stats(const struct trestle_bridge *bridge, uint32_t index,
                          struct trestle_device_stats *ret_stats)
{
    if (index == TRESTLE_BRIDGE_TOTAL) {
        total_stats(&bridge->front, ret_stats);
        return;
    }
    const struct port *port = bridge->front.ports[index];
    *ret_stats = (struct trestle_device_stats){.name = port->name, .base_addr = port->base_addr};
    add_stats(ret_stats, port);
    stats_latency(ret_stats, &port->latency);
}
