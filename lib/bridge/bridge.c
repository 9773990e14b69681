/* SPDX-License-Identifier: MIT */
/* The bridge: devices, links, sockets, and the loop that serves them. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/region.h"
#include "base/sized.h"
#include "bridge/internal.h"
#include "ipc/barrier.h"
#include "sim/lazy.h"

/* What the first version had. */
#define DEVICE_MIN_SIZE offsetof(struct trestle_bridge_device, external)

/* Looks that found something: then the sockets and the caller have their turn. */
#define FOUND_PER_TURN 64u

struct watch {
    struct loop_source source;
    void (*ready)(void *ctx);
    void *ctx;
    struct watch *next;
};

/* --- log ------------------------------------------------------------------------------------- */

void bridge_log(struct trestle_bridge *bridge, enum trestle_log_level level, const char *format,
                ...)
{
    char text[512];
    va_list args;
    if (!bridge->options.log || (level == TRESTLE_LOG_DEBUG && !bridge->options.log_debug))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    bridge->options.log(bridge->options.ctx, level, text);
}

static void device_log(void *ctx, struct trestle_device *dev, enum trestle_log_level level,
                       const char *text)
{
    struct device_info *device = ctx;
    (void)dev;
    bridge_log(device->bridge, level, "%s", text); /* begins with the name */
}

static void device_irq(void *ctx, struct trestle_device *dev, uint32_t line, bool level)
{
    (void)dev;
    session_irq(ctx, line, level);
}

static int device_dma(void *ctx, struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                      size_t size, uint64_t id)
{
    (void)dev;
    return session_dma(ctx, write, addr, buf, size, id);
}

static const struct trestle_host_ops host_ops = {
    .size = sizeof(host_ops), .irq = device_irq, .dma = device_dma, .log = device_log};

/* --- create and destroy ---------------------------------------------------------------------- */

static int copy_string(const char *text, char **ret_copy)
{
    *ret_copy = text ? strdup(text) : NULL;
    return text && !*ret_copy ? -ENOMEM : 0;
}

static void timer_ready(struct loop_source *source, uint32_t events)
{
    uint64_t expirations;
    (void)events;
    while (read(source->fd, &expirations, sizeof(expirations)) < 0 && errno == EINTR)
        ;
}

static int timer_create_source(struct trestle_bridge *bridge)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    bridge->timer.ready = timer_ready;
    int error = loop_add(&bridge->loop, &bridge->timer, fd, EPOLLIN);
    if (error)
        close(fd);
    return error;
}

int trestle_bridge_create(const struct trestle_bridge_options *options,
                          struct trestle_bridge **ret_bridge, char **ret_error)
{
    struct trestle_bridge *bridge = calloc(1, sizeof(*bridge));
    if (!bridge)
        return -ENOMEM;
    bridge->loop.epoll_fd = bridge->timer.fd = -1;
    bridge->timer_ns = CLOCK_NEVER;
    bridge->own_dir = PRIVATE_DIR_NONE;
    trace_hash_init(&bridge->run_hash);
    int error = sized_import(&bridge->options, sizeof(bridge->options),
                             offsetof(struct trestle_bridge_options, advance), options);
    if (!error)
        error = copy_string(bridge->options.socket_dir, &bridge->socket_dir);
    if (!error)
        error = copy_string(bridge->options.runtime_dir, &bridge->runtime_dir);
    if (!error)
        error = trestle_sim_create(&bridge->sim);
    if (!error)
        error = loop_init(&bridge->loop);
    if (!error)
        error = timer_create_source(bridge);
    if (!error)
        timeline_init(&bridge->timeline, bridge->sim, clock_ns,
                      &(struct timeline_outside){bridge->options.advance, bridge->options.expect,
                                                 bridge->options.ctx});
    ipc_wait_init(&bridge->wait, bridge->options.wait);
    bridge->needs_fence = !barrier_register();
    if (error) {
        trestle_bridge_destroy(bridge);
        return error_set(ret_error, error, "cannot create the bridge: %s", strerror(-error));
    }
    *ret_bridge = bridge;
    return 0;
}

static void device_info_free(struct device_info *device)
{
    if (!device)
        return;
    finish_device_socket(device);
    trestle_device_destroy(device->device);
    trace_free_params(device);
    free(device->stash.messages);
    free(device->socket_path);
    free(device->name);
    free(device);
}

