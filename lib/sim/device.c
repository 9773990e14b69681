/* SPDX-License-Identifier: MIT */
/* The host of a model: accesses, timers, interrupt lines and messages. */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "lookup.h"
#include "registers.h"
#include "trace/trace.h"

/* --- accesses -------------------------------------------------------------------------------- */

/* For a width that is not 1 to 8, the mask has no meaning. */
static uint64_t size_mask(uint32_t size)
{
    return UINT64_MAX >> ((64 - 8 * size) & 63);
}

/* What the embedder finds in its request. */
static void request_set(struct trestle_request *req, int status, uint64_t data)
{
    req->status = status;
    req->ret_data = status == 0 && !req->write ? data & size_mask(req->access.size) : 0;
}

/* Nothing is under way any more: what the model still holds of it is out of date. */
static struct trestle_request *request_take(struct trestle_device *dev)
{
    struct trestle_request *req = dev->facts.request;
    dev->facts.request = NULL;
    dev->completed = false;
    dev->ticket = (dev->ticket + 1) % DEVICE_TICKETS;
    req->device = NULL;
    return req;
}

/* Models answer with few numbers. The usual text of these is about files and sockets. */
static const char *status_text(int status)
{
    const char *text = strerrordesc_np(-status);
    return status == -EIO         ? "the device answered with an error"
           : status == -EFAULT    ? "the device has nothing at this address"
           : status == -ETIMEDOUT ? "the device did not answer in time"
           : text                 ? text
                                  : "unknown error";
}

static cold void request_warn(struct trestle_device *dev, const struct trestle_request *req,
                              const char *why)
{
    struct trestle_register_at at;
    char name[80] = "";
    if (trestle_device_register(dev, req->access.region, req->access.offset, &at))
        trestle_register_name(at.reg, at.index, name, sizeof(name));
    trestle_device_log(dev, TRESTLE_LOG_WARNING,
                       "%s of %" PRIu32 " bytes at offset 0x%" PRIx64 "%s%s%s refused: %s",
                       req->write ? "write" : "read", req->access.size, req->access.offset,
                       name[0] ? " (" : "", name, name[0] ? ")" : "",
                       why ? why : status_text(req->status));
}

/* The request has its status: logs an error. */
static inline void request_tell(struct trestle_device *dev, const struct trestle_request *req,
                                const char *why)
{
    if (unlikely(req->status < 0))
        request_warn(dev, req, why);
}

/* Ends the request under way, outside of the model's callbacks. */
static void request_finish(struct trestle_device *dev)
{
    struct trestle_request *req = request_take(dev);
    if (trestle_event_pending(&dev->delayed))
        sim_cancel(dev->facts.sim, &dev->delayed);
    request_tell(dev, req, device_has_failed(dev) ? dev->failure : NULL);
    if (device_is_observed(dev))
        observe_answer(dev, req);
    if (req->done)
        req->done(req);
}

void device_leave(struct trestle_device *dev)
{
    device_exit(dev);
    if (dev->depth == 0 && dev->completed)
        request_finish(dev);
}

void trestle_request_complete(struct trestle_request *req, int status, uint64_t data)
{
    struct trestle_device *dev = req->device;
    if (device_is_elsewhere(dev, "trestle_request_complete"))
        return;
    if (!dev->facts.request || dev->completed || req != &dev->tickets[dev->ticket]) {
        if (req->status == -ECANCELED) { /* the answer that trestle_device_cancel() left owing */
            req->status = 0;
            return;
        }
        trestle_device_log(dev, TRESTLE_LOG_ERROR,
                           "model '%s' completed a request that is not under way", dev->model.name);
        return;
    }
    request_set(dev->facts.request, status <= 0 ? status : -EIO, data);
    dev->completed = true;
    if (dev->depth > 0)
        return; /* the end of its callback answers */
    /* Another device's callback completes it. The answer could lead to an access to that device, so
     * it waits until the callback is over. */
    if (atomic_load_explicit(&dev->facts.sim->activity.device, memory_order_relaxed))
        sim_schedule_reserved(dev->facts.sim, &dev->delayed, dev->facts.sim->now);
    else
        request_finish(dev);
}

