/* SPDX-License-Identifier: MIT */
/* Starts the processes that serve devices for the run, and restarts those that die. */
#include "run/own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/handover.h"
#include "base/io.h"
#include "base/listener.h"
#include "bridge/command.h"
#include "log.h"
#include "run/host_end.h"
#include "run/run.h"
#include "util.h"

#define STOP_GRACE_MS 2000
/* Trestle's own ends by itself, whatever its models do. */
#define OWN_GRACE_MS 5000
/* While a new process begins and the old one ends, the devices of the run's own process wait. The
 * wait is shorter than the usual time-out of an access. */
#define RELOAD_START_MS 700
#define RELOAD_STOP_MS 200
/* How much a process may report. With many devices this is more than a pipe usually holds. */
#define REPORT_SIZE(devices) (65536 + 192 * (devices))
/* Without a limit, a process that dies at each access would be restarted for ever. A death after a
 * while of service does not count. */
#define QUICK_DEATHS_MAX 10
#define QUICK_DEATH_NS NS_PER_S

struct own_process {
    struct own_processes *all;
    const struct config_process *configured;
    struct child child;
    struct listener control; /* for commands; without a process nobody listens there */
    int given_fd;            /* a pipe: what it serves; its end asks the process to end; -1: none */
    int report_fd;           /* a pipe: what it says; -1: none */
    /* Inside QEMU: what that inherits, the last two being its ends of the pipes. NULL: none. */
    int *fds;
    size_t num_fds;
    struct trestle_bridge_trace_stats trace_stats;
    char *said; /* so far; NULL: nothing */
    size_t num_said;
    unsigned restarts;
    unsigned quick_deaths; /* in a row */
    bool has_died;         /* some time, before it was to be stopped */
    bool is_no_program;    /* its command could not be run, and `error` names the configuration */
    bool is_silent;        /* it served, and ended without saying what */
    bool has_lost;         /* a model, or the process, has failed at its end, which was said */
    uint64_t started_ns;
    struct trestle_device_stats *stats; /* of all that have ended, device by device */
    char disturbance[64];               /* of all of them; empty: none */
    char run_hash[17];                  /* of the latest that has ended; empty: not known */
    char *failure;                      /* what that gave as its reason, or NULL */
};

struct own_processes {
    const struct config *config;
    struct trestle_bridge *bridge;
    struct own_options options;
    bool without_shm; /* there is none, which was said */
    bool has_started; /* all processes have served */
    size_t count;
    struct own_process processes[];
};

/* --- start ----------------------------------------------------------------------------------- */

static const struct config_device *device_of(const struct own_process *process, size_t *at)
{
    const struct config *config = process->all->config;
    while (*at < config->num_devices && config->devices[*at].process != process->configured)
        ++*at;
    return *at < config->num_devices ? &config->devices[*at] : NULL;
}

static size_t first_device(const struct own_process *process)
{
    size_t at = 0;
    (void)device_of(process, &at);
    return at;
}

static void describe_device(const struct own_process *process, size_t at,
                            const struct config_device *device, struct handover_device *given)
{
    *given = (struct handover_device){
        .name = (char *)device->name,
        .model = (char *)(device->is_served_by_command ? NULL : device->model_name),
        .base_addr = device->base_addr,
        .size = device->size,
        .is_pci = device->pci,
        .listen_fd = trestle_bridge_listen_fd(process->all->bridge, (uint32_t)at),
        .num_params = device->num_params,
        .params = xcalloc(device->num_params, sizeof(*given->params))};
    for (size_t i = 0; i < device->num_params; i++)
        given->params[i] =
            (struct handover_param){(char *)device->params[i].key, (char *)device->params[i].value};
}

static void describe_links(const struct own_process *process, struct handover *given)
{
    const struct config *config = process->all->config;
    given->links = xcalloc(config->num_links, sizeof(*given->links));
    for (size_t i = 0; i < config->num_links; i++)
        if (config->links[i].process == process->configured)
            given->links[given->num_links++] =
                (struct handover_link){(char *)config->links[i].from, (char *)config->links[i].to,
                                       config->links[i].latency, config->links[i].bandwidth};
}

