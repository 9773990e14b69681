/* SPDX-License-Identifier: MIT */
/* trestle bench: what one access costs, from the guest to a device and back. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "bench/jobs.h"
#include "bench/line.h"
#include "bench/measure.h"
#include "bench/neighbours.h"
#include "bench/report.h"
#include "command.h"
#include "json_file.h"
#include "signals.h"

#define GUEST "mmio_bench-riscv32.elf"
#define KVM_GUEST "mmio_bench-" BENCH_KVM_ARCH ".elf"
#define ROUNDS_DEFAULT 5
#define ROUNDS_QUICK 3
#define LINE_BATCHES 300u
#define ROUNDS_MAX 1000

static const struct command_option options[] = {
    {'j', "json", "FILE", "write all results as JSON; -: to standard output", .long_only = true},
    {'t', "html", "FILE", "write a page with plots", .long_only = true},
    {'Q', "quick", NULL, "fewer sides, rounds and accesses: less than a minute", .long_only = true},
    {'o', "only", "WORDS", "measure only sides with all of these, such as v2-shm,read",
     .long_only = true},
    {'r', "rounds", "N", "measure each side N times; default: 5, quick: 3", .long_only = true},
    {'c', "count", "N", "accesses per measurement; default: enough for half a second",
     .long_only = true},
    {'b', "busy", "N", "measure while N other processes compute; default: 0", .long_only = true},
    {'J', "jobs", "N", "run N simulations at once, and add up what they do; default: 1",
     .long_only = true},
    {'k', "kernel", "ELF", "the guest that measures, instead of trestle's", .long_only = true},
    {'q', "qemu", "BIN", "the QEMU, instead of qemu-system-riscv32", .long_only = true},
    {'p', "plugin", "SO", "QEMU's plugin", .long_only = true},
    {'v', "verbose", NULL, "log what happens"},
    {0},
};

struct bench {
    const char *json, *html, *only;
    uint64_t rounds; /* 0: not said */
    uint64_t busy, jobs;
    struct bench_setup setup;
    char *kernel; /* found, when none was named */
    char *kvm_kernel;
    char *no_kvm; /* why sides under KVM were left out; NULL: they were not */
    struct bench_plan plan;
    double *lines_ns;             /* of each round */
    struct bench_result *results; /* the rounds of a side, side by side */
    int signal;
};

/* --- the command line --------------------------------------------------------------------------
 */

static int parse_number(const char *option, const char *text, uint64_t max, uint64_t *ret_number)
{
    uint64_t number;
    if (!number_parse(text, &number) || number == 0 || number > max)
        return command_fail("--%s %s is not a number from 1 to %" PRIu64, option, text, max);
    *ret_number = number;
    return 0;
}

static int parse(const struct command *command, int argc, char **argv, struct bench *bench)
{
    const char *argument;
    int letter, code = 0;
    while (code == 0 && (letter = command_next_option(command, argc, argv, &argument)) != 0) {
        switch (letter) {
        case 'j':
            bench->json = argument;
            break;
        case 't':
            bench->html = argument;
            break;
        case 'Q':
            bench->setup.quick = true;
            break;
        case 'o':
            bench->only = argument;
            break;
        case 'r':
            code = parse_number("rounds", argument, ROUNDS_MAX, &bench->rounds);
            break;
        case 'c':
            code = parse_number("count", argument, UINT32_MAX, &bench->setup.count);
            break;
        case 'b':
            code = parse_number("busy", argument, NEIGHBOURS_MAX, &bench->busy);
            break;
        case 'J':
            code = parse_number("jobs", argument, JOBS_MAX, &bench->jobs);
            break;
        case 'k':
            bench->setup.launch.kernel = argument;
            break;
        case 'q':
            bench->setup.launch.qemu = argument;
            break;
        case 'p':
            bench->setup.launch.plugin = argument;
            break;
        case 'v':
            bench->setup.verbosity++;
            break;
        default:
            code = EXIT_BAD_INPUT;
            break;
        }
    }
    if (code == 0 && optind < argc)
        return command_fail("bench takes no \"%s\"; see trestle bench --help", argv[optind]);
    if (code == 0 && bench->setup.launch.plugin && strcmp(bench->setup.launch.plugin, "none") == 0)
        return command_fail("--plugin none cannot be measured: the guest's clock is read through "
                            "the plugin; name a trestle-qemu.so");
    return code;
}

