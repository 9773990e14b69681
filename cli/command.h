/* SPDX-License-Identifier: MIT */
/* Subcommands: their options as data, from which parsing and --help both come. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum {
    EXIT_BAD_INPUT = 2,
    EXIT_OUT_OF_TIME = 124,
};

struct command_option {
    char letter;          /* what command_next_option() returns; also "-v" unless long_only */
    const char *name;     /* without the dashes; NULL ends the table */
    const char *argument; /* "FILE"; "[=PORT]" where it may be missing; NULL: takes none */
    const char *help;
    bool long_only;
};

struct command {
    const char *name, *arguments, *summary;
    const char *help; /* paragraphs behind the options, or NULL */
    const struct command_option *options;
    int (*run)(const struct command *command, int argc, char **argv);
};

/* All of them, ended by NULL. */
extern const struct command *const commands[];
extern const struct command command_run, command_check, command_serve, command_qemu_args,
    command_device, command_models, command_bench, command_sst_config, command_trace,
    command_replay, command_poke, command_new, command_rtl, command_boards, command_top;

/* The next option's letter with *ret_argument, 0 when only operands are left (from optind on), or
 * -1: the line is printed, exit with EXIT_BAD_INPUT. --help is handled here and ends the
 * process. */
int command_next_option(const struct command *command, int argc, char **argv,
                        const char **ret_argument);
/* The one operand that a command takes, or NULL after a complaint. */
const char *command_operand(const struct command *command, int argc, char **argv, const char *what);
/* The configuration that the one operand names, or NULL after a complaint. */
struct config *command_config(const struct command *command, int argc, char **argv);

/* Adds the argument of a --param to an object. 0, or the exit code after a complaint. */
int command_param(struct json_t *params, const char *text);

/* "500ms", with the units of a configuration, or a number of `unit`. False: it is neither. */
bool command_duration(const char *text, trestle_time unit, double *ret_units);

/* Prints "trestle: ..." and returns EXIT_BAD_INPUT. */
int command_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints a ready line, frees it and returns EXIT_BAD_INPUT. */
int command_fail_line(char *line);
/* The last that a command does: writes what is left for standard output, where one who has gone
 * (head) wanted no more, and the log. Returns the exit code: `code`, or that of a failure. */
int command_finish(int code);

#endif