void trestle_bridge_destroy(struct trestle_bridge *bridge)
{
    if (!bridge)
        return;
    trace_finish(bridge);
    for (uint32_t i = 0; i < bridge->num_devices; i++)
        device_info_free(bridge->devices[i]);
    free(bridge->devices);
    while (bridge->watches)
        trestle_bridge_unwatch(bridge, bridge->watches->source.fd);
    int timer_fd = bridge->timer.fd;
    if (timer_fd >= 0) {
        loop_remove(&bridge->loop, &bridge->timer);
        close(timer_fd);
    }
    loop_finish(&bridge->loop);
    trestle_sim_destroy(bridge->sim);
    if (bridge->socket_dir != bridge->own_dir.path)
        free(bridge->socket_dir);
    private_dir_remove(&bridge->own_dir);
    free(bridge->runtime_dir);
    free(bridge);
}

/* --- devices and links ----------------------------------------------------------------------- */

static struct device_info *device_by_name(struct trestle_bridge *bridge, const char *name,
                                          size_t length)
{
    for (uint32_t i = 0; i < bridge->num_devices; i++) {
        struct device_info *device = bridge->devices[i];
        if (strlen(device->name) == length && memcmp(device->name, name, length) == 0)
            return device;
    }
    return NULL;
}

static int check_region(struct trestle_bridge *bridge, const struct trestle_bridge_device *wanted,
                        uint64_t size, char **ret_error)
{
    const char *complaint = region_complaint(wanted->base_addr, size);
    if (complaint)
        return error_set(ret_error, -EINVAL, "%s: 0x%" PRIx64 " bytes at 0x%" PRIx64 ": %s",
                         wanted->name, size, wanted->base_addr, complaint);
    for (uint32_t i = 0; i < bridge->num_devices; i++) {
        const struct device_info *other = bridge->devices[i];
        if (regions_overlap(wanted->base_addr, size, other->base_addr, other->size))
            return error_set(
                ret_error, -EEXIST,
                "%s and %s overlap: 0x%" PRIx64 "-0x%" PRIx64 " and 0x%" PRIx64 "-0x%" PRIx64,
                wanted->name, other->name, wanted->base_addr, region_last(wanted->base_addr, size),
                other->base_addr, region_last(other->base_addr, other->size));
    }
    return 0;
}

static int check_kind(const struct trestle_bridge *bridge,
                      const struct trestle_bridge_device *wanted, char **ret_error)
{
    if (!wanted->model && !wanted->external)
        return error_set(ret_error, -EINVAL, "%s: a device has a model", wanted->name);
    if (wanted->outside && !(bridge->options.advance && bridge->options.expect))
        return error_set(ret_error, -EINVAL,
                         "%s: a device of the outside needs the bridge's advance() and expect()",
                         wanted->name);
    return 0;
}

static int create_device(struct trestle_bridge *bridge, const struct trestle_bridge_device *wanted,
                         uint64_t size, struct device_info **ret_device, char **ret_error)
{
    struct device_info *device = calloc(1, sizeof(*device));
    if (!device)
        return -ENOMEM;
    device->bridge = bridge;
    device->listener = LISTENER_NONE;
    device->server_fd = device->client_fd = device->in_fd = -1;
    device->server_source.fd = device->client_source.fd = -1;
    device->base_addr = wanted->base_addr;
    device->size = size;
    device->inherited_fd = wanted->listen_fd;
    device->is_outside = wanted->outside;
    struct trestle_device_options options = {.size = sizeof(options),
                                             .name = wanted->name,
                                             .base_addr = wanted->base_addr,
                                             .region_size = size,
                                             .params = wanted->params,
                                             .num_params = wanted->num_params,
                                             .ops = &host_ops,
                                             .ctx = device};
    int error = copy_string(wanted->name, &device->name);
    if (!error)
        error = copy_string(wanted->socket_path, &device->socket_path);
    if (!error)
        error = trace_keep_params(device, wanted->params, wanted->num_params);
    if (!error && !wanted->external)
        error =
            trestle_device_create(bridge->sim, wanted->model, &options, &device->device, ret_error);
    if (error) {
        device_info_free(device);
        return error;
    }
    *ret_device = device;
    return 0;
}

