/* SPDX-License-Identifier: MIT */
/* Which devices live in which process, and what serves them there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "util.h"

/* --- one device's key ------------------------------------------------------------------------- */

static const char **read_command(struct config_reader *reader, const struct config_key *key,
                                 const struct json_place *where, const json_t *value)
{
    size_t count = json_array_size(value);
    const char **command = config_keep(reader->config, xcalloc(count + 1, sizeof(*command)));
    for (size_t i = 0; i < count; i++) {
        struct json_place here = {where, NULL, i};
        command[i] = json_string_value(json_array_get(value, i));
        if (!command[i] || (i == 0 && !*command[i])) {
            static const struct config_key word = {.what = "a text", .example = "\"./sim\""};
            config_fail_type(reader, &word, &here, json_array_get(value, i));
            return NULL;
        }
    }
    if (count == 0)
        config_fail_type(reader, key, where, value);
    return count ? command : NULL;
}

static int set_command(struct config_reader *reader, const struct config_key *key,
                       const struct json_place *where, const json_t *value, void *target)
{
    struct config_device *device = target;
    const char **command = read_command(reader, key, where, value);
    if (!command)
        return -EINVAL;
    if (strchr(command[0], '/'))
        command[0] = config_keep(reader->config, path_beside(reader->config->file, command[0]));
    device->command = command;
    return 0;
}

#define DEVICE(name) offsetof(struct config_device, name)

static const struct config_key process_keys[] = {
    {"name", config_set_name, DEVICE(process_name), "a name", "\"name\": \"soc\"",
     .required = true},
    {"command", set_command, 0, "a list of words", "\"command\": [\"./sim\"]"},
    {0},
};

int config_set_process(struct config_reader *reader, const struct config_key *key,
                       const struct json_place *where, const json_t *value, void *target)
{
    static char *const choices[] = {"shared", "own", "inline", NULL};
    static const struct config_key word = {.what = "a choice here", .choices = choices};
    struct config_device *device = target;
    const char *process = NULL;
    (void)key;
    if (json_is_object(value)) {
        device->own_process = true;
        return config_read_object(reader, where, value, process_keys, device);
    }
    int r = config_set_choice(reader, &word, where, value, &process);
    if (r == 0) {
        device->is_inline = strcmp(process, "inline") == 0;
        device->own_process = device->is_inline || strcmp(process, "own") == 0;
        if (device->is_inline)
            device->process_name = "inline";
    }
    return r;
}

/* To the rest of the configuration the program is a model with registers that may be anything. */
static void stand_in(struct config *config, struct config_device *device)
{
    struct trestle_model *model = config_keep(config, xcalloc(1, sizeof(*model)));
    *model = (struct trestle_model){.size = sizeof(*model),
                                    .name = device->process_name,
                                    .region_size = device->size,
                                    .access_sizes = 1 | 2 | 4 | 8,
                                    .irq_lines = (uint32_t)device->num_irqs};
    device->model = model;
    device->is_served_by_command = true;
}

int config_finish_process(struct config_reader *reader, const struct json_place *where,
                          struct config_device *device)
{
    struct json_place pci = {where, "pci", 0};
    if (device->model || !device->process_name || device->is_inline)
        return 0;
    if (device->size == 0)
        return config_fail(reader, where,
                           "\"size\" or \"model\" is missing; add for example \"size\": 4096 for a "
                           "device that the process's command serves");
    if (device->num_irqs > TRESTLE_IRQ_LINES_MAX)
        return config_fail(reader, where, "%zu interrupts are given, but a device has at most %d",
                           device->num_irqs, TRESTLE_IRQ_LINES_MAX);
    if (device->pci)
        return config_fail(reader, &pci,
                           "a command serves no PCI devices; give this one a base_addr instead");
    stand_in(reader->config, device);
    return 0;
}

/* --- all devices ------------------------------------------------------------------------------ */

static int fail_at(struct config_reader *reader, const struct config_device *device,
                   const char *key, const char *sentence)
{
    struct json_place devices = {NULL, "devices", 0}, item = {&devices, NULL, device->item};
    struct json_place where = {&item, key, 0};
    return config_fail(reader, &where, "%s", sentence);
}

static int fail_and_free(struct config_reader *reader, const struct config_device *device,
                         const char *key, char *sentence)
{
    int r = fail_at(reader, device, key, sentence);
    free(sentence);
    return r;
}

static struct config_process *find_process(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->num_processes; i++)
        if (strcmp(config->processes[i]->name, name) == 0)
            return config->processes[i];
    return NULL;
}

static bool same_command(const char **a, const char **b)
{
    while (*a && *b && strcmp(*a, *b) == 0)
        a++, b++;
    return !*a && !*b;
}

static int join(struct config_reader *reader, struct config_device *device,
                struct config_process *process)
{
    device->process = process;
    process->num_devices++;
    if (device->command && process->command && !same_command(device->command, process->command))
        return fail_and_free(
            reader, device, "process",
            xformat("%s has another command already; give it one only", process->name));
    if (device->command)
        process->command = device->command;
    if (device->restart && process->restart && strcmp(device->restart, process->restart) != 0)
        return fail_and_free(reader, device, "restart",
                             xformat("another device of %s says \"%s\"; a process is started again "
                                     "as a whole, so write one of the two",
                                     process->name, process->restart));
    if (device->restart)
        process->restart = device->restart;
    return 0;
}

static int enter(struct config_reader *reader, struct config_device *device)
{
    struct config *config = reader->config;
    const char *name = device->process_name ? device->process_name : device->name;
    struct config_process *process = find_process(config, name);
    if (process &&
        (!device->process_name || process->is_own || process->is_inline != device->is_inline))
        return fail_and_free(reader, device, "process",
                             xformat("%s is the name of two processes; choose another", name));
    if (!process) {
        process = config_keep(config, xcalloc(1, sizeof(*process)));
        process->name = name;
        process->is_own = !device->process_name;
        process->is_inline = device->is_inline;
        config->processes =
            xrealloc(config->processes, config->num_processes + 1, sizeof(struct config_process *));
        config->processes[config->num_processes++] = process;
    }
    return join(reader, device, process);
}

static int check_model(struct config_reader *reader, const struct config_device *device)
{
    const struct config_process *process = device->process;
    if (process->command && !device->is_served_by_command)
        return fail_and_free(
            reader, device, "model",
            xformat("the command of %s serves this device; remove the key", process->name));
    if (!process->command && device->is_served_by_command)
        return fail_and_free(reader, device, "process",
                             xformat("no device of %s has the command, and this one has no model; "
                                     "add one of the two",
                                     process->name));
    char *program = device->command ? find_program(device->command[0]) : NULL;
    int reason = errno;
    free(program);
    if (device->command && !program)
        return fail_and_free(reader, device, "process",
                             xformat("cannot run %s: %s; build it, or name another",
                                     device->command[0], strerror(reason)));
    return 0;
}

int config_make_processes(struct config_reader *reader)
{
    struct config *config = reader->config;
    int r = 0;
    for (size_t i = 0; i < config->num_devices && r == 0; i++)
        if (config->devices[i].own_process)
            r = enter(reader, &config->devices[i]);
    for (size_t i = 0; i < config->num_devices && r == 0; i++)
        if (config->devices[i].own_process)
            r = check_model(reader, &config->devices[i]);
    config->is_all_inline = config->num_processes == 1 && config->processes[0]->is_inline &&
                            config->processes[0]->num_devices == config->num_devices;
    return r;
}
