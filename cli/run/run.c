/* SPDX-License-Identifier: MIT */
/* Makes the bridge of a run from its configuration, and handles its log and signals. */
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/socket_path.h"
#include "bridge/command.h"
#include "command.h"
#include "json_file.h"
#include "log.h"
#include "run/host_end.h"
#include "run/live.h"
#include "run/watchdog.h"
#include "signals.h"
#include "util.h"

/* What others have started for us, a script in QEMU's place for one, has so long to end once they
 * have. */
#define STRAYS_GRACE_MS 1000
/* The run kills a process of its own 5 s after it has asked it to end, and knows no names. */
#define OWN_FINI_NS (4 * NS_PER_S)

/* --- log ------------------------------------------------------------------------------------- */

static int verbosity_of(enum trestle_log_level level)
{
    return level == TRESTLE_LOG_DEBUG ? 2 : level == TRESTLE_LOG_INFO ? 1 : 0;
}

static void log_level(void *ctx, enum trestle_log_level level, const char *text)
{
    const struct run *run = ctx;
    if (verbosity_of(level) > run->verbosity)
        return;
    const char *prefix = level == TRESTLE_LOG_ERROR     ? "trestle: error: "
                         : level == TRESTLE_LOG_WARNING ? "trestle: warning: "
                                                        : "";
    log_line("%s%s", prefix, text);
}

void run_log(struct run *run, enum trestle_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = xvformat(format, args);
    va_end(args);
    log_level(run, level, text);
    free(text);
}

/* --- signals --------------------------------------------------------------------------------- */