int trestle_bridge_add_device(struct trestle_bridge *bridge,
                              const struct trestle_bridge_device *theirs,
                              struct trestle_device **ret_device, char **ret_error)
{
    struct trestle_bridge_device own;
    const struct trestle_bridge_device *wanted = &own;
    int error = sized_import(&own, sizeof(own), DEVICE_MIN_SIZE, theirs);
    if (error)
        return error_set(ret_error, error, "the size of struct trestle_bridge_device is %zu: %s",
                         theirs->size, strerror(-error));
    bool needs_size = !wanted->region_size && wanted->model;
    uint64_t size = needs_size ? wanted->model->region_size : wanted->region_size;
    struct device_info *device, **devices;
    if (bridge->is_listening)
        return error_set(ret_error, -EBUSY, "%s: devices are added before the bridge listens",
                         wanted->name);
    if (bridge->num_devices == TRESTLE_V2_DEVICES_MAX)
        return error_set(ret_error, -ENOSPC, "%s: a bridge has at most %u devices", wanted->name,
                         TRESTLE_V2_DEVICES_MAX);
    if (device_by_name(bridge, wanted->name, strlen(wanted->name)))
        return error_set(ret_error, -EEXIST, "two devices are called %s", wanted->name);
    error = check_kind(bridge, wanted, ret_error);
    if (!error)
        error = check_region(bridge, wanted, size, ret_error);
    if (error)
        return error;
    devices = realloc(bridge->devices, (bridge->num_devices + 1) * sizeof(struct device_info *));
    if (!devices)
        return -ENOMEM;
    bridge->devices = devices;
    error = create_device(bridge, wanted, size, &device, ret_error);
    if (error)
        return error;
    if (ret_device)
        *ret_device = device->device;
    device->index = bridge->num_devices;
    bridge->devices[bridge->num_devices++] = device;
    if (device->device) {
        const struct trestle_model *model = trestle_device_model(device->device);
        bridge->has_irq |= model->irq_lines > 0;
        bridge->has_dma |= model->dma_done != NULL;
    }
    return 0;
}

static int resolve_port(struct trestle_bridge *bridge, const char *text,
                        struct device_info **ret_device, uint32_t *ret_port, char **ret_error)
{
    const char *dot = strchr(text, '.');
    if (!dot)
        return error_set(ret_error, -EINVAL, "link end %s: write it as device.port", text);
    struct device_info *device = device_by_name(bridge, text, (size_t)(dot - text));
    if (!device)
        return error_set(ret_error, -ENOENT, "link end %s: no device is called %.*s", text,
                         (int)(dot - text), text);
    if (!device->device)
        return error_set(ret_error, -EINVAL,
                         "link end %s: %s lives in a process of its own, which no link reaches",
                         text, device->name);
    const struct trestle_model *model = trestle_device_model(device->device);
    if (trestle_model_port(model, dot + 1, ret_port) < 0)
        return error_set(ret_error, -ENOENT, "link end %s: model %s has %" PRIu32 " peer port%s%s",
                         text, model->name, model->peer_ports, model->peer_ports == 1 ? "" : "s",
                         model->peer_ports ? ", counted from peer0" : "");
    *ret_device = device;
    return 0;
}

int trestle_bridge_link(struct trestle_bridge *bridge, const char *from, const char *to,
                        trestle_time latency, char **ret_error)
{
    struct device_info *a, *b;
    uint32_t a_port, b_port;
    struct trestle_link *link;
    int error = resolve_port(bridge, from, &a, &a_port, ret_error);
    if (!error)
        error = resolve_port(bridge, to, &b, &b_port, ret_error);
    if (error)
        return error;
    error = trestle_link_create(trestle_device_component(a->device), a_port,
                                trestle_device_component(b->device), b_port, latency, &link);
    if (error)
        return error_set(ret_error, error, "cannot link %s to %s: %s", from, to,
                         error == -EBUSY ? "a port takes one link" : strerror(-error));
    if (a_port == 0)
        a->link = link;
    if (b_port == 0)
        b->link = link;
    return trace_keep_link(bridge, &(struct trestle_trace_link){.devices = {a->index, b->index},
                                                                .ports = {a_port, b_port},
                                                                .latency = latency});
}

