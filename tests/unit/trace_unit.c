/* SPDX-License-Identifier: MIT */
/* The model of the trace's tests. */
#include "trace_unit.h"

#include <errno.h>
#include <string.h>

static int unit_read(struct trestle_device *dev, struct trestle_request *req,
                     const struct trestle_access *access, uint64_t *ret_data)
{
    struct unit *unit = trestle_device_state(dev);
    if (access->offset != LATER) {
        *ret_data = 0xffffffff11;
        return 0;
    }
    unit->pending = req;
    trestle_device_wake_after(dev, 0, 500 * TRESTLE_NS);
    return -EINPROGRESS;
}

static int unit_write(struct trestle_device *dev, struct trestle_request *req,
                      const struct trestle_access *access)
{
    struct unit *unit = trestle_device_state(dev);
    switch (access->offset) {
    case LINE:
        trestle_device_irq(dev, 0, access->data & 1);
        return 0;
    case SAY:
        return trestle_device_send(dev, 0, "hi", 2);
    case FETCH:
        return trestle_device_dma_read(dev, 0x80000000, unit->buffer, access->data, 0);
    case STORE:
        memset(unit->buffer, 0x5a, sizeof(unit->buffer));
        return trestle_device_dma_write(dev, 0x80000000, unit->buffer, access->data, 0);
    case NOTHING:
        return -EIO;
    default:
        return 0;
    }
}

static void unit_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct unit *unit = trestle_device_state(dev);
    trestle_request_complete(unit->pending, 0, 0xdef);
}

static void unit_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    trestle_device_irq(dev, 0, true);
}

/* The line is as its first character says. */
static void unit_input(struct trestle_device *dev, const void *data, size_t size)
{
    trestle_device_irq(dev, 0, ((const char *)data)[0] == '1');
}

static int unit_init(struct trestle_device *dev, const struct trestle_params *params)
{
    trestle_device_accept_input(dev, 8);
    return 0;
}

const struct trestle_model unit_model = {
    .size = sizeof(unit_model),
    .name = "unit",
    .region_size = 0x20,
    .access_sizes = 4,
    .irq_lines = 1,
    .peer_ports = 1,
    .timers = 1,
    .state_size = sizeof(struct unit),
    .init = unit_init,
    .read = unit_read,
    .write = unit_write,
    .wake = unit_wake,
    .message = unit_message,
    .input = unit_input,
};
