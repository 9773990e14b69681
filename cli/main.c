/* SPDX-License-Identifier: MIT */
/* The command trestle: finds the subcommand and runs it. */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "log.h"
#include "util.h"

const struct command *const commands[] = {
    &command_run,    &command_check,  &command_serve, &command_qemu_args,
    &command_device, &command_models, &command_bench, &command_sst_config,
    &command_trace,  &command_replay, &command_poke,  &command_new,
    &command_rtl,    &command_boards, &command_top,   NULL,
};

static void print_help(void)
{
    printf("usage: trestle COMMAND ...\n"
           "Joins a QEMU to memory-mapped devices that live outside it.\n\ncommands:\n");
    for (const struct command *const *command = commands; *command; command++)
        printf("  %-10s %s\n", (*command)->name, (*command)->summary);
    printf("\noptions:\n"
           "  -h, --help     show this text; trestle COMMAND --help shows a command's\n"
           "      --version  show the version\n"
           "\nThe manual is trestle(1).\n");
}

static const struct command *find(const char *name)
{
    for (const struct command *const *command = commands; *command; command++)
        if (strcmp((*command)->name, name) == 0)
            return *command;
    return NULL;
}

static int fail_unknown(const char *name)
{
    struct strings names = {0};
    for (const struct command *const *command = commands; *command; command++)
        strings_add(&names, (*command)->name);
    char *help = suggest_or_list(name, &names, "the commands are");
    int code = command_fail("there is no command \"%s\"%s", name, help);
    free(help);
    strings_finish(&names);
    return code;
}

static void outlive(int signal)
{
    (void)signal; /* the write that caused it fails */
}

/* A reader that went away, or a limit for files, must not end a run without its clean-up. A
 * handler, not SIG_IGN: programs that are started from here begin with the signals as we did. */
static void prepare_signals(void)
{
    static const int fatal[] = {SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
        if (signal(fatal[i], outlive) == SIG_IGN)
            signal(fatal[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would hide how a child ended */
}

/* What is opened later must not become somebody's standard error. */
static bool prepare_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
    return fcntl(STDERR_FILENO, F_GETFD) >= 0;
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return command_fail("name a command: trestle run CONFIG, or trestle --help");
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0) {
        puts("trestle " TRESTLE_VERSION);
        return EXIT_SUCCESS;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help();
        return EXIT_SUCCESS;
    }
    const struct command *command = find(name);
    if (!command)
        return fail_unknown(name);
    return command->run(command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    if (!prepare_descriptors())
        return EXIT_FAILURE; /* and nowhere to say it */
    prepare_signals();
    log_begin();
    json_set_alloc_funcs(xmalloc, free); /* its failures have no sentence */
    return command_finish(run(argc, argv));
}
