/* SPDX-License-Identifier: MIT */
/* trestle run: the devices and QEMU together, from start to end. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "command.h"
#include "json_file.h"
#include "run/guest.h"
#include "run/launch.h"
#include "run/session.h"
#include "util.h"

static const struct command_option options[] = {
    {'k', "kernel", "ELF", "the guest, instead of machine.kernel", .long_only = true},
    {'q', "qemu", "BIN", "the QEMU, instead of machine.qemu", .long_only = true},
    {'p', "plugin", "SO", "QEMU's plugin, or none", .long_only = true},
    {'v', "verbose", NULL, "log what happens; -vv: log every access"},
    {'s', "stats", "FILE", "write statistics as JSON; -: to standard output", .long_only = true},
    {'T', "trace", "FILE", "record accesses, interrupts, DMA, messages", .long_only = true},
    {'t', "timeout", "S", "end the run after S seconds, with exit code 124", .long_only = true},
    {'g', "gdb", NULL, "start the guest halted, with QEMU's gdb stub; no time-outs",
     .long_only = true},
    {'i', "exit-on-idle", NULL, "exit with 125 when the guest can never wake again",
     .long_only = true},
    {0},
};

struct run_options {
    const char *stats, *trace;
    int verbosity;
    double timeout_s; /* 0: none */
    struct launch_options launch;
};

struct run {
    const struct run_options *options;
    struct session session;
    struct launch launch;
    struct guest guest;
    bool was_stopped;
    int exit_code; /* of ours, when something else than QEMU ended the run; else 0 */
};

/* --- the command line --------------------------------------------------------------------------
 */

static bool parse_seconds(const char *text, double *ret_seconds)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !isfinite(seconds) || seconds <= 0 || seconds > 1e9)
        return false;
    *ret_seconds = seconds;
    return true;
}

static int parse(const struct command *command, int argc, char **argv,
                 struct run_options *ret_options, struct config **ret_config)
{
    struct run_options parsed = {0};
    int operands = 0;
    while (operands < argc && strcmp(argv[operands], "--") != 0)
        operands++;
    if (operands < argc) { /* QEMU's own: getopt must not see them */
        parsed.launch.args = argv + operands + 1;
        argc = operands;
    }
    const char *argument;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        switch (letter) {
        case 'k':
            parsed.launch.kernel = argument;
            break;
        case 'q':
            parsed.launch.qemu = argument;
            break;
        case 'p':
            parsed.launch.plugin = argument;
            break;
        case 'v':
            parsed.verbosity++;
            break;
        case 's':
            parsed.stats = argument;
            break;
        case 'T':
            parsed.trace = argument;
            break;
        case 't':
            if (!parse_seconds(argument, &parsed.timeout_s))
                return command_fail("--timeout %s is not a number of seconds; write for example "
                                    "--timeout 10 or --timeout 0.5",
                                    argument);
            break;
        case 'g':
            parsed.launch.gdb = true;
            break;
        case 'i':
            parsed.launch.exit_on_idle = true;
            break;
        default:
            return EXIT_BAD_INPUT;
        }
    }
    *ret_config = command_config(command, argc, argv);
    if (!*ret_config)
        return EXIT_BAD_INPUT;
    *ret_options = parsed;
    return 0;
}

/* --- running -----------------------------------------------------------------------------------
 */

/* When the run is to end by itself, in clock_ns(), and what says so. Simulated time follows the
 * host's clock from the moment the bridge listens, and so does stop_at. */
static uint64_t deadline_of(const struct run *run, const char **ret_reason)
{
    const struct run_options *run_options = run->options;
    double wait_ms = INFINITY;
    trestle_time stop_at = run->session.config->stop_at;
    if (stop_at != TRESTLE_TIME_NEVER && !run_options->launch.gdb) {
        wait_ms = (double)stop_at / (double)TRESTLE_MS;
        *ret_reason = "stop_at";
    }
    if (run_options->timeout_s > 0 && run_options->timeout_s * 1000 < wait_ms) {
        wait_ms = run_options->timeout_s * 1000;
        *ret_reason = "--timeout";
    }
    return wait_ms > 1e12 ? CLOCK_NEVER : clock_ns() + (uint64_t)ceil(wait_ms * NS_PER_MS);
}

