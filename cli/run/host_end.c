/* SPDX-License-Identifier: MIT */
/* Carries the output of a device to its backend, and what the backend reads to the device. */
#include "run/host_end.h"

#include "bridge/command.h"
#include "log.h"

static int take_output(void *ctx, const void *data, size_t size)
{
    const struct host_end *end = ctx;
    return backend_write(end->backend, data, size);
}

static void ask_for_input(void *ctx)
{
    const struct host_end *end = ctx;
    backend_ask(end->backend);
}

static void give_input(void *ctx)
{
    const struct host_end *end = ctx;
    struct trestle_device *device = trestle_bridge_device(end->bridge, end->index);
    uint8_t bytes[TRESTLE_INPUT_MAX];
    size_t size = backend_read(end->backend, bytes, trestle_device_input_room(device));
    if (size > 0 && trestle_bridge_input(end->bridge, end->index, bytes, size) < 0)
        log_line("trestle: warning: %s: lost %zu bytes of its input", trestle_device_name(device),
                 size);
}

void host_end_join(struct host_end *end, struct trestle_bridge *bridge,
                   struct trestle_bridge_device *ref_added)
{
    if (!end->backend)
        return;
    end->bridge = bridge;
    end->index = trestle_bridge_num_devices(bridge);
    ref_added->output = take_output;
    ref_added->output_ctx = end;
    ref_added->input_room = ask_for_input;
    ref_added->input_ctx = end;
}

int host_end_start(struct host_end *end)
{
    int r = backend_start(end->backend);
    return r == 0 && end->backend
               ? trestle_bridge_watch(end->bridge, backend_fd(end->backend), give_input, end)
               : r;
}
