/* SPDX-License-Identifier: MIT */
/* trestle qemu-args: what `trestle run` would start. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "command.h"
#include "machine/command.h"
#include "run/launch.h"
#include "util.h"

static const struct command_option options[] = {
    {'k', "kernel", "ELF", "the guest, instead of machine.kernel", .long_only = true},
    {'q', "qemu", "BIN", "the QEMU, instead of machine.qemu", .long_only = true},
    {'p', "plugin", "SO", "QEMU's plugin, or none", .long_only = true},
    {'d', "socket-dir", "DIR", "where sockets without a path of their own are", .long_only = true},
    {0},
};

/* The paths of sockets are only known beforehand if the user names the directory. */
static int fill_sockets(struct config *config, const char *socket_dir, struct strings *paths,
                        char **ret_error)
{
    for (size_t i = 0; i < config->num_devices; i++) {
        if (!config->devices[i].socket && !socket_dir) {
            *ret_error = config_complain_device(
                config, i, NULL,
                "without a \"socket\" its path is made at the start of each run; add one, use "
                "--socket-dir, or see what trestle serve prints");
            return -1;
        }
        if (config->devices[i].socket)
            strings_add(paths, config->devices[i].socket);
        else
            strings_addf(paths, "%s/device%zu.sock", socket_dir, i);
        config->devices[i].socket = paths->items[i];
    }
    return 0;
}

static int print_args(struct config *config, const struct launch_options *launch_options,
                      const char *socket_dir)
{
    struct launch launch;
    struct strings paths = {0};
    char *error = NULL, *sentence = NULL, **argv = NULL;
    int r = launch_check_outside(config, &error);
    if (r == 0)
        r = launch_init(&launch, config, launch_options, &error);
    if (r == 0) {
        r = fill_sockets(config, socket_dir, &paths, &error);
        if (r < 0)
            launch_finish(&launch);
    }
    if (r == 0) {
        launch_set_sockets(&launch, config, NULL);
        r = trestle_machine_args(&launch.machine, &argv, &sentence);
        if (r < 0)
            error = xformat("trestle: %s", sentence ? sentence : error_text(r));
        free(sentence);
        launch_finish(&launch);
    }
    strings_finish(&paths);
    if (r < 0)
        return command_fail_line(error);
    char *line = shell_quote(argv);
    puts(line);
    free(line);
    free(argv);
    return EXIT_SUCCESS;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct launch_options launch = {0};
    const char *argument, *socket_dir = NULL;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        switch (letter) {
        case 'k':
            launch.kernel = argument;
            break;
        case 'q':
            launch.qemu = argument;
            break;
        case 'p':
            launch.plugin = argument;
            break;
        case 'd':
            socket_dir = argument;
            break;
        default:
            return EXIT_BAD_INPUT;
        }
    }
    struct config *config = command_config(command, argc, argv);
    if (!config)
        return EXIT_BAD_INPUT;
    int code = print_args(config, &launch, socket_dir);
    config_destroy(config);
    return code;
}

const struct command command_qemu_args = {
    .name = "qemu-args",
    .arguments = "CONFIG [OPTION]...",
    .summary = "Print the QEMU command line for CONFIG",
    .options = options,
    .run = run_command,
    .help = "One line, quoted for a shell: the program, then its arguments. Nothing is started.\n"
            "Devices need a \"socket\" each, or --socket-dir: the same as trestle serve uses.\n",
};
