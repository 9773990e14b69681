/* SPDX-License-Identifier: MIT */
/* Prints the statistics of a run as a table and as JSON. */
#include "run/stats.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "bridge/command.h"
#include "json_file.h"
#include "log.h"
#include "run/run.h"
#include "table.h"
#include "util.h"

/* --- what there is to say ----------------------------------------------------------------------
 */

/* Returns how often the device's own process was started again, or -1 for a shared device. */
static int device_stats(const struct trestle_bridge *bridge, const struct own_processes *own,
                        uint32_t index, struct trestle_device_stats *ret_stats)
{
    unsigned restarts;
    if (own_stats(own, index, ret_stats, &restarts))
        return (int)restarts;
    trestle_bridge_stats(bridge, index, ret_stats);
    return -1;
}

/* Percentiles of several processes do not add up: with own processes, those of the total are left
 * out. */
static void total_stats(const struct trestle_bridge *bridge, const struct own_processes *own,
                        struct trestle_device_stats *ret_stats)
{
    struct trestle_device_stats stats;
    trestle_bridge_stats(bridge, TRESTLE_BRIDGE_TOTAL, ret_stats);
    for (uint32_t i = 0; i < trestle_bridge_num_devices(bridge); i++) {
        unsigned restarts;
        if (!own_stats(own, i, &stats, &restarts))
            continue;
        ret_stats->reads += stats.reads;
        ret_stats->writes += stats.writes;
        ret_stats->bytes += stats.bytes;
        ret_stats->errors += stats.errors;
        if (stats.latency_max_ns > ret_stats->latency_max_ns)
            ret_stats->latency_max_ns = stats.latency_max_ns;
        ret_stats->latency_p50_ns = ret_stats->latency_p99_ns = 0;
    }
}

/* --- for people ------------------------------------------------------------------------------ */

static void add_time(struct table *table, uint64_t ns)
{
    if (ns < 1000)
        table_addf(table, "%" PRIu64 " ns", ns);
    else if (ns < 1000 * 1000)
        table_addf(table, "%.1f us", (double)ns / 1e3);
    else
        table_addf(table, "%.1f ms", (double)ns / 1e6);
}

/* Its process counts, and says so at its end. */
static void add_running(struct table *table, const struct config_device *device)
{
    char *place = config_place_text(device);
    table_addf(table, "%s", device->name);
    table_addf(table, "%s", place);
    free(place);
    for (size_t i = 0; i < 7; i++)
        table_addf(table, "-");
}

static void add_row(struct table *table, const struct trestle_device_stats *stats, bool is_total)
{
    uint64_t times[] = {stats->latency_p50_ns, stats->latency_p99_ns, stats->latency_max_ns};
    table_addf(table, "%s", stats->name);
    if (is_total || stats->base_addr == TRESTLE_NO_BASE)
        table_addf(table, "%s", is_total ? "" : "pci");
    else
        table_addf(table, "0x%08" PRIx64, stats->base_addr);
    table_addf(table, "%" PRIu64, stats->reads);
    table_addf(table, "%" PRIu64, stats->writes);
    table_addf(table, "%" PRIu64, stats->bytes);
    table_addf(table, "%" PRIu64, stats->errors);
    for (size_t i = 0; i < 3; i++) {
        if (times[i] > 0)
            add_time(table, times[i]);
        else
            table_addf(table, "-");
    }
}

static uint64_t requests_of(const struct trestle_device_stats *stats)
{
    return stats->reads + stats->writes + stats->errors;
}

/* Why two runs like this one are not the same, or NULL. */
static const char *why_not_repeatable(const struct run *run, const struct stats_qemu *qemu)
{
    uint64_t hash;
    bool has_times = true;
    if (run->config->icount < 0)
        return "without machine.icount the guest's time follows the host's clock";
    if (qemu->was_stopped)
        return "it was stopped at a moment that the host chose";
    /* First: what somebody asks a device before the guest is there has no guest time, either. */
    if (trestle_bridge_disturbance(run->bridge))
        return trestle_bridge_disturbance(run->bridge);
    if (trestle_bridge_run_hash(run->bridge, &hash, &has_times) && !has_times)
        return "protocol 1 carries no guest time";
    for (uint32_t i = 0; i < trestle_bridge_num_devices(run->bridge); i++) {
        const struct config_device *device = &run->config->devices[i];
        if (own_disturbance(run->own, i))
            return own_disturbance(run->own, i);
        if (own_has_died(run->own, i))
            return "the process of a device ended early";
        if (device->process && device->protocol == 1)
            return "protocol 1 carries no guest time";
    }
    return NULL;
}

