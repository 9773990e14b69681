/* SPDX-License-Identifier: MIT */
/* trestle models: what "model" may say. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "svd/stub.h"
#include "table.h"
#include "trestle/bridge.h"
#include "trestle/registers.h"
#include "util.h"

static const struct command_option options[] = {{0}};

static int run_command(const struct command *command, int argc, char **argv)
{
    static const char *const titles[] = {"model",  ">registers",  "access widths",
                                         ">ports", ">interrupts", NULL};
    const char *argument;
    if (command_next_option(command, argc, argv, &argument) != 0)
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
    .arguments = "",
    .summary = "List the bundled models",
    .options = options,
    .run = run_command,
    .help =
        "A path to a .so that exports a model works wherever a model's name does. svd is a stub of "
        "a\n"
        "peripheral that a vendor describes in an SVD file; its params are file and peripheral.\n",
};
