/* SPDX-License-Identifier: MIT */
/* trestle-inline.so: serves devices inside QEMU's process, for the plugin that has loaded it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/handover.h"
#include "bridge/command.h"
#include "bridge/inline.h"
#include "guard.h"
#include "log.h"
#include "run/host_end.h"
#include "trestle/models.h"
#include "trestle/process.h"

/* One per process, as QEMU is. */
static struct inline_run {
    struct trestle_bridge *bridge;
    struct handover *given;
    struct trestle_model_library **libraries; /* of each device, or NULL */
    struct host_end *ends;                    /* of each device */
    struct inline_bridge inside;
    int end_fd; /* the run's pipe; its end means that QEMU is to end */
    int say_fd;
    bool has_told; /* the run */
} the_run;

static void log_level(void *ctx, enum trestle_log_level level, const char *text)
{
    const struct inline_run *run = ctx;
    int wanted = level == TRESTLE_LOG_DEBUG ? 2 : level == TRESTLE_LOG_INFO ? 1 : 0;
    if (wanted > run->given->verbosity)
        return;
    const char *prefix = level == TRESTLE_LOG_ERROR     ? "trestle: error: "
                         : level == TRESTLE_LOG_WARNING ? "trestle: warning: "
                                                        : "";
    log_line("%s%s", prefix, text);
}

/* --- the bridge --------------------------------------------------------------------------------
 */

static int find_model(struct inline_run *run, size_t i, const struct trestle_model **ret_model,
                      char **ret_error)
{
    const char *name = run->given->devices[i].model;
    *ret_model = name ? trestle_model_find(name) : NULL;
    if (*ret_model)
        return 0;
    if (!name || !strchr(name, '/'))
        return error_set(ret_error, -ENOENT, "there is no model '%s' for QEMU's own process",
                         name ? name : "");
    return trestle_model_load(name, &run->libraries[i], ret_model, ret_error);
}

static int add_device(struct inline_run *run, size_t i, char **ret_error)
{
    const struct handover_device *given = &run->given->devices[i];
    const struct trestle_model *model;
    struct trestle_param *params = calloc(given->num_params + 1, sizeof(*params));
    if (!params)
        return -ENOMEM;
    for (size_t at = 0; at < given->num_params; at++)
        params[at] =
            (struct trestle_param){.key = given->params[at].key, .value = given->params[at].value};
    int r = find_model(run, i, &model, ret_error);
    if (r == 0 && given->backend)
        r = backend_open(given->backend, NULL, model, given->name, &run->ends[i].backend);
    if (r == 0) {
        struct trestle_bridge_device device = {
            .size = sizeof(device),
            .name = given->name,
            .model = model,
            .base_addr = given->is_pci ? TRESTLE_NO_BASE : given->base_addr,
            .region_size = given->size,
            .params = params,
            .num_params = given->num_params,
            .listen_fd = given->listen_fd,
        };
        host_end_join(&run->ends[i], run->bridge, &device);
        r = trestle_bridge_add_device(run->bridge, &device, NULL, ret_error);
    }
    free(params);
    return r;
}

static int begin_to_listen(struct inline_run *run, char **ret_error)
{
    char *why = NULL;
    int r = trestle_bridge_listen(run->bridge, &why);
    for (size_t i = 0; i < run->given->num_devices && r == 0; i++)
        r = host_end_start(&run->ends[i]);
    if (r < 0)
        (void)error_set(ret_error, r, "%s%s", why ? why : error_text(r),
                        r == -ENOTSUP ? "; leave \"process\": \"inline\" out" : "");
    free(why);
    return r;
}

/* Once; the run may have gone. */
static void tell_run(struct inline_run *run)
{
    struct trestle_bridge_trace_stats trace;
    if (run->has_told)
        return;
    run->has_told = true;
    if (trestle_bridge_trace_end(run->bridge, &trace))
        (void)handover_say_trace(run->say_fd, &trace);
    (void)trestle_process_tell(run->say_fd, run->bridge);
}

/* QEMU ends inside a model. */
static void last_words(void)
{
    tell_run(&the_run);
}

