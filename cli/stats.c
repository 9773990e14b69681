/* SPDX-License-Identifier: MIT */
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    bool was_used = stats->reads + stats->writes + stats->errors > 0;
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
        if (was_used)
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

/* The document as text with a newline at its end; malloc'd. */
static char *document(const struct trestle_bridge *bridge, const struct stats_qemu *qemu)
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
    char *json = json_dumps(root, JSON_INDENT(2)), *text = xformat("%s\n", json ? json : "");
    free(json);
    json_decref(root);
    return text;
}

static int write_all(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = write(fd, text, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        text += written;
        left -= (size_t)written;
    }
    return 0;
}

/* What must not be replaced by a file: a pipe, a terminal, /dev/null. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    char *directory = xstrdup(path);
    directory[slash == path ? 1 : slash - path] = '\0';
    return directory;
}

/* A symbolic link stays, and the file behind it is replaced. */
static char *target_of(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : xstrdup(path);
}

int stats_check_path(const char *path, char **ret_error)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return 0;
    char *target = target_of(path), *directory = directory_of(target);
    const char *reason = NULL;
    if (stat(target, &st) == 0 && S_ISDIR(st.st_mode))
        reason = "it is a directory";
    else if (is_special(target) && access(target, W_OK) < 0)
        reason = strerror(errno);
    else if (!is_special(target) && access(directory, W_OK | X_OK) < 0)
        reason = strerror(errno);
    if (reason)
        *ret_error = xformat("trestle: cannot write --stats %s: %s; name a file in a directory "
                             "that can be written, or -",
                             path, reason);
    free(target);
    free(directory);
    return reason ? -EINVAL : 0;
}

static int replace_file(const char *target, const char *text)
{
    char *temporary = xformat("%s.XXXXXX", target);
    int fd = mkostemp(temporary, O_CLOEXEC), status;
    if (fd < 0) {
        status = -errno;
        free(temporary);
        return status;
    }
    mode_t mask = umask(0);
    umask(mask);
    status = write_all(fd, text);
    if (fchmod(fd, 0666 & ~mask) < 0 && status == 0)
        status = -errno;
    if (close(fd) < 0 && status == 0)
        status = -errno;
    if (status == 0 && rename(temporary, target) < 0)
        status = -errno;
    if (status < 0)
        unlink(temporary);
    free(temporary);
    return status;
}

static int write_in_place(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = write_all(fd, text);
    close(fd);
    return status;
}

int stats_write(const struct trestle_bridge *bridge, const struct stats_qemu *qemu,
                const char *path, char **ret_error)
{
    char *text = document(bridge, qemu), *target = target_of(path);
    int status;
    if (strcmp(path, "-") == 0)
        status = write_all(STDOUT_FILENO, text);
    else
        status = is_special(target) ? write_in_place(target, text) : replace_file(target, text);
    if (status < 0)
        *ret_error = xformat("trestle: cannot write --stats %s: %s", path, strerror(-status));
    free(target);
    free(text);
    return status;
}
