/* SPDX-License-Identifier: MIT */
/* A program that a run has started serves its devices: a bridge, and what the run is told. */
#include "trestle/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/handover.h"
#include "base/sized.h"
#include "command.h"

struct trestle_process {
    struct trestle_process_facts facts; /* first: trestle_process_devices() */
    struct trestle_process_options options;
    struct handover *given;
    int in_fd, out_fd;
    struct trestle_bridge *bridge;
    uint32_t num_added;
    bool is_over;
};

static void log_level(void *ctx, enum trestle_log_level level, const char *text)
{
    const struct trestle_process *process = ctx;
    int needed = level == TRESTLE_LOG_DEBUG ? 2 : level == TRESTLE_LOG_INFO ? 1 : 0;
    if (process->options.log && needed <= process->given->verbosity)
        process->options.log(process->options.ctx, level, text);
}

static int create_bridge(struct trestle_process *process, char **ret_error)
{
    const struct handover *given = process->given;
    struct trestle_process_device *devices = calloc(given->num_devices + 1, sizeof(*devices));
    if (!devices)
        return error_no_memory(ret_error);
    for (size_t i = 0; i < given->num_devices; i++)
        devices[i] =
            (struct trestle_process_device){given->devices[i].name, given->devices[i].size};
    process->facts = (struct trestle_process_facts){devices, (uint32_t)given->num_devices};
    const struct trestle_bridge_options options = {.size = sizeof(options),
                                                   .log = log_level,
                                                   .ctx = process,
                                                   .log_debug = given->verbosity >= 2,
                                                   .run_hash = given->run_hash,
                                                   .without_shm = given->without_shm};
    return trestle_bridge_create(&options, &process->bridge, ret_error);
}

int trestle_process_create(const char *variable, const struct trestle_process_options *options,
                           struct trestle_process **ret_process, char **ret_error)
{
    if (!variable)
        return error_set(ret_error, -ENOENT,
                         "no run has started this program; name it as the \"command\" of a "
                         "\"process\" in a configuration, and use trestle run");
    struct trestle_process *process = calloc(1, sizeof(*process));
    if (!process)
        return error_no_memory(ret_error);
    process->in_fd = process->out_fd = -1;
    int r = sized_import(&process->options, sizeof(process->options), sizeof(process->options),
                         options);
    if (r)
        error_set(ret_error, r, "the size of struct trestle_process_options is %zu: %s",
                  options->size, error_text(r));
    if (!r) {
        r = handover_take(variable, &process->in_fd, &process->out_fd, &process->given);
        if (r)
            error_set(ret_error, r, HANDOVER_VARIABLE "=%s does not come from a run: %s", variable,
                      error_text(r));
    }
    if (!r)
        r = create_bridge(process, ret_error);
    if (r)
        trestle_process_destroy(process);
    else
        *ret_process = process;
    return r;
}

void trestle_process_destroy(struct trestle_process *process)
{
    if (!process)
        return;
    if (process->bridge && trestle_bridge_remove_devices(process->bridge) < 0)
        (void)handover_say(process->out_fd, "lost", "");
    trestle_bridge_destroy(process->bridge);
    free((void *)process->facts.devices);
    handover_free(process->given);
    if (process->in_fd >= 0)
        close(process->in_fd);
    if (process->out_fd >= 0)
        close(process->out_fd);
    free(process);
}

int trestle_process_add_device(struct trestle_process *process, const struct trestle_model *model,
                               struct trestle_device **ret_device, char **ret_error)
{
    if (process->num_added == process->given->num_devices)
        return error_set(ret_error, -ENOENT, "the run wants only %zu devices from %s",
                         process->given->num_devices, process->given->name);
    const struct handover_device *given = &process->given->devices[process->num_added];
    struct trestle_param *params = calloc(given->num_params + 1, sizeof(*params));
    if (!params)
        return error_set(ret_error, -ENOMEM, "%s: out of memory", given->name);
    for (size_t i = 0; i < given->num_params; i++)
        params[i] = (struct trestle_param){given->params[i].key, given->params[i].value};
    const struct trestle_bridge_device device = {.size = sizeof(device),
                                                 .name = given->name,
                                                 .model = model,
                                                 .base_addr = given->base_addr,
                                                 .region_size = given->size,
                                                 .params = params,
                                                 .num_params = given->num_params,
                                                 .listen_fd = given->listen_fd};
    int r = trestle_bridge_add_device(process->bridge, &device, ret_device, ret_error);
    free(params);
    process->num_added += r == 0;
    return r;
}

static void run_is_over(void *ctx)
{
    ((struct trestle_process *)ctx)->is_over = true;
}

static int begin(struct trestle_process *process, char **ret_error)
{
    const struct handover *given = process->given;
    if (process->num_added < given->num_devices)
        return error_set(ret_error, -EINVAL, "%s has no model",
                         given->devices[process->num_added].name);
    int r = given->trace ? trestle_bridge_trace(process->bridge, given->trace, ret_error) : 0;
    if (!r)
        r = trestle_bridge_listen(process->bridge, ret_error);
    if (r)
        return r;
    r = trestle_bridge_watch(process->bridge, process->in_fd, run_is_over, process);
    if (!r)
        r = handover_say(process->out_fd, "serves", "");
    return r ? error_set(ret_error, r, "cannot tell the run: %s", error_text(r)) : 0;
}

int trestle_process_tell(int out_fd, const struct trestle_bridge *bridge)
{
    uint64_t hash;
    bool has_times;
    const char *disturbance = trestle_bridge_disturbance(bridge);
    int r = 0;
    for (uint32_t i = 0; i < trestle_bridge_num_devices(bridge) && !r; i++) {
        struct trestle_device_stats stats;
        trestle_bridge_stats(bridge, i, &stats);
        r = handover_say_counts(out_fd, &stats);
    }
    if (!r && trestle_bridge_run_hash(bridge, &hash, &has_times)) {
        char text[17];
        snprintf(text, sizeof(text), "%016" PRIx64, hash);
        r = handover_say(out_fd, "hash", text);
    }
    return !r && disturbance ? handover_say(out_fd, "disturbance", disturbance) : r;
}

int trestle_process_serve(struct trestle_process *process, char **ret_error)
{
    struct trestle_bridge_trace_stats trace;
    int r = begin(process, ret_error);
    if (r)
        return r;
    while (!process->is_over && (r == 0 || r == -EINTR))
        r = trestle_bridge_poll(process->bridge, -1);
    trestle_bridge_unwatch(process->bridge, process->in_fd);
    (void)trestle_bridge_trace_end(process->bridge, &trace);
    (void)trestle_process_tell(process->out_fd, process->bridge); /* the run may have gone */
    return process->is_over
               ? 0
               : error_set(ret_error, r, "cannot serve the devices: %s", error_text(r));
}

void trestle_process_refuse(struct trestle_process *process, const char *sentence)
{
    (void)handover_say(process->out_fd, "failure", sentence);
}