void run_read_signals(struct run *run)
{
    struct signalfd_siginfo info;
    while (read(run->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (!run->signal)
            run->signal = (int)info.ssi_signo;
        run->signals_seen++;
    }
}

static void signals_ready(void *ctx)
{
    run_read_signals(ctx);
}

static int watch_signals(struct run *run)
{
    run->signal_fd = signals_open();
    if (run->signal_fd < 0)
        return run->signal_fd;
    return trestle_bridge_watch(run->bridge, run->signal_fd, signals_ready, run);
}

/* --- the bridge ------------------------------------------------------------------------------ */

/* Two descriptors per device: the usual soft limit of 1024 is too low for many devices. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Why sockets cannot be made there, or NULL. The environment may still name the directory of a
 * session that has ended, or another user's. */
static const char *unusable(const char *directory)
{
    static const char longest[] = "/trestle-XXXXXX/device65535.sock";
    struct stat st;
    if (strlen(directory) + strlen(longest) > SOCKET_PATH_MAX)
        return "its path is too long for sockets";
    if (stat(directory, &st) < 0)
        return strerror(errno);
    if (!S_ISDIR(st.st_mode))
        return "it is not a directory";
    if (st.st_uid != geteuid() && !(st.st_mode & S_ISVTX))
        return "it belongs to another user";
    return access(directory, W_OK | X_OK) < 0 ? strerror(errno) : NULL;
}

const char *runtime_dir(void)
{
    static const char *const names[] = {"XDG_RUNTIME_DIR", "TMPDIR"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *directory = getenv(names[i]);
        const char *why = directory && *directory ? unusable(directory) : NULL;
        if (why)
            log_line("trestle: warning: %s=%s is not used: %s", names[i], directory, why);
        else if (directory && *directory)
            return directory;
    }
    return NULL;
}

/* What a device's own process would refuse is refused before it is started. */
static int try_model(const struct config_device *device, const struct trestle_sim *bridge_sim,
                     char **ret_error)
{
    struct trestle_sim *sim;
    struct trestle_device *dev;
    const struct trestle_device_options options = {.size = sizeof(options),
                                                   .name = device->name,
                                                   .base_addr = device->base_addr,
                                                   .region_size = device->size,
                                                   .params = device->params,
                                                   .num_params = device->num_params};
    int r = trestle_sim_create(&sim);
    if (r < 0)
        return r;
    watchdog_watch(sim);
    r = trestle_device_create(sim, device->model, &options, &dev, ret_error);
    if (r == 0)
        trestle_device_destroy(dev);
    watchdog_watch(bridge_sim);
    trestle_sim_destroy(sim);
    return r;
}

/* --- host ends ------------------------------------------------------------------------------- */

static int open_backend(struct run *run, size_t index, char **ret_error)
{
    const struct config_device *device = &run->config->devices[index];
    if (!device->backend && !device->input)
        return 0;
    int r = backend_open(device->backend, device->input, device->model, device->name,
                         &run->host_ends[index].backend);
    bool is_tap =
        device->backend && strncmp(device->backend, BACKEND_TAP, strlen(BACKEND_TAP)) == 0;
    if (r < 0)
        *ret_error = config_complain_device(
            run->config, index, device->backend ? "backend" : "input", "cannot open %s%s%s: %s%s",
            device->backend ? device->backend : "", device->backend && device->input ? " and " : "",
            device->input ? device->input : "",
            is_tap && r == -EINVAL ? "that is not a tap" : error_text(r),
            error_is_limit(r) ? ""
            : is_tap ? "; name another place, or let root make it yours: ip tuntap add NAME mode "
                       "tap user YOU"
                     : "; name another place");
    return r < 0 ? -EINVAL : 0;
}

/* Nothing can fail the run any more but QEMU. */
static int start_backends(struct run *run, char **ret_error)
{
    for (size_t i = 0; i < run->config->num_devices; i++) {
        bool is_lent = run->config->devices[i].process;
        int r = is_lent ? backend_prepare(run->host_ends[i].backend)
                        : host_end_start(&run->host_ends[i]);
        if (r < 0) {
            *ret_error = config_complain_device(run->config, i, "backend", "cannot use it: %s",
                                                error_text(r));
            return r;
        }
    }
    return 0;
}

static void close_backends(struct run *run)
{
    for (size_t i = 0; run->host_ends && i < run->config->num_devices; i++)
        backend_close(run->host_ends[i].backend);
    free(run->host_ends);
    run->host_ends = NULL;
}

/* --- devices --------------------------------------------------------------------------------- */

static int add_devices(struct run *run, char **ret_error)
{
    const struct config *config = run->config;
    run->host_ends = xcalloc(config->num_devices, sizeof(*run->host_ends));
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_device *device = &config->devices[i];
        if (open_backend(run, i, ret_error) < 0)
            return -EINVAL;
        char model_file[PATH_MAX];
        struct trestle_pci pci;
        bool is_vfio = device->protocol == PROTOCOL_VFIO_USER;
        if (is_vfio)
            config_get_pci(device, &pci);
        if (device->library && !realpath(device->model_name, model_file))
            snprintf(model_file, sizeof(model_file), "%s", device->model_name);
        struct trestle_bridge_device added = {
            .size = sizeof(added),
            .name = device->name,
            .model = device->process ? NULL : device->model,
            .external = device->process,
            .listen_fd = device->listen_fd,
            .base_addr = device->base_addr,
            .region_size = device->size,
            .params = device->params,
            .num_params = device->num_params,
            .socket_path = device->socket,
            .model_file = device->library ? model_file : NULL,
            .vfio_user = is_vfio ? &pci : NULL,
        };
        char *error = NULL;
        host_end_join(&run->host_ends[i], run->bridge, &added);
        if ((!device->process || device->is_served_by_command ||
             try_model(device, trestle_bridge_sim(run->bridge), &error) == 0) &&
            trestle_bridge_add_device(run->bridge, &added, NULL, &error) == 0)
            continue;
        *ret_error = config_complain_params(config, i, error ? error : "no memory");
        free(error);
        return -EINVAL;
    }
    return 0;
}

static int add_links(struct run *run, char **ret_error)
{
    const struct config *config = run->config;
    for (size_t i = 0; i < config->num_links; i++) {
        const struct config_link *link = &config->links[i];
        char *error = NULL;
        if (link->process)
            continue;
        const struct trestle_bridge_link options = {.size = sizeof(options),
                                                    .from = link->from,
                                                    .to = link->to,
                                                    .latency = link->latency,
                                                    .bandwidth = link->bandwidth};
        if (trestle_bridge_link(run->bridge, &options, &error) == 0)
            continue;
        *ret_error = xformat("trestle: %s", error ? error : "no memory");
        free(error);
        return -EINVAL;
    }
    return 0;
}

/* The first device that accepts no other carrier, or none. */
static size_t needs_shm(const struct config *config)
{
    size_t i = 0;
    while (i < config->num_devices &&
           !(config->devices[i].carrier && strcmp(config->devices[i].carrier, "shm") == 0))
        i++;
    return i;
}