static int create(struct inline_run *run, char **ret_error)
{
    const struct handover *given = run->given;
    const struct trestle_bridge_options options = {.size = sizeof(options),
                                                   .wait = TRESTLE_WAIT_SLEEP,
                                                   .log = log_level,
                                                   .ctx = run,
                                                   .log_debug = given->verbosity >= 2,
                                                   .run_hash = given->run_hash,
                                                   .needs_shm = true};
    run->libraries = calloc(given->num_devices + 1, sizeof(struct trestle_model_library *));
    run->ends = calloc(given->num_devices + 1, sizeof(*run->ends));
    int r = run->libraries && run->ends ? trestle_bridge_create(&options, &run->bridge, ret_error)
                                        : -ENOMEM;
    if (r == 0) { /* before the first model is called */
        const struct guard_options guard = {.patience_ms = given->watchdog_ms,
                                            .end_fd = run->end_fd,
                                            .open_fd = run->say_fd,
                                            .last_words = last_words};
        guard_start(trestle_bridge_sim(run->bridge), &guard);
    }
    for (size_t i = 0; i < given->num_devices && r == 0; i++)
        r = add_device(run, i, ret_error);
    for (size_t i = 0; i < given->num_links && r == 0; i++) {
        const struct handover_link *wanted = &given->links[i];
        const struct trestle_bridge_link link = {.size = sizeof(link),
                                                 .from = wanted->from,
                                                 .to = wanted->to,
                                                 .latency = wanted->latency,
                                                 .bandwidth = wanted->bandwidth};
        r = trestle_bridge_link(run->bridge, &link, ret_error);
    }
    if (r == 0 && given->trace)
        r = trestle_bridge_trace(run->bridge, given->trace, ret_error);
    return r < 0 ? r : begin_to_listen(run, ret_error);
}

/* --- what the plugin asks
 * ---------------------------------------------------------------------------
 */

static int call(void *ctx, const struct trestle_v2_message *request,
                struct trestle_v2_message *ret_reply)
{
    guard_enter();
    return the_run.inside.call(ctx, request, ret_reply);
}

static void serve(void *ctx, int timeout_ms)
{
    guard_enter();
    the_run.inside.serve(ctx, timeout_ms);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void release(struct inline_run *run)
{
    if (run->bridge && trestle_bridge_remove_devices(run->bridge) < 0)
        (void)handover_say(run->say_fd, "lost", "");
    guard_stop();
    trestle_bridge_destroy(run->bridge);
    for (size_t i = 0; run->libraries && i < run->given->num_devices; i++)
        trestle_model_unload(run->libraries[i]);
    for (size_t i = 0; run->ends && i < run->given->num_devices; i++)
        backend_close(run->ends[i].backend);
    free(run->ends);
    free(run->libraries);
    handover_free(run->given);
    *run = (struct inline_run){0};
}

/* With the models' fini(), which the run hears of before. */
static void finish(void *ctx)
{
    struct inline_run *run = &the_run;
    (void)ctx;
    run->inside.serve(run->inside.ctx, 0); /* the client's last words */
    tell_run(run);
    release(run);
    log_end();
}

/* --- the start ---------------------------------------------------------------------------------
 */

__attribute__((visibility("default"))) inline_start trestle_inline_start;

int trestle_inline_start(unsigned version, const char *given, void (*client_turn)(void),
                         struct inline_bridge *ret_bridge)
{
    struct inline_run *run = &the_run;
    char *error = NULL;
    if (version != INLINE_VERSION) {
        log_line("trestle: error: QEMU's plugin and trestle-inline.so are of different builds; "
                 "install both from one");
        return -EPROTO;
    }
    int r = handover_take(given, &run->end_fd, &run->say_fd, &run->given);
    if (r < 0) {
        log_line("trestle: error: QEMU does not learn which devices it has: %s", error_text(r));
        return r;
    }
    r = create(run, &error);
    if (r < 0) {
        (void)handover_say(run->say_fd, "failure", error ? error : error_text(r));
        free(error);
        release(run);
        return r;
    }
    bridge_inline(run->bridge, client_turn, &run->inside);
    (void)handover_say(run->say_fd, "serves", "");
    *ret_bridge = (struct inline_bridge){.fd = run->inside.fd,
                                         .ctx = run->inside.ctx,
                                         .call = call,
                                         .serve = serve,
                                         .exits = guard_exit,
                                         .finish = finish};
    return 0;
}
