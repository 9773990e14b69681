/* SPDX-License-Identifier: MIT */
/* trestle serve: the devices alone. */
#include "command.h"
#include "log.h"
#include "run/serve.h"

static const struct command_option options[] = {
    {'v', "verbose", NULL, "log what happens; -vv: log every access"},
    {'l', "log-time", NULL, "begin each line of the log with the time of day", .long_only = true},
    {'s', "stats", "FILE", "write statistics as JSON; -: to standard output", .long_only = true},
    {'T', "trace", "FILE", "record accesses, interrupts, DMA, messages", .long_only = true},
    {'d', "socket-dir", "DIR", "where sockets without a path of their own go", .long_only = true},
    {'p', "plugin", "SO", "QEMU's plugin, or none, for the command line shown", .long_only = true},
    {0},
};

static int run_command(const struct command *command, int argc, char **argv)
{
    struct serve_options serve = {0};
    const char *argument;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        switch (letter) {
        case 'v':
            serve.verbosity++;
            break;
        case 'l':
            log_show_time();
            break;
        case 's':
            serve.stats = argument;
            break;
        case 'T':
            serve.trace = argument;
            break;
        case 'd':
            serve.socket_dir = argument;
            break;
        case 'p':
            serve.plugin = argument;
            break;
        default:
            return EXIT_BAD_INPUT;
        }
    }
    struct config *config = command_config(command, argc, argv);
    if (!config)
        return EXIT_BAD_INPUT;
    int code = serve_config(config, &serve);
    config_destroy(config);
    return code;
}

const struct command command_serve = {
    .name = "serve",
    .arguments = "CONFIG [OPTION]...",
    .summary = "Start the devices of CONFIG for a QEMU that is started elsewhere",
    .options = options,
    .run = run_command,
    .help = "Prints the sockets and a QEMU command line that uses them, then serves until SIGINT\n"
            "or SIGTERM; the exit code is 128 + the signal, or 2 for bad input. QEMU may come\n"
            "and go: each device accepts the next client.\n",
};
