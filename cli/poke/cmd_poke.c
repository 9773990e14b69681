/* SPDX-License-Identifier: MIT */
/* trestle poke: the devices of a configuration, without a guest, or those of a run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "command.h"
#include "control/attached.h"
#include "poke/offline.h"
#include "poke/poke.h"
#include "poke/prompt.h"
#include "run/watchdog.h"
#include "util.h"

static const struct command_option options[] = {
    {'a', "attach", "PATH", "the devices of the run that was started with --control PATH",
     .long_only = true},
    {'c', "commands", "COMMANDS", "run these commands, separated by ';' or on lines, and end"},
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

/* Executes the lines: a poke of our own, or a run at the other end of sockets. */
struct doer {
    struct poke *poke; /* or NULL */
    struct attached attached;
    bool quits;
};

static enum poke_status do_here(struct doer *doer, const char *line, char **ret_error)
{
    enum poke_status status = poke_line(doer->poke, line);
    doer->quits = doer->poke->quits;
    if (status != POKE_OK)
        *ret_error = xstrdup(doer->poke->error);
    return status;
}

static enum poke_status do_there(struct doer *doer, const char *line, char **ret_error)
{
    enum control_status done;
    int r = attached_do(&doer->attached, line, stdout, &done, ret_error);
    doer->quits = r == -ECONNRESET || (r == 0 && done == CONTROL_QUIT);
    if (r < 0)
        return r == -E2BIG ? POKE_WRONG : POKE_FAILED;
    return done == CONTROL_FAILED ? POKE_FAILED : done == CONTROL_WRONG ? POKE_WRONG : POKE_OK;
}

static enum poke_status do_line(struct doer *doer, const char *line, const struct source *source)
{
    char *error = NULL;
    enum poke_status status = (doer->poke ? do_here : do_there)(doer, line, &error);
    fflush(stdout);
    if (status != POKE_OK) {
        replace_control_characters(error);
        if (source->name && source->line)
            fprintf(stderr, "trestle: %s:%u: %s\n", source->name, source->line, error);
        else if (source->name)
            fprintf(stderr, "trestle: %s: %s\n", source->name, error);
        else
            fprintf(stderr, "%s\n", error);
    }
    free(error);
    return status;
}

/* Finds what the last word of the line may become. */
static void find_candidates(void *context, const char *line, struct strings *ret_candidates)
{
    struct doer *doer = context;
    if (doer->poke)
        poke_complete(doer->poke, line, ret_candidates);
    else
        attached_complete(&doer->attached, line, ret_candidates);
}

/* --- commands on the command line -------------------------------------------------------------
 */

/* The commands may have several lines, as a script has. */
static int do_text(struct doer *doer, const char *text)
{
    struct source source = {.name = "-c"};
    char *copy = xstrdup(text), *rest = copy, *line;
    bool is_one = !strchr(text, '\n');
    enum poke_status status = POKE_OK;
    while (status == POKE_OK && !doer->quits && (line = strsep(&rest, "\n")) != NULL) {
        source.line += !is_one;
        status = do_line(doer, line, &source);
    }
    free(copy);
    return exit_code(status);
}

/* --- scripts --------------------------------------------------------------------------------- */

static int do_script(struct doer *doer, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file)
        return command_fail("cannot read %s: %s; name a file with commands", path, strerror(errno));
    struct source source = {.name = file == stdin ? "standard input" : path};
    enum poke_status status = POKE_OK;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while (status == POKE_OK && !doer->quits && (length = getline(&line, &room, file)) >= 0) {
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        source.line++;
        status = do_line(doer, line, &source);
    }
    free(line);
    if (file != stdin)
        fclose(file);
    return exit_code(status);
}

/* --- at a terminal --------------------------------------------------------------------------- */

static int do_terminal(struct doer *doer)
{
    const struct source source = {0};
    char *line;
    prompt_open(find_candidates, doer);
    puts("help shows the commands, Tab completes, Ctrl-C drops a line, Ctrl-D ends.");
    while (!doer->quits && (line = prompt_read("poke> ")) != NULL) {
        (void)do_line(doer, line, &source);
        free(line);
    }
    if (!doer->quits)
        putchar('\n');
    prompt_close();
    return EXIT_SUCCESS;
}

/* --- the command ----------------------------------------------------------------------------- */

static int do_all(struct doer *doer, const char *commands_text, const char *script)
{
    return commands_text                     ? do_text(doer, commands_text)
           : script || !isatty(STDIN_FILENO) ? do_script(doer, script ? script : "-")
                                             : do_terminal(doer);
}

static int poke_config(const char *path, const char *commands_text, const char *script,
                       bool verbose)
{
    struct config *config = NULL;
    struct offline offline;
    char *error = NULL;
    int code;
    if (config_load(path, &config, &error) < 0)
        return command_fail_line(error);
    const struct watchdog_options watchdog = {
        .ends = "poke", .patience_ns = (uint64_t)config->watchdog_ms * NS_PER_MS};
    (void)watchdog_start(&watchdog); /* without it, faults of models have no names */
    if (offline_init(&offline, config, verbose, &error) < 0) {
        code = command_fail_line(error);
    } else {
        struct poke poke = {.target = &offline.target, .out = stdout};
        struct doer doer = {.poke = &poke};
        code = do_all(&doer, commands_text, script);
        poke_finish(&poke);
        fflush(stdout); /* before whatever the models' ends may do */
        if (offline_finish(&offline) < 0 && code == 0)
            code = EXIT_FAILURE;
    }
    watchdog_stop();
    config_destroy(config);
    return code;
}

static int poke_run(const char *path, const char *commands_text, const char *script)
{
    struct doer doer = {0};
    char *error = NULL;
    if (attached_open(path, &doer.attached, &error) < 0)
        return command_fail_line(error);
    int code = do_all(&doer, commands_text, script);
    attached_close(&doer.attached);
    return code;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    const char *argument, *text = NULL, *attach = NULL;
    bool verbose = false;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        if (letter == 'a')
            attach = argument;
        else if (letter == 'c')
            text = argument;
        else if (letter == 'v')
            verbose = true;
        else
            return EXIT_BAD_INPUT;
    }
    char *const *left = argv + optind;
    const char *config = attach ? NULL : *left;
    if (config)
        left++;
    const char *script = *left;
    if ((!attach && !config) || (script && (left[1] || text)))
        return command_fail("poke takes a configuration or --attach, and then a script or -c; see "
                            "trestle poke --help");
    return attach ? poke_run(attach, text, script) : poke_config(config, text, script, verbose);
}

const struct command command_poke = {
    .name = "poke",
    .arguments = "CONFIG | --attach PATH [-c COMMANDS | SCRIPT]",
    .summary = "Read and write the registers of devices, without a guest or while one runs",
    .options = options,
    .run = run_command,
    .help =
        "Makes the devices and links of CONFIG, with 256 MiB of memory where the machine has its\n"
        "own, and executes commands: from -c, from SCRIPT (- is standard input), or from the\n"
        "terminal. The command help lists them. All devices are in this one process.\n"
        "With --attach the commands act on the devices of a run, between two accesses of its\n"
        "guest, those in processes of their own as well. run and wait put the devices ahead of\n"
        "the guest. The run is then not repeatable.\n"
        "The exit code is 0, 1 when an expectation was not met or an access failed, and 2 for a\n"
        "line that is not a valid command.\n",
};
