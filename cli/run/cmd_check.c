/* SPDX-License-Identifier: MIT */
/* trestle check: is a configuration right, and what is in it? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/region.h"
#include "bridge/command.h"
#include "command.h"
#include "run/launch.h"
#include "run/run.h"
#include "table.h"
#include "util.h"

static const struct command_option options[] = {{0}};

static void print_devices(const struct config *config)
{
    static const char *const titles[] = {"device", "model", "base", "last", "socket", NULL};
    struct table table = {.titles = titles};
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_device *device = &config->devices[i];
        table_addf(&table, "%s", device->name);
        table_addf(&table, "%s", device->model_name);
        char *place = config_place_text(device);
        table_addf(&table, "%s", place);
        free(place);
        if (device->pci)
            table_addf(&table, "%s", "");
        else
            table_addf(&table, "0x%08" PRIx64, region_last(device->base_addr, device->size));
        table_addf(&table, "%s", device->socket ? device->socket : "(private)");
    }
    table_print(&table, stdout);
    table_finish(&table);
}

static void print_time(struct table *table, trestle_time time)
{
    static const struct {
        trestle_time unit;
        const char *name;
    } units[] = {{TRESTLE_S, "s"},
                 {TRESTLE_MS, "ms"},
                 {TRESTLE_US, "us"},
                 {TRESTLE_NS, "ns"},
                 {TRESTLE_PS, "ps"}};
    size_t i = 0;
    while (time % units[i].unit) /* the last unit divides everything */
        i++;
    table_addf(table, "%" PRIu64 " %s", time / units[i].unit, units[i].name);
}

static void print_links(const struct config *config)
{
    static const char *const titles[] = {"from", "to", ">latency", ">bandwidth", NULL};
    struct table table = {.titles = titles};
    for (size_t i = 0; i < config->num_links; i++) {
        table_addf(&table, "%s", config->links[i].from);
        table_addf(&table, "%s", config->links[i].to);
        print_time(&table, config->links[i].latency);
        if (config->links[i].bandwidth)
            table_addf(&table, "%g Mbit/s", (double)config->links[i].bandwidth / 1e6);
        else
            table_addf(&table, "%s", "");
    }
    if (config->num_links > 0) {
        puts("");
        table_print(&table, stdout);
    }
    table_finish(&table);
}

/* Has each model look at its peers, which it may refuse. */
static int start_models(const struct run *run, char **ret_error)
{
    int r = 0;
    char *error = NULL;
    for (size_t i = 0; i < run->config->num_devices && r == 0; i++) {
        struct trestle_device *dev = trestle_bridge_device(run->bridge, (uint32_t)i);
        if (dev)
            r = trestle_device_start(dev, &error);
    }
    if (r < 0)
        *ret_error = xformat("trestle: %s", error ? error : strerror(-r));
    free(error);
    return r;
}

static int check(const struct config *config)
{
    const struct launch_options as_configured = {0};
    const struct run_options quiet = {0};
    struct launch launch;
    struct run run;
    char *error = NULL;
    /* Gives the models their parameters. They refuse what they do not know. */
    int r = run_init(&run, config, &quiet, &error);
    if (r == 0) {
        r = start_models(&run, &error);
        run_finish(&run);
    }
    if (r == 0)
        r = launch_init(&launch, config, &as_configured, &error);
    if (r < 0)
        return command_fail_line(error);
    launch_finish(&launch);
    print_devices(config);
    print_links(config);
    return EXIT_SUCCESS;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    const char *argument;
    if (command_next_option(command, argc, argv, &argument) != 0)
        return EXIT_BAD_INPUT;
    struct config *config = command_config(command, argc, argv);
    if (!config)
        return EXIT_BAD_INPUT;
    int code = check(config);
    config_destroy(config);
    return code;
}

const struct command command_check = {
    .name = "check",
    .arguments = "CONFIG",
    .summary = "Check CONFIG and print its devices and links",
    .options = options,
    .run = run_command,
    .help = "Checks all that trestle run would check before it starts anything: the file, the\n"
            "models and their parameters, and that kernel, QEMU and plugin are there. The exit\n"
            "code is 0, or 2 with one line that says what is wrong and what to do.\n",
};
