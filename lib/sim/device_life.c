/* SPDX-License-Identifier: MIT */
/* How a device comes to be, and how it goes. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/region.h"
#include "base/sized.h"
#include "device.h"
#include "model.h"
#include "params.h"
#include "registers.h"

#define OPTIONS_MIN_SIZE offsetof(struct trestle_device_options, ops)

static int import_options(const struct trestle_device_options *options,
                          struct trestle_device_options *ret_options,
                          struct trestle_host_ops *ret_ops)
{
    int r = sized_import(ret_options, sizeof(*ret_options), OPTIONS_MIN_SIZE, options);
    if (r < 0)
        return r;
    *ret_ops = (struct trestle_host_ops){0};
    const struct trestle_host_ops *ops = ret_options->ops;
    if (!ops)
        return 0;
    return sized_import(ret_ops, sizeof(*ret_ops), offsetof(struct trestle_host_ops, irq), ops);
}

/* Sets region_size and base_addr. */
static int place_region(struct trestle_device *dev, const struct trestle_device_options *options,
                        char **ret_error)
{
    const struct trestle_model *model = &dev->model;
    dev->facts.base_addr = options->base_addr;
    dev->facts.size = options->region_size ? options->region_size : model->region_size;
    if (dev->facts.size < model->region_size)
        return error_set(ret_error, -EINVAL,
                         "size %" PRIu64 " is smaller than the %" PRIu64
                         " bytes of registers of model '%s'",
                         dev->facts.size, model->region_size, model->name);
    const char *complaint = region_complaint(dev->facts.base_addr, dev->facts.size);
    if (complaint)
        return error_set(ret_error, -EINVAL, "0x%" PRIx64 " bytes at 0x%" PRIx64 ": %s",
                         dev->facts.size, dev->facts.base_addr, complaint);
    return 0;
}

static void device_free(struct trestle_device *dev)
{
    if (dev->facts.component)
        component_close(dev->facts.component);
    queue_unreserve(&dev->facts.sim->queue, dev->model.timers + 1);
    device_memory_free(dev);
    registers_release(&dev->facts.sim->banks, dev->banks);
    free(dev->failure);
    free(dev->facts.state);
    free((char *)dev->facts.name);
    free(dev);
}

/* All but the parameters and init(). */
static int device_new(struct trestle_sim *sim, const struct trestle_model *model,
                      const struct trestle_device_options *options,
                      const struct trestle_host_ops *ops, struct trestle_device **ret_dev,
                      char **ret_error)
{
    struct trestle_device *dev = calloc(1, sizeof(*dev) + model->timers * sizeof(dev->timers[0]));
    if (!dev)
        return error_no_memory(ret_error);
    int r = queue_reserve(&sim->queue, model->timers + 1);
    if (r < 0) {
        free(dev);
        return error_set(ret_error, r, "out of memory");
    }
    activity_here(&sim->activity);
    dev->facts.sim = sim;
    dev->model = *model;
    dev->facts.model = &dev->model;
    dev->ops = *ops;
    dev->facts.ctx = options->ctx;
    dev->log_debug = options->log_debug;
    for (size_t i = 0; i < DEVICE_TICKETS; i++)
        dev->tickets[i].device = dev;
    for (uint32_t i = 0; i < model->timers; i++) {
        dev->timers[i].dev = dev;
        trestle_event_init(&dev->timers[i].event, device_timer_fire);
    }
    trestle_event_init(&dev->delayed, device_delayed_fire);
    dev->facts.name = strdup(options->name);
    const uint64_t fence[2] = {DEVICE_FENCE, DEVICE_FENCE};
    dev->facts.state = calloc(1, model->state_size + sizeof(fence));
    if (!dev->facts.name || !dev->facts.state ||
        trestle_component_create(sim, model->peer_ports, device_receive, dev,
                                 &dev->facts.component) < 0)
        r = error_no_memory(ret_error);
    else
        r = place_region(dev, options, ret_error);
    if (dev->facts.state)
        dev->fence = memcpy((char *)dev->facts.state + model->state_size, fence, sizeof(fence));
    if (r == 0)
        r = registers_take(&sim->banks, &dev->model, &dev->banks, ret_error);
    if (r == 0 && device_memory_create(dev) < 0)
        r = error_no_memory(ret_error);
    if (r < 0)
        device_free(dev);
    else
        *ret_dev = dev;
    return r;
}

/* A model's init() or start() gave `r`. */
static int fail_start(const struct trestle_device *dev, int r, char **ret_error)
{
    r = r < 0 ? r : -EINVAL;
    const char *why = dev->failure ? dev->failure : strerrordesc_np(-r);
    return error_set(ret_error, r, "model '%s' did not start: %s", dev->model.name,
                     why ? why : "unknown error");
}