static void serve(struct run *run)
{
    struct session *session = &run->session;
    struct guest *guest = &run->guest;
    const char *reason = NULL;
    if (guest_serve(guest, deadline_of(run, &reason)) < 0) {
        run->exit_code = EXIT_FAILURE;
    } else if (session->signal) {
        run->exit_code = 128 + session->signal;
    } else if (!guest->has_ended) {
        run->exit_code = EXIT_OUT_OF_TIME;
        fprintf(stderr, "trestle: %s ends the run\n", reason);
    }
    run->was_stopped = !guest->has_ended || guest->signal;
    if (!guest->has_ended) {
        session_log(session, TRESTLE_LOG_INFO, "Stopping QEMU");
        guest_stop(guest);
    }
    if (!run->exit_code && guest->signal)
        session_log(session, TRESTLE_LOG_WARNING, "QEMU was ended by signal %d (%s)", guest->signal,
                    strsignal(guest->signal));
    session_log(session, TRESTLE_LOG_INFO, "QEMU ended with exit code %d", guest->exit_code);
}

/* Something that was asked for is not there; a worse code stays. */
static void fail_run(struct run *run)
{
    if (!run->exit_code && run->guest.exit_code == 0)
        run->exit_code = EXIT_FAILURE;
}

static void report(struct run *run)
{
    struct trestle_device_stats totals;
    struct stats_qemu qemu = {
        .has_ended = true, .was_stopped = run->was_stopped, .exit_code = run->guest.exit_code};
    char *path = NULL, *version = NULL, *error = NULL;
    trestle_bridge_totals(run->session.bridge, &totals);
    /* A QEMU that never got as far as its guest has said why, and that is all there is to say. */
    if (totals.reads + totals.writes + totals.errors > 0 || run->guest.exit_code == 0 ||
        run->exit_code)
        stats_print(&run->session, &qemu, stderr);
    if (run->options->trace && !run->session.trace.is_whole)
        fail_run(run);
    if (!run->options->stats)
        return;
    if (trestle_machine_find_qemu(&run->launch.machine, &path, NULL) == 0 &&
        trestle_machine_version(path, &version, NULL) == 0)
        qemu.version = version;
    if (stats_write(&run->session, &qemu, run->options->stats, &error) < 0) {
        command_fail_line(error);
        fail_run(run);
    }
    free(version);
    free(path);
}

static int run_guest(struct run *run, char **ret_error)
{
    struct session *session = &run->session;
    int status = session_listen(session, ret_error);
    if (status < 0)
        return status;
    launch_set_sockets(&run->launch, session->config, session->bridge);
    launch_set_labels(&run->launch, session->config);
    status = guest_start(&run->guest, session, &run->launch.machine, ret_error);
    if (status < 0)
        return status;
    session_log(session, TRESTLE_LOG_INFO, "QEMU PID: %d",
                (int)trestle_machine_pid(run->guest.machine));
    session_log(session, TRESTLE_LOG_INFO, "Waiting for %zu device connections...",
                session->config->num_devices);
    if (run->options->launch.gdb)
        fprintf(stderr, "trestle: the guest is halted; in gdb: target remote :1234\n");
    serve(run);
    guest_finish(&run->guest);
    own_stop(session->own);
    session_end_trace(session);
    report(run);
    return 0;
}

static int run_config(const struct run_options *run_options, const struct config *config)
{
    struct run run = {.options = run_options};
    char *error = NULL;
    int status = run_options->stats ? json_file_check("--stats", run_options->stats, &error) : 0;
    if (status == 0)
        status = launch_init(&run.launch, config, &run_options->launch, &error);
    if (status < 0)
        return command_fail_line(error);
    const struct session_options session_options = {.verbosity = run_options->verbosity,
                                                    .trace = run_options->trace};
    status = session_init(&run.session, config, &session_options, &error);
    if (status == 0)
        status = run_guest(&run, &error);
    session_finish(&run.session);
    launch_finish(&run.launch);
    if (status < 0)
        return command_fail_line(error);
    return run.exit_code ? run.exit_code : run.guest.exit_code;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct run_options run_options;
    struct config *config = NULL;
    int status = parse(command, argc, argv, &run_options, &config);
    if (status)
        return status;
    status = run_config(&run_options, config);
    config_destroy(config);
    return status;
}

const struct command command_run = {
    .name = "run",
    .arguments = "CONFIG [OPTION]... [-- QEMU-ARGUMENT...]",
    .summary = "Start the devices of CONFIG and a QEMU that is joined to them",
    .options = options,
    .run = run_command,
    .help = "The guest's console is on standard output, everything else on standard error.\n"
            "Ctrl-C goes to the guest when it has a terminal; Ctrl-A x ends QEMU.\n"
            "\n"
            "exit code: QEMU's, and 128 + N when it was ended by signal N; 2 for bad input,\n"
            "124 after --timeout or stop_at, 125 after --exit-on-idle, 128 + N when trestle\n"
            "itself was ended by signal N.\n",
};