/* Descriptors that a process needs: of each device, and its own three. */
#define DEVICE_FDS_MAX (1 + BACKEND_FDS_MAX)
#define PROCESS_FDS_MAX(devices) ((devices)*DEVICE_FDS_MAX + 3)

/* What it serves, as bytes, and the descriptors that it needs for that. */
static int describe(const struct own_process *process, char **ret_bytes, size_t *ret_size, int *fds,
                    size_t *ret_num_fds)
{
    const struct own_processes *all = process->all;
    const char *name = process->configured->name;
    const struct config_device *device;
    size_t num_fds = 0;
    struct handover given = {.name = (char *)name,
                             .run_hash = all->config->icount >= 0,
                             .without_shm = all->without_shm,
                             .watchdog_ms = all->options.watchdog_ms,
                             .verbosity = all->options.verbosity};
    const char *trace = all->options.trace;
    if (trace && all->config->is_all_inline)
        given.trace = xstrdup(trace);
    else if (trace && process->restarts == 0)
        given.trace = xformat("%s.%s", trace, name);
    else if (trace)
        given.trace = xformat("%s.%s.%u", trace, name, process->restarts);
    if (process->control.fd >= 0)
        fds[num_fds++] = given.control_fd = process->control.fd;
    given.devices = xcalloc(process->configured->num_devices, sizeof(*given.devices));
    for (size_t at = 0; (device = device_of(process, &at)); at++) {
        describe_device(process, at, device, &given.devices[given.num_devices]);
        fds[num_fds++] = given.devices[given.num_devices].listen_fd;
        if (all->options.host_ends[at].backend)
            given.devices[given.num_devices].backend =
                backend_lend(all->options.host_ends[at].backend, fds, &num_fds);
        given.num_devices++;
    }
    describe_links(process, &given);
    int r = handover_write(&given, ret_bytes, ret_size);
    *ret_num_fds = num_fds;
    for (size_t i = 0; i < given.num_devices; i++) {
        free(given.devices[i].params);
        free(given.devices[i].backend);
    }
    free(given.devices);
    free(given.links);
    free(given.trace);
    return r;
}

static int widen(int fd, size_t size)
{
    return size <= 65536 || fcntl(fd, F_SETPIPE_SZ, (int)size) >= 0 ? 0 : -errno;
}

/* The run's ends wait for nothing; what there is to serve is in its pipe before anybody reads. */
static int open_pipes(struct own_process *process, const char *bytes, size_t size,
                      int ret_theirs[2])
{
    int given[2] = {-1, -1}, report[2] = {-1, -1};
    int r = pipe2(given, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0 ? -errno : 0;
    process->given_fd = given[1];
    process->report_fd = report[0];
    ret_theirs[0] = given[0];
    ret_theirs[1] = report[1];
    if (r == 0 &&
        (fcntl(given[1], F_SETFL, O_NONBLOCK) < 0 || fcntl(report[0], F_SETFL, O_NONBLOCK) < 0))
        r = -errno;
    if (r == 0)
        r = widen(given[1], size);
    if (r == 0)
        r = widen(report[0], REPORT_SIZE(process->configured->num_devices));
    return r < 0 ? r : io_write_all(given[1], bytes, size);
}

static void on_end(void *ctx);
static bool finish(struct own_process *process, int grace_ms);

/* The child has our environment and one variable more. One child starts at a time. */
static int start_child(struct own_process *process, const int theirs[2], const int *fds,
                       size_t num_fds, char **ret_program)
{
    const char *name = process->configured->name, **command = process->configured->command;
    struct strings own = {0}, env = {0};
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, HANDOVER_VARIABLE "=", strlen(HANDOVER_VARIABLE "=")) != 0)
            strings_add(&env, *variable);
    strings_addf(&env, HANDOVER_VARIABLE "=%d,%d", theirs[0], theirs[1]);
    strings_add(&own, "trestle");
    strings_add(&own, "device");
    strings_addf(&own, "--name=%s", name);
    if (log_shows_time())
        strings_add(&own, "--log-time");
    char *path = command ? find_program(command[0]) : xstrdup("/proc/self/exe");
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const struct child_options options = {.path = path,
                                          .argv = command ? (char *const *)command : own.items,
                                          .env = env.items,
                                          /* Standard output is for the guest's console. */
                                          .stdio_fds = {null_fd, STDERR_FILENO},
                                          .kept_fds = fds,
                                          .num_kept_fds = num_fds,
                                          /* Ctrl-C is for the run, which ends its devices after
                                           * the guest. */
                                          .has_own_group = true};
    int r = null_fd < 0 ? -errno : !path ? -ENOENT : child_start(&options, &process->child);
    if (null_fd >= 0)
        close(null_fd);
    *ret_program = path;
    strings_finish(&own);
    strings_finish(&env);
    return r;
}

