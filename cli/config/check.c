/* SPDX-License-Identifier: MIT */
/* Finds mistakes that only show when devices and links are compared with each other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/region.h"
#include "config/reader.h"
#include "sim/command.h"
#include "util.h"

enum {
    PORTS_MAX = 32,     /* of one model */
    DEVICES_MAX = 3072, /* with pages of 4 KiB */
};

static const struct json_place devices_place = {NULL, "devices", 0};
static const struct json_place links_place = {NULL, "links", 0};

static unsigned device_line(const struct config *config, size_t index)
{
    struct json_place device = {&devices_place, NULL, config->devices[index].item};
    return json_place_line(config->text, &device);
}

static int fail_device(struct config_reader *reader, size_t index, const char *key,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

static int fail_device(struct config_reader *reader, size_t index, const char *key,
                       const char *format, ...)
{
    struct json_place device = {&devices_place, NULL, reader->config->devices[index].item};
    struct json_place place = {&device, key, 0};
    va_list args;
    va_start(args, format);
    char *sentence = xvformat(format, args);
    va_end(args);
    int r = config_fail(reader, &place, "%s", sentence);
    free(sentence);
    return r;
}

/* Sorting finds what two devices have in common without comparing each with each. Devices that
 * compare equal keep the file's order. */
static int by_place(const struct config_device *a, const struct config_device *b)
{
    return (a > b) - (a < b);
}

static int by_name(const void *left, const void *right)
{
    const struct config_device *a = *(struct config_device *const *)left;
    const struct config_device *b = *(struct config_device *const *)right;
    int order = strcmp(a->name, b->name);
    return order ? order : by_place(a, b);
}

static int by_socket(const void *left, const void *right)
{
    const struct config_device *a = *(struct config_device *const *)left;
    const struct config_device *b = *(struct config_device *const *)right;
    int order = strcmp(a->socket ? a->socket : "", b->socket ? b->socket : "");
    return order ? order : by_place(a, b);
}

static int by_base(const void *left, const void *right)
{
    const struct config_device *a = *(struct config_device *const *)left;
    const struct config_device *b = *(struct config_device *const *)right;
    int order = (a->base_addr > b->base_addr) - (a->base_addr < b->base_addr);
    return order ? order : by_place(a, b);
}

static int check_pair_name(struct config_reader *reader, const struct config_device *first,
                           const struct config_device *second)
{
    const struct config *config = reader->config;
    size_t i = (size_t)(first - config->devices), j = (size_t)(second - config->devices);
    if (strcmp(first->name, second->name) != 0)
        return 0;
    return fail_device(reader, j, "name",
                       "\"%s\" is the name of devices[%zu] already, on line %u; choose another",
                       second->name, first->item, device_line(config, i));
}

static int check_pair_socket(struct config_reader *reader, const struct config_device *first,
                             const struct config_device *second)
{
    size_t j = (size_t)(second - reader->config->devices);
    if (!first->socket || !second->socket || strcmp(first->socket, second->socket) != 0)
        return 0;
    return fail_device(reader, j, "socket",
                       "%s is already the socket of %s; give each device its own", second->socket,
                       first->name);
}

static int check_pair_region(struct config_reader *reader, const struct config_device *first,
                             const struct config_device *second)
{
    const struct config *config = reader->config;
    if (!regions_overlap(first->base_addr, first->size, second->base_addr, second->size))
        return 0;
    if (second < first) { /* complain about the later one of the file */
        const struct config_device *other = first;
        first = second;
        second = other;
    }
    size_t i = (size_t)(first - config->devices), j = (size_t)(second - config->devices);
    return fail_device(
        reader, j, "base_addr",
        "%s (0x%llx to 0x%llx) overlaps %s (0x%llx to 0x%llx, line %u); move one of them",
        second->name, (unsigned long long)second->base_addr,
        (unsigned long long)region_last(second->base_addr, second->size), first->name,
        (unsigned long long)first->base_addr,
        (unsigned long long)region_last(first->base_addr, first->size), device_line(config, i));
}

static int by_pci(const void *left, const void *right)
{
    const struct config_device *a = *(struct config_device *const *)left;
    const struct config_device *b = *(struct config_device *const *)right;
    int order = config_order_pci(a, b);
    return order ? order : by_place(a, b);
}

static int check_pairs(struct config_reader *reader, int (*order)(const void *, const void *),
                       int (*check)(struct config_reader *, const struct config_device *,
                                    const struct config_device *))
{
    size_t count = reader->config->num_devices;
    struct config_device **sorted = xcalloc(count, sizeof(struct config_device *));
    for (size_t i = 0; i < count; i++)
        sorted[i] = &reader->config->devices[i];
    qsort(sorted, count, sizeof(*sorted), order);
    int r = 0;
    for (size_t i = 1; i < count && r == 0; i++)
        r = check(reader, sorted[i - 1], sorted[i]);
    free(sorted);
    return r;
}

static int fail_device_of_link(struct config_reader *reader, const struct json_place *where,
                               const char *name)
{
    const struct config *config = reader->config;
    struct strings names = {0};
    for (size_t i = 0; i < config->num_devices; i++)
        strings_add(&names, config->devices[i].name);
    char *help = names.count <= 8 || suggest(name, names.items)
                     ? suggest_or_list(name, &names, "the devices are")
                     : xstrdup("; write \"device.port\" with the name of a device");
    int r = config_fail(reader, where, "there is no device \"%s\"%s", name, help);
    free(help);
    strings_finish(&names);
    return r;
}

static int fail_port_of_link(struct config_reader *reader, const struct json_place *where,
                             const struct config_device *device, const char *port)
{
    uint32_t ports = device->model->peer_ports;
    if (ports == 0)
        return config_fail(reader, where, "the model %s has no ports; remove the link",
                           device->model->name);
    struct strings names = {0};
    if (ports == 1)
        strings_add(&names, "peer");
    for (uint32_t i = 0; ports > 1 && i < ports; i++)
        strings_addf(&names, "peer%u", i);
    char *all = strings_join(&names, ", ");
    int r = config_fail(reader, where, "the model %s has no port \"%s\"; its %s %s",
                        device->model->name, port, ports == 1 ? "port is" : "ports are", all);
    free(all);
    strings_finish(&names);
    return r;
}

/* One end of a link: which device. taken holds 1 + the link of each port of each device. */
static int check_end(struct config_reader *reader, size_t index, const char *key, const char *text,
                     size_t *taken, const struct config_device **ret_device)
{
    const struct config *config = reader->config;
    struct json_place link = {&links_place, NULL, index}, where = {&link, key, 0};
    const char *dot = strchr(text, '.');
    if (!dot || dot == text || !dot[1])
        return config_fail(reader, &where,
                           "\"%s\" is not a port; write \"device.port\", for example "
                           "\"%s.peer\"",
                           text, config->devices[0].name);
    char *name = xformat("%.*s", (int)(dot - text), text);
    size_t i = 0;
    while (i < config->num_devices && strcmp(config->devices[i].name, name) != 0)
        i++;
    if (i == config->num_devices) {
        int r = fail_device_of_link(reader, &where, name);
        free(name);
        return r;
    }
    free(name);

    const struct config_device *device = &config->devices[i];
    uint32_t port;
    if (trestle_model_port(device->model, dot + 1, &port) < 0 || port >= PORTS_MAX)
        return fail_port_of_link(reader, &where, device, dot + 1);
    size_t *user = &taken[i * PORTS_MAX + port];
    if (*user && *user != index + 1) {
        struct json_place other = {&links_place, NULL, *user - 1};
        return config_fail(
            reader, &where,
            "%s is already linked by links[%zu] on line %u; a port can have only one link", text,
            *user - 1, json_place_line(config->text, &other));
    }
    *user = index + 1;
    *ret_device = device;
    return 0;
}

static int check_links(struct config_reader *reader)
{
    const struct config *config = reader->config;
    size_t *taken = xcalloc(config->num_devices * PORTS_MAX, sizeof(*taken));
    int r = 0;
    for (size_t i = 0; i < config->num_links && r == 0; i++) {
        const struct config_device *from = NULL, *to = NULL;
        r = check_end(reader, i, "from", config->links[i].from, taken, &from);
        if (r == 0)
            r = check_end(reader, i, "to", config->links[i].to, taken, &to);
        if (r == 0 && from == to) {
            struct json_place link = {&links_place, NULL, i}, where = {&link, "to", 0};
            r = config_fail(reader, &where, "%s is linked to itself; a link joins two devices",
                            to->name);
        }
        if (r == 0 && from->process == to->process)
            config->links[i].process = from->process;
    }
    free(taken);
    return r;
}

/* A vCPU that waits without QEMU's big lock must not share a session with devices of other vCPUs.
 */
static int check_release_locks(struct config_reader *reader)
{
    const struct config *config = reader->config;
    size_t num_shared = 0;
    for (size_t i = 0; i < config->num_devices; i++)
        num_shared += !config->devices[i].own_process;
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_device *device = &config->devices[i];
        if (!device->release_lock)
            continue;
        if (config->icount >= 0)
            return fail_device(reader, i, "release_lock",
                               "with machine.icount the vCPUs take turns, so this would gain "
                               "nothing; remove one of the two");
        if (device->protocol == 1)
            return fail_device(reader, i, "release_lock",
                               "protocol 1 does not have it; remove one of the two");
        if (device->process ? device->process->num_devices > 1 : num_shared > 1)
            return fail_device(reader, i, "release_lock",
                               "the device needs a process of its own; add \"process\": \"own\"");
    }
    return 0;
}