static int begin_trace(struct run *run, const char *path, char **ret_error)
{
    char *error = NULL;
    /* Kept until the FIFO is opened again: its reader must not see an end. */
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == ENXIO)
        log_line("trestle: the run waits until somebody reads %s", path);
    int r = trestle_bridge_trace(run->bridge, path, &error);
    if (fd >= 0)
        close(fd);
    if (r < 0) {
        *ret_error = xformat("trestle: %s; name a file that can be written",
                             error ? error : "no memory for a trace");
        free(error);
        return -EINVAL;
    }
    run->trace_path = path;
    return 0;
}

void run_end_trace(struct run *run)
{
    if (run->config->is_all_inline)
        own_inline_trace(run->own, &run->trace);
    else
        (void)trestle_bridge_trace_end(run->bridge, &run->trace);
}

int run_check_outputs(const struct config *config, const char *stats, const char *trace,
                      char **ret_error)
{
    int r = stats ? json_file_check("--stats", stats, ret_error) : 0;
    if (r == 0)
        r = config_check_output(config, "--stats", stats, ret_error);
    if (r == 0)
        r = config_check_output(config, "--trace", trace, ret_error);
    bool are_new = stats && trace && strcmp(stats, trace) == 0 && access(stats, F_OK) < 0;
    if (r == 0 && (are_new || is_same_file(stats, trace))) {
        *ret_error = xformat("trestle: --stats and --trace both name %s; name two files", stats);
        r = -EINVAL;
    }
    return r;
}

int run_init(struct run *run, const struct config *config, const struct run_options *wanted,
             char **ret_error)
{
    *run = (struct run){.config = config, .verbosity = wanted->verbosity, .signal_fd = -1};
    run->watchdog_ms = wanted->has_no_watchdog ? 0 : config->watchdog_ms;
    raise_descriptor_limit();
    /* Where they cannot be had, only a run that is killed is worse off, and one whose programs
     * leave their family. */
    if (!wanted->process)
        (void)keeper_start(&run->keeper);
    (void)child_adopt_strays();
    struct trestle_bridge_options options = {
        .size = sizeof(options),
        .socket_dir = wanted->socket_dir,
        .wait = wanted->wait,
        .runtime_dir = wanted->process ? NULL : runtime_dir(), /* the run has opened its sockets */
        .log = log_level,
        .ctx = run,
        .log_debug = wanted->verbosity >= 2,
        .run_hash = (config->icount >= 0 || wanted->run_hash) && !config->is_all_inline,
        .needs_shm = needs_shm(config) < config->num_devices,
        .without_shm = wanted->without_shm,
        .uses_memory = wanted->control || wanted->control_fd,
    };
    snprintf(run->ends, sizeof(run->ends), "%s%s", wanted->process ? "the process of " : "the run",
             wanted->process ? wanted->process : "");
    const struct watchdog_options watchdog = {.ends = run->ends,
                                              .patience_ns = (uint64_t)run->watchdog_ms * NS_PER_MS,
                                              .fini_patience_ns = wanted->process ? OWN_FINI_NS : 0,
                                              .clean_up = wanted->clean_up,
                                              .lose = wanted->lose,
                                              .ctx = wanted->ctx};
    char *error = NULL;
    int r = watchdog_start(&watchdog);
    if (r == 0)
        r = trestle_bridge_create(&options, &run->bridge, &error);
    if (r < 0) {
        watchdog_stop();
        *ret_error = error ? xformat("trestle: %s", error)
                           : xformat("trestle: cannot watch over the run: %s", error_text(r));
        free(error);
        return r;
    }
    run->deadline_ns = wanted->deadline_ns ? wanted->deadline_ns : CLOCK_NEVER;
    watchdog_set_deadline(run->deadline_ns, wanted->deadline_what, EXIT_OUT_OF_TIME);
    watchdog_watch(trestle_bridge_sim(run->bridge));
    sigset_t before = signals_hold();
    r = add_devices(run, ret_error);
    if (r == 0)
        r = add_links(run, ret_error);
    signals_release(&before);
    if (r == 0 && wanted->trace && config->is_all_inline)
        run->trace_path = wanted->trace;
    else if (r == 0 && wanted->trace)
        r = begin_trace(run, wanted->trace, ret_error);
    /* Only now: Ctrl-C ends the wait for a FIFO's reader. */
    if (r == 0 && (r = watch_signals(run)) < 0)
        *ret_error = xformat("trestle: cannot watch signals: %s", error_text(r));
    run->control_path = wanted->control;
    if (r == 0 && (wanted->control || wanted->control_fd))
        r = live_start(run, wanted->control, wanted->control_fd, &run->live, ret_error);
    if (r < 0)
        run_finish(run);
    return r;
}

