/* SPDX-License-Identifier: MIT */
/* trestle sst-config: the same machine and devices, as a configuration of SST. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "config/config.h"
#include "log.h"
#include "run/launch.h"
#include "sim/command.h"
#include "svd/stub.h"
#include "util.h"

static const struct command_option options[] = {
    {'l', "latency", "TIME", "of the links between QEMU and its devices (1ns)", .long_only = true},
    {0},
};

/* A string as Python reads it. */
static void print_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_param(const char *component, const char *key, const char *value)
{
    printf("%s.addParam(", component);
    print_string(key);
    printf(", ");
    print_string(value);
    printf(")\n");
}

/* SST may be started anywhere. */
static void print_path(const char *component, const char *key, const char *path)
{
    char *whole = realpath(path, NULL);
    print_param(component, key, whole ? whole : path);
    free(whole);
}

static void print_host(const struct config *config)
{
    printf("qemu = sst.Component(\"qemu\", \"trestle.QEMU\")\n");
    if (config->kernel)
        print_path("qemu", "binary_path", config->kernel);
    if (config->arch)
        print_param("qemu", "arch", config->arch);
    if (config->qemu)
        print_param("qemu", "qemu_path", config->qemu);
    else if (config->arch) {
        char *qemu = xformat("qemu-system-%s", config->arch);
        print_param("qemu", "qemu_path", qemu);
        free(qemu);
    }
    if (strcmp(config->plugin, "none") == 0 || strcmp(config->plugin, "in-tree") == 0)
        print_param("qemu", "plugin", config->plugin);
    else if (strcmp(config->plugin, "auto") != 0)
        print_path("qemu", "plugin", config->plugin);
    if (config->args && config->args[0]) {
        printf("qemu.addParam(\"qemu_args\", [");
        for (size_t i = 0; config->args[i]; i++) {
            printf(i ? ", " : "");
            print_string(config->args[i]);
        }
        printf("])\n");
    }
    if (config->icount >= 0)
        printf("qemu.addParam(\"icount\", %" PRId64 ")\n", config->icount);
    printf("qemu.addParam(\"num_devices\", %zu)\n", config->num_devices);
}

static void print_host_param(size_t index, const char *suffix, const char *value)
{
    char *key = xformat("device%zu_%s", index, suffix);
    print_param("qemu", key, value);
    free(key);
}

/* What only QEMU's side of a device has to know. */
static void print_properties(const struct config *config, size_t index)
{
    const struct config_device *device = &config->devices[index];
    struct strings parts = {0};
    if (device->shadow)
        strings_add(&parts, "shadow=on");
    if (device->behind)
        strings_add(&parts, "behind=on");
    launch_add_protocol(&parts, config, device);
    char *joined = parts.count ? strings_join(&parts, ",") : NULL;
    if (joined)
        print_host_param(index, "properties", joined);
    free(joined);
    strings_finish(&parts);
}

static void print_device(const struct config *config, size_t index)
{
    const struct config_device *device = &config->devices[index];
    char *component = xformat("device%zu", index);
    printf("\n");
    print_host_param(index, "name", device->name);
    printf("qemu.addParam(\"device%zu_base\", \"0x%" PRIx64 "\")\n", index, device->base_addr);
    printf("qemu.addParam(\"device%zu_size\", %" PRIu64 ")\n", index, device->size);
    if (device->socket)
        print_host_param(index, "socket", device->socket);
    if (device->on_error)
        print_host_param(index, "on_error", device->on_error);
    if (device->timeout_ms >= 0)
        printf("qemu.addParam(\"device%zu_timeout_ms\", %" PRId64 ")\n", index, device->timeout_ms);
    if (device->irq)
        print_host_param(index, "irq", device->irq);
    print_properties(config, index);
    printf("%s = sst.Component(", component);
    print_string(device->name);
    printf(", \"trestle.Device\")\n");
    if (device->library)
        print_path(component, "model", device->model_name);
    else
        print_param(component, "model", device->model_name);
    for (size_t i = 0; i < device->num_params; i++)
        print_param(component, device->params[i].key, device->params[i].value);
    printf("sst.Link(\"qemu_%zu\").connect((qemu, \"device_port_%zu\", LATENCY), "
           "(%s, \"cpu_port\", LATENCY))\n",
           index, index, component);
    if (device->irq)
        printf("sst.Link(\"irq_%zu\").connect((qemu, \"irq_port_%zu\", LATENCY), "
               "(%s, \"irq_port\", LATENCY))\n",
               index, index, component);
    free(component);
}

