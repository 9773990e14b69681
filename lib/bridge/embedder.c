/* SPDX-License-Identifier: MIT */
/* Devices without a model: whoever embeds the bridge, another simulator most likely, answers their
 * accesses in its own time. To the rest of the bridge such a device is a model that defers every
 * answer, so that nothing else has to know; nothing in the engine is scheduled then, and its time
 * is what requests and answers say. */
#include <errno.h>

#include "base/region.h"
#include "bridge/internal.h"

struct embedder_state {
    struct trestle_request *pending;
};

static int hand_over(struct trestle_device *dev, struct trestle_request *request,
                     const struct trestle_access *access, bool is_write)
{
    struct device_info *device = trestle_device_ctx(dev);
    struct embedder_state *state = trestle_device_state(dev);
    struct trestle_bridge_access handed = {
        .access = *access, .write = is_write, .when = trestle_device_now(dev)};
    state->pending = request;
    device->bridge->num_handed_over++;
    device->embedder.access(device->embedder.ctx, device->index, &handed);
    return -EINPROGRESS;
}

static int embedder_read(struct trestle_device *dev, struct trestle_request *request,
                         const struct trestle_access *access, uint64_t *ret_data)
{
    (void)ret_data;
    return hand_over(dev, request, access, false);
}

static int embedder_write(struct trestle_device *dev, struct trestle_request *request,
                          const struct trestle_access *access)
{
    return hand_over(dev, request, access, true);
}

static void embedder_reset(struct trestle_device *dev)
{
    struct device_info *device = trestle_device_ctx(dev);
    struct embedder_state *state = trestle_device_state(dev);
    state->pending = NULL;
    if (device->embedder.reset)
        device->embedder.reset(device->embedder.ctx, device->index);
}

struct trestle_model embedder_model(const struct trestle_bridge_device *wanted)
{
    return (struct trestle_model){.size = sizeof(struct trestle_model),
                                  .name = "embedder",
                                  .region_size = wanted->region_size,
                                  .access_sizes = 1 | 2 | 4 | 8,
                                  .irq_lines = wanted->irq_lines,
                                  .state_size = sizeof(struct embedder_state),
                                  .reset = embedder_reset,
                                  .read = embedder_read,
                                  .write = embedder_write};
}

/* --- time ------------------------------------------------------------------------------------ */

static void is_due(struct trestle_event *event, trestle_time now)
{
    (void)event; /* that it was the engine's next event is all: the guest has been told */
    (void)now;
}

void embedder_init(struct trestle_bridge *bridge)
{
    trestle_event_init(&bridge->expected, is_due);
}

int trestle_bridge_expect(struct trestle_bridge *bridge, trestle_time when)
{
    return trestle_sim_schedule(bridge->sim, &bridge->expected, when);
}

int trestle_bridge_advanced(struct trestle_bridge *bridge, trestle_time now)
{
    trestle_sim_run_until(bridge->sim, now);
    return bridge->session && session_advanced(bridge->session) ? 0 : -ENOENT;
}

int trestle_bridge_irq(struct trestle_bridge *bridge, uint32_t index, trestle_time now,
                       uint32_t line, bool level)
{
    struct device_info *device = index < bridge->num_devices ? bridge->devices[index] : NULL;
    if (!device || !device->embedder.access ||
        line >= trestle_device_model(device->device)->irq_lines)
        return -EINVAL;
    trestle_sim_run_until(bridge->sim, now);
    trestle_device_irq(device->device, line, level);
    return 0;
}

int trestle_bridge_dma(struct trestle_bridge *bridge, uint32_t index, trestle_time now, bool write,
                       uint64_t addr, void *buf, size_t size)
{
    struct device_info *device = index < bridge->num_devices ? bridge->devices[index] : NULL;
    if (!device || !device->embedder.access || size == 0 || region_wraps(addr, size))
        return -EINVAL;
    trestle_sim_run_until(bridge->sim, now);
    return session_move(device, write, addr, buf, size);
}

/* --- accesses -------------------------------------------------------------------------------- */

int trestle_bridge_complete(struct trestle_bridge *bridge, uint32_t index, trestle_time now,
                            int status, uint64_t data)
{
    struct device_info *device = index < bridge->num_devices ? bridge->devices[index] : NULL;
    if (!device || !device->embedder.access)
        return -ENOENT;
    struct embedder_state *state = trestle_device_state(device->device);
    struct trestle_request *request = state->pending;
    if (!request)
        return -ENOENT;
    state->pending = NULL;
    trestle_sim_run_until(bridge->sim, now);
    trestle_request_complete(request, status, data);
    return 0;
}