/* 0, or the status of an access that the model must not see, with the reason. */
static int access_check(const struct trestle_device *dev, const struct trestle_access *access,
                        bool write, const char **ret_why)
{
    const struct trestle_model *model = &dev->model;
    bool has_table = registers_have(dev->banks, access->region);
    uint32_t widths =
        access->region == 0 ? model->access_sizes : registers_widths(dev->banks, access->region);
    uint64_t bytes =
        access->region == 0 ? model->region_size : registers_bytes(dev->banks, access->region);
    if (bytes == 0) {
        *ret_why = "no such region";
        return -ERANGE;
    }
    if (!register_is_width(access->size) || !(widths & access->size)) {
        *ret_why = "the model has no accesses of this size";
        return -EINVAL;
    }
    if (access->offset & (access->size - 1)) {
        *ret_why = "misaligned";
        return -EINVAL;
    }
    if (access->offset >= bytes || bytes - access->offset < access->size) {
        *ret_why = "outside the registers";
        return -ERANGE;
    }
    if (has_table) {
        *ret_why = registers_complaint(dev->banks, access);
        return *ret_why ? -EINVAL : 0;
    }
    if (dev->memory[access->region])
        return 0;
    if (write ? !model->write : !model->read) {
        *ret_why = write ? "the model cannot be written" : "the model cannot be read";
        return -EACCES;
    }
    return 0;
}

static inline void access_begin(struct trestle_device *dev, struct trestle_request *req)
{
    if (!req->write)
        req->access.data = 0;
    dev->facts.request = req;
    req->device = dev;
}

/* The model has answered the request under way with `r`, maybe with a completion from inside its
 * callback. 0: the status is set. Or -EINPROGRESS. */
static inline int access_answered(struct trestle_device *dev, int r, uint64_t data)
{
    if (r == -EINPROGRESS && !dev->completed)
        return r;
    if (likely(!dev->completed))
        request_set(dev->facts.request, r <= 0 ? r : -EIO, data);
    else if (r != -EINPROGRESS)
        trestle_device_log(dev, TRESTLE_LOG_ERROR,
                           "model '%s' completed a request and answered it as well",
                           dev->model.name);
    return 0;
}

/* Gives the request under way to the model, whatever it is of. */
static int access_perform(struct trestle_device *dev)
{
    struct trestle_request *req = dev->facts.request, *ticket = &dev->tickets[dev->ticket];
    const struct trestle_access *access = &req->access;
    uint64_t data = 0;
    int r = 0;
    device_enter(dev, req->write ? TRESTLE_CALLBACK_WRITE : TRESTLE_CALLBACK_READ);
    if (registers_have(dev->banks, access->region))
        r = registers_access(dev->banks, dev, ticket, access, req->write, &data);
    else if (dev->memory[access->region])
        device_memory_access(dev, access, req->write, &data);
    else if (req->write)
        r = dev->model.write(dev, ticket, access);
    else
        r = dev->model.read(dev, ticket, access, &data);
    device_exit(dev);
    return access_answered(dev, r, data);
}

/* The register is not plain, and nothing is to be said against the access. */
static __attribute__((noinline)) int submit_single(struct trestle_device *dev,
                                                   struct trestle_request *req,
                                                   const struct register_slot *slot)
{
    struct trestle_request *ticket = &dev->tickets[dev->ticket];
    const struct trestle_access *access = &req->access;
    uint64_t data = 0;
    int r;
    access_begin(dev, req);
    if (req->write) {
        device_enter(dev, TRESTLE_CALLBACK_WRITE);
        r = register_write(slot, dev, ticket, access, access->data);
    } else {
        device_enter(dev, TRESTLE_CALLBACK_READ);
        r = register_read(slot, dev, ticket, access, &data);
    }
    device_exit(dev);
    r = access_answered(dev, r, data);
    if (r == 0)
        request_tell(dev, request_take(dev), NULL);
    return r;
}

/* Anything but one register that is there at once. */
static __attribute__((noinline)) int submit_closely(struct trestle_device *dev,
                                                    struct trestle_request *req)
{
    const char *why = NULL;
    int r = access_check(dev, &req->access, req->write, &why);
    if (unlikely(device_has_failed(dev))) {
        r = -EIO;
        why = dev->failure;
    }
    if (unlikely(r < 0)) {
        request_set(req, r, 0);
        request_tell(dev, req, why);
        return 0;
    }
    access_begin(dev, req);
    if (unlikely(dev->hindrance)) {
        sim_schedule_reserved(dev->facts.sim, &dev->delayed,
                              time_add(dev->facts.sim->now, dev->access_latency));
        return -EINPROGRESS;
    }
    r = access_perform(dev);
    if (r == 0)
        request_tell(dev, request_take(dev), NULL);
    return r;
}

