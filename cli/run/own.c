/* SPDX-License-Identifier: MIT */
/* Starts a process for each device with "process": "own", and restarts one that dies. */
#include "run/own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include "log.h"
#include "run/run.h"
#include "util.h"

#define STOP_GRACE_MS 2000
/* As much as a pipe holds: the statistics of one device are far less. */
#define REPORT_SIZE 65536
/* A model that dies at each access would be started for ever. One that served for a while before
 * it died is no such model. */
#define QUICK_DEATHS_MAX 10
#define QUICK_DEATH_NS NS_PER_S

struct own_process {
    struct own_processes *all;
    const struct config_device *device; /* NULL: the device is shared */
    int listen_fd;
    struct child child;
    int report_fd; /* a pipe: a newline once it serves, its statistics at its end; -1: none */
    unsigned restarts;
    unsigned quick_deaths; /* in a row */
    bool has_died;         /* some time, before it was to be stopped */
    uint64_t started_ns;
    struct trestle_device_stats stats; /* of all that have ended */
    char disturbance[64];              /* of all of them; empty: none */
    char run_hash[17];                 /* of the latest that has ended; empty: not known */
};

struct own_processes {
    struct trestle_bridge *bridge;
    int verbosity;
    const char *trace;
    bool run_hash;
    int64_t watchdog_ms;
    size_t count;
    struct own_process processes[];
};

/* --- start ----------------------------------------------------------------------------------- */

static void add_arguments(const struct own_process *process, struct strings *args)
{
    const struct config_device *device = process->device;
    strings_add(args, "trestle");
    strings_add(args, "device");
    strings_addf(args, "--listen-fd=%d", process->listen_fd);
    strings_addf(args, "--name=%s", device->name);
    if (device->pci)
        strings_add(args, "--pci");
    else
        strings_addf(args, "--base=0x%" PRIx64, device->base_addr);
    strings_addf(args, "--size=0x%" PRIx64, device->size);
    for (size_t i = 0; i < device->num_params; i++)
        strings_addf(args, "--param=%s=%s", device->params[i].key, device->params[i].value);
    for (int i = 0; i < process->all->verbosity; i++)
        strings_add(args, "-v");
    if (process->all->trace && process->restarts == 0)
        strings_addf(args, "--trace=%s.%s", process->all->trace, device->name);
    else if (process->all->trace)
        strings_addf(args, "--trace=%s.%s.%u", process->all->trace, device->name,
                     process->restarts);
    if (process->all->run_hash)
        strings_add(args, "--hash");
    strings_addf(args, "--watchdog=%d", (int)process->all->watchdog_ms);
    strings_add(args, "--stats=-");
    strings_add(args, device->model_name);
}

static void on_end(void *ctx);
static void finish(struct own_process *process, int grace_ms);

static int start(struct own_process *process, char **ret_error)
{
    struct strings args = {0};
    int report[2] = {-1, -1}, null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int status = null_fd < 0 || pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
    process->report_fd = report[0];
    add_arguments(process, &args);
    const struct child_options options = {.path = "/proc/self/exe",
                                          .argv = args.items,
                                          .stdio_fds = {null_fd, report[1]},
                                          .kept_fd = process->listen_fd,
                                          /* Ctrl-C is for the run, which ends its devices after
                                           * the guest. */
                                          .has_own_group = true};
    if (status == 0)
        status = child_start(&options, &process->child);
    if (status == 0)
        status = trestle_bridge_watch(process->all->bridge, process->child.fd, on_end, process);
    process->started_ns = clock_ns();
    if (status < 0)
        *ret_error = xformat("trestle: %s: cannot start a process for it: %s",
                             process->device->name, error_text(status));
    strings_finish(&args);
    if (null_fd >= 0)
        close(null_fd);
    if (report[1] >= 0)
        close(report[1]);
    return status;
}

/* How it ended: "signal 11", "exit code 2"; malloc'd. */
static char *describe_end(const struct own_process *process)
{
    int code = child_exit_code(&process->child);
    return WIFSIGNALED(process->child.wait_status) ? xformat("signal %d", code - 128)
                                                   : xformat("exit code %d", code);
}

