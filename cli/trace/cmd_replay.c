/* SPDX-License-Identifier: MIT */
/* trestle replay: a model against a trace, without QEMU. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "config/config.h"
#include "trace/file.h"
#include "trace/replay.h"
#include "util.h"

static const struct command_option options[] = {
    {'m', "model", "MODEL", "the model to drive; default: the one that was recorded",
     .long_only = true},
    {'d', "device", "NAME", "the device whose records to use; default: the only one of the model",
     .long_only = true},
    {'P', "param", "KEY=VALUE", "a parameter, instead of the recorded one; may be repeated",
     .long_only = true},
    {'V', "values", NULL, "compare values and not times: another model of the same device",
     .long_only = true},
    {'v', "verbose", NULL, "show the warnings of the model"},
    {0},
};

struct replay_options {
    const char *model, *device;
    json_t *params;
    bool is_verbose, by_values;
};

static int parse(const struct command *command, int argc, char **argv,
                 struct replay_options *wanted)
{
    const char *argument;
    int letter, code = 0;
    while (code == 0 && (letter = command_next_option(command, argc, argv, &argument)) != 0) {
        switch (letter) {
        case 'm':
            wanted->model = argument;
            break;
        case 'd':
            wanted->device = argument;
            break;
        case 'P':
            code = command_param(wanted->params, argument);
            break;
        case 'V':
            wanted->by_values = true;
            break;
        case 'v':
            wanted->is_verbose = true;
            break;
        default:
            code = EXIT_BAD_INPUT;
            break;
        }
    }
    return code;
}

/* The bundled model that is wanted; NULL: none is, or one from a file, which may have any name. */
static const char *bundled_model(const struct replay_options *wanted)
{
    return wanted->model && trestle_model_find(wanted->model) ? wanted->model : NULL;
}

/* If the model does not exist, nothing is to be said about devices. */
static int check_model(const char *name)
{
    if (!name || strchr(name, '/') || strchr(name, '.') || config_has_model(name))
        return 0;
    struct strings names = {0};
    config_list_models(&names);
    char *help = suggest_or_list(name, &names, "name a path to a .so, or one of");
    int code = command_fail("there is no model \"%s\"%s", name, help);
    free(help);
    strings_finish(&names);
    return code;
}

/* Without --device: the only one, or the only one of the bundled model. */
static int choose_device(const struct trace_file *trace, const struct replay_options *wanted,
                         uint32_t *ret_device)
{
    const struct trestle_trace_header *header = trestle_trace_header(trace->reader);
    const char *model = bundled_model(wanted);
    size_t found = 0;
    if (wanted->device)
        return trace_file_device(trace, wanted->device, ret_device);
    struct strings names = {0};
    for (uint32_t i = 0; i < header->num_devices; i++) {
        const struct trestle_trace_device *device = &header->devices[i];
        strings_add(&names, device->name);
        if (!*device->model || (model && strcmp(model, device->model) != 0))
            continue;
        *ret_device = i;
        found++;
    }
    char *all = strings_join(&names, ", ");
    int code = 0;
    if (found != 1)
        code =
            command_fail("%s has %s; name one with --device: %s", trace->path,
                         found ? "several devices of that model" : "no device of that model", all);
    free(all);
    strings_finish(&names);
    return code;
}

/* What a trace says of a model is its name, or the file that it was loaded from. */
static int check_recorded(const struct trace_file *trace,
                          const struct trestle_trace_device *recorded,
                          const struct replay_options *wanted)
{
    if (!*recorded->model)
        return command_fail("%s has no records of %s, which ran in a process of its own; "
                            "replay its own trace, %s.%s",
                            trace->path, recorded->name, trace->path, recorded->name);
    if (!wanted->model && strchr(recorded->model, '/') && access(recorded->model, R_OK) < 0)
        return command_fail(
            "the model of %s was loaded from %s, which cannot be read: %s; name its "
            "file with --model",
            recorded->name, recorded->model, strerror(errno));
    if (!wanted->model && !strchr(recorded->model, '/') && !config_has_model(recorded->model))
        return command_fail("the model \"%s\" of %s is not a bundled one; name its file, for "
                            "example --model ./%s.so",
                            recorded->model, recorded->name, recorded->model);
    return 0;
}