static inline int submit(struct trestle_device *dev, struct trestle_request *req)
{
    const struct register_slot *slot = registers_from(dev->banks, &req->access);
    if (!slot || unlikely(dev->hindrance))
        return submit_closely(dev, req);
    if (registers_try_plain(slot, dev->facts.state, &req->access, req->write, &req->ret_data)) {
        req->status = 0;
        return 0;
    }
    return register_is_single(slot, &req->access) ? submit_single(dev, req, slot)
                                                  : submit_closely(dev, req);
}

static __attribute__((noinline)) int submit_observed(struct trestle_device *dev,
                                                     struct trestle_request *req)
{
    observe_access(dev, req);
    int r = submit(dev, req);
    if (r == 0)
        observe_answer(dev, req);
    return r;
}

int trestle_device_submit(struct trestle_device *dev, struct trestle_request *req)
{
    activity_here(&dev->facts.sim->activity);
    if (unlikely(dev->facts.request || dev->depth > 0))
        return -EBUSY;
    if (req->write)
        req->access.data &= size_mask(req->access.size);
    return device_is_observed(dev) ? submit_observed(dev, req) : submit(dev, req);
}

void trestle_device_set_access_latency(struct trestle_device *dev, trestle_time latency)
{
    dev->access_latency = latency;
    dev->hindrance &= ~(unsigned)DEVICE_DELAYED;
    dev->hindrance |= latency > 0 ? DEVICE_DELAYED : 0;
}

void device_delayed_fire(struct trestle_event *event, trestle_time now)
{
    struct trestle_device *dev = container_of(event, struct trestle_device, delayed);
    (void)now;
    if (dev->completed) {
        request_finish(dev);
        return;
    }
    if (device_has_failed(dev))
        request_set(dev->facts.request, -EIO, 0);
    if (device_has_failed(dev) || access_perform(dev) == 0)
        request_finish(dev);
}

struct trestle_request *device_give_up(struct trestle_device *dev)
{
    if (!dev->facts.request)
        return NULL;
    struct trestle_request *req = request_take(dev);
    request_set(req, -ECANCELED, 0);
    sim_cancel(dev->facts.sim, &dev->delayed);
    return req;
}

int trestle_device_cancel(struct trestle_device *dev, struct trestle_request *req)
{
    activity_here(&dev->facts.sim->activity);
    if (dev->depth > 0)
        return -EBUSY;
    if (!req || dev->facts.request != req)
        return -ENOENT;
    if (!trestle_event_pending(&dev->delayed)) /* else the model knows nothing of it */
        dev->tickets[dev->ticket].status = -ECANCELED;
    device_give_up(dev);
    if (device_is_observed(dev))
        observe_answer(dev, req);
    return 0;
}

/* --- timers ---------------------------------------------------------------------------------- */

static bool timer_exists(const struct trestle_device *dev, uint32_t timer)
{
    return timer < dev->model.timers;
}

void trestle_device_wake_at(struct trestle_device *dev, uint32_t timer, trestle_time when)
{
    if (device_is_elsewhere(dev, "trestle_device_wake_at"))
        return;
    if (timer_exists(dev, timer))
        sim_schedule_reserved(dev->facts.sim, &dev->timers[timer].event, when);
    else
        trestle_device_log(dev, TRESTLE_LOG_ERROR, "model '%s' has no timer %" PRIu32,
                           dev->model.name, timer);
}

trestle_time device_wake_time(const struct trestle_device *dev, uint32_t timer)
{
    if (!timer_exists(dev, timer))
        return TRESTLE_TIME_NEVER;
    return queue_when(&dev->facts.sim->queue, &dev->timers[timer].event);
}

void device_timer_fire(struct trestle_event *event, trestle_time now)
{
    struct device_timer *timer = (struct device_timer *)event;
    struct trestle_device *dev = timer->dev;
    if (!dev->model.wake)
        return;
    device_enter(dev, TRESTLE_CALLBACK_WAKE);
    dev->model.wake(dev, (uint32_t)(timer - dev->timers), now);
    device_leave(dev);
}

