/* SPDX-License-Identifier: MIT */
/* trestle device: one model on one socket, without a configuration file. */
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/handover.h"
#include "base/number.h"
#include "command.h"
#include "config/config.h"
#include "log.h"
#include "run/for_run.h"
#include "run/serve.h"
#include "util.h"

static const struct command_option options[] = {
    {'S', "socket", "PATH", "where to listen; required", .long_only = true},
    {'F', "listen-fd", "FD", "serve this listening socket instead, and do not remove it",
     .long_only = true},
    {'b', "base", "ADDR", "guest-physical base address; required", .long_only = true},
    {'p', "pci", NULL, "a PCI device, which has no base address", .long_only = true},
    {'z', "size", "N", "bytes of the region; default: the model's", .long_only = true},
    {'n', "name", "NAME", "the device's name; default: device0", .long_only = true},
    {'P', "param", "KEY=VALUE", "a parameter of the model; may be repeated", .long_only = true},
    {'v', "verbose", NULL, "log what happens; -vv: log every access"},
    {'l', "log-time", NULL, "begin each line of the log with the time of day", .long_only = true},
    {'s', "stats", "FILE", "write statistics as JSON; -: to standard output", .long_only = true},
    {'T', "trace", "FILE", "record accesses, interrupts, DMA, messages", .long_only = true},
    {'W', "watchdog", "TIME", "name a callback that takes longer; 0: never; default: 10s",
     .long_only = true},
    {'H', "hash", NULL, "compute the hash of the run, as a trace would have it", .long_only = true},
    {0},
};

/* Numbers go into the document as text in hexadecimal, which holds all 64 bits. */
static int set_number(json_t *device, const char *key, const char *option, const char *text,
                      const char *what)
{
    uint64_t value;
    if (!number_parse(text, &value))
        return command_fail("%s %s is not %s; write for example %s 0x%s", option, text, what,
                            option, strcmp(key, "size") == 0 ? "1000" : "10200000");
    char *hexadecimal = xformat("0x%llx", (unsigned long long)value);
    json_object_set_new(device, key, json_string(hexadecimal));
    free(hexadecimal);
    return 0;
}

static int set_text(json_t *device, const char *key, const char *option, const char *text)
{
    json_t *value = *text ? json_string(text) : NULL;
    if (!value)
        return command_fail("%s \"%s\" is empty or not UTF-8; write another", option, text);
    json_object_set_new(device, key, value);
    return 0;
}

static int set_listen_fd(const char *text, struct serve_options *serve)
{
    uint64_t fd;
    if (!number_parse(text, &fd) || fd < 3 || fd > INT_MAX)
        return command_fail("--listen-fd %s is not a descriptor; write the number of an open "
                            "listening socket, 3 or more",
                            text);
    serve->listen_fd = (int)fd;
    serve->quiet = true;
    return 0;
}

static int set_watchdog(const char *text, struct serve_options *serve)
{
    double ms;
    if (!command_duration(text, TRESTLE_MS, &ms) || ms > INT32_MAX)
        return command_fail("--watchdog %s is not a time; write for example --watchdog 10s, or "
                            "--watchdog 10000, which is the same, or 0 for never",
                            text);
    serve->watchdog_ms = (int64_t)ceil(ms);
    return 0;
}

/* Makes a configuration with one device out of the command line, so that one reader checks both.
 * Without a model, the run that has started this process says what to serve. */
static int parse(const struct command *command, int argc, char **argv, json_t *device,
                 struct serve_options *serve, const char **ret_variable)
{
    json_t *params = json_object();
    json_object_set_new(device, "params", params);
    const char *argument;
    int letter, code = 0;
    while (code == 0 && (letter = command_next_option(command, argc, argv, &argument)) != 0) {
        switch (letter) {
        case 'S':
            code = set_text(device, "socket", "--socket", argument);
            break;
        case 'F':
            code = set_listen_fd(argument, serve);
            break;
        case 'b':
            code = set_number(device, "base_addr", "--base", argument, "an address");
            break;
        case 'p':
            json_object_set_new(device, "pci", json_object());
            break;
        case 'z':
            code = set_number(device, "size", "--size", argument, "a size");
            break;
        case 'n':
            code = set_text(device, "name", "--name", argument);
            break;
        case 'P':
            code = command_param(params, argument);
            break;
        case 'v':
            serve->verbosity++;
            break;
        case 'l':
            log_show_time();
            break;
        case 's':
            serve->stats = argument;
            break;
        case 'T':
            serve->trace = argument;
            break;
        case 'W':
            code = set_watchdog(argument, serve);
            break;
        case 'H':
            serve->run_hash = true;
            break;
        default:
            code = EXIT_BAD_INPUT;
            break;
        }
    }
    if (code)
        return code;
    *ret_variable = optind == argc ? getenv(HANDOVER_VARIABLE) : NULL;
    if (*ret_variable)
        return 0;
    const char *model = command_operand(command, argc, argv, "a model");
    if (!model)
        return EXIT_BAD_INPUT;
    if (!json_object_get(device, "socket") && !serve->listen_fd)
        return command_fail("device needs --socket PATH, where QEMU will connect");
    if (!json_object_get(device, "base_addr") && !json_object_get(device, "pci"))
        return command_fail("device needs --base ADDR, the guest-physical base address");
    return set_text(device, "model", "model", model);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct serve_options serve = {.watchdog_ms = -1};
    json_t *device = json_object(), *document = json_pack("{s:[o]}", "devices", device);
    const char *variable = NULL;
    int code = parse(command, argc, argv, device, &serve, &variable);
    if (code || variable) {
        json_decref(document);
        return code ? code : serve_for_run(variable);
    }
    struct config *config;
    char *error = NULL;
    if (config_from_document(document, &config, &error) < 0)
        return command_fail_line(error);
    config->devices[0].listen_fd = serve.listen_fd;
    if (serve.watchdog_ms >= 0)
        config->watchdog_ms = serve.watchdog_ms;
    code = serve_config(config, &serve);
    config_destroy(config);
    return code;
}

const struct command command_device = {
    .name = "device",
    .arguments = "MODEL --socket PATH --base ADDR [OPTION]...",
    .summary = "Start one device for a QEMU that is started elsewhere",
    .options = options,
    .run = run_command,
    .help =
        "MODEL is a bundled model (see trestle models) or a path to a .so. Serves until SIGINT\n"
        "or SIGTERM; the exit code is 128 + the signal, or 2 for bad input.\n",
};