/* Makes the recorded device the one device of a configuration, so that one reader checks all. */
static int configure(const struct trestle_trace_device *recorded,
                     const struct replay_options *wanted, struct config **ret_config)
{
    json_t *params = json_object();
    const char *model = bundled_model(wanted);
    bool is_other = model && strcmp(model, recorded->model) != 0; /* with parameters of its own */
    for (size_t i = 0; i < recorded->num_params && !is_other; i++)
        json_object_set_new(params, recorded->params[i].key,
                            json_string(recorded->params[i].value));
    json_object_update(params, wanted->params);
    bool is_pci = recorded->base_addr == TRESTLE_NO_BASE;
    char *base = xformat("0x%" PRIx64, recorded->base_addr);
    char *size = xformat("0x%" PRIx64, recorded->size);
    json_t *document =
        json_pack("{s:[{s:s, s:s, s:o, s:s, s:o}]}", "devices", "name", recorded->name, "model",
                  wanted->model ? wanted->model : recorded->model, is_pci ? "pci" : "base_addr",
                  is_pci ? json_object() : json_string(base), "size", size, "params", params);
    free(size);
    free(base);
    if (!document)
        return command_fail("the trace has a device whose name is not UTF-8");
    char *error = NULL;
    if (config_from_document(document, ret_config, &error) < 0)
        return command_fail_line(error);
    return 0;
}

static int play(const struct trace_file *trace, uint32_t device, const struct config *config,
                const struct replay_options *wanted)
{
    struct replay replay = {.reader = trace->reader,
                            .device = device,
                            .configured = &config->devices[0],
                            .is_verbose = wanted->is_verbose};
    const char *name = config->devices[0].name;
    char *error = NULL;
    int r = (wanted->by_values ? replay_values : replay_run)(&replay, &error);
    if (replay.difference)
        printf("%s: %s: %s\n", trace->path, name, replay.difference);
    else if (r == 0 || replay.compared > 0)
        printf("%s: %s: %" PRIu64 " records, no difference\n", trace->path, name, replay.compared);
    fflush(stdout);
    int code = replay.difference ? EXIT_FAILURE : EXIT_SUCCESS;
    free(replay.difference);
    if (r == -EPROTO || r == -ENODATA || r == -EIO)
        return trace_file_fail(trace, error);
    if (r < 0)
        code = command_fail("%s", error ? error : "no memory");
    free(error);
    return code;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct replay_options wanted = {.params = json_object()};
    struct trace_file trace = {0};
    struct config *config = NULL;
    uint32_t device;
    int code = parse(command, argc, argv, &wanted);
    const char *path = code ? NULL : command_operand(command, argc, argv, "a trace");
    if (!code)
        code = path ? check_model(wanted.model) : EXIT_BAD_INPUT;
    if (!code)
        code = trace_file_open(&trace, path);
    if (!code)
        code = choose_device(&trace, &wanted, &device);
    const struct trestle_trace_device *recorded =
        code ? NULL : &trestle_trace_header(trace.reader)->devices[device];
    if (!code)
        code = check_recorded(&trace, recorded, &wanted);
    if (!code)
        code = configure(recorded, &wanted, &config);
    if (!code)
        code = play(&trace, device, config, &wanted);
    config_destroy(config);
    trace_file_close(&trace);
    json_decref(wanted.params);
    return code;
}

const struct command command_replay = {
    .name = "replay",
    .arguments = "TRACE [--model MODEL] [OPTION]...",
    .summary = "Drive a model with what a trace has recorded, and compare",
    .options = options,
    .run = run_command,
    .help = "Without QEMU: accesses, resets, messages and the bytes of transfers come from the\n"
            "trace, at their times; what the model does must be what was recorded. With --values\n"
            "the model may be earlier or later.\n"
            "exit code: 0 when it is, 1 at the first difference, which is printed, 2 for bad\n"
            "input.\n",
};