void device_cancel_timers(struct trestle_device *dev)
{
    for (uint32_t i = 0; i < dev->model.timers; i++)
        sim_cancel(dev->facts.sim, &dev->timers[i].event);
}

/* --- interrupt lines ------------------------------------------------------------------------- */

void trestle_device_irq(struct trestle_device *dev, uint32_t line, bool level)
{
    if (device_is_elsewhere(dev, "trestle_device_irq"))
        return;
    if (line >= dev->model.irq_lines) {
        trestle_device_log(dev, TRESTLE_LOG_ERROR, "model '%s' has no interrupt line %" PRIu32,
                           dev->model.name, line);
        return;
    }
    if (trestle_device_irq_level(dev, line) == level)
        return;
    dev->facts.irq_levels ^= UINT64_C(1) << line;
    if (device_is_observed(dev))
        observe_irq(dev, line, level);
    if (dev->ops.irq)
        dev->ops.irq(dev->facts.ctx, dev, line, level);
}

/* --- messages -------------------------------------------------------------------------------- */

void device_receive(void *ctx, uint32_t port, const void *data, size_t size)
{
    struct trestle_device *dev = ctx;
    if (device_is_observed(dev))
        observe_message(dev, false, port, data, size);
    if (!dev->model.message)
        return;
    device_enter(dev, TRESTLE_CALLBACK_MESSAGE);
    dev->model.message(dev, port, data, size);
    device_leave(dev);
}

int trestle_device_deliver(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    activity_here(&dev->facts.sim->activity);
    if (port >= dev->model.peer_ports)
        return -EINVAL;
    if (size == 0 || size > TRESTLE_MESSAGE_MAX)
        return -EMSGSIZE;
    if (dev->depth > 0)
        return -EBUSY;
    device_receive(dev, port, data, size);
    return 0;
}

int trestle_device_send(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    if (device_is_elsewhere(dev, "trestle_device_send"))
        return -EPERM;
    int r = trestle_component_send(dev->facts.component, port, data, size);
    if (r == -ENOTCONN && dev->ops.send)
        r = dev->ops.send(dev->facts.ctx, dev, port, data, size);
    if (r == 0 && device_is_observed(dev))
        observe_message(dev, true, port, data, size);
    if (r == -ENOBUFS)
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "the link at port %" PRIu32
                           " is full (%d messages, %d MiB) and takes no "
                           "more",
                           port, TRESTLE_LINK_MESSAGES_MAX, TRESTLE_LINK_BYTES_MAX >> 20);
    return r;
}

bool trestle_device_linked(const struct trestle_device *dev, uint32_t port)
{
    if (port >= dev->model.peer_ports)
        return false;
    return component_is_linked(dev->facts.component, port) ||
           (dev->ops.linked && dev->ops.linked(dev->facts.ctx, dev, port));
}

/* --- the world outside ----------------------------------------------------------------------- */

int trestle_device_output(struct trestle_device *dev, const void *data, size_t size)
{
    if (device_is_elsewhere(dev, "trestle_device_output"))
        return -EPERM;
    return dev->ops.output ? dev->ops.output(dev->facts.ctx, dev, data, size) : -ENOTCONN;
}

void trestle_device_accept_input(struct trestle_device *dev, size_t bytes)
{
    if (device_is_elsewhere(dev, "trestle_device_accept_input"))
        return;
    if (!dev->model.input || device_has_failed(dev))
        return;
    bool is_new = dev->facts.input_room == 0 && bytes > 0;
    dev->facts.input_room = bytes;
    if (is_new && dev->ops.input_room)
        dev->ops.input_room(dev->facts.ctx, dev);
}

int trestle_device_input(struct trestle_device *dev, const void *data, size_t size)
{
    activity_here(&dev->facts.sim->activity);
    if (!dev->model.input || size == 0)
        return -EINVAL;
    if (size > trestle_device_input_room(dev))
        return -ENOBUFS;
    if (dev->depth > 0)
        return -EBUSY;
    dev->facts.input_room -= size;
    if (device_is_observed(dev))
        observe_input(dev, data, size);
    device_enter(dev, TRESTLE_CALLBACK_INPUT);
    dev->model.input(dev, data, size);
    device_leave(dev);
    return 0;
}
