/* SPDX-License-Identifier: MIT */
#include "run/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json_file.h"
#include "run/launch.h"
#include "run/session.h"
#include "table.h"
#include "util.h"

static void print_sockets(const struct session *session)
{
    static const char *const titles[] = {"device", "base", "socket", NULL};
    struct table table = {.titles = titles};
    for (size_t i = 0; i < session->config->num_devices; i++) {
        const struct config_device *device = &session->config->devices[i];
        table_addf(&table, "%s", device->name);
        table_addf(&table, "0x%08" PRIx64, device->base_addr);
        table_addf(&table, "%s", trestle_bridge_socket_path(session->bridge, (uint32_t)i));
    }
    table_print(&table, stdout);
    table_finish(&table);
}

/* QEMU may be on another machine or not built yet, so that its absence is no reason to stop. */
static void print_qemu(struct session *session, const struct serve_options *options)
{
    struct launch launch;
    const struct launch_options launch_options = {.plugin = options->plugin};
    char *error = NULL, **argv = NULL;
    int status = launch_init(&launch, session->config, &launch_options, &error);
    if (status == 0) {
        launch_set_sockets(&launch, session->config, session->bridge);
        status = trestle_machine_args(&launch.machine, &argv, &error);
        if (status == 0) {
            char *line = shell_quote(argv);
            printf("\nstart QEMU with:\n%s\n", line);
            free(line);
            free(argv);
        }
        launch_finish(&launch);
    }
    if (status < 0) {
        session_log(session, TRESTLE_LOG_WARNING, "no QEMU command line to show: %s",
                    error ? error : strerror(-status));
        free(error);
    }
}

static int serve_until_signal(struct session *session)
{
    while (!session->signal) {
        int status = trestle_bridge_poll(session->bridge, -1);
        if (status < 0 && status != -EINTR) {
            session_log(session, TRESTLE_LOG_ERROR, "cannot serve the devices: %s",
                        strerror(-status));
            return EXIT_FAILURE;
        }
    }
    return 128 + session->signal;
}

int serve_config(const struct config *config, const struct serve_options *options)
{
    const struct session_options session_options = {.verbosity = options->verbosity,
                                                    .socket_dir = options->socket_dir,
                                                    .trace = options->trace,
                                                    .run_hash = options->run_hash};
    struct session session = {.signal_fd = -1};
    char *error = NULL;
    int status = options->stats ? json_file_check("--stats", options->stats, &error) : 0;
    if (status == 0)
        status = session_init(&session, config, &session_options, &error);
    if (status == 0)
        status = session_listen(&session, &error);
    if (status < 0) {
        session_finish(&session);
        return command_fail_line(error);
    }
    if (!options->quiet) {
        print_sockets(&session);
        print_qemu(&session, options);
    }
    fflush(stdout); /* whoever waits for the sockets may read from a pipe */

    int code = serve_until_signal(&session);
    own_stop(session.own);
    session_end_trace(&session);
    const struct stats_qemu elsewhere = {0};
    if (!options->quiet)
        stats_print(&session, &elsewhere, stderr);
    if (options->stats && stats_write(&session, &elsewhere, options->stats, &error) < 0)
        command_fail_line(error);
    session_finish(&session);
    return code;
}