/* Processes of their own write traces of their own, next to the run's if that is a file. */
static const char *own_trace(struct run *run)
{
    struct stat st;
    if (!run->trace_path || run->config->is_all_inline ||
        (stat(run->trace_path, &st) == 0 && S_ISREG(st.st_mode)))
        return run->trace_path;
    run_log(run, TRESTLE_LOG_WARNING,
            "%s is not a file: there is no trace of devices in processes of their own",
            run->trace_path);
    return NULL;
}

/* The sentence begins with the path that it is about: the user gave it, or we made it. */
static char *complain_socket(const struct config *config, const char *sentence)
{
    for (size_t i = 0; i < config->num_devices; i++) {
        const char *path = config->devices[i].socket;
        if (path && strncmp(sentence, path, strlen(path)) == 0)
            return config_complain_device(config, i, "socket", "%s", sentence);
    }
    return xformat("trestle: %s", sentence);
}

int run_listen(struct run *run, char **ret_error)
{
    char *error = NULL;
    int r = trestle_bridge_listen(run->bridge, &error);
    if (r < 0) {
        if (r == -ENOTSUP)
            *ret_error = config_complain_device(run->config, needs_shm(run->config), "carrier",
                                                "%s; use \"auto\"", error);
        else
            *ret_error = complain_socket(run->config, error ? error : error_text(r));
        free(error);
    }
    const struct own_options own = {.host_ends = run->host_ends,
                                    .verbosity = run->verbosity,
                                    .watchdog_ms = run->watchdog_ms,
                                    .trace = own_trace(run),
                                    .control = run->control_path,
                                    .signal_fd = run->signal_fd,
                                    .deadline_ns = run->deadline_ns};
    if (r == 0 && run->config->num_processes > 0)
        r = own_start(run->config, run->bridge, &own, &run->own, ret_error);
    return r < 0 ? r : start_backends(run, ret_error);
}

void run_complain_poll(struct run *run, int status)
{
    struct trestle_activity last;
    trestle_sim_look(trestle_bridge_sim(run->bridge), &last);
    if (status == -EBADF && last.device[0])
        run_log(
            run, TRESTLE_LOG_ERROR,
            "cannot serve the devices: a model has closed descriptors that are not its own; the "
            "last was %s, in its %s()",
            last.device, last.callback_name);
    else
        run_log(run, TRESTLE_LOG_ERROR, "cannot serve the devices: %s", error_text(status));
}

void run_abandon(struct run *run)
{
    own_stop(run->own);
    run_end_trace(run);
    trestle_bridge_remove_sockets(run->bridge);
    live_unlink(run->live);
    for (size_t i = 0; run->host_ends && i < run->config->num_devices; i++)
        backend_abandon(run->host_ends[i].backend);
    child_end_strays(0);
}

void run_finish(struct run *run)
{
    keeper_stop(&run->keeper);
    live_finish(run->live);
    run->live = NULL;
    own_stop(run->own);
    run->has_lost = own_has_lost(run->own);
    own_finish(run->own);
    run->own = NULL;
    if (run->bridge && run->signal_fd >= 0)
        trestle_bridge_unwatch(run->bridge, run->signal_fd);
    if (run->bridge) {
        child_end_strays(STRAYS_GRACE_MS);
        trestle_bridge_remove_sockets(run->bridge);
        watchdog_finish();
        run->has_lost |= trestle_bridge_remove_devices(run->bridge) < 0;
    }
    watchdog_watch(NULL);
    trestle_bridge_destroy(run->bridge);
    run->bridge = NULL;
    close_backends(run);
    watchdog_stop();
    if (run->signal_fd >= 0)
        close(run->signal_fd);
    run->signal_fd = -1;
}
