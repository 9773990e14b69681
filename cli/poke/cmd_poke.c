/* SPDX-License-Identifier: MIT */
/* trestle poke: the devices of a configuration, without a guest. */
#include <editline/readline.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "poke/offline.h"
#include "poke/poke.h"
#include "util.h"

static const struct command_option options[] = {
    {'c', "commands", "COMMANDS", "run these commands, separated by ';', and end"},
    {'v', "verbose", NULL, "also show what devices log as information"},
    {0},
};

/* Where a line stands, for messages. */
struct source {
    const char *name; /* "-c", or a file's; NULL: somebody types it */
    unsigned line;    /* 0: none */
};

static int exit_code(enum poke_status status)
{
    return status == POKE_OK ? EXIT_SUCCESS : status == POKE_FAILED ? EXIT_FAILURE : EXIT_BAD_INPUT;
}

static enum poke_status do_line(struct poke *poke, const char *line, const struct source *source)
{
    enum poke_status status = poke_line(poke, line);
    fflush(poke->out);
    if (status == POKE_OK)
        return status;
    replace_control_characters(poke->error);
    if (source->name && source->line)
        fprintf(stderr, "trestle: %s:%u: %s\n", source->name, source->line, poke->error);
    else if (source->name)
        fprintf(stderr, "trestle: %s: %s\n", source->name, poke->error);
    else
        fprintf(stderr, "%s\n", poke->error);
    return status;
}

/* --- scripts --------------------------------------------------------------------------------- */

static int do_script(struct poke *poke, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file)
        return command_fail("cannot read %s: %s; name a file with commands", path, strerror(errno));
    struct source source = {.name = file == stdin ? "standard input" : path};
    enum poke_status status = POKE_OK;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while (status == POKE_OK && !poke->quits && (length = getline(&line, &room, file)) >= 0) {
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        source.line++;
        status = do_line(poke, line, &source);
    }
    free(line);
    if (file != stdin)
        fclose(file);
    return exit_code(status);
}

/* --- at a terminal --------------------------------------------------------------------------- */

static struct poke *typed; /* for the callbacks of the line editor, which have no context */
static struct strings candidates;

static char *next_candidate(const char *text, int state)
{
    static size_t next;
    (void)text;
    if (state == 0)
        next = 0;
    return next < candidates.count ? strdup(candidates.items[next++]) : NULL;
}

static char **complete(const char *text, int start, int end)
{
    char *line = xformat("%.*s", end, rl_line_buffer);
    (void)start;
    strings_finish(&candidates);
    candidates = (struct strings){0};
    poke_complete(typed, line, &candidates);
    /* A command is followed by a blank, a device by where in it. */
    rl_completion_append_character = strpbrk(line, " \t") ? '\0' : ' ';
    free(line);
    rl_attempted_completion_over = 1;
    return rl_completion_matches(text, next_candidate);
}

static int do_terminal(struct poke *poke)
{
    static char breaks[] = " \t;";
    const struct source source = {0};
    typed = poke;
    rl_readline_name = (char *)"trestle";
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = breaks;
    rl_initialize();
    using_history();
    puts("help shows the commands, Tab completes, Ctrl-D ends.");
    while (!poke->quits) {
        char *line = readline("poke> ");
        if (!line)
            break;
        if (*line)
            add_history(line);
        (void)do_line(poke, line, &source);
        free(line);
    }
    strings_finish(&candidates);
    return EXIT_SUCCESS;
}

/* --- the command ----------------------------------------------------------------------------- */

static int poke_config(const struct config *config, const char *commands_text, const char *script,
                       bool verbose)
{
    struct offline offline;
    char *error = NULL;
    if (offline_init(&offline, config, verbose, &error) < 0)
        return command_fail_line(error);
    struct poke poke = {.target = &offline.target, .out = stdout};
    const struct source argument = {.name = "-c"};
    int code = commands_text ? exit_code(do_line(&poke, commands_text, &argument))
               : script || !isatty(STDIN_FILENO) ? do_script(&poke, script ? script : "-")
                                                 : do_terminal(&poke);
    poke_finish(&poke);
    offline_finish(&offline);
    return code;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    const char *argument, *text = NULL;
    bool verbose = false;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        if (letter == 'c')
            text = argument;
        else if (letter == 'v')
            verbose = true;
        else
            return EXIT_BAD_INPUT;
    }
    int left = argc - optind;
    if (left < 1 || left > 2 || (left == 2 && text))
        return command_fail("poke takes a configuration, and then a script or -c; see trestle poke "
                            "--help");
    struct config *config = NULL;
    char *error = NULL;
    if (config_load(argv[optind], &config, &error) < 0)
        return command_fail_line(error);
    int code = poke_config(config, text, left == 2 ? argv[optind + 1] : NULL, verbose);
    config_destroy(config);
    return code;
}

const struct command command_poke = {
    .name = "poke",
    .arguments = "CONFIG [-c COMMANDS | SCRIPT]",
    .summary = "Read and write the registers of devices, without a guest",
    .options = options,
    .run = run_command,
    .help =
        "Makes the devices and links of CONFIG, with 256 MiB of memory where the machine has its\n"
        "own, and does what the commands say: from -c, from SCRIPT (- is standard input), or from\n"
        "the terminal. The command help lists them. All devices are in this one process.\n"
        "The exit code is 0, 1 when an expectation was not met or an access failed, and 2 for a\n"
        "line that says nothing that can be done.\n",
};
