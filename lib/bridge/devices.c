/* SPDX-License-Identifier: MIT */
/* The devices of a bridge, and the links between them. */
#include "bridge/devices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/region.h"
#include "base/sized.h"
#include "bridge/bridge.h"
#include "front/connection.h"
#include "front/vfio/vfio.h"
#include "sim/command.h"
#include "sim/lookup.h"
#include "trace/trace.h"
#include "trestle/registers.h"
#include "trestle/wire.h"

/* What the first version had. */
#define DEVICE_MIN_SIZE offsetof(struct trestle_bridge_device, external)

/* --- what a device does to the guest --------------------------------------------------------- */

static void device_log(void *ctx, struct trestle_device *dev, enum trestle_log_level level,
                       const char *text)
{
    struct port *port = ctx;
    (void)dev;
    front_log(port->front, level, "%s", text); /* begins with the name */
}

static void device_irq(void *ctx, struct trestle_device *dev, uint32_t line, bool level)
{
    struct connection *connection = ((struct port *)ctx)->connection;
    (void)dev;
    if (connection->protocol && connection->protocol->irq)
        connection->protocol->irq(connection, line, level);
    else if (connection->protocol && level)
        port_say_unheard(ctx, line, "protocol 1 has no interrupts");
}

static int device_dma(void *ctx, struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                      size_t size, uint64_t id)
{
    struct connection *connection = ((struct port *)ctx)->connection;
    if (connection->protocol && connection->protocol->begin_dma)
        return connection->protocol->begin_dma(connection, write, addr, buf, size, id);
    if (!connection->protocol || !connection->protocol->dma)
        return -ENOTSUP;
    int r = connection->protocol->dma(connection, write, addr, buf, size);
    return r == -ENOTSUP ? r : trestle_device_dma_complete(dev, id, r);
}

static int device_output(void *ctx, struct trestle_device *dev, const void *data, size_t size)
{
    const struct port *port = ctx;
    (void)dev;
    return port->output ? port->output(port->output_ctx, data, size) : -ENOTCONN;
}

static void device_input_room(void *ctx, struct trestle_device *dev)
{
    const struct port *port = ctx;
    (void)dev;
    if (port->input_room)
        port->input_room(port->input_ctx);
}

static const struct trestle_host_ops host_ops = {.size = sizeof(host_ops),
                                                 .irq = device_irq,
                                                 .dma = device_dma,
                                                 .log = device_log,
                                                 .output = device_output,
                                                 .input_room = device_input_room};

/* --- devices --------------------------------------------------------------------------------- */

void devices_free_port(struct port *port)
{
    finish_device_socket(port);
    trestle_device_destroy(port->device);
    vfio_destroy(port->vfio);
    bridge_trace_free_params(port);
    free(port->connection);
    free(port->model_file);
    free(port->socket_path);
    free(port->name);
    free(port);
}