/* --- listen ---------------------------------------------------------------------------------- */

static bool needs_socket_dir(const struct trestle_bridge *bridge)
{
    for (uint32_t i = 0; i < bridge->num_devices; i++)
        if (!bridge->devices[i]->socket_path && !bridge->devices[i]->inherited_fd)
            return !bridge->socket_dir;
    return false;
}

/* All devices and links are there. */
static int find_lazy_devices(struct trestle_bridge *bridge)
{
    size_t count = 0;
    struct trestle_device **devices = calloc(bridge->num_devices + 1, sizeof(*devices));
    if (!devices)
        return -ENOMEM;
    for (uint32_t i = 0; i < bridge->num_devices; i++)
        if (bridge->devices[i]->device)
            devices[count++] = bridge->devices[i]->device;
    lazy_find(devices, count);
    free(devices);
    return 0;
}

int trestle_bridge_listen(struct trestle_bridge *bridge, char **ret_error)
{
    int error = find_lazy_devices(bridge);
    if (error)
        return error;
    if (needs_socket_dir(bridge)) {
        error = private_dir_create(&bridge->own_dir, bridge->runtime_dir, ret_error);
        bridge->socket_dir = bridge->own_dir.path;
    }
    for (uint32_t i = 0; i < bridge->num_devices && !error; i++)
        error = setup_device_socket(bridge->devices[i], i, ret_error);
    if (error) {
        for (uint32_t i = 0; i < bridge->num_devices; i++)
            finish_device_socket(bridge->devices[i]);
        return error;
    }
    trace_begin(bridge);
    timeline_start(&bridge->timeline);
    bridge->is_listening = true;
    return 0;
}

/* --- serve ----------------------------------------------------------------------------------- */

