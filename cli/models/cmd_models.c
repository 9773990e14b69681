/* SPDX-License-Identifier: MIT */
/* trestle models: lists the models that "model" may name, or describes one. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "models/describe.h"
#include "sim/lookup.h"
#include "svd/export.h"
#include "svd/stub.h"
#include "table.h"
#include "trestle/models.h"
#include "trestle/registers.h"
#include "util.h"

static const struct command_option options[] = {
    {'m', "markdown", NULL, "print the registers of MODEL as a table for a document",
     .long_only = true},
    {'H', "header", NULL, "print them as a C header for firmware", .long_only = true},
    {'j', "json", NULL, "print them as JSON", .long_only = true},
    {'S', "svd", NULL, "print the registers of MODEL, or of all devices of CONFIG, as CMSIS-SVD",
     .long_only = true},
    {0},
};

/* The operand is a model or a configuration. Gives a configuration in both cases. */
static int load(const char *operand, struct config **ret_config)
{
    size_t length = strlen(operand);
    const char *end = length > 3 ? operand + length - 3 : "";
    char *error = NULL;
    int r;
    bool is_name = config_has_model(operand) || !strpbrk(operand, "./");
    if (is_name || strcmp(end, ".so") == 0 || strcmp(end, ".py") == 0) {
        const char *slash = strrchr(operand, '/');
        char *name = xstrdup(slash ? slash + 1 : operand), *dot = strchr(name, '.');
        if (dot)
            *dot = 0;
        r = config_from_document(json_pack("{s:[{s:s, s:s, s:i}]}", "devices", "name", name,
                                           "model", operand, "base_addr", 0),
                                 ret_config, &error);
        free(name);
    } else {
        r = config_load(operand, ret_config, &error);
    }
    return r < 0 ? command_fail_line(error) : 0;
}

static void print_svd(const char *operand, const struct config *config)
{
    const char *slash = strrchr(operand, '/');
    char *name = xstrdup(slash ? slash + 1 : operand), *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = 0;
    svd_export(stdout, name, config);
    free(name);
}

static void print_json(const struct trestle_model *const *models)
{
    json_t *list = json_array();
    for (; *models; models++)
        json_array_append_new(list, describe_json(*models));
    json_dumpf(list, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(list);
}

/* Each model of a configuration once. */
static void print_models(const struct config *config, int form)
{
    const struct trestle_model **models = xcalloc(config->num_devices + 1, sizeof(*models));
    size_t count = 0;
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct trestle_model *model = config->devices[i].model;
        size_t known = 0;
        while (known < count && strcmp(models[known]->name, model->name) != 0)
            known++;
        if (known == count)
            models[count++] = model;
    }
    for (size_t i = 0; i < count && form != 'j'; i++) {
        if (i > 0)
            putchar('\n');
        (form == 'm'   ? describe_markdown
         : form == 'H' ? describe_header
                       : describe_text)(stdout, models[i]);
    }
    if (form == 'j')
        print_json(models);
    free(models);
}

static int describe(const char *operand, int form)
{
    struct config *config;
    int code = load(operand, &config);
    if (code)
        return code;
    if (form == 'S')
        print_svd(operand, config);
    else
        print_models(config, form);
    config_destroy(config);
    return EXIT_SUCCESS;
}

static int list_models(void)
{
    static const char *const titles[] = {
        "model", ">registers", "access widths", ">ports", ">interrupts", "what it is", NULL};
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
        table_addf(&table, "%" PRIu32, trestle_model_irq_lines(model));
        table_addf(&table, "%s", model->doc ? model->doc : "");
        free(list);
        strings_finish(&widths);
    }
    table_addf(&table, SVD_MODEL_NAME);
    table_addf(&table, "any");
    table_addf(&table, "8 16 32 64 bit");
    table_addf(&table, "0");
    table_addf(&table, "any");
    table_addf(&table, "A stub of a peripheral that a vendor describes in an SVD file.");
    table_print(&table, stdout);
    table_finish(&table);
    return EXIT_SUCCESS;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    const char *argument;
    int letter, form = 0;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        if (letter < 0)
            return EXIT_BAD_INPUT;
        if (form)
            return command_fail("models prints one form at a time; leave one of the options out");
        form = letter;
    }
    if (!form && argc == optind)
        return list_models();
    const char *operand = command_operand(command, argc, argv, "a model or a configuration");
    return operand ? describe(operand, form) : EXIT_BAD_INPUT;
}

const struct command command_models = {
    .name = "models",
    .arguments = "[MODEL | CONFIG] [OPTION]",
    .summary = "List the bundled models, or describe the registers of one",
    .options = options,
    .run = run_command,
    .help = "Without an operand: the bundled models. With one, and no option: its registers and "
            "fields.\n"
            "MODEL is a bundled model, or a path to a .so or .py; of a CONFIG each model is "
            "described.\n"
            "svd is a stub of a peripheral that a vendor describes in an SVD file; its params are "
            "file\n"
            "and peripheral.\n",
};