/* Programs, and QEMU, take none. */
static bool takes_commands(const struct own_process *process)
{
    return !process->configured->command && !process->configured->is_inline;
}

static int listen_for_commands(struct own_process *process, char **ret_error)
{
    const char *control = process->all->options.control;
    if (!control || process->control.fd >= 0 || !takes_commands(process))
        return 0;
    char *path = xformat("%s.%s", control, process->configured->name), *error = NULL;
    int r = listener_open(&process->control, path, false, &error);
    if (r < 0)
        *ret_error = xformat("--control %s", error ? error : error_text(r));
    free(error);
    free(path);
    return r;
}

static int start(struct own_process *process, char **ret_error)
{
    size_t num_devices = process->configured->num_devices, size = 0, num_fds = 0;
    int *fds = xcalloc(PROCESS_FDS_MAX(num_devices), sizeof(*fds)), theirs[2] = {-1, -1};
    char *bytes = NULL, *program = NULL;
    int r = listen_for_commands(process, ret_error);
    if (r < 0) {
        free(fds);
        return r;
    }
    r = describe(process, &bytes, &size, fds, &num_fds);
    if (r == 0)
        r = open_pipes(process, bytes, size, theirs);
    fds[num_fds++] = theirs[0];
    fds[num_fds++] = theirs[1];
    if (r == 0 && process->configured->is_inline) {
        process->fds = fds;
        process->num_fds = num_fds;
        free(bytes);
        return 0;
    }
    if (r == 0)
        r = start_child(process, theirs, fds, num_fds, &program);
    if (r == 0)
        r = trestle_bridge_watch(process->all->bridge, process->child.fd, on_end, process);
    process->started_ns = clock_ns();
    process->is_no_program = r < 0 && program && process->configured->command;
    if (process->is_no_program)
        *ret_error = config_complain_device(process->all->config, first_device(process), "process",
                                            "cannot run %s: %s; build it, or name another",
                                            process->configured->command[0], error_text(r));
    else if (r < 0)
        *ret_error = xformat("%s: cannot start a process for it: %s", process->configured->name,
                             error_text(r));
    for (int i = 0; i < 2; i++)
        if (theirs[i] >= 0)
            close(theirs[i]);
    free(program);
    free(bytes);
    free(fds);
    return r;
}

/* How it ended: "signal 11", "exit code 2 (why)"; malloc'd. */
static char *describe_end(const struct own_process *process)
{
    bool has_why = process->failure;
    int code = child_exit_code(&process->child);
    return WIFSIGNALED(process->child.wait_status)
               ? xformat("signal %d", code - 128)
               : xformat("exit code %d%s%s%s", code, has_why ? " (" : "",
                         has_why ? process->failure : "", has_why ? ")" : "");
}

/* Takes what the process has said since. */
static void listen_to(struct own_process *process)
{
    size_t limit = REPORT_SIZE(process->configured->num_devices);
    ssize_t n;
    if (!process->said)
        process->said = xcalloc(limit, 1);
    while (process->num_said < limit &&
           (n = read(process->report_fd, process->said + process->num_said,
                     limit - process->num_said)) != 0) {
        if (n > 0)
            process->num_said += (size_t)n;
        else if (errno != EINTR)
            break;
    }
}

/* Until it says something or ends, whoever else may still have its pipe; a signal or the deadline
 * ends the wait, since the run is over before it began. A program that knows nothing of the run
 * would have it wait for ever. */