static void arm_timer(struct trestle_bridge *bridge)
{
    uint64_t ns = timeline_wake_ns(&bridge->timeline);
    struct itimerspec when = {0};
    if (ns == bridge->timer_ns)
        return;
    bridge->timer_ns = ns;
    if (ns != CLOCK_NEVER)
        when.it_value = clock_timespec(ns);
    timerfd_settime(bridge->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Serves whatever can be seen without the kernel's help, or with little of it. */
static bool look(struct trestle_bridge *bridge)
{
    bool found = false;
    if (bridge->session && bridge->session->shm.memory)
        found = session_serve_ring(bridge->session) > 0;
    else if (bridge->last_active)
        found = serve_device(bridge->last_active) > 0;
    if (timeline_run_on(&bridge->timeline))
        found = true;
    if (bridge->session)
        session_end_if_broken(bridge->session);
    serve_resumed_devices(bridge);
    return found;
}

static int poll_device_sockets(struct trestle_bridge *bridge, int timeout_ms)
{
    struct session *session = bridge->session;
    if (!session || !session->shm.memory)
        return loop_run(&bridge->loop, timeout_ms);
    bool must_sleep = !session->has_held && session->stash.start == session->stash.end &&
                      ring_must_sleep(&session->requests);
    int called = loop_run(&bridge->loop, must_sleep ? timeout_ms : 0);
    if (bridge->session == session) /* it may have ended meanwhile */
        ring_awake(&session->requests);
    return called;
}

/* Empty looks between two looks at all sockets: a look at a ring costs some nanoseconds, one at a
 * socket as much as one at all of them. */
static uint32_t empty_looks_max(const struct trestle_bridge *bridge)
{
    return bridge->session && bridge->session->shm.memory ? 4096u : 8u;
}

/* Serves what comes while busy waiting pays. 0: it does not any more; else what loop_run() said
 * when it found something, or 1 when there was enough for one call, or something for the outside,
 * for which the guest waits. */
static int serve_spinning(struct trestle_bridge *bridge, uint64_t deadline_ns)
{
    struct ipc_spin spin = ipc_spin_start(deadline_ns);
    uint64_t handed = bridge->timeline.num_handed;
    uint32_t empty_looks = 0;
    for (;;) {
        if (look(bridge)) {
            ipc_spin_end(&bridge->wait, &spin);
            if (++bridge->num_found % FOUND_PER_TURN == 0)
                break;
            if (bridge->timeline.num_handed != handed)
                return 1;
            spin = ipc_spin_start(deadline_ns);
            continue;
        }
        if (++empty_looks % empty_looks_max(bridge) == 0) {
            int called = loop_run(&bridge->loop, 0);
            if (called)
                return called;
        }
        if (!ipc_spin_on(&bridge->wait, &spin)) {
            bridge->spin = spin;
            return 0;
        }
    }
    int called = loop_run(&bridge->loop, 0);
    return called ? called : 1;
}

int trestle_bridge_poll(struct trestle_bridge *bridge, int timeout_ms)
{
    uint64_t deadline_ns =
        timeout_ms < 0 ? CLOCK_NEVER : clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    uint64_t handed = bridge->timeline.num_handed;
    int called = serve_spinning(bridge, deadline_ns);
    if (called == 0) {
        arm_timer(bridge);
        called = poll_device_sockets(bridge, timeout_ms);
        ipc_spin_end(&bridge->wait, &bridge->spin);
    }
    if (bridge->timeline.num_handed == handed)
        look(bridge);
    return called < 0 ? called : 0;
}

int trestle_bridge_advanced(struct trestle_bridge *bridge, trestle_time now)
{
    int error = timeline_advanced(&bridge->timeline, now);
    if (!error && bridge->session)
        session_advanced(bridge->session);
    return error;
}

int trestle_bridge_fd(const struct trestle_bridge *bridge)
{
    return bridge->loop.epoll_fd;
}

static void watch_ready(struct loop_source *source, uint32_t events)
{
    struct watch *watch = container_of(source, struct watch, source);
    (void)events;
    watch->ready(watch->ctx);
}

int trestle_bridge_watch(struct trestle_bridge *bridge, int fd, void (*ready)(void *ctx), void *ctx)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->source.ready = watch_ready;
    watch->ready = ready;
    watch->ctx = ctx;
    int error = loop_add(&bridge->loop, &watch->source, fd, EPOLLIN);
    if (error) {
        free(watch);
        return error;
    }
    watch->next = bridge->watches;
    bridge->watches = watch;
    return 0;
}

void trestle_bridge_unwatch(struct trestle_bridge *bridge, int fd)
{
    for (struct watch **at = &bridge->watches; *at; at = &(*at)->next) {
        struct watch *watch = *at;
        if (watch->source.fd == fd) {
            *at = watch->next;
            loop_remove(&bridge->loop, &watch->source);
            free(watch);
            return;
        }
    }
}

/* --- what the outside may ask ---------------------------------------------------------------- */

uint32_t trestle_bridge_num_devices(const struct trestle_bridge *bridge)
{
    return bridge->num_devices;
}

uint32_t trestle_bridge_num_connected(const struct trestle_bridge *bridge)
{
    return bridge->num_connected;
}

const char *trestle_bridge_socket_path(const struct trestle_bridge *bridge, uint32_t index)
{
    return bridge->devices[index]->socket_path;
}

int trestle_bridge_listen_fd(const struct trestle_bridge *bridge, uint32_t index)
{
    return bridge->devices[index]->server_fd;
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

void trestle_bridge_stats(const struct trestle_bridge *bridge, uint32_t index,
                          struct trestle_device_stats *ret_stats)
{
    const struct device_info *device = bridge->devices[index];
    *ret_stats = (struct trestle_device_stats){.name = device->name,
                                               .base_addr = device->base_addr,
                                               .reads = device->reads,
                                               .writes = device->writes,
                                               .bytes = device->bytes,
                                               .errors = device->errors};
    stats_latency(ret_stats, &device->latency);
}

void trestle_bridge_totals(const struct trestle_bridge *bridge,
                           struct trestle_device_stats *ret_stats)
{
    struct histogram *latency = calloc(1, sizeof(*latency));
    *ret_stats = (struct trestle_device_stats){.name = "total"};
    for (uint32_t i = 0; i < bridge->num_devices; i++) {
        const struct device_info *device = bridge->devices[i];
        ret_stats->reads += device->reads;
        ret_stats->writes += device->writes;
        ret_stats->bytes += device->bytes;
        ret_stats->errors += device->errors;
        if (latency)
            histogram_merge(latency, &device->latency);
    }
    if (latency)
        stats_latency(ret_stats, latency);
    free(latency);
}
