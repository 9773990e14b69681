/* SPDX-License-Identifier: MIT */
/* What is asked on a run's control socket: the commands of trestle poke, between two accesses of
 * the guest. */
#include "run/live.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/listener.h"
#include "bridge/command.h"
#include "control/server.h"
#include "poke/place.h"
#include "poke/poke.h"
#include "run/run.h"
#include "run/view.h"

/* So far the engine goes ahead of the guest at a time: for an access that its model has put off, or
 * because somebody asks. */
#define AHEAD_MAX (100 * TRESTLE_MS)

struct live {
    struct run *run;
    struct control_server *server;
    struct trestle_device **devices; /* those in this process */
    struct strings elsewhere;        /* the names of the others */
    struct poke_target target;
    struct view *view; /* since somebody asked for it, for as long as anybody is there; or NULL */
};

/* --- what poke does -------------------------------------------------------------------------- */

static void begin(void *ctx)
{
    const struct live *live = ctx;
    trestle_bridge_disturb(live->run->bridge, "somebody acted on its devices from outside");
}

static void end(void *ctx)
{
    const struct live *live = ctx;
    trestle_bridge_settle(live->run->bridge);
}

/* The engine goes ahead of the guest to the answer, as it does when the guest waits. */
static int await(struct trestle_sim *sim, struct trestle_device *dev, struct trestle_request *req)
{
    trestle_time now = trestle_sim_now(sim), next;
    trestle_time until = now < TRESTLE_TIME_NEVER - AHEAD_MAX ? now + AHEAD_MAX : now;
    while (req->device && (next = trestle_sim_next(sim)) <= until)
        trestle_sim_run_until(sim, next);
    return trestle_device_cancel(dev, req) == 0 ? -ETIME : req->status;
}

static int do_access(void *ctx, struct trestle_device *dev, bool write, uint64_t offset,
                     uint32_t size, uint64_t *ref_data)
{
    const struct live *live = ctx;
    struct trestle_request req = {.write = write,
                                  .access = {.offset = offset, .size = size, .data = *ref_data}};
    int r = trestle_device_submit(dev, &req);
    if (r == 0)
        r = req.status;
    else if (r == -EINPROGRESS)
        r = await(live->target.sim, dev, &req);
    if (r == 0 && !write)
        *ref_data = req.ret_data;
    return r;
}

static void do_run(void *ctx, trestle_time until)
{
    const struct live *live = ctx;
    trestle_time next = trestle_sim_next(live->target.sim);
    begin(ctx);
    trestle_sim_run_until(live->target.sim, next < until ? next : until);
    end(ctx);
}

/* Copies as a device would, whose callbacks do not hear of it. If there is a device that is not
 * behind a bus, it is that one. */
static int do_copy(void *ctx, bool write, uint64_t addr, void *buf, size_t size)
{
    const struct live *live = ctx;
    struct trestle_device *dev = live->devices[0];
    for (size_t i = 0; i < live->target.num_devices; i++)
        if (trestle_device_base(live->devices[i]) != TRESTLE_NO_BASE) {
            dev = live->devices[i];
            break;
        }
    begin(ctx);
    int r = write ? trestle_device_memory_write(dev, addr, buf, size)
                  : trestle_device_memory_read(dev, addr, buf, size);
    end(ctx);
    return r;
}

/* Returns why a device of the run cannot be reached from here; malloc'd. */
static char *complain_elsewhere(void *ctx, const char *name)
{
    const struct run *run = ((struct live *)ctx)->run;
    uint32_t index = 0;
    while (strcmp(run->config->devices[index].name, name) != 0)
        index++;
    const struct config_device *device = &run->config->devices[index];
    const char *process = own_listens(run->own, index);
    return process ? xformat("%s is in a process of its own, which takes commands at %s.%s", name,
                             run->control_path, process)
           : device->is_inline
               ? xformat("%s is in QEMU's process, where poke cannot reach it", name)
               : xformat("%s is served by %s, which takes no commands", name,
                         device->process->command[0]);
}