/* Until it serves. A signal ends the wait: the run is over before it began. */
static int await_ready(struct own_process *process, const struct config *config, int signal_fd,
                       char **ret_error)
{
    struct pollfd fds[] = {{.fd = process->report_fd, .events = POLLIN},
                           {.fd = signal_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    if (fds[0].revents & POLLIN || !fds[0].revents)
        return 0;
    finish(process, -1);
    char *how = describe_end(process);
    *ret_error = config_complain_device(config, (size_t)(process - process->all->processes), NULL,
                                        "its process ended with %s before it served", how);
    free(how);
    return -EINVAL;
}

/* --- end ------------------------------------------------------------------------------------- */

static uint64_t count_of(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A process that was killed has printed nothing: what it served is not known. */
static void take_stats(struct own_process *process)
{
    char text[REPORT_SIZE];
    ssize_t size = read(process->report_fd, text, sizeof(text));
    json_t *root = json_loadb(text, size > 0 ? (size_t)size : 0, 0, NULL);
    const json_t *device = json_array_get(json_object_get(root, "devices"), 0);
    const json_t *latency = json_object_get(device, "latency_ns");
    struct trestle_device_stats *stats = &process->stats;
    stats->reads += count_of(device, "reads");
    stats->writes += count_of(device, "writes");
    stats->bytes += count_of(device, "bytes");
    stats->errors += count_of(device, "errors");
    /* Of the process that saw the most, roughly: percentiles do not add up. */
    stats->latency_p50_ns = larger(stats->latency_p50_ns, count_of(latency, "p50"));
    stats->latency_p99_ns = larger(stats->latency_p99_ns, count_of(latency, "p99"));
    stats->latency_max_ns = larger(stats->latency_max_ns, count_of(latency, "max"));
    const char *run_hash = json_string_value(json_object_get(root, "run_hash"));
    snprintf(process->run_hash, sizeof(process->run_hash), "%s", run_hash ? run_hash : "");
    const char *disturbance = json_string_value(json_object_get(root, "disturbance"));
    if (disturbance)
        snprintf(process->disturbance, sizeof(process->disturbance), "%s", disturbance);
    json_decref(root);
}

/* Ends it within grace_ms, if it has not ended by itself. */
static void finish(struct own_process *process, int grace_ms)
{
    trestle_bridge_unwatch(process->all->bridge, process->child.fd);
    child_stop(&process->child, grace_ms);
    child_finish(&process->child);
    take_stats(process);
    close(process->report_fd);
    process->report_fd = -1;
}

static bool may_restart(struct own_process *process)
{
    const char *restart = process->device->restart;
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
    log_line("trestle: warning: %s: its process %d ended with %s; %s", process->device->name, pid,
             how, restarts ? "another one is started" : "it is not started again");
    free(how);
    if (!restarts)
        return;
    char *error = NULL;
    process->restarts++;
    if (start(process, &error) < 0)
        log_line("%s", error);
    free(error);
}

void own_stop(struct own_processes *own)
{
    for (size_t i = 0; own && i < own->count; i++)
        child_ask_to_end(&own->processes[i].child);
    for (size_t i = 0; own && i < own->count; i++)
        if (own->processes[i].child.pid > 0)
            finish(&own->processes[i], STOP_GRACE_MS);
}

void own_finish(struct own_processes *own)
{
    own_stop(own);
    for (size_t i = 0; own && i < own->count; i++)
        if (own->processes[i].report_fd >= 0)
            close(own->processes[i].report_fd);
    free(own);
}

int own_start(const struct config *config, struct trestle_bridge *bridge, int verbosity,
              const char *trace, int signal_fd, struct own_processes **ret_own, char **ret_error)
{
    struct own_processes *own =
        xcalloc(1, sizeof(*own) + config->num_devices * sizeof(own->processes[0]));
    int status = 0;
    own->bridge = bridge;
    own->verbosity = verbosity;
    own->trace = trace;
    own->run_hash = config->icount >= 0;
    own->watchdog_ms = config->watchdog_ms;
    own->count = config->num_devices;
    for (size_t i = 0; i < own->count; i++)
        own->processes[i] = (struct own_process){.all = own, .child = CHILD_NONE, .report_fd = -1};
    for (size_t i = 0; i < own->count && status == 0; i++) {
        struct own_process *process = &own->processes[i];
        if (!config->devices[i].own_process)
            continue;
        process->device = &config->devices[i];
        process->listen_fd = trestle_bridge_listen_fd(bridge, (uint32_t)i);
        status = start(process, ret_error);
    }
    for (size_t i = 0; i < own->count && status == 0; i++)
        if (own->processes[i].device)
            status = await_ready(&own->processes[i], config, signal_fd, ret_error);
    if (status < 0)
        own_finish(own);
    else
        *ret_own = own;
    return status;
}

bool own_stats(const struct own_processes *own, size_t index,
               struct trestle_device_stats *ret_stats, unsigned *ret_restarts)
{
    if (!own || !own->processes[index].device)
        return false;
    const struct own_process *process = &own->processes[index];
    *ret_stats = process->stats;
    ret_stats->name = process->device->name;
    ret_stats->base_addr = process->device->base_addr;
    *ret_restarts = process->restarts;
    return true;
}

pid_t own_pid(const struct own_processes *own, size_t index)
{
    return own ? own->processes[index].child.pid : -1;
}

bool own_signal(const struct own_processes *own, size_t index, int number)
{
    if (own_pid(own, index) <= 0)
        return false;
    child_signal(&own->processes[index].child, number);
    return true;
}

const char *own_disturbance(const struct own_processes *own, size_t index)
{
    return own && own->processes[index].disturbance[0] ? own->processes[index].disturbance : NULL;
}

bool own_has_died(const struct own_processes *own, size_t index)
{
    return own && own->processes[index].has_died;
}

const char *own_run_hash(const struct own_processes *own, size_t index)
{
    const struct own_process *process = own ? &own->processes[index] : NULL;
    return process && !process->has_died && process->run_hash[0] ? process->run_hash : NULL;
}
