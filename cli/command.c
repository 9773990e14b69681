/* SPDX-License-Identifier: MIT */
/* Parses the options of a subcommand from its table, and prints its help. */
#include "command.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "log.h"
#include "sim/command.h"
#include "util.h"

enum { HELP = '?' + 256, OPTIONS_MAX = 32 };

int command_fail_line(char *line)
{
    log_line("%s", line ? line : "trestle: out of memory");
    free(line);
    return EXIT_BAD_INPUT;
}

int command_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sentence = xvformat(format, args);
    va_end(args);
    char *line = xformat("trestle: %s", sentence);
    free(sentence);
    return command_fail_line(line);
}

static bool is_read(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO};
    return poll(&output, 1, 0) <= 0 || !(output.revents & POLLERR);
}

int command_finish(int code)
{
    bool has_lost = ferror(stdout), is_stuck = fflush(stdout) != 0;
    if (is_stuck && errno != EPIPE)
        command_fail("cannot write standard output: %s", error_text(-errno));
    else if (has_lost && is_read())
        command_fail("standard output could not be written whole");
    else
        is_stuck = has_lost = false;
    log_end();
    return code == EXIT_SUCCESS && (is_stuck || has_lost) ? EXIT_FAILURE : code;
}

static int takes(const struct command_option *option)
{
    return !option->argument            ? no_argument
           : option->argument[0] == '[' ? optional_argument
                                        : required_argument;
}

static void print_option(const struct command_option *option)
{
    char *left = xformat("  %c%c%c --%s%s%s", option->long_only ? ' ' : '-',
                         option->long_only ? ' ' : option->letter, option->long_only ? ' ' : ',',
                         option->name, takes(option) == required_argument ? " " : "",
                         option->argument ? option->argument : "");
    printf("%-28s %s\n", left, option->help);
    free(left);
}

static void print_help(const struct command *command)
{
    static const struct command_option help = {
        .letter = 'h', .name = "help", .help = "show this text"};
    printf("usage: trestle %s %s\n%s.\n\noptions:\n", command->name, command->arguments,
           command->summary);
    for (const struct command_option *option = command->options; option && option->name; option++)
        print_option(option);
    print_option(&help);
    if (command->help)
        printf("\n%s", command->help);
}

static int fail_unknown_option(const struct command *command, const char *given)
{
    struct strings names = {0};
    strings_add(&names, "--help");
    for (const struct command_option *option = command->options; option && option->name; option++)
        strings_addf(&names, "--%s", option->name);
    char *word = xformat("%.*s", (int)strcspn(given, "="), given);
    char *help = suggest_or_list(word, &names, "the options are");
    command_fail("%s has no option %s%s", command->name, word, help);
    free(help);
    free(word);
    strings_finish(&names);
    return -1;
}

/* getopt names only the letter: unknown, or that of a long option that was given a value. */
static int fail_option_letter(const struct command *command, int letter)
{
    const struct command_option *option = command->options;
    while (option && option->name && option->letter != letter)
        option++;
    if (letter == HELP || (option && option->name))
        command_fail("%s --%s takes no value; see trestle %s --help", command->name,
                     letter == HELP ? "help" : option->name, command->name);
    else
        command_fail("%s has no option -%c; see trestle %s --help", command->name, letter,
                     command->name);
    return -1;
}

int command_next_option(const struct command *command, int argc, char **argv,
                        const char **ret_argument)
{
    struct option longs[OPTIONS_MAX + 2] = {0};
    char shorts[2 * OPTIONS_MAX + 4] = ":h", *end = shorts + strlen(shorts);
    size_t count = 0;
    for (const struct command_option *option = command->options;
         option && option->name && count < OPTIONS_MAX; option++) {
        longs[count++] = (struct option){option->name, takes(option), NULL, option->letter};
        if (!option->long_only)
            end += sprintf(end, "%c%.*s", option->letter, takes(option), "::");
    }
    longs[count] = (struct option){"help", no_argument, NULL, HELP};

    opterr = 0;
    int letter = getopt_long(argc, argv, shorts, longs, NULL);
    switch (letter) {
    case -1:
        return 0;
    case HELP:
    case 'h':
        print_help(command);
        exit(command_finish(EXIT_SUCCESS));
    case ':':
        command_fail("%s %s needs a value; see trestle %s --help", command->name, argv[optind - 1],
                     command->name);
        return -1;
    case '?':
        if (optopt == 0)
            return fail_unknown_option(command, argv[optind - 1]);
        return fail_option_letter(command, optopt);
    default:
        *ret_argument = optarg;
        return letter;
    }
}

const char *command_operand(const struct command *command, int argc, char **argv, const char *what)
{
    if (optind == argc - 1)
        return argv[optind];
    if (optind == argc)
        command_fail("%s needs %s; usage: trestle %s %s", command->name, what, command->name,
                     command->arguments);
    else
        command_fail("%s takes %s only, so \"%s\" is too much; usage: trestle %s %s", command->name,
                     what, argv[optind + 1], command->name, command->arguments);
    return NULL;
}

struct config *command_config(const struct command *command, int argc, char **argv)
{
    struct config *config;
    char *error = NULL;
    const char *file = command_operand(command, argc, argv, "a configuration file");
    if (!file)
        return NULL;
    if (config_load(file, &config, &error) == 0)
        return config;
    command_fail_line(error);
    return NULL;
}

bool command_duration(const char *text, trestle_time unit, double *ret_units)
{
    trestle_time time;
    char *end;
    double units = strtod(text, &end);
    bool is_number = end != text && !*end && isfinite(units) && units >= 0;
    if (!is_number && trestle_parse_time(text, &time) < 0)
        return false;
    *ret_units = is_number ? units : (double)time / (double)unit;
    return true;
}

int command_param(json_t *params, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return command_fail("--param %s is not a parameter; write for example --param "
                            "echo_latency=10",
                            text);
    char *key = xformat("%.*s", (int)(equals - text), text);
    int code = 0;
    if (json_object_get(params, key))
        code = command_fail("--param %s is given twice; remove one", key);
    else if (json_object_set_new(params, key, json_string(equals + 1)) < 0)
        code = command_fail("--param %s is not UTF-8; write another", key);
    free(key);
    return code;
}
