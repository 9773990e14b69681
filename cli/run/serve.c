/* SPDX-License-Identifier: MIT */
/* Serves devices to a QEMU that somebody else starts. */
#include "run/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/handover.h"
#include "bridge/command.h"
#include "command.h"
#include "machine/command.h"
#include "run/launch.h"
#include "run/run.h"
#include "table.h"
#include "trestle/process.h"
#include "util.h"

static void print_sockets(const struct run *run)
{
    static const char *const titles[] = {"device", "base", "socket", NULL};
    struct table table = {.titles = titles};
    for (size_t i = 0; i < run->config->num_devices; i++) {
        const struct config_device *device = &run->config->devices[i];
        table_addf(&table, "%s", device->name);
        char *place = config_place_text(device);
        table_addf(&table, "%s", place);
        free(place);
        table_addf(&table, "%s", trestle_bridge_socket_path(run->bridge, (uint32_t)i));
    }
    table_print(&table, stdout);
    table_finish(&table);
}

/* QEMU may be on another machine or not built yet, so that its absence is no reason to stop. */
static void print_qemu(struct run *run, const struct serve_options *options)
{
    struct launch launch;
    const struct launch_options launch_options = {.plugin = options->plugin};
    char *error = NULL, **argv = NULL;
    int r = launch_init(&launch, run->config, &launch_options, &error);
    if (r == 0) {
        launch_set_sockets(&launch, run->config, run->bridge);
        r = trestle_machine_args(&launch.machine, &argv, &error);
        if (r == 0) {
            char *line = shell_quote(argv);
            printf("\nstart QEMU with:\n%s\n", line);
            free(line);
            free(argv);
        }
        launch_finish(&launch);
    }
    if (r < 0) {
        run_log(run, TRESTLE_LOG_WARNING, "no QEMU command line to show: %s",
                error ? error : error_text(r));
        free(error);
    }
}

static int serve_until_signal(struct run *run)
{
    while (!run->signal) {
        int r = trestle_bridge_poll(run->bridge, -1);
        if (r < 0 && r != -EINTR) {
            run_complain_poll(run, r);
            return EXIT_FAILURE;
        }
    }
    return 128 + run->signal;
}

struct serving {
    struct run run;
    const struct serve_options *options;
};

static int report(struct serving *serving)
{
    const struct serve_options *options = serving->options;
    const struct stats_qemu elsewhere = {0};
    char *error = NULL;
    if (!options->quiet)
        stats_print(&serving->run, &elsewhere);
    int r = options->say_fd ? trestle_process_tell(options->say_fd, serving->run.bridge) : 0;
    if (r < 0) /* a model may have closed it */
        run_log(&serving->run, TRESTLE_LOG_WARNING, "the run does not know what was served: %s",
                error_text(r));
    if (!options->stats || stats_write(&serving->run, &elsewhere, options->stats, &error) == 0)
        return 0;
    command_fail_line(error);
    return -EIO;
}

/* A model has the thread that serves. */
static void abandon(void *ctx)
{
    struct serving *serving = ctx;
    run_abandon(&serving->run);
    report(serving);
}

static void lose(void *ctx)
{
    const struct serving *serving = ctx;
    if (serving->options->say_fd)
        (void)handover_say(serving->options->say_fd, "lost", "");
}

/* What the run has given ends there: nothing comes after it. */
static void run_has_ended(void *ctx)
{
    struct run *run = ctx;
    if (!run->signal)
        run->signal = SIGTERM;
}

/* Sentences for people begin with the command's name, which the run says itself. */
int serve_refuse(const struct serve_options *options, char *error)
{
    static const char name[] = "trestle: ";
    if (!options->say_fd)
        return command_fail_line(error);
    size_t skipped = strncmp(error, name, strlen(name)) == 0 ? strlen(name) : 0;
    (void)handover_say(options->say_fd, "failure", error + skipped);
    free(error);
    return EXIT_BAD_INPUT;
}

int serve_config(const struct config *config, const struct serve_options *options)
{
    struct serving serving = {.run = {.signal_fd = -1}, .options = options};
    const struct run_options run_options = {.clean_up = abandon,
                                            .lose = lose,
                                            .ctx = &serving,
                                            .verbosity = options->verbosity,
                                            .process = options->process,
                                            .socket_dir = options->socket_dir,
                                            .control_fd = options->control_fd,
                                            .trace = options->trace,
                                            .run_hash = options->run_hash,
                                            .without_shm = options->without_shm};
    struct run *run = &serving.run;
    char *error = NULL;
    int r = launch_check_outside(config, &error);
    if (r == 0)
        r = run_check_outputs(config, options->stats, options->trace, &error);
    if (r == 0)
        r = run_init(run, config, &run_options, &error);
    if (r == 0)
        r = run_listen(run, &error);
    if (r < 0) {
        run_finish(run);
        return serve_refuse(options, error);
    }
    if (!options->quiet) {
        print_sockets(run);
        print_qemu(run, options);
    }
    fflush(stdout); /* a pipe may lead to a program that waits for the sockets */
    if (options->say_fd) {
        r = handover_say(options->say_fd, "serves", "");
        if (r == 0)
            r = trestle_bridge_watch(run->bridge, options->given_fd, run_has_ended, run);
    }
    if (r < 0) { /* and who waits for it would wait for ever */
        run_log(run, TRESTLE_LOG_ERROR, "cannot say that the device is served: %s", error_text(r));
        run_finish(run);
        return EXIT_FAILURE;
    }

    int code = serve_until_signal(run);
    own_stop(run->own);
    run_end_trace(run);
    (void)report(&serving);
    run_finish(run);
    if (run->has_lost && options->say_fd)
        (void)handover_say(options->say_fd, "lost", "");
    return run->has_lost ? EXIT_FAILURE : code;
}