/* "name.port" as a Python tuple; config_load() has seen to it that both are there. */
static void print_end(const struct config *config, const char *end, trestle_time latency)
{
    const char *dot = strrchr(end, '.');
    uint32_t port = 0;
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_device *device = &config->devices[i];
        if (strlen(device->name) != (size_t)(dot - end) ||
            strncmp(device->name, end, (size_t)(dot - end)) != 0)
            continue;
        if (trestle_model_port(device->model, dot + 1, &port) < 0)
            port = 0;
        /* SST has no links without latency. */
        printf("(device%zu, \"peer_port_%" PRIu32 "\", \"%" PRIu64 "ps\")", i, port,
               latency ? latency : 1);
    }
}

static void print_config(const struct config *config, const char *latency)
{
    printf("# Written by trestle sst-config.\nimport sst\n\nLATENCY = ");
    print_string(latency);
    printf("  # of the links between QEMU and its devices, each way\n\n");
    if (config->stop_at != TRESTLE_TIME_NEVER)
        printf("sst.setProgramOption(\"stop-at\", \"%" PRIu64 "ps\")\n", config->stop_at);
    print_host(config);
    for (size_t i = 0; i < config->num_devices; i++)
        print_device(config, i);
    for (size_t i = 0; i < config->num_links; i++) {
        printf("\nsst.Link(\"link_%zu\").connect(", i);
        print_end(config, config->links[i].from, config->links[i].latency);
        printf(", ");
        print_end(config, config->links[i].to, config->links[i].latency);
        printf(")\n");
    }
}

static void warn(char *line)
{
    log_line("%s", line);
    free(line);
}

/* What the configuration asks for and SST cannot give. */
static void warn_of_what_is_left_out(const struct config *config)
{
    if (config->direct_dma > 0)
        warn(config_complain_machine(config, "direct_dma",
                                     "left out: under SST, DMA goes by messages"));
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_device *device = &config->devices[i];
        if (device->release_lock)
            warn(config_complain_device(config, i, "release_lock",
                                        "left out: under SST, devices share a session"));
        if (device->backend || device->input)
            warn(config_complain_device(config, i, device->backend ? "backend" : "input",
                                        "left out: under SST, output goes nowhere, and there is no "
                                        "input"));
        if (device->own_process)
            warn(config_complain_device(config, i, "process",
                                        "left out: under SST, ranks take the place of processes"));
    }
}

/* The element has the library's models; what reads vendors' files is in this command. Its host
 * places devices by their addresses. */
static int refuse_strangers(const struct config *config)
{
    for (size_t i = 0; i < config->num_devices; i++)
        if (config->devices[i].is_served_by_command)
            return command_fail_line(config_complain_device(
                config, i, "process", "SST starts no commands; give the device a model instead"));
        else if (config->devices[i].pci)
            return command_fail_line(config_complain_device(
                config, i, "pci", "SST has no PCI devices; give it a base_addr instead"));
        else if (strcmp(config->devices[i].model_name, SVD_MODEL_NAME) == 0)
            return command_fail_line(config_complain_device(
                config, i, NULL, "SST has no stubs of SVD files; remove the device"));
    for (size_t i = 0; i < config->num_links; i++)
        if (config->links[i].bandwidth)
            return command_fail("links[%zu]: SST's links have no bandwidth; leave it out", i);
    return 0;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    const char *argument, *latency = "1ns";
    trestle_time time;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        if (letter != 'l')
            return EXIT_BAD_INPUT;
        if (trestle_parse_time(argument, &time) < 0 || time == 0)
            return command_fail("--latency %s is not a time above 0; write for example 10ns",
                                argument);
        latency = argument;
    }
    const char *file = command_operand(command, argc, argv, "a configuration file");
    struct config *config;
    char *error = NULL;
    if (!file)
        return EXIT_BAD_INPUT;
    if (config_load(file, &config, &error) < 0)
        return command_fail_line(error);
    int code = refuse_strangers(config);
    if (code) {
        config_destroy(config);
        return code;
    }
    print_config(config, latency);
    warn_of_what_is_left_out(config);
    config_destroy(config);
    return EXIT_SUCCESS;
}

const struct command command_sst_config = {
    .name = "sst-config",
    .arguments = "CONFIG [OPTION]...",
    .summary = "Print CONFIG as a Python configuration for SST",
    .options = options,
    .run = run_command,
    .help = "The output is for sst, with the element library of Trestle; docs/sst.md tells more.\n",
};