static void list_devices(void *ctx, FILE *out)
{
    const struct run *run = ((struct live *)ctx)->run;
    for (uint32_t i = 0; i < run->config->num_devices; i++) {
        const struct config_device *device = &run->config->devices[i];
        char *place = config_place_text(device);
        fprintf(out, "%s: %s %s %s, %" PRIu64 " bytes", device->name, device->model->name,
                device->pci ? "on" : "at", place, device->size);
        if (device->process)
            fprintf(out, ", in process %s", device->process->name);
        fputc('\n', out);
        free(place);
    }
}

/* Signals do to a process what the bridge does to a device of its own. */
static bool set_own_fault(const struct live *live, uint32_t index, enum trestle_fault fault,
                          char **ret_error)
{
    static const int signals[] = {[TRESTLE_FAULT_NONE] = SIGCONT,
                                  [TRESTLE_FAULT_DEAD] = SIGKILL,
                                  [TRESTLE_FAULT_HUNG] = SIGSTOP};
    const struct config_device *device = &live->run->config->devices[index];
    if (own_signal(live->run->own, index, signals[fault]))
        return true;
    *ret_error =
        device->is_inline
            ? xformat("%s runs in QEMU's process, and nothing can reach it there", device->name)
            : xformat("%s has no process any more; reload gives it one", device->name);
    return false;
}

/* False, with a sentence: no device has that name. */
static bool find_device(const struct live *live, const char *name, uint32_t *ret_index,
                        char **ret_error)
{
    const struct config *config = live->run->config;
    uint32_t index = 0;
    while (index < config->num_devices && strcmp(config->devices[index].name, name) != 0)
        index++;
    *ret_index = index;
    if (index == config->num_devices)
        (void)place_device(&live->target, name, ret_error);
    return index < config->num_devices;
}

static bool set_fault(void *ctx, const char *name, enum trestle_fault fault, char **ret_error)
{
    struct live *live = ctx;
    uint32_t index;
    if (!find_device(live, name, &index, ret_error))
        return false;
    return trestle_bridge_set_fault(live->run->bridge, index, fault) == 0 ||
           set_own_fault(live, index, fault, ret_error);
}

static enum poke_status reload(void *ctx, const char *name, FILE *out, char **ret_error)
{
    struct live *live = ctx;
    char *why = NULL;
    uint32_t index;
    if (!find_device(live, name, &index, ret_error))
        return POKE_WRONG;
    int r = own_reload(live->run->own, index, &why);
    if (r == -ENOTSUP) {
        *ret_error = xformat("%s is in %s, which goes on; only a device with a process of its own "
                             "can be reloaded (\"process\": \"own\")",
                             name,
                             live->run->config->devices[index].is_inline ? "QEMU's process"
                                                                         : "the run's process");
        return POKE_WRONG;
    }
    if (r < 0) {
        *ret_error = xformat("%s goes on as it was: %s", name, why);
        free(why);
        return POKE_FAILED;
    }
    begin(live);
    end(live);
    fprintf(out, "%s: its process is %d now\n", name, (int)own_pid(live->run->own, index));
    return POKE_OK;
}

static void print_stats(void *ctx, FILE *out)
{
    const struct live *live = ctx;
    stats_print_table(live->run, out);
}

/* --- what is asked --------------------------------------------------------------------------- */

static enum control_status do_line(struct live *live, const char *line, FILE *out, char **ret_error)
{
    struct poke poke = {.target = &live->target, .out = out};
    run_log(live->run, TRESTLE_LOG_INFO, "Asked to: %s", line);
    enum poke_status status = poke_line(&poke, line);
    *ret_error = poke.error;
    if (status == POKE_OK)
        return poke.quits ? CONTROL_QUIT : CONTROL_OK;
    return status == POKE_FAILED ? CONTROL_FAILED : CONTROL_WRONG;
}

static enum control_status complete(struct live *live, const char *line, FILE *out)
{
    const struct poke poke = {.target = &live->target};
    struct strings candidates = {0};
    poke_complete(&poke, line, &candidates);
    for (size_t i = 0; i < candidates.count; i++)
        fprintf(out, "%s\n", candidates.items[i]);
    strings_finish(&candidates);
    return CONTROL_OK;
}