static bool await_word(const struct own_process *process)
{
    const struct own_options *options = &process->all->options;
    struct pollfd fds[] = {{.fd = process->report_fd, .events = POLLIN},
                           {.fd = process->child.fd, .events = POLLIN},
                           {.fd = options->signal_fd, .events = POLLIN}};
    int64_t patience_ms = process->configured->command ? process->all->config->watchdog_ms : 0;
    uint64_t warn_ns =
        patience_ms > 0 ? clock_ns() + (uint64_t)patience_ms * NS_PER_MS : CLOCK_NEVER;
    int n = 0;
    while (n <= 0 && clock_ns() < options->deadline_ns) {
        uint64_t until_ns = warn_ns < options->deadline_ns ? warn_ns : options->deadline_ns;
        n = poll(fds, sizeof(fds) / sizeof(*fds), clock_ms_until(until_ns));
        if (n < 0 && errno != EINTR)
            return false;
        if (n == 0 && clock_ns() >= warn_ns) {
            log_line("trestle: warning: %s: %s has not begun to serve within %d ms; the run waits "
                     "for it",
                     process->configured->name, process->configured->command[0], (int)patience_ms);
            warn_ns = CLOCK_NEVER;
        }
    }
    return n > 0 && (fds[0].revents || fds[1].revents);
}

/* 0: it serves. -EINVAL: it does not, and has ended. */
static int judge(struct own_process *process, int grace_ms)
{
    struct handover_report report = {0};
    listen_to(process);
    int r = handover_read_report(process->said, process->num_said, &report);
    if (r == 0 && !report.serves) {
        r = -EINVAL;
        finish(process, grace_ms);
    }
    handover_finish_report(&report);
    return r;
}

static int await_ready(struct own_process *process, char **ret_error)
{
    if (!await_word(process))
        return 0;
    int r = judge(process, STOP_GRACE_MS);
    if (r != -EINVAL)
        return r;
    char *how = describe_end(process);
    size_t at = first_device(process);
    *ret_error = process->failure
                     ? config_complain_params(process->all->config, at, process->failure)
                     : config_complain_device(process->all->config, at, NULL,
                                              "its process ended with %s before it served%s", how,
                                              process->configured->command
                                                  ? "; it has to call trestle::serve(), or "
                                                    "trestle_process_serve() of trestle/process.h"
                                                  : "");
    free(how);
    return r;
}

/* --- end ------------------------------------------------------------------------------------- */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add_counts(struct trestle_device_stats *stats, const struct trestle_device_stats *more)
{
    stats->reads += more->reads;
    stats->writes += more->writes;
    stats->bytes += more->bytes;
    stats->errors += more->errors;
    /* Percentiles do not add up: takes those of the slowest process. */
    stats->latency_p50_ns = larger(stats->latency_p50_ns, more->latency_p50_ns);
    stats->latency_p99_ns = larger(stats->latency_p99_ns, more->latency_p99_ns);
    stats->latency_max_ns = larger(stats->latency_max_ns, more->latency_max_ns);
}

/* A process that was killed has said nothing: what it served is not known. */
static void take_report(struct own_process *process)
{
    struct handover_report report = {0};
    listen_to(process);
    (void)handover_read_report(process->said, process->num_said, &report);
    for (size_t i = 0; i < report.num_devices && i < process->configured->num_devices; i++)
        add_counts(&process->stats[i], &report.devices[i]);
    snprintf(process->run_hash, sizeof(process->run_hash), "%s",
             report.run_hash ? report.run_hash : "");
    if (report.disturbance)
        snprintf(process->disturbance, sizeof(process->disturbance), "%s", report.disturbance);
    process->trace_stats = report.trace;
    free(process->failure);
    process->failure = report.failure ? xstrdup(report.failure) : NULL;
    process->has_lost |= report.has_lost;
    process->is_silent = report.serves && report.num_devices == 0;
    handover_finish_report(&report);
}

