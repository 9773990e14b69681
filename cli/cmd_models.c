/* SPDX-License-Identifier: MIT */
/* trestle models: what "model" may say. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "svd/export.h"
#include "svd/stub.h"
#include "table.h"
#include "trestle/bridge.h"
#include "trestle/registers.h"
#include "util.h"

static const struct command_option options[] = {
    {'S', "svd", NULL, "print the registers of MODEL, or of all devices of CONFIG, as CMSIS-SVD",
     .long_only = true},
    {0},
};

/* A model, or a configuration: whatever the operand is, as a configuration. */
static int load(const char *operand, struct config **ret_config)
{
    size_t length = strlen(operand);
    const char *end = length > 3 ? operand + length - 3 : "";
    char *error = NULL;
    int status;
    if (config_has_model(operand) || strcmp(end, ".so") == 0 || strcmp(end, ".py") == 0) {
        const char *slash = strrchr(operand, '/');
        char *name = xstrdup(slash ? slash + 1 : operand), *dot = strchr(name, '.');
        if (dot)
            *dot = 0;
        status = config_from_document(json_pack("{s:[{s:s, s:s, s:i}]}", "devices", "name", name,
                                                "model", operand, "base_addr", 0),
                                      ret_config, &error);
        free(name);
    } else {
        status = config_load(operand, ret_config, &error);
    }
    return status < 0 ? command_fail_line(error) : 0;
}

static int print_svd(const char *operand)
{
    struct config *config;
    int code = load(operand, &config);
    if (code)
        return code;
    const char *slash = strrchr(operand, '/');
    char *name = xstrdup(slash ? slash + 1 : operand), *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = 0;
    svd_export(stdout, name, config);
    free(name);
    config_destroy(config);
    return EXIT_SUCCESS;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    static const char *const titles[] = {"model",  ">registers",  "access widths",
                                         ">ports", ">interrupts", NULL};
    const char *argument;
    int letter = command_next_option(command, argc, argv, &argument);
    if (letter == 'S') {
        if (command_next_option(command, argc, argv, &argument) != 0)
            return EXIT_BAD_INPUT;
        const char *operand = command_operand(command, argc, argv, "a model or a configuration");
        return operand ? print_svd(operand) : EXIT_BAD_INPUT;
    }
    if (letter != 0)
        return EXIT_BAD_INPUT;
    if (argc > 1)
        return command_fail("models takes no \"%s\"; see trestle models --help", argv[1]);
    struct table table = {.titles = titles};
    for (const struct trestle_model *const *at = trestle_models(); *at; at++) {
        const struct trestle_model *model = *at;
        struct strings widths = {0};
        for (uint32_t size = 1; size <= 8; size *= 2)
            if (trestle_model_widths(model) & size)
                strings_addf(&widths, "%u", 8 * size);
        char *list = strings_join(&widths, " ");
        table_addf(&table, "%s", model->name);
        table_addf(&table, "%" PRIu64 " bytes", trestle_model_bytes(model));
        table_addf(&table, "%s bit", list);
        table_addf(&table, "%" PRIu32, model->peer_ports);
        table_addf(&table, "%" PRIu32, model->irq_lines);
        free(list);
        strings_finish(&widths);
    }
    table_addf(&table, SVD_MODEL_NAME);
    table_addf(&table, "any");
    table_addf(&table, "8 16 32 64 bit");
    table_addf(&table, "0");
    table_addf(&table, "any");
    table_print(&table, stdout);
    table_finish(&table);
    return EXIT_SUCCESS;
}

const struct command command_models = {
    .name = "models",
    .arguments = "[--svd MODEL | --svd CONFIG]",
    .summary = "List the bundled models, or describe one to a debugger",
    .options = options,
    .run = run_command,
    .help =
        "A path to a .so that exports a model works wherever a model's name does. svd is a stub of "
        "a\n"
        "peripheral that a vendor describes in an SVD file; its params are file and peripheral.\n",
};