/* Prints who takes commands: "PROCESS:DEVICE" for each device that can be reached. The run's own
 * process has no name. */
static void print_places(const struct live *live, FILE *out)
{
    const struct config *config = live->run->config;
    for (uint32_t i = 0; i < config->num_devices; i++) {
        bool is_here = trestle_bridge_device(live->run->bridge, i);
        const char *process = is_here ? "" : own_listens(live->run->own, i);
        if (process)
            fprintf(out, "%s:%s\n", process, config->devices[i].name);
    }
}

static enum control_status answer(void *ctx, const char *line, FILE *out, char **ret_error)
{
    struct live *live = ctx;
    if (strncmp(line, "do ", 3) == 0)
        return do_line(live, line + 3, out, ret_error);
    if (strncmp(line, "complete ", 9) == 0)
        return complete(live, line + 9, out);
    if (strcmp(line, "places") == 0) {
        print_places(live, out);
        return CONTROL_OK;
    }
    if (strcmp(line, "view") == 0) {
        if (!live->view)
            live->view = view_begin(live->run);
        view_print(live->view, out);
        return CONTROL_OK;
    }
    *ret_error = xstrdup("a line begins with do or complete, or is view or places");
    return CONTROL_WRONG;
}

/* --- life ------------------------------------------------------------------------------------ */

static void find_devices(struct live *live)
{
    struct trestle_bridge *bridge = live->run->bridge;
    uint32_t count = trestle_bridge_num_devices(bridge);
    size_t here = 0;
    live->devices = xcalloc(count, sizeof(*live->devices));
    for (uint32_t i = 0; i < count; i++) {
        struct trestle_device *device = trestle_bridge_device(bridge, i);
        if (device)
            live->devices[here++] = device;
        else
            strings_add(&live->elsewhere, live->run->config->devices[i].name);
    }
    live->target = (struct poke_target){.ctx = live,
                                        .num_devices = here,
                                        .devices = live->devices,
                                        .elsewhere = &live->elsewhere,
                                        .complain_elsewhere = complain_elsewhere,
                                        .sim = trestle_bridge_sim(bridge),
                                        .begin = begin,
                                        .end = end,
                                        .access = do_access,
                                        .run = do_run,
                                        .run_max = AHEAD_MAX,
                                        .list = list_devices,
                                        .copy = here ? do_copy : NULL,
                                        .set_fault = set_fault,
                                        .reload = reload,
                                        .stats = print_stats};
}

static void end_view(struct live *live)
{
    view_end(live->view);
    live->view = NULL;
}

static void serve(void *ctx)
{
    struct live *live = ctx;
    control_server_serve(live->server);
    if (!control_server_has_peers(live->server))
        end_view(live);
}

int live_start(struct run *run, const char *path, int listen_fd, struct live **ret_live,
               char **ret_error)
{
    struct live *live = xcalloc(1, sizeof(*live));
    struct listener listener = {.fd = listen_fd, .lock_fd = -1};
    char *error = NULL;
    int r;
    live->run = run;
    find_devices(live);
    if (path)
        r = control_server_open(path, answer, live, &live->server, &error);
    else if (fcntl(listen_fd, F_SETFD, FD_CLOEXEC) < 0)
        r = -errno;
    else
        r = control_server_create(&listener, answer, live, &live->server);
    if (r == 0)
        r = trestle_bridge_watch(run->bridge, control_server_fd(live->server), serve, live);
    if (r == 0) {
        *ret_live = live;
        return 0;
    }
    *ret_error = error ? xformat("trestle: --control %s", error)
                       : xformat("trestle: --control %s: cannot listen there: %s", path ? path : "",
                                 error_text(r));
    free(error);
    live_finish(live);
    return -EINVAL;
}

void live_unlink(const struct live *live)
{
    if (live)
        control_server_unlink(live->server);
}

void live_finish(struct live *live)
{
    if (!live)
        return;
    if (live->server)
        trestle_bridge_unwatch(live->run->bridge, control_server_fd(live->server));
    control_server_close(live->server);
    end_view(live);
    strings_finish(&live->elsewhere);
    free(live->devices);
    free(live);
}