static void close_pipes(struct own_process *process)
{
    int *fds[] = {&process->given_fd, &process->report_fd};
    for (size_t i = 0; i < 2; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
    free(process->said);
    process->said = NULL;
    process->num_said = 0;
}

/* By the end of what it was given; Trestle's own hears a signal even where a model does not
 * return. Another program may know nothing of signals, and lose what it has to say. */
static void ask_to_end(struct own_process *process)
{
    if (process->given_fd >= 0)
        close(process->given_fd);
    process->given_fd = -1;
    if (process->configured->is_inline)
        return; /* with QEMU */
    if (process->configured->command)
        child_signal(&process->child, SIGCONT);
    else
        child_ask_to_end(&process->child);
}

static bool is_ready_within(int fd, int timeout_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int n;
    while ((n = poll(&ready, 1, timeout_ms)) < 0 && errno == EINTR)
        ;
    return n > 0;
}

/* Ends it within grace_ms, if it has not ended by itself; it was asked to. False: it was killed. */
static bool finish(struct own_process *process, int grace_ms)
{
    trestle_bridge_unwatch(process->all->bridge, process->child.fd);
    bool has_ended = is_ready_within(process->child.fd, grace_ms);
    child_stop(&process->child, 0);
    child_finish(&process->child);
    take_report(process);
    close_pipes(process);
    return has_ended;
}

static bool may_restart(struct own_process *process)
{
    const char *restart = process->configured->restart;
    bool has_failed = child_exit_code(&process->child) != 0;
    bool is_quick = clock_ns() - process->started_ns < QUICK_DEATH_NS;
    process->quick_deaths = is_quick ? process->quick_deaths + 1 : 0;
    if (restart && strcmp(restart, "never") == 0)
        return false;
    if (!has_failed && !(restart && strcmp(restart, "always") == 0))
        return false;
    return process->quick_deaths <= QUICK_DEATHS_MAX;
}

static void on_end(void *ctx)
{
    struct own_process *process = ctx;
    int pid = (int)process->child.pid;
    finish(process, -1);
    bool restarts = may_restart(process);
    process->has_died = true;
    char *how = describe_end(process);
    log_line("trestle: warning: %s: its process %d ended with %s; %s", process->configured->name,
             pid, how, restarts ? "another one is started" : "it is not started again");
    free(how);
    if (!restarts) {
        listener_close(&process->control);
        return;
    }
    char *error = NULL;
    process->restarts++;
    if (start(process, &error) < 0)
        log_line("trestle: error: %s", error);
    free(error);
}

/* --- another one ----------------------------------------------------------------------------- */

/* Starts it, and waits until it serves. */
static int begin_anew(struct own_process *process, char **ret_error)
{
    int r = start(process, ret_error);
    if (r < 0)
        return r;
    if (!is_ready_within(process->report_fd, RELOAD_START_MS)) {
        finish(process, 0);
        *ret_error = xformat("a new process did not serve within %d ms", RELOAD_START_MS);
        return -ETIME;
    }
    r = judge(process, RELOAD_STOP_MS);
    if (r < 0 && process->failure) {
        *ret_error = xstrdup(process->failure);
    } else if (r < 0) {
        char *how = describe_end(process);
        *ret_error = xformat("a new process ended with %s before it served", how);
        free(how);
    }
    return r;
}

static struct own_process *find(struct own_processes *own, size_t index)
{
    size_t i = 0;
    while (own && i < own->count &&
           own->processes[i].configured != own->config->devices[index].process)
        i++;
    return own && i < own->count ? &own->processes[i] : NULL;
}

int own_reload(struct own_processes *own, size_t index, char **ret_error)
{
    struct own_process *process = find(own, index);
    if (!process || process->configured->is_inline)
        return -ENOTSUP;
    struct own_process old = *process;
    process->child = CHILD_NONE;
    process->given_fd = process->report_fd = -1;
    process->said = process->failure = NULL;
    process->num_said = 0;
    process->restarts++;
    int r = begin_anew(process, ret_error);
    if (r < 0) {
        close_pipes(process);
        free(process->failure);
        old.control = process->control;
        *process = old;
        if (process->child.pid <= 0)
            listener_close(&process->control);
        return r;
    }
    if (old.child.pid > 0) {
        ask_to_end(&old);
        finish(&old, RELOAD_STOP_MS);
        memcpy(process->disturbance, old.disturbance, sizeof(process->disturbance));
    }
    free(old.failure);
    process->has_died = true;
    process->quick_deaths = 0;
    log_line("trestle: %s: reloaded; its process is %d now", process->configured->name,
             (int)process->child.pid);
    return 0;
}

void own_launched(struct own_processes *own)
{
    for (size_t i = 0; own && i < own->count; i++) {
        struct own_process *process = &own->processes[i];
        if (!process->fds)
            continue;
        close(process->fds[process->num_fds - 2]);
        close(process->fds[process->num_fds - 1]);
        free(process->fds);
        process->fds = NULL;
    }
}

/* QEMU has ended. */
static void end_inline(struct own_process *process)
{
    take_report(process);
    if (process->failure)
        log_line("trestle: error: %s", process->failure);
    close_pipes(process);
}

/* At the end of the run. A program of the user's may go on after it has served, and fail. */
static void finish_last(struct own_process *process)
{
    int grace_ms = process->configured->command ? STOP_GRACE_MS : OWN_GRACE_MS;
    bool has_ended = finish(process, grace_ms);
    if (!process->all->has_started)
        return;
    if (!has_ended) {
        log_line("trestle: warning: %s: its process did not end within %d ms of the run, and was "
                 "killed",
                 process->configured->name, grace_ms);
    } else if (process->configured->command && child_exit_code(&process->child) != 0) {
        char *how = describe_end(process);
        log_line("trestle: error: %s: its process ended with %s after the run",
                 process->configured->name, how);
        free(how);
        process->has_lost = true;
    }
}

void own_announce_end(struct own_processes *own)
{
    for (size_t i = 0; own && i < own->count; i++)
        if (own->processes[i].configured->is_inline)
            ask_to_end(&own->processes[i]);
}

void own_stop(struct own_processes *own)
{
    for (size_t i = 0; own && i < own->count; i++)
        ask_to_end(&own->processes[i]);
    for (size_t i = 0; own && i < own->count; i++)
        listener_unlink(&own->processes[i].control);
    for (size_t i = 0; own && i < own->count; i++)
        if (own->processes[i].child.pid > 0)
            finish_last(&own->processes[i]);
        else if (own->processes[i].configured->is_inline && own->processes[i].report_fd >= 0)
            end_inline(&own->processes[i]);
}

void own_finish(struct own_processes *own)
{
    own_stop(own);
    own_launched(own);
    for (size_t i = 0; own && i < own->count; i++) {
        close_pipes(&own->processes[i]);
        listener_close(&own->processes[i].control);
        free(own->processes[i].failure);
        free(own->processes[i].stats);
    }
    free(own);
}

/* Some process outside QEMU would. */
static bool uses_shm(const struct config *config)
{
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_device *device = &config->devices[i];
        bool is_socket = device->carrier && strcmp(device->carrier, "socket") == 0;
        if (device->process && !device->is_inline && device->protocol != 1 && !is_socket)
            return true;
    }
    return false;
}

