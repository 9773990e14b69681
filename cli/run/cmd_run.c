/* SPDX-License-Identifier: MIT */
/* trestle run: the devices and QEMU together, from start to end. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "command.h"
#include "log.h"
#include "machine/command.h"
#include "run/debug.h"
#include "run/guest.h"
#include "run/launch.h"
#include "run/run.h"
#include "run/watchdog.h"
#include "util.h"

static const struct command_option options[] = {
    {'k', "kernel", "ELF", "the guest, instead of machine.kernel", .long_only = true},
    {'q', "qemu", "BIN", "the QEMU, instead of machine.qemu", .long_only = true},
    {'p', "plugin", "SO", "QEMU's plugin, or none", .long_only = true},
    {'v', "verbose", NULL, "log what happens; -vv: log every access"},
    {'l', "log-time", NULL, "begin each line of the log with the time of day", .long_only = true},
    {'s', "stats", "FILE", "write statistics as JSON; -: to standard output", .long_only = true},
    {'T', "trace", "FILE", "record accesses, interrupts, DMA, messages", .long_only = true},
    {'c', "control", "PATH", "listen there for trestle poke --attach", .long_only = true},
    {'t', "timeout", "TIME", "end the run after this time (20s, 500ms), with exit code 124",
     .long_only = true},
    {'g', "gdb", "[=PORT]", "start the guest halted, with QEMU's gdb stub; no time-outs",
     .long_only = true},
    {'d', "debug", "NAME", "say where a device runs, for gdb; no time-outs for it",
     .long_only = true},
    {'i', "exit-on-idle", NULL, "exit with 125 when the guest can never wake again",
     .long_only = true},
    {'r', "registers", NULL, "show at the end what registers hold", .long_only = true},
    {0},
};

/* QEMU waits for a model that does not answer, and is not asked twice. */
#define ABANDON_GRACE_MS 300
#define TIMEOUT_MAX_S 1e9
#define LOOK_FOR_GDB_NS (20 * NS_PER_MS)

struct run_arguments {
    const char *stats, *trace, *control;
    bool registers; /* are shown at the end */
    int verbosity;
    double timeout_s; /* 0: none */
    struct launch_options launch;
};

struct guest_run {
    const struct run_arguments *options;
    struct run run;
    struct launch launch;
    struct guest guest;
    bool was_stopped;
    int exit_code; /* of ours, when something else than QEMU ended the run; else 0 */
};

/* --- the command line --------------------------------------------------------------------------
 */

