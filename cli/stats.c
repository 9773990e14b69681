/* SPDX-License-Identifier: MIT */
#include "stats.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "json_file.h"
#include "table.h"
#include "util.h"

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

static void add_row(struct table *table, const struct trestle_device_stats *stats, bool is_total)
{
    uint64_t times[] = {stats->latency_p50_ns, stats->latency_p99_ns, stats->latency_max_ns};
    table_addf(table, "%s", stats->name);
    if (is_total)
        table_addf(table, "%s", "");
    else
        table_addf(table, "0x%08" PRIx64, stats->base_addr);
    table_addf(table, "%" PRIu64, stats->reads);
    table_addf(table, "%" PRIu64, stats->writes);
    table_addf(table, "%" PRIu64, stats->bytes);
    table_addf(table, "%" PRIu64, stats->errors);
    for (size_t i = 0; i < 3; i++) {
        if (stats->latency_max_ns > 0)
            add_time(table, times[i]);
        else
            table_addf(table, "-");
    }
}

void stats_print(const struct trestle_bridge *bridge, FILE *file)
{
    static const char *const titles[] = {"device",  "base", ">reads", ">writes", ">bytes",
                                         ">errors", ">p50", ">p99",   ">max",    NULL};
    struct table table = {.titles = titles};
    struct trestle_device_stats stats;
    uint32_t count = trestle_bridge_num_devices(bridge);
    for (uint32_t i = 0; i < count; i++) {
        trestle_bridge_stats(bridge, i, &stats);
        add_row(&table, &stats, false);
    }
    if (count > 1) {
        trestle_bridge_totals(bridge, &stats);
        add_row(&table, &stats, true);
    }
    table_print(&table, file);
    table_finish(&table);
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
    json_object_set_new(object, "base_addr", json_string(base));
    json_object_update(object, rest);
    json_decref(rest);
    free(base);
    return object;
}

static json_t *document(const struct trestle_bridge *bridge, const struct stats_qemu *qemu)
{
    struct trestle_device_stats stats;
    json_t *root = json_object(), *devices = json_array(), *process = json_object();
    for (uint32_t i = 0; i < trestle_bridge_num_devices(bridge); i++) {
        trestle_bridge_stats(bridge, i, &stats);
        json_array_append_new(devices, device_object(&stats));
    }
    trestle_bridge_totals(bridge, &stats);
    json_object_set_new(process, "version",
                        qemu->version ? json_string(qemu->version) : json_null());
    json_object_set_new(process, "exit_code",
                        qemu->has_ended ? json_integer(qemu->exit_code) : json_null());
    json_object_set_new(root, "devices", devices);
    json_object_set_new(root, "totals", counts(&stats));
    json_object_set_new(root, "qemu", process);
    return root;
}

int stats_write(const struct trestle_bridge *bridge, const struct stats_qemu *qemu,
                const char *path, char **ret_error)
{
    json_t *root = document(bridge, qemu);
    int status = json_file_write(root, "--stats", path, ret_error);
    json_decref(root);
    return status;
}