int own_start(const struct config *config, struct trestle_bridge *bridge,
              const struct own_options *options, struct own_processes **ret_own, char **ret_error)
{
    size_t count = config->num_processes;
    struct own_processes *own = xcalloc(1, sizeof(*own) + count * sizeof(own->processes[0]));
    char *error = NULL;
    int r = 0;
    *own =
        (struct own_processes){.config = config,
                               .bridge = bridge,
                               .options = *options,
                               .without_shm = uses_shm(config) && !trestle_bridge_try_shm(bridge),
                               .count = count};
    for (size_t i = 0; i < count; i++) {
        const struct config_process *configured = config->processes[i];
        own->processes[i] = (struct own_process){
            .all = own,
            .configured = configured,
            .child = CHILD_NONE,
            .control = LISTENER_NONE,
            .given_fd = -1,
            .report_fd = -1,
            .stats = xcalloc(configured->num_devices, sizeof(struct trestle_device_stats))};
    }
    for (size_t i = 0; i < count && r == 0; i++) {
        r = start(&own->processes[i], &error);
        if (error)
            *ret_error = xformat("%s%s", own->processes[i].is_no_program ? "" : "trestle: ", error);
    }
    free(error);
    for (size_t i = 0; i < count && r == 0; i++)
        if (!config->processes[i]->is_inline)
            r = await_ready(&own->processes[i], ret_error);
    own->has_started = r == 0;
    if (r < 0)
        own_finish(own);
    else
        *ret_own = own;
    return r;
}