void trestle_device_fail(struct trestle_device *dev, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    free(dev->failure);
    dev->failure = text;
    if (!dev->has_started)
        return; /* the creator of the device reports it */
    if (dev->is_ending) {
        dev->facts.sim->activity.has_lost = true;
        trestle_device_log(dev, TRESTLE_LOG_ERROR, "%s", text ? text : "it has failed");
        return;
    }
    dev->hindrance |= DEVICE_FAILED;
    dev->facts.input_room = 0;
    trestle_device_log(dev, TRESTLE_LOG_ERROR, "%s; every access is a bus error until a reset",
                       text ? text : "it has failed");
}

int trestle_device_start(struct trestle_device *dev, char **ret_error)
{
    activity_here(&dev->facts.sim->activity);
    char *why = NULL;
    int r = 0;
    if (dev->has_started)
        return 0;
    if (dev->model.start) {
        device_enter(dev, TRESTLE_CALLBACK_START);
        r = dev->model.start(dev);
        device_leave(dev);
    }
    if (r != 0 || dev->failure) {
        r = fail_start(dev, r ? r : -EIO, &why);
        error_set(ret_error, r, "device '%s': %s", dev->facts.name, why ? why : "out of memory");
        free(why);
        return r;
    }
    dev->has_started = true;
    return 0;
}

static int device_init(struct trestle_device *dev, const struct trestle_device_options *options,
                       char **ret_error)
{
    struct params_record record;
    struct trestle_params params = {options->params, options->num_params, &record};
    if (params_record_init(&record, params.num) < 0)
        return error_no_memory(ret_error);
    int r = 0;
    registers_reset(dev->banks, dev->facts.state, true);
    if (dev->model.init) {
        device_enter(dev, TRESTLE_CALLBACK_INIT);
        r = dev->model.init(dev, &params);
        device_leave(dev);
    }
    bool started = r == 0;
    /* A refused value says more than what init() made of it. */
    int verdict = r == 0 || record.error ? params_verdict(&params, ret_error) : 0;
    if (verdict < 0) {
        r = verdict;
    } else if (r != 0 || dev->failure) {
        r = fail_start(dev, r ? r : -EIO, ret_error);
    }
    params_record_finish(&record);
    if (started && r < 0 && dev->model.fini) {
        device_enter(dev, TRESTLE_CALLBACK_FINI);
        dev->model.fini(dev);
        device_exit(dev);
    }
    return r;
}

static void device_stop(struct trestle_device *dev)
{
    activity_forget(&dev->facts.sim->activity);
    device_cancel_timers(dev);
    device_free_transfers(dev);
    device_log_finish(dev);
    device_free(dev);
}

static int create(struct trestle_sim *sim, const struct trestle_model *model,
                  const struct trestle_device_options *options, const struct trestle_host_ops *ops,
                  struct trestle_device **ret_dev, char **ret_error)
{
    struct trestle_model table;
    struct trestle_device *dev = NULL;
    int r = model_import(model, &table, ret_error);
    if (r < 0)
        return r;
    r = device_new(sim, &table, options, ops, &dev, ret_error);
    if (r < 0)
        return r;
    r = device_init(dev, options, ret_error);
    if (r < 0) {
        device_stop(dev);
        return r;
    }
    *ret_dev = dev;
    return 0;
}

int trestle_device_create(struct trestle_sim *sim, const struct trestle_model *model,
                          const struct trestle_device_options *theirs,
                          struct trestle_device **ret_dev, char **ret_error)
{
    struct trestle_device_options options;
    struct trestle_host_ops ops;
    char *why = NULL;
    int r = import_options(theirs, &options, &ops);
    if (r < 0)
        return error_set(ret_error, r, "the device's options have the size of another version");
    if (!options.name || !*options.name)
        return error_set(ret_error, -EINVAL, "a device has no name");
    r = create(sim, model, &options, &ops, ret_dev, ret_error ? &why : NULL);
    if (r < 0)
        error_set(ret_error, r, "device '%s': %s", options.name, why ? why : "out of memory");
    free(why);
    return r;
}

void trestle_device_destroy(struct trestle_device *dev)
{
    if (!dev)
        return;
    activity_here(&dev->facts.sim->activity);
    if (dev->facts.request)
        dev->facts.request->device = NULL;
    dev->facts.request = NULL;
    sim_cancel(dev->facts.sim, &dev->delayed);
    /* Nothing reaches the model any more but fini(). */
    device_enter(dev, TRESTLE_CALLBACK_FINI);
    dev->is_ending = true;
    if (dev->model.fini)
        dev->model.fini(dev);
    device_exit(dev);
    device_stop(dev);
}