static bool parse_port(const char *text, uint16_t *ret_port)
{
    uint64_t port;
    if (!number_parse(text, &port) || port == 0 || port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

static int parse(const struct command *command, int argc, char **argv,
                 struct run_arguments *ret_options, struct config **ret_config)
{
    struct run_arguments parsed = {.launch = {.needs_guest = true}};
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
        case 'l':
            log_show_time();
            break;
        case 's':
            parsed.stats = argument;
            break;
        case 'T':
            parsed.trace = argument;
            break;
        case 'c':
            parsed.control = argument;
            break;
        case 'r':
            parsed.registers = true;
            break;
        case 't':
            if (!command_duration(argument, TRESTLE_S, &parsed.timeout_s) || parsed.timeout_s <= 0)
                return command_fail("--timeout %s is not a time above 0; write for example "
                                    "--timeout 10s, or --timeout 10, which is the same",
                                    argument);
            if (parsed.timeout_s > TIMEOUT_MAX_S)
                return command_fail("--timeout %s is longer than %.0f s; leave it out for a run "
                                    "without one",
                                    argument, TIMEOUT_MAX_S);
            break;
        case 'g':
            parsed.launch.gdb = true;
            if (argument && !parse_port(argument, &parsed.launch.gdb_port))
                return command_fail("--gdb=%s is not a TCP port; write for example --gdb=1234",
                                    argument);
            break;
        case 'd':
            parsed.launch.debug = argument;
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

static double stop_ms(const struct run_arguments *given, const struct config *config)
{
    bool is_wanted =
        config->stop_at != TRESTLE_TIME_NEVER && !given->launch.gdb && !given->launch.debug;
    return is_wanted ? (double)config->stop_at / (double)TRESTLE_MS : INFINITY;
}

/* The earlier of the two, in clock_ns(), and what says so. */
static uint64_t deadline_in(double stop_at_ms, double timeout_s, const char **ret_reason)
{
    bool is_timeout = timeout_s > 0 && timeout_s * 1000 < stop_at_ms;
    double wait_ms = is_timeout ? timeout_s * 1000 : stop_at_ms;
    *ret_reason = is_timeout ? "--timeout" : "stop_at";
    return wait_ms > 1e12 ? CLOCK_NEVER : clock_ns() + (uint64_t)ceil(wait_ms * NS_PER_MS);
}

/* When the run is to end by itself. Simulated time follows the host's clock from the moment the
 * bridge listens, and so does stop_at. */
static uint64_t deadline_of(const struct guest_run *whole, const char **ret_reason)
{
    const struct run_arguments *given = whole->options;
    bool is_over = given->timeout_s > 0 && clock_ns() >= whole->run.deadline_ns;
    uint64_t deadline_ns =
        deadline_in(stop_ms(given, whole->run.config), given->timeout_s, ret_reason);
    return is_over ? clock_ns() : deadline_ns;
}

/* When the run ends although a model has not begun. For stop_at, nothing before the bridge listens
 * counts. But a model that the watchdog has named will not begin any more. */
static uint64_t first_deadline(const struct run_arguments *given, const struct config *config,
                               const char **ret_reason)
{
    double wait_ms = stop_ms(given, config), patience_ms = (double)config->watchdog_ms;
    if (patience_ms <= 0)
        wait_ms = INFINITY;
    else if (wait_ms < patience_ms)
        wait_ms = patience_ms;
    return deadline_in(wait_ms, given->timeout_s, ret_reason);
}

static void serve(struct guest_run *whole, uint64_t deadline_ns, const char *reason)
{
    struct run *run = &whole->run;
    struct guest *guest = &whole->guest;
    watchdog_set_deadline(deadline_ns, reason, EXIT_OUT_OF_TIME);
    if (guest_serve(guest, deadline_ns) < 0) {
        whole->exit_code = EXIT_FAILURE;
    } else if (run->signal) {
        whole->exit_code = 128 + run->signal;
    } else if (!guest->has_ended) {
        whole->exit_code = EXIT_OUT_OF_TIME;
        log_line("trestle: %s ends the run", reason);
    }
    whole->was_stopped = !guest->has_ended || guest->signal;
    if (!guest->has_ended) {
        run_log(run, TRESTLE_LOG_INFO, "Stopping QEMU");
        guest_stop(guest);
    }
    if (!whole->exit_code && guest->signal)
        run_log(run, TRESTLE_LOG_WARNING, "QEMU was ended by signal %d (%s)", guest->signal,
                strsignal(guest->signal));
    run_log(run, TRESTLE_LOG_INFO, "QEMU ended with exit code %d", guest->exit_code);
}

/* Something that the user asked for is missing. A worse exit code stays. */
static void fail_run(struct guest_run *whole)
{
    if (!whole->exit_code && whole->guest.exit_code == 0)
        whole->exit_code = EXIT_FAILURE;
}

/* If QEMU ends in order or by a signal, the plugin or the kernel has said why. */
static void look_for_silence(struct guest_run *whole)
{
    bool is_quiet = !whole->was_stopped && whole->guest.exit_code <= 128;
    char *names = is_quiet ? own_silent_inline(whole->run.own) : NULL;
    if (!names)
        return;
    run_log(
        &whole->run, TRESTLE_LOG_ERROR,
        "QEMU has ended without a report from the devices inside it (%s); a model may have called "
        "_exit()",
        names);
    fail_run(whole);
    free(names);
}

/* The guest accessed some device, in whatever process. */
static bool has_served(const struct run *run)
{
    struct trestle_device_stats served;
    trestle_bridge_stats(run->bridge, TRESTLE_BRIDGE_TOTAL, &served);
    uint64_t accesses = served.reads + served.writes + served.errors;
    unsigned restarts;
    for (size_t i = 0; i < run->config->num_devices && accesses == 0; i++)
        if (own_stats(run->own, i, &served, &restarts))
            accesses = served.reads + served.writes + served.errors;
    return accesses > 0;
}

static void report(struct guest_run *whole)
{
    struct stats_qemu qemu = {
        .has_ended = true, .was_stopped = whole->was_stopped, .exit_code = whole->guest.exit_code};
    char *path = NULL, *version = NULL, *error = NULL;
    /* If QEMU never got as far as its guest, it has said why. Nothing more is to be said. */
    if (has_served(&whole->run) || whole->guest.exit_code == 0 || whole->guest.signal ||
        whole->exit_code)
        stats_print(&whole->run, &qemu);
    if (whole->options->registers)
        stats_print_registers(&whole->run);
    if (whole->options->trace && !whole->run.trace.is_whole)
        fail_run(whole);
    if (!whole->options->stats)
        return;
    if (trestle_machine_find_qemu(&whole->launch.machine, &path, NULL) == 0 &&
        trestle_machine_version(path, &version, NULL) == 0)
        qemu.version = version;
    if (stats_write(&whole->run, &qemu, whole->options->stats, &error) < 0) {
        command_fail_line(error);
        fail_run(whole);
    }
    free(version);
    free(path);
}

/* Says this once QEMU listens. Before that, a gdb would be refused, or would reach another run. */
static void say_gdb(struct guest_run *whole, uint64_t deadline_ns)
{
    const struct trestle_machine_options *machine = &whole->launch.machine;
    struct guest *guest = &whole->guest;
    while (!debug_is_open(machine->gdb_port)) {
        uint64_t until_ns = clock_ns() + LOOK_FOR_GDB_NS;
        if (guest->has_ended || whole->run.signal || until_ns > deadline_ns ||
            guest_serve(guest, until_ns) < 0)
            return;
    }
    char *command = debug_gdb_command(machine->gdb_port, machine->arch ? machine->arch : "riscv32",
                                      machine->kernel);
    log_line("trestle: the guest is halted; %s", command);
    free(command);
}

static size_t find_device(const struct config *config, const char *name)
{
    size_t i = 0;
    while (i < config->num_devices && strcmp(config->devices[i].name, name) != 0)
        i++;
    return i;
}

static int check_debug(const struct config *config, const char *name)
{
    struct strings names = {0};
    if (!name || find_device(config, name) < config->num_devices)
        return 0;
    for (size_t i = 0; i < config->num_devices; i++)
        strings_add(&names, config->devices[i].name);
    char *help = suggest_or_list(name, &names, "the devices are");
    command_fail("--debug %s: there is no such device%s", name, help);
    free(help);
    strings_finish(&names);
    return -EINVAL;
}

static void say_process(const struct guest_run *whole)
{
    const char *name = whole->options->launch.debug;
    size_t index = find_device(whole->run.config, name);
    pid_t pid = own_pid(whole->run.own, index);
    if (whole->run.config->devices[index].is_inline)
        pid = trestle_machine_pid(whole->guest.machine);
    else if (pid < 0)
        pid = getpid();
    log_line("trestle: %s is served by process %d and has no time-out; gdb -p %d", name, (int)pid,
             (int)pid);
}

/* A model does not return, so the thread that serves is lost. */
static void abandon(void *ctx)
{
    struct guest_run *whole = ctx;
    if (!whole->guest.machine) {
        run_abandon(&whole->run);
        return;
    }
    whole->was_stopped = true;
    whole->exit_code = EXIT_FAILURE;
    trestle_machine_stop(whole->guest.machine, ABANDON_GRACE_MS);
    trestle_machine_ended(whole->guest.machine, &whole->guest.exit_code);
    trestle_machine_destroy(whole->guest.machine);
    run_abandon(&whole->run);
    report(whole);
}

static int run_guest(struct guest_run *whole, char **ret_error)
{
    struct run *run = &whole->run;
    int r = run_listen(run, ret_error);
    if (r < 0)
        return r;
    launch_set_sockets(&whole->launch, run->config, run->bridge);
    launch_set_labels(&whole->launch, run->config);
    launch_set_inline(&whole->launch, run->own);
    r = guest_start(&whole->guest, run, &whole->launch.machine, ret_error);
    if (r < 0)
        return r;
    own_launched(run->own);
    run_log(run, TRESTLE_LOG_INFO, "QEMU PID: %d", (int)trestle_machine_pid(whole->guest.machine));
    run_log(run, TRESTLE_LOG_INFO, "Waiting for %zu device connections...",
            run->config->num_devices);
    if (whole->options->launch.debug)
        say_process(whole);
    const char *reason = NULL;
    uint64_t deadline_ns = deadline_of(whole, &reason);
    if (whole->launch.machine.gdb_port)
        say_gdb(whole, deadline_ns);
    else if (whole->options->launch.gdb)
        log_line("trestle: the guest is halted; connect gdb where -gdb says");
    serve(whole, deadline_ns, reason);
    guest_finish(&whole->guest);
    own_stop(run->own);
    look_for_silence(whole);
    run_end_trace(run);
    report(whole);
    return 0;
}

/* The user's own -gdb. */
static bool names_gdb(const char *const *args)
{
    while (*args && strcmp(*args, "-gdb") != 0 && strcmp(*args, "-s") != 0)
        args++;
    return *args;
}

/* What is up to this host. */
static int prepare(const struct run_arguments *given, const struct config *config,
                   struct launch *launch, char **ret_error)
{
    int r = launch_share_ram(launch, config, ret_error);
    if (r == 0 && given->launch.gdb && !names_gdb(launch->machine.args))
        r = debug_choose_port(given->launch.gdb_port, &launch->machine.gdb_port, ret_error);
    if (r < 0)
        launch_finish(launch);
    return r;
}

static int run_config(const struct run_arguments *given, const struct config *config)
{
    struct guest_run whole = {.options = given};
    char *error = NULL;
    if (check_debug(config, given->launch.debug) < 0)
        return EXIT_BAD_INPUT;
    int r = run_check_outputs(config, given->stats, given->trace, &error);
    if (r == 0)
        r = launch_init(&whole.launch, config, &given->launch, &error);
    if (r == 0)
        r = prepare(given, config, &whole.launch, &error);
    if (r < 0)
        return command_fail_line(error);
    const char *reason;
    uint64_t deadline_ns = first_deadline(given, config, &reason);
    const struct run_options shared = {.verbosity = given->verbosity,
                                       .control = given->control,
                                       .trace = given->trace,
                                       .has_no_watchdog = given->launch.debug || given->launch.gdb,
                                       .deadline_ns = deadline_ns,
                                       .deadline_what = reason,
                                       .clean_up = abandon,
                                       .ctx = &whole};
    r = run_init(&whole.run, config, &shared, &error);
    if (r == 0)
        r = run_guest(&whole, &error);
    run_finish(&whole.run);
    if (whole.run.has_lost)
        fail_run(&whole);
    launch_finish(&whole.launch);
    if (r < 0)
        return command_fail_line(error);
    return whole.exit_code ? whole.exit_code : whole.guest.exit_code;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct run_arguments given;
    struct config *config = NULL;
    int r = parse(command, argc, argv, &given, &config);
    if (r)
        return r;
    r = run_config(&given, config);
    config_destroy(config);
    return r;
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
            "exit code: QEMU's, and 128 + N when it was ended by signal N; 1 in place of 0 when\n"
            "a trace, statistics or a waveform could not be written; 2 for bad input, 124 after\n"
            "--timeout or stop_at, 125 after --exit-on-idle, 128 + N when trestle itself was\n"
            "ended by signal N.\n",
};