/* --- what is known of them --------------------------------------------------------------------
 */

static const struct own_process *process_of(const struct own_processes *own,
                                            const struct config_process *configured)
{
    size_t i = 0;
    while (own && configured && i < own->count && own->processes[i].configured != configured)
        i++;
    return own && configured && i < own->count ? &own->processes[i] : NULL;
}

static const struct own_process *process_of_device(const struct own_processes *own, size_t index)
{
    return own ? process_of(own, own->config->devices[index].process) : NULL;
}

char *own_inline_argument(const struct own_processes *own, const char *module, const int **ret_fds,
                          size_t *ret_num_fds)
{
    for (size_t i = 0; own && i < own->count; i++) {
        const struct own_process *process = &own->processes[i];
        if (!process->fds)
            continue;
        *ret_fds = process->fds;
        *ret_num_fds = process->num_fds;
        return xformat("%d,%d:%s", process->fds[process->num_fds - 2],
                       process->fds[process->num_fds - 1], module);
    }
    return NULL;
}

char *own_silent_inline(const struct own_processes *own)
{
    struct strings names = {0};
    for (size_t i = 0; own && i < own->count; i++) {
        const struct own_process *process = &own->processes[i];
        if (!process->configured->is_inline || !process->is_silent)
            continue;
        const struct config_device *device;
        for (size_t at = 0; (device = device_of(process, &at)) != NULL; at++)
            strings_add(&names, device->name);
    }
    char *all = names.count ? strings_join(&names, ", ") : NULL;
    strings_finish(&names);
    return all;
}

bool own_has_lost(const struct own_processes *own)
{
    for (size_t i = 0; own && i < own->count; i++)
        if (own->processes[i].has_lost)
            return true;
    return false;
}

void own_inline_trace(const struct own_processes *own, struct trestle_bridge_trace_stats *ret_trace)
{
    for (size_t i = 0; own && i < own->count; i++)
        if (own->processes[i].configured->is_inline)
            *ret_trace = own->processes[i].trace_stats;
}

bool own_stats(const struct own_processes *own, size_t index,
               struct trestle_device_stats *ret_stats, unsigned *ret_restarts)
{
    const struct own_process *process = process_of_device(own, index);
    if (!process)
        return false;
    size_t place = 0;
    for (size_t i = 0; i < index; i++)
        place += own->config->devices[i].process == process->configured;
    *ret_stats = process->stats[place];
    ret_stats->name = own->config->devices[index].name;
    ret_stats->base_addr = own->config->devices[index].base_addr;
    *ret_restarts = process->restarts;
    return true;
}

pid_t own_pid(const struct own_processes *own, size_t index)
{
    const struct own_process *process = process_of_device(own, index);
    return process ? process->child.pid : -1;
}

const char *own_listens(const struct own_processes *own, size_t index)
{
    const struct own_process *process = process_of_device(own, index);
    return process && takes_commands(process) ? process->configured->name : NULL;
}

bool own_signal(const struct own_processes *own, size_t index, int number)
{
    const struct own_process *process = process_of_device(own, index);
    if (!process || process->child.pid <= 0)
        return false;
    child_signal(&process->child, number);
    return true;
}

const char *own_disturbance(const struct own_processes *own, size_t index)
{
    const struct own_process *process = process_of_device(own, index);
    return process && process->disturbance[0] ? process->disturbance : NULL;
}

bool own_has_died(const struct own_processes *own, size_t index)
{
    const struct own_process *process = process_of_device(own, index);
    return process && process->has_died;
}

const char *own_run_hash(const struct own_processes *own, const struct config_process *configured)
{
    const struct own_process *process = process_of(own, configured);
    return process && !process->has_died && process->run_hash[0] ? process->run_hash : NULL;
}