static struct port *port_by_name(struct trestle_bridge *bridge, const char *name, size_t length)
{
    for (uint32_t i = 0; i < bridge->front.num_ports; i++) {
        struct port *port = bridge->front.ports[i];
        if (strlen(port->name) == length && memcmp(port->name, name, length) == 0)
            return port;
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
    for (uint32_t i = 0; i < bridge->front.num_ports; i++) {
        const struct port *other = bridge->front.ports[i];
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
    if (wanted->vfio_user && (wanted->external || wanted->base_addr != TRESTLE_NO_BASE))
        return error_set(ret_error, -EINVAL, "%s: a device of vfio-user has a model and no address",
                         wanted->name);
    if (wanted->outside && !(bridge->options.advance && bridge->options.expect))
        return error_set(ret_error, -EINVAL,
                         "%s: an outside device needs the bridge's advance() and expect()",
                         wanted->name);
    return 0;
}

static int copy_strings(struct port *port, const struct trestle_bridge_device *wanted)
{
    port->name = strdup(wanted->name);
    port->socket_path = wanted->socket_path ? strdup(wanted->socket_path) : NULL;
    port->model_file = wanted->model_file ? strdup(wanted->model_file) : NULL;
    if (!port->name || (wanted->socket_path && !port->socket_path) ||
        (wanted->model_file && !port->model_file))
        return -ENOMEM;
    return bridge_trace_keep_params(port, wanted->params, wanted->num_params);
}

static void count_regions(struct port *port)
{
    const struct trestle_model *model = trestle_device_model(port->device);
    while (port->num_regions < TRESTLE_REGIONS_MAX &&
           trestle_model_region_bytes(model, port->num_regions) > 0)
        port->num_regions++;
}

static int create_model(struct trestle_bridge *bridge, const struct trestle_bridge_device *wanted,
                        struct port *port, char **ret_error)
{
    struct trestle_device_options options = {.size = sizeof(options),
                                             .name = wanted->name,
                                             .base_addr = port->base_addr,
                                             .region_size = port->size,
                                             .params = wanted->params,
                                             .num_params = wanted->num_params,
                                             .ops = &host_ops,
                                             .ctx = port};
    int r = trestle_device_create(bridge->sim, wanted->model, &options, &port->device, ret_error);
    if (!r)
        count_regions(port);
    return r;
}

static int make_vfio(struct port *port, const struct trestle_pci *pci, char **ret_error)
{
    int r = vfio_create(port, pci);
    if (r == -EINVAL)
        return error_set(ret_error, r, "%s: its regions do not fit into the BARs of a PCI device",
                         port->name);
    return r ? error_no_memory(ret_error) : 0;
}

static int create_port(struct trestle_bridge *bridge, const struct trestle_bridge_device *wanted,
                       uint64_t size, struct port **ret_port, char **ret_error)
{
    struct port *port = calloc(1, sizeof(*port));
    if (!port)
        return error_set(ret_error, -ENOMEM, "%s: out of memory", wanted->name);
    *port = (struct port){.front = &bridge->front,
                          .index = bridge->front.num_ports,
                          .base_addr = wanted->base_addr,
                          .size = size,
                          .is_outside = wanted->outside,
                          .output = wanted->output,
                          .output_ctx = wanted->output_ctx,
                          .input_room = wanted->input_room,
                          .input_ctx = wanted->input_ctx,
                          .listener = LISTENER_NONE,
                          .is_inherited = wanted->listen_fd != 0,
                          .listen_source = {.fd = -1}};
    if (port->is_inherited)
        port->listener.fd = wanted->listen_fd;
    port_init(port);
    int r = copy_strings(port, wanted);
    if (!r)
        r = connection_create(port);
    if (r)
        error_set(ret_error, r, "%s: %s", wanted->name, error_text(r));
    else if (!wanted->external)
        r = create_model(bridge, wanted, port, ret_error);
    if (!r && wanted->vfio_user)
        r = make_vfio(port, wanted->vfio_user, ret_error);
    if (r) {
        devices_free_port(port);
        return r;
    }
    *ret_port = port;
    return 0;
}

static int check_device(struct trestle_bridge *bridge, const struct trestle_bridge_device *wanted,
                        uint64_t size, char **ret_error)
{
    if (bridge->is_listening)
        return error_set(ret_error, -EBUSY, "%s: add devices before the bridge listens",
                         wanted->name);
    if (bridge->front.num_ports == TRESTLE_V2_DEVICES_MAX)
        return error_set(ret_error, -ENOSPC, "%s: a bridge has at most %u devices", wanted->name,
                         TRESTLE_V2_DEVICES_MAX);
    if (port_by_name(bridge, wanted->name, strlen(wanted->name)))
        return error_set(ret_error, -EEXIST, "two devices are called %s", wanted->name);
    int r = check_kind(bridge, wanted, ret_error);
    return r ? r : check_region(bridge, wanted, size, ret_error);
}

static void add_port(struct front *front, struct port *port)
{
    front->ports[front->num_ports++] = port;
    if (!port->device)
        return;
    const struct trestle_model *model = trestle_device_model(port->device);
    front->has_irq |= model->irq_lines > 0;
    front->has_dma |= model->dma_done || model->uses_memory;
    for (uint32_t i = 0; i < port->num_regions; i++)
        front->has_memory |= trestle_device_region_memory(port->device, i) != NULL;
}

int trestle_bridge_add_device(struct trestle_bridge *bridge,
                              const struct trestle_bridge_device *theirs,
                              struct trestle_device **ret_device, char **ret_error)
{
    struct trestle_bridge_device own;
    const struct trestle_bridge_device *wanted = &own;
    struct front *front = &bridge->front;
    struct port *port = NULL;
    int r = sized_import(&own, sizeof(own), DEVICE_MIN_SIZE, theirs);
    if (r)
        return error_set(ret_error, r, "the size of struct trestle_bridge_device is %zu: %s",
                         theirs->size, error_text(r));
    bool needs_size = !wanted->region_size && wanted->model;
    uint64_t size = needs_size ? trestle_model_bytes(wanted->model) : wanted->region_size;
    r = check_device(bridge, wanted, size, ret_error);
    if (r)
        return r;
    struct port **ports = reallocarray(front->ports, front->num_ports + 1, sizeof(struct port *));
    if (!ports)
        return error_set(ret_error, -ENOMEM, "%s: out of memory", wanted->name);
    front->ports = ports;
    r = create_port(bridge, wanted, size, &port, ret_error);
    if (r)
        return r;
    add_port(front, port);
    if (ret_device)
        *ret_device = port->device;
    return 0;
}

/* --- links ----------------------------------------------------------------------------------- */

static int resolve_port(struct trestle_bridge *bridge, const char *text, struct port **ret_end,
                        uint32_t *ret_port, char **ret_error)
{
    const char *dot = strchr(text, '.');
    if (!dot)
        return error_set(ret_error, -EINVAL, "link end %s: write it as device.port", text);
    struct port *port = port_by_name(bridge, text, (size_t)(dot - text));
    if (!port)
        return error_set(ret_error, -ENOENT, "link end %s: no device is called %.*s", text,
                         (int)(dot - text), text);
    if (!port->device)
        return error_set(ret_error, -EINVAL,
                         "link end %s: %s runs in a process of its own, and no link can reach it",
                         text, port->name);
    const struct trestle_model *model = trestle_device_model(port->device);
    if (trestle_model_port(model, dot + 1, ret_port) < 0)
        return error_set(ret_error, -ENOENT, "link end %s: model %s has %" PRIu32 " peer port%s%s",
                         text, model->name, model->peer_ports, model->peer_ports == 1 ? "" : "s",
                         model->peer_ports ? ", counted from peer0" : "");
    *ret_end = port;
    return 0;
}

static int link_ports(const struct trestle_bridge_link *link, struct trestle_device *from,
                      uint32_t from_port, struct trestle_device *to, uint32_t to_port)
{
    struct trestle_link *made;
    int r = trestle_link_create(trestle_device_component(from), from_port,
                                trestle_device_component(to), to_port, link->latency, &made);
    return r ? r : trestle_link_set_bandwidth(made, link->bandwidth);
}

int trestle_bridge_link(struct trestle_bridge *bridge, const struct trestle_bridge_link *theirs,
                        char **ret_error)
{
    struct trestle_bridge_link link;
    struct port *a, *b;
    uint32_t a_port, b_port;
    int r = sized_import(&link, sizeof(link), sizeof(link), theirs);
    if (r)
        return error_set(ret_error, r, "the size of struct trestle_bridge_link is %zu: %s",
                         theirs->size, error_text(r));
    r = resolve_port(bridge, link.from, &a, &a_port, ret_error);
    if (!r)
        r = resolve_port(bridge, link.to, &b, &b_port, ret_error);
    if (r)
        return r;
    r = link_ports(&link, a->device, a_port, b->device, b_port);
    if (r)
        return error_set(ret_error, r, "cannot link %s to %s: %s", link.from, link.to,
                         r == -EBUSY ? "a port can have only one link" : error_text(r));
    const struct trestle_trace_link kept = {
        .devices = {a->index, b->index}, .ports = {a_port, b_port}, .latency = link.latency};
    return bridge_trace_keep_link(&bridge->trace, &kept) < 0 ? error_no_memory(ret_error) : 0;
}