static int find_guest(struct bench *bench)
{
    char *places;
    bench->kernel = find_own_file("firmware/" GUEST, TRESTLE_DATA_DIR "/" GUEST, &places);
    bench->setup.launch.kernel = bench->kernel;
    if (bench->kernel)
        return 0;
    command_fail("the guest that measures is %s; build it (clang and lld), or name it with "
                 "--kernel",
                 places);
    free(places);
    return EXIT_BAD_INPUT;
}

/* Why there can be no sides under KVM. NULL: there can. */
static char *find_no_kvm(struct bench *bench)
{
    const struct launch_options *launch = &bench->setup.launch;
    const struct trestle_machine_options machine = {
        .size = sizeof(machine), .arch = BENCH_KVM_ARCH, .search_path = getenv("PATH")};
    const char *remedy;
    char *places, *qemu, *reason = NULL;
    if (launch->kernel || launch->qemu)
        return xformat("--%s has no guest for " BENCH_KVM_ARCH, launch->kernel ? "kernel" : "qemu");
    reason = launch_no_kvm(BENCH_KVM_ARCH, &remedy);
    if (reason || trestle_machine_find_qemu(&machine, &qemu, &reason) < 0)
        return reason;
    free(qemu);
    bench->kvm_kernel =
        find_own_file("firmware/" KVM_GUEST, TRESTLE_DATA_DIR "/" KVM_GUEST, &places);
    bench->setup.kvm_kernel = bench->kvm_kernel;
    if (bench->kvm_kernel)
        return NULL;
    reason = xformat("the guest is %s", places);
    free(places);
    return reason;
}

static int choose_kvm(struct bench *bench)
{
    if (!bench_plan_has_kvm(&bench->plan))
        return 0;
    bench->no_kvm = find_no_kvm(bench);
    if (!bench->no_kvm)
        return 0;
    bench_plan_drop_kvm(&bench->plan);
    return bench->plan.count > 0 ? 0
                                 : command_fail("--only %s leaves nothing to measure: %s",
                                                bench->only, bench->no_kvm);
}

/* Before anything is measured: what would make it worthless at the end. */
static int prepare(struct bench *bench)
{
    char *error = NULL;
    if (bench->json && json_file_check("--json", bench->json, &error) < 0)
        return command_fail_line(error);
    if (bench->html && json_file_check("--html", bench->html, &error) < 0)
        return command_fail_line(error);
    if (bench->json && bench->html && strcmp(bench->json, "-") == 0 &&
        strcmp(bench->html, "-") == 0)
        return command_fail("--json and --html cannot both go to standard output; name a file");
    if (bench_plan_init(&bench->plan, bench->setup.quick, bench->only, &error) < 0)
        return command_fail_line(error);
    int code = choose_kvm(bench);
    if (code)
        return code;
    if (bench->rounds == 0)
        bench->rounds = bench->setup.quick ? ROUNDS_QUICK : ROUNDS_DEFAULT;
    return bench->setup.launch.kernel ? 0 : find_guest(bench);
}

/* --- all measurements --------------------------------------------------------------------------
 */

/* One line that changes, where somebody looks at it. */
static void show_progress(const struct bench *bench, uint64_t round, size_t turn, size_t side)
{
    if (bench->setup.verbosity || !isatty(STDERR_FILENO))
        return;
    char *text = bench_side_text(&bench->plan.sides[side]);
    fprintf(stderr, "\r\033[Kround %" PRIu64 " of %" PRIu64 ", %zu of %zu: %s", round + 1,
            bench->rounds, turn + 1, bench->plan.count, text);
    free(text);
}