/* The run's own hash as text, or NULL. */
static const char *find_hash(const struct run *run, char digits[17])
{
    uint64_t hash;
    bool has_times;
    if (run->config->is_all_inline)
        return own_run_hash(run->own, run->config->processes[0]);
    if (!trestle_bridge_run_hash(run->bridge, &hash, &has_times))
        return NULL;
    snprintf(digits, 17, "%016" PRIx64, hash);
    return digits;
}

/* If somebody else has started QEMU, this run does not know whether QEMU repeats. */
static void print_hash(const struct run *run, const struct stats_qemu *qemu, FILE *file)
{
    char digits[17];
    const char *hash = find_hash(run, digits);
    const char *why = qemu->has_ended ? why_not_repeatable(run, qemu) : NULL;
    if (hash)
        fprintf(file, "run hash %s", hash);
    else if (why)
        fputs("no run hash", file);
    if ((hash || why) && qemu->has_ended)
        fprintf(file, "%s%s", why ? "; not repeatable: " : "; repeatable", why ? why : "");
    if (hash || why)
        fputc('\n', file);
    for (size_t i = 0; i < run->config->num_processes && !run->config->is_all_inline; i++) {
        const struct config_process *process = run->config->processes[i];
        const char *own = own_run_hash(run->own, process);
        const char *where = process->is_own ? "" : "the process ";
        if (own)
            fprintf(file, "run hash %s of %s%s%s%s\n", own, where, process->name,
                    process->is_own ? " in its own process" : "",
                    hash || why ? "" : "; repeatable");
    }
}

static void print_trace(const struct run *run, FILE *file)
{
    const struct trestle_bridge_trace_stats *trace = &run->trace;
    if (!run->trace_path)
        return;
    char *line = xformat("trace %s: %" PRIu64 " records, %" PRIu64 " bytes", run->trace_path,
                         trace->records, trace->bytes);
    replace_control_characters(line);
    fputs(line, file);
    free(line);
    if (trace->waited_ns > 0)
        fprintf(file, "; the run waited %.1f ms for it", (double)trace->waited_ns / 1e6);
    fputs(trace->is_whole ? "\n" : "; cut off by an error\n", file);
}

/* If there are more devices than fit a screen, shows those that were used most, unless -v asks for
 * all. */
enum { ROWS_MAX = 32, ROWS_SHOWN = 16 };

/* The least number of requests that gives a device a row. */
static uint64_t least_shown(const struct run *run, uint32_t count)
{
    uint64_t most[ROWS_SHOWN] = {0}; /* falling */
    struct trestle_device_stats stats;
    if (count <= ROWS_MAX || run->verbosity > 0)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        if (own_pid(run->own, i) > 0)
            continue;
        device_stats(run->bridge, run->own, i, &stats);
        uint64_t requests = requests_of(&stats);
        for (size_t j = 0; j < ROWS_SHOWN; j++) {
            uint64_t other = most[j];
            if (requests <= other)
                continue;
            most[j] = requests;
            requests = other;
        }
    }
    return most[ROWS_SHOWN - 1] ? most[ROWS_SHOWN - 1] : 1;
}

static void add_devices(const struct run *run, struct table *table, uint32_t count)
{
    uint64_t least = least_shown(run, count);
    uint32_t shown = 0, limit = least ? ROWS_SHOWN : count;
    struct trestle_device_stats stats;
    for (uint32_t i = 0; i < count && shown < limit; i++) {
        bool is_running = own_pid(run->own, i) > 0;
        if (!is_running)
            device_stats(run->bridge, run->own, i, &stats);
        if (!is_running && requests_of(&stats) < least)
            continue;
        if (is_running)
            add_running(table, &run->config->devices[i]);
        else
            add_row(table, &stats, false);
        shown++;
    }
    if (shown < count)
        table_addf(table, "%u more; -v and --stats show all", count - shown);
    for (size_t i = 1; shown < count && table->titles[i]; i++)
        table_addf(table, "%s", "");
}

void stats_print_table(const struct run *run, FILE *file)
{
    static const char *const titles[] = {"device",  "base", ">reads", ">writes", ">bytes",
                                         ">errors", ">p50", ">p99",   ">max",    NULL};
    struct table table = {.titles = titles};
    struct trestle_device_stats stats;
    uint32_t count = trestle_bridge_num_devices(run->bridge);
    add_devices(run, &table, count);
    if (count > 1) {
        total_stats(run->bridge, run->own, &stats);
        add_row(&table, &stats, true);
    }
    table_print(&table, file);
    table_finish(&table);
}

