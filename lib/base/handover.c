/* SPDX-License-Identifier: MIT */
/* Writes and reads what passes between a run and the processes that it starts for devices. */
#include "base/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/number.h"

/* As much as a pipe can hold for everybody: the run writes it before it starts the process. */
#define SIZE_LIMIT ((size_t)1 << 20)

/* --- fields -----------------------------------------------------------------------------------
 */

static void add(FILE *file, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(FILE *file, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(file, "%s=", key);
    vfprintf(file, format, args);
    fputc('\0', file);
    va_end(args);
}

/* The next whole field, or NULL. */
static const char *next_field(const char **at, const char *end)
{
    const char *field = *at, *last = memchr(field, '\0', (size_t)(end - field));
    if (!last)
        return NULL;
    *at = last + 1;
    return field;
}

/* The value, if the field has that key; NULL otherwise. */
static const char *value_of(const char *field, const char *key)
{
    size_t length = strlen(key);
    return strncmp(field, key, length) == 0 && field[length] == '=' ? field + length + 1 : NULL;
}

static int set_text(char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
    return *text ? 0 : -ENOMEM;
}

/* Room for one more; it is zeroed. */
static void *grow(void *list, size_t *count, size_t size)
{
    char **items = list;
    char *grown = reallocarray(*items, *count + 1, size);
    if (!grown)
        return NULL;
    *items = grown;
    return memset(grown + size * (*count)++, 0, size);
}

/* --- what there is to serve -------------------------------------------------------------------
 */

int handover_write(const struct handover *handover, char **ret_bytes, size_t *ret_size)
{
    FILE *file = open_memstream(ret_bytes, ret_size);
    if (!file)
        return -ENOMEM;
    add(file, "name", "%s", handover->name);
    if (handover->trace)
        add(file, "trace", "%s", handover->trace);
    add(file, "hash", "%d", handover->run_hash);
    add(file, "without-shm", "%d", handover->without_shm);
    add(file, "watchdog", "%" PRId64, handover->watchdog_ms);
    add(file, "verbosity", "%d", handover->verbosity);
    if (handover->control_fd)
        add(file, "control", "%d", handover->control_fd);
    for (size_t i = 0; i < handover->num_devices; i++) {
        const struct handover_device *device = &handover->devices[i];
        add(file, "device", "%s", device->name);
        if (device->model)
            add(file, "model", "%s", device->model);
        add(file, "base", "0x%" PRIx64, device->base_addr);
        add(file, "size", "0x%" PRIx64, device->size);
        add(file, "pci", "%d", device->is_pci);
        add(file, "listen", "%d", device->listen_fd);
        if (device->backend)
            add(file, "backend", "%s", device->backend);
        for (size_t j = 0; j < device->num_params; j++) {
            add(file, "param", "%s", device->params[j].key);
            add(file, "value", "%s", device->params[j].value);
        }
    }
    for (size_t i = 0; i < handover->num_links; i++) {
        const struct handover_link *link = &handover->links[i];
        add(file, "link", "%s", link->from);
        add(file, "to", "%s", link->to);
        add(file, "latency", "%" PRIu64, link->latency);
        add(file, "bandwidth", "%" PRIu64, link->bandwidth);
    }
    fputc('\0', file);
    return fclose(file) < 0 ? -ENOMEM : 0;
}

static int parse_number(const char *value, uint64_t max, uint64_t *ret_number)
{
    return number_parse(value, ret_number) && *ret_number <= max ? 0 : -EINVAL;
}

static int parse_device_field(struct handover_device *device, const char *field)
{
    const char *value;
    struct handover_param *param =
        device->num_params ? &device->params[device->num_params - 1] : NULL;
    uint64_t number;
    int r = 0;
    if ((value = value_of(field, "model")))
        return set_text(&device->model, value);
    if ((value = value_of(field, "backend")))
        return set_text(&device->backend, value);
    if ((value = value_of(field, "param"))) {
        param = grow(&device->params, &device->num_params, sizeof(*param));
        return param ? set_text(&param->key, value) : -ENOMEM;
    }
    if ((value = value_of(field, "value")))
        return param ? set_text(&param->value, value) : -EINVAL;
    if ((value = value_of(field, "base")))
        return parse_number(value, UINT64_MAX, &device->base_addr);
    if ((value = value_of(field, "size")))
        return parse_number(value, UINT64_MAX, &device->size);
    if ((value = value_of(field, "pci")) && (r = parse_number(value, 1, &number)) == 0)
        device->is_pci = number;
    else if ((value = value_of(field, "listen")) &&
             (r = parse_number(value, INT_MAX, &number)) == 0)
        device->listen_fd = (int)number;
    return r; /* what an older process does not know, it leaves out */
}

static int parse_link_field(struct handover_link *link, const char *field)
{
    const char *value;
    if ((value = value_of(field, "to")))
        return set_text(&link->to, value);
    if ((value = value_of(field, "latency")))
        return parse_number(value, UINT64_MAX, &link->latency);
    if ((value = value_of(field, "bandwidth")))
        return parse_number(value, UINT64_MAX, &link->bandwidth);
    return 0;
}

static int parse_field(struct handover *handover, const char *field)
{
    const char *value;
    uint64_t number;
    int r = 0;
    if ((value = value_of(field, "device"))) {
        struct handover_device *device =
            grow(&handover->devices, &handover->num_devices, sizeof(*device));
        return device ? set_text(&device->name, value) : -ENOMEM;
    }
    if ((value = value_of(field, "link"))) {
        struct handover_link *link = grow(&handover->links, &handover->num_links, sizeof(*link));
        return link ? set_text(&link->from, value) : -ENOMEM;
    }
    if (handover->num_links)
        return parse_link_field(&handover->links[handover->num_links - 1], field);
    if (handover->num_devices)
        return parse_device_field(&handover->devices[handover->num_devices - 1], field);
    if ((value = value_of(field, "name")))
        return set_text(&handover->name, value);
    if ((value = value_of(field, "trace")))
        return set_text(&handover->trace, value);
    if ((value = value_of(field, "hash")) && (r = parse_number(value, 1, &number)) == 0)
        handover->run_hash = number;
    else if ((value = value_of(field, "without-shm")) && (r = parse_number(value, 1, &number)) == 0)
        handover->without_shm = number;
    else if ((value = value_of(field, "watchdog")) &&
             (r = parse_number(value, INT64_MAX, &number)) == 0)
        handover->watchdog_ms = (int64_t)number;
    else if ((value = value_of(field, "verbosity")) &&
             (r = parse_number(value, INT_MAX, &number)) == 0)
        handover->verbosity = (int)number;
    else if ((value = value_of(field, "control")) &&
             (r = parse_number(value, INT_MAX, &number)) == 0)
        handover->control_fd = (int)number;
    return r;
}

static bool is_whole(const struct handover *handover)
{
    bool whole = handover->name && handover->num_devices > 0;
    for (size_t i = 0; i < handover->num_devices; i++) {
        const struct handover_device *device = &handover->devices[i];
        whole &= device->size > 0 && device->listen_fd >= 3;
        for (size_t j = 0; j < device->num_params; j++)
            whole &= device->params[j].value != NULL;
    }
    for (size_t i = 0; i < handover->num_links; i++)
        whole &= handover->links[i].to != NULL;
    return whole;
}

static int parse(const char *bytes, size_t size, struct handover **ret_handover)
{
    struct handover *handover = calloc(1, sizeof(*handover));
    const char *at = bytes, *field;
    int r = handover ? 0 : -ENOMEM;
    while (r == 0 && (field = next_field(&at, bytes + size)) && *field)
        r = parse_field(handover, field);
    if (r == 0 && !is_whole(handover))
        r = -EINVAL;
    if (r < 0)
        handover_free(handover);
    else
        *ret_handover = handover;
    return r;
}

/* Up to the empty field: what comes later is the end. */
static int read_fields(int fd, char *bytes, size_t *ret_size)
{
    size_t size = 0;
    while (size < 2 || bytes[size - 1] || bytes[size - 2]) {
        ssize_t n = read(fd, bytes + size, SIZE_LIMIT - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EINVAL;
        size += (size_t)n;
    }
    *ret_size = size;
    return 0;
}

int handover_take(const char *variable, int *ret_in_fd, int *ret_out_fd,
                  struct handover **ret_handover)
{
    int in_fd, out_fd, end = 0;
    if (sscanf(variable, "%d,%d%n", &in_fd, &out_fd, &end) != 2 || variable[end] || in_fd < 3 ||
        out_fd < 3)
        return -EINVAL;
    if (fcntl(in_fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(out_fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    size_t size = 0;
    char *bytes = malloc(SIZE_LIMIT);
    int r = bytes ? read_fields(in_fd, bytes, &size) : -ENOMEM;
    if (r == 0)
        r = parse(bytes, size, ret_handover);
    free(bytes);
    if (r < 0)
        return r;
    *ret_in_fd = in_fd;
    *ret_out_fd = out_fd;
    return 0;
}

void handover_free(struct handover *handover)
{
    for (size_t i = 0; handover && i < handover->num_devices; i++) {
        struct handover_device *device = &handover->devices[i];
        for (size_t j = 0; j < device->num_params; j++) {
            free(device->params[j].key);
            free(device->params[j].value);
        }
        free(device->params);
        free(device->name);
        free(device->model);
        free(device->backend);
    }
    for (size_t i = 0; handover && i < handover->num_links; i++) {
        free(handover->links[i].from);
        free(handover->links[i].to);
    }
    if (handover) {
        free(handover->devices);
        free(handover->links);
        free(handover->name);
        free(handover->trace);
    }
    free(handover);
}

/* --- what a process says ----------------------------------------------------------------------
 */

int handover_say(int out_fd, const char *key, const char *value)
{
    char *field;
    int length = asprintf(&field, "%s=%s", key, value);
    if (length < 0)
        return -ENOMEM;
    int r = io_write_all(out_fd, field, (size_t)length + 1);
    free(field);
    return r;
}

#define COUNTS(verb) "%" verb " %" verb " %" verb " %" verb " %" verb " %" verb " %" verb

int handover_say_counts(int out_fd, const struct trestle_device_stats *stats)
{
    char value[7 * 21];
    snprintf(value, sizeof(value), COUNTS(PRIu64), stats->reads, stats->writes, stats->bytes,
             stats->errors, stats->latency_p50_ns, stats->latency_p99_ns, stats->latency_max_ns);
    return handover_say(out_fd, "counts", value);
}

int handover_say_trace(int out_fd, const struct trestle_bridge_trace_stats *trace)
{
    char value[4 * 21];
    snprintf(value, sizeof(value), "%" PRIu64 " %" PRIu64 " %" PRIu64 " %d", trace->records,
             trace->bytes, trace->waited_ns, trace->is_whole);
    return handover_say(out_fd, "trace", value);
}

static int parse_trace(struct trestle_bridge_trace_stats *trace, const char *value)
{
    int is_whole = 0;
    sscanf(value, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %d", &trace->records, &trace->bytes,
           &trace->waited_ns, &is_whole);
    trace->is_whole = is_whole;
    return 0;
}

static int parse_counts(struct handover_report *report, const char *value)
{
    struct trestle_device_stats *stats =
        grow(&report->devices, &report->num_devices, sizeof(*stats));
    if (!stats)
        return -ENOMEM;
    sscanf(value, COUNTS(SCNu64), &stats->reads, &stats->writes, &stats->bytes, &stats->errors,
           &stats->latency_p50_ns, &stats->latency_p99_ns, &stats->latency_max_ns);
    return 0;
}

static int parse_report_field(struct handover_report *report, const char *field)
{
    const char *value;
    if (value_of(field, "serves"))
        report->serves = true;
    else if (value_of(field, "lost"))
        report->has_lost = true;
    else if ((value = value_of(field, "failure")))
        return set_text(&report->failure, value);
    else if ((value = value_of(field, "hash")))
        return set_text(&report->run_hash, value);
    else if ((value = value_of(field, "disturbance")))
        return set_text(&report->disturbance, value);
    else if ((value = value_of(field, "trace")))
        return parse_trace(&report->trace, value);
    else if ((value = value_of(field, "counts")))
        return parse_counts(report, value);
    return 0;
}

int handover_read_report(const char *bytes, size_t size, struct handover_report *ret_report)
{
    struct handover_report report = {0};
    const char *at = bytes, *field;
    int r = 0;
    while (r == 0 && (field = next_field(&at, bytes + size)))
        r = parse_report_field(&report, field);
    if (r < 0)
        handover_finish_report(&report);
    else
        *ret_report = report;
    return r;
}

void handover_finish_report(struct handover_report *report)
{
    free(report->failure);
    free(report->run_hash);
    free(report->disturbance);
    free(report->devices);
    *report = (struct handover_report){0};
}