/* Only one device can read standard input. */
static int check_stdin(struct config_reader *reader)
{
    const struct config *config = reader->config;
    const struct config_device *first = NULL;
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_device *device = &config->devices[i];
        if (!config_takes_stdin(device))
            continue;
        if (first)
            return fail_device(reader, i, "backend",
                               "%s has standard input already; choose \"pty\" or \"unix:PATH\"",
                               first->name);
        first = device;
    }
    return 0;
}

/* QEMU aborts if there are more. It checks the number only with an assertion. */
static int check_count(struct config_reader *reader)
{
    size_t count = reader->config->num_devices;
    if (count <= DEVICES_MAX)
        return 0;
    return config_fail(reader, &devices_place,
                       "%zu devices, but a machine takes at most %d; use fewer", count,
                       DEVICES_MAX);
}

static int make_nodes(struct config_reader *reader)
{
    struct config *config = reader->config;
    for (size_t i = 0; i < config->num_devices; i++) {
        struct json_place where = {&devices_place, NULL, config->devices[i].item};
        if (config->devices[i].pci)
            continue; /* its bus is what the tree has */
        int r = config_make_node(reader, &where, &config->devices[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

int config_check(struct config_reader *reader)
{
    int r = check_count(reader);
    if (r == 0)
        r = check_stdin(reader);
    if (r == 0)
        r = check_pairs(reader, by_name, check_pair_name);
    if (r == 0)
        r = config_make_processes(reader);
    if (r == 0)
        r = check_release_locks(reader);
    if (r == 0)
        r = check_pairs(reader, by_socket, check_pair_socket);
    if (r == 0)
        r = check_pairs(reader, by_base, check_pair_region);
    if (r == 0)
        r = check_pairs(reader, by_pci, config_check_pci_pair);
    if (r == 0)
        r = config_check_pci_count(reader);
    if (r == 0)
        r = config_check_vfio_alone(reader);
    if (r == 0)
        r = check_links(reader);
    return r < 0 ? r : make_nodes(reader);
}