void stats_print(const struct run *run, const struct stats_qemu *qemu)
{
    struct printed printed;
    printed_begin(&printed);
    stats_print_table(run, printed.file);
    print_hash(run, qemu, printed.file);
    print_trace(run, printed.file);
    char *text = printed_end(&printed);
    log_text(text);
    free(text);
}

/* --- for programs ---------------------------------------------------------------------------- */

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *counts(const struct trestle_device_stats *stats)
{
    json_t *latency = json_object(), *object = json_object();
    json_object_set_new(latency, "p50", number(stats->latency_p50_ns));
    json_object_set_new(latency, "p99", number(stats->latency_p99_ns));
    json_object_set_new(latency, "max", number(stats->latency_max_ns));
    json_object_set_new(object, "reads", number(stats->reads));
    json_object_set_new(object, "writes", number(stats->writes));
    json_object_set_new(object, "bytes", number(stats->bytes));
    json_object_set_new(object, "errors", number(stats->errors));
    json_object_set_new(object, "latency_ns", latency);
    return object;
}

static json_t *device_object(const struct trestle_device_stats *stats)
{
    char *base = xformat("0x%08" PRIx64, stats->base_addr);
    json_t *object = json_object(), *rest = counts(stats);
    json_object_set_new(object, "name", json_string(stats->name));
    bool is_pci = stats->base_addr == TRESTLE_NO_BASE;
    json_object_set_new(object, "base_addr", is_pci ? json_null() : json_string(base));
    json_object_update(object, rest);
    json_decref(rest);
    free(base);
    return object;
}

static void add_hash(json_t *root, const struct run *run, const struct stats_qemu *qemu)
{
    char digits[17];
    const char *hash = find_hash(run, digits);
    json_t *text = hash ? json_string(hash) : json_null();
    json_object_set_new(root, "run_hash", text);
    json_object_set_new(root, "repeatable",
                        qemu->has_ended ? json_boolean(!why_not_repeatable(run, qemu))
                                        : json_null());
}

static void add_trace(json_t *root, const struct run *run)
{
    const struct trestle_bridge_trace_stats *trace = &run->trace;
    json_t *object = json_object();
    if (run->trace_path) {
        json_object_set_new(object, "records", number(trace->records));
        json_object_set_new(object, "bytes", number(trace->bytes));
        json_object_set_new(object, "waited_ns", number(trace->waited_ns));
        json_object_set_new(object, "whole", json_boolean(trace->is_whole));
        json_object_set(root, "trace", object);
    }
    json_decref(object);
}

static json_t *document(const struct run *run, const struct stats_qemu *qemu)
{
    struct trestle_device_stats stats;
    json_t *root = json_object(), *devices = json_array(), *process = json_object();
    for (uint32_t i = 0; i < trestle_bridge_num_devices(run->bridge); i++) {
        int restarts = device_stats(run->bridge, run->own, i, &stats);
        json_t *device = device_object(&stats);
        if (restarts >= 0) {
            const struct config_process *served_by = run->config->devices[i].process;
            const char *hash = own_run_hash(run->own, served_by);
            json_object_set_new(device, "process", json_string(served_by->name));
            json_object_set_new(device, "restarts", json_integer(restarts));
            json_object_set_new(device, "run_hash", hash ? json_string(hash) : json_null());
        }
        json_array_append_new(devices, device);
    }
    total_stats(run->bridge, run->own, &stats);
    json_object_set_new(process, "version",
                        qemu->version ? json_string(qemu->version) : json_null());
    json_object_set_new(process, "exit_code",
                        qemu->has_ended ? json_integer(qemu->exit_code) : json_null());
    json_object_set_new(root, "devices", devices);
    json_object_set_new(root, "totals", counts(&stats));
    add_hash(root, run, qemu);
    const char *disturbance = trestle_bridge_disturbance(run->bridge);
    json_object_set_new(root, "disturbance", disturbance ? json_string(disturbance) : json_null());
    add_trace(root, run);
    json_object_set_new(root, "qemu", process);
    return root;
}

int stats_write(const struct run *run, const struct stats_qemu *qemu, const char *path,
                char **ret_error)
{
    json_t *root = document(run, qemu);
    int r = json_file_write(root, "--stats", path, ret_error);
    json_decref(root);
    return r;
}