static void end_progress(const struct bench *bench)
{
    if (!bench->setup.verbosity && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

static int measure(struct bench *bench, uint64_t round, size_t side)
{
    struct bench_result *result = &bench->results[side * bench->rounds + round];
    /* Started for each measurement, since the end of a run ends all that descends from us. */
    struct neighbours neighbours;
    int r = neighbours_start(&neighbours, (unsigned)bench->busy);
    if (r < 0) {
        command_fail("--busy %" PRIu64 ": a process could not be started: %s", bench->busy,
                     strerror(-r));
        return EXIT_FAILURE;
    }
    int code = bench->jobs > 1
                   ? bench_measure_jobs(&bench->setup, &bench->plan.sides[side],
                                        (unsigned)bench->jobs, result, &bench->signal)
                   : bench_measure(&bench->setup, &bench->plan.sides[side], result, &bench->signal);
    neighbours_end(&neighbours);
    if (bench->setup.verbosity && code == 0 && !bench->signal) {
        char *text = bench_side_text(&bench->plan.sides[side]);
        fprintf(stderr, "round %" PRIu64 " of %" PRIu64 ": %s: p50 %.0f ns\n", round + 1,
                bench->rounds, text, result->p50_ns);
        free(text);
    }
    return code;
}

/* Sides take turns, forwards and then backwards: what the machine does meanwhile hits all. */
static int measure_all(struct bench *bench)
{
    int code = 0;
    sigset_t before = signals_hold();
    bench->results = xcalloc(bench->rounds * bench->plan.count, sizeof(*bench->results));
    bench->lines_ns = xcalloc(bench->rounds, sizeof(*bench->lines_ns));
    for (uint64_t round = 0; round < bench->rounds && code == 0 && !bench->signal; round++) {
        bench->lines_ns[round] = bench_line_ns(LINE_BATCHES);
        for (size_t turn = 0; turn < bench->plan.count && code == 0 && !bench->signal; turn++) {
            size_t side = round % 2 ? bench->plan.count - 1 - turn : turn;
            show_progress(bench, round, turn, side);
            code = measure(bench, round, side);
        }
    }
    end_progress(bench);
    signals_release(&before); /* one that no run has taken ends the process now */
    return bench->signal ? 128 + bench->signal : code;
}

/* --- what came of it ---------------------------------------------------------------------------
 */

static int write_files(const struct bench *bench, const struct bench_report *report)
{
    char *error = NULL;
    int r = 0;
    if (bench->json) {
        json_t *document = bench_json(report);
        r = json_file_write(document, "--json", bench->json, &error);
        json_decref(document);
    }
    if (bench->html && r == 0) {
        char *page = bench_html(report);
        r = text_file_write(page, "--html", bench->html, &error);
        free(page);
    }
    if (r == 0)
        return EXIT_SUCCESS;
    command_fail_line(error);
    return EXIT_FAILURE;
}

static int report_all(const struct bench *bench)
{
    struct bench_report report = {.rounds = (unsigned)bench->rounds,
                                  .line_ns = bench_median_of(bench->lines_ns, bench->rounds),
                                  .busy = (unsigned)bench->busy,
                                  .jobs = (unsigned)bench->jobs,
                                  .no_kvm = bench->no_kvm,
                                  .plan = &bench->plan};
    bool to_stdout = (bench->json && strcmp(bench->json, "-") == 0) ||
                     (bench->html && strcmp(bench->html, "-") == 0);
    bench_machine_init(&report.machine, bench->setup.launch.qemu);
    report.results = xcalloc(bench->plan.count, sizeof(*report.results));
    for (size_t side = 0; side < bench->plan.count; side++)
        report.results[side] = bench_median(&bench->results[side * bench->rounds], bench->rounds);
    bench_table(&report, to_stdout ? stderr : stdout);
    int code = write_files(bench, &report);
    free(report.results);
    bench_machine_finish(&report.machine);
    return code;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct bench bench = {0};
    int code = parse(command, argc, argv, &bench);
    if (code == 0)
        code = prepare(&bench);
    if (code == 0)
        code = measure_all(&bench);
    if (code == 0)
        code = report_all(&bench);
    bench_plan_finish(&bench.plan);
    free(bench.lines_ns);
    free(bench.results);
    free(bench.kernel);
    free(bench.kvm_kernel);
    free(bench.no_kvm);
    return code;
}

const struct command command_bench = {
    .name = "bench",
    .arguments = "[OPTION]...",
    .summary = "Measure one access from the guest to a device and back",
    .options = options,
    .run = run_command,
    .help =
        "The sides take turns, so that other work on the machine slows all of them alike. The\n"
        "floor is a callback inside QEMU that reads the guest's clock, without another process.\n"
        "WORDS of --only, with commas between them: a path (floor, v1, v2-socket, v2-shm,\n"
        "inline, kvm-floor, kvm-shm), a wait (sleep, spin, adaptive), an access (read, write,\n"
        "posted), a number of devices. Where KVM runs no guests, these two are left out.\n"
        "A quiet machine and a release build give numbers worth comparing.\n",
};
