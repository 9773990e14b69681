/* SPDX-License-Identifier: MIT */
/* trestle bench: what one access costs, from the guest to a device and back. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_guest.h"
#include "command.h"
#include "guest.h"
#include "json_file.h"
#include "launch.h"
#include "session.h"
#include "table.h"
#include "util.h"

#define DEVICE_BASE 0x10200000u
#define CLOCK_BASE 0x10300000u
#define GUEST "mmio_bench-riscv32.elf"
#define ROUNDS_DEFAULT 5
#define ROUNDS_MAX 1000
/* A guest that takes longer than this has lost its way. */
#define MEASUREMENT_MS 120000

/* One way for the two sides to meet. What is to be compared next is a row more. */
static const struct side {
    const char *name, *what;
    const char *properties; /* of the sst-device; NULL: no device outside QEMU, the floor */
    enum trestle_wait wait;
    unsigned accesses; /* about half a second's */
} sides[] = {
    {"floor", "callback inside QEMU", NULL, TRESTLE_WAIT_SLEEP, 1000000},
    {"v2-shm-spin", "shared memory, both sides spin", "carrier=shm,wait=spin", TRESTLE_WAIT_SPIN,
     300000},
    {"v2-shm", "shared memory, as by default", "carrier=shm,wait=adaptive", TRESTLE_WAIT_ADAPTIVE,
     300000},
    {"v2-shm-sleep", "shared memory, both sides sleep", "carrier=shm,wait=sleep",
     TRESTLE_WAIT_SLEEP, 10000},
    {"v2-socket-spin", "v2 socket, both sides spin", "carrier=socket,wait=spin", TRESTLE_WAIT_SPIN,
     50000},
    {"v2-socket-sleep", "v2 socket, both sides sleep", "carrier=socket,wait=sleep",
     TRESTLE_WAIT_SLEEP, 10000},
    {"v1-spin", "v1 socket, both sides spin", "protocol=1,wait=spin", TRESTLE_WAIT_SPIN, 50000},
    {"v1-sleep", "v1 socket, both sides sleep", "protocol=1,wait=sleep", TRESTLE_WAIT_SLEEP, 10000},
};
enum { SIDES = sizeof(sides) / sizeof(*sides) };

static const struct command_option options[] = {
    {'j', "json", "FILE", "write all results as JSON; -: to standard output", .long_only = true},
    {'r', "rounds", "N", "measure each side N times; default: 5", .long_only = true},
    {'c', "count", "N", "accesses per measurement; default: about half a second's",
     .long_only = true},
    {'k', "kernel", "ELF", "the guest that measures, instead of trestle's", .long_only = true},
    {'q', "qemu", "BIN", "the QEMU, instead of qemu-system-riscv32", .long_only = true},
    {'p', "plugin", "SO", "QEMU's plugin", .long_only = true},
    {'v', "verbose", NULL, "log what happens"},
    {0},
};

struct bench {
    const char *json;
    int verbosity;
    uint64_t rounds, count;
    struct launch_options launch;
    char *kernel;                 /* found, when none was named */
    char *version;                /* QEMU's; NULL: unknown */
    struct bench_result *results; /* rounds x SIDES */
    int signal;
};

/* --- the command line --------------------------------------------------------------------------
 */

static int parse_number(const char *option, const char *text, uint64_t max, uint64_t *ret_number)
{
    uint64_t number;
    if (!parse_u64(text, &number) || number == 0 || number > max)
        return command_fail("--%s %s is not a number from 1 to %" PRIu64, option, text, max);
    *ret_number = number;
    return 0;
}

static int parse(const struct command *command, int argc, char **argv, struct bench *bench)
{
    const char *argument;
    int letter, status = 0;
    while (status == 0 && (letter = command_next_option(command, argc, argv, &argument)) != 0) {
        switch (letter) {
        case 'j':
            bench->json = argument;
            break;
        case 'r':
            status = parse_number("rounds", argument, ROUNDS_MAX, &bench->rounds);
            break;
        case 'c':
            status = parse_number("count", argument, UINT32_MAX, &bench->count);
            break;
        case 'k':
            bench->launch.kernel = argument;
            break;
        case 'q':
            bench->launch.qemu = argument;
            break;
        case 'p':
            bench->launch.plugin = argument;
            break;
        case 'v':
            bench->verbosity++;
            break;
        default:
            status = EXIT_BAD_INPUT;
            break;
        }
    }
    if (status == 0 && optind < argc)
        return command_fail("bench takes no \"%s\"; see trestle bench --help", argv[optind]);
    if (status == 0 && bench->launch.plugin && strcmp(bench->launch.plugin, "none") == 0)
        return command_fail("--plugin none cannot be measured: the guest's clock is read through "
                            "the plugin; name a trestle-qemu.so");
    return status;
}

static int find_guest(struct bench *bench)
{
    char *places;
    bench->kernel = find_own_file("firmware/" GUEST, TRESTLE_DATA_DIR "/" GUEST, &places);
    bench->launch.kernel = bench->kernel;
    if (bench->kernel)
        return 0;
    command_fail("the guest that measures is %s; build it (clang and lld), or name it with "
                 "--kernel",
                 places);
    free(places);
    return EXIT_BAD_INPUT;
}

/* --- one measurement ---------------------------------------------------------------------------
 */

struct measurement {
    struct bench *bench;
    const struct side *side;
    struct session session;
    struct launch launch;
    struct guest guest;
    char *directory, *console; /* where QEMU writes what the guest prints */
};

static struct config *echo_config(void)
{
    char base[32];
    snprintf(base, sizeof(base), "0x%x", DEVICE_BASE);
    json_t *document = json_pack("{s:[{s:s, s:s, s:i}]}", "devices", "model", "echo", "base_addr",
                                 base, "size", 4096);
    struct config *config = NULL;
    char *error = NULL;
    if (config_from_document(document, &config, &error) < 0)
        command_fail_line(error);
    return config;
}

/* The floor is a device that answers with the guest's clock; there is always one, to measure
 * with. */
static void guest_arguments(const struct measurement *measurement, struct strings *args)
{
    const struct side *side = measurement->side;
    uint64_t count = measurement->bench->count ? measurement->bench->count : side->accesses;
    strings_add(args, "-serial");
    strings_addf(args, "file:%s", measurement->console);
    strings_add(args, "-monitor");
    strings_add(args, "none");
    strings_add(args, "-device");
    strings_addf(args, "sst-device,floor=on,base_address=0x%x,size=8", CLOCK_BASE);
    if (!side->properties) {
        strings_add(args, "-device");
        strings_addf(args, "sst-device,floor=on,base_address=0x%x,size=4096", DEVICE_BASE);
    }
    strings_add(args, "-append");
    strings_addf(args, "op=read size=4 count=%" PRIu64 " n=1 base=0x%x clock=0x%x", count,
                 DEVICE_BASE, CLOCK_BASE);
}

static int run_qemu(struct measurement *measurement)
{
    struct session *session = &measurement->session;
    struct guest *guest = &measurement->guest;
    char *error = NULL;
    if (guest_start(guest, session, &measurement->launch.machine, &error) < 0) {
        command_fail_line(error);
        return EXIT_FAILURE;
    }
    int status = guest_serve(guest, clock_ms() + MEASUREMENT_MS);
    measurement->bench->signal = session->signal;
    if (status == 0 && !session->signal && !guest->has_ended) {
        command_fail("%s: no result within %d s; let the machine come to rest, or try a smaller "
                     "--count",
                     measurement->side->what, MEASUREMENT_MS / 1000);
        status = -ETIMEDOUT;
    }
    guest_stop(guest);
    guest_finish(guest);
    return status < 0 ? EXIT_FAILURE : 0;
}

static int read_result(struct measurement *measurement, struct bench_result *ret_result)
{
    char *text = NULL;
    size_t size;
    int status = read_file(measurement->console, 1 << 24, &text, &size);
    if (status < 0) {
        command_fail("cannot read what the guest printed: %s", strerror(-status));
        return EXIT_FAILURE;
    }
    if (measurement->guest.exit_code == 0 && bench_guest_parse(text, ret_result)) {
        free(text);
        return 0;
    }
    for (char *end = text + size; end > text && strchr("\r\n", end[-1]); end--)
        end[-1] = 0;
    const char *last = strrchr(text, '\n');
    command_fail("the guest ended with code %d and without a result; it last said \"%s\"",
                 measurement->guest.exit_code, last ? last + 1 : text);
    free(text);
    return EXIT_FAILURE;
}

static int measure_with(struct measurement *measurement, const struct config *config,
                        struct bench_result *ret_result)
{
    const struct side *side = measurement->side;
    const struct session_options session_options = {.verbosity = measurement->bench->verbosity,
                                                    .wait = side->wait};
    char *error = NULL;
    int status = session_init(&measurement->session, config, &session_options, &error);
    if (status == 0)
        status = session_listen(&measurement->session, &error);
    if (status < 0) {
        session_finish(&measurement->session);
        return command_fail_line(error);
    }
    struct trestle_machine_options *machine = &measurement->launch.machine;
    launch_set_sockets(&measurement->launch, config, measurement->session.bridge);
    measurement->launch.devices[0].properties = side->properties;
    machine->num_devices = side->properties ? 1 : 0;
    status = run_qemu(measurement);
    session_finish(&measurement->session);
    if (status == 0 && !measurement->bench->signal)
        status = read_result(measurement, ret_result);
    return status;
}

/* Returns an exit code. */
static int measure(struct bench *bench, const struct side *side, struct bench_result *ret_result)
{
    struct measurement measurement = {.bench = bench, .side = side};
    const char *runtime = runtime_dir();
    measurement.directory = xformat("%s/trestle-bench-XXXXXX", runtime ? runtime : "/tmp");
    if (!mkdtemp(measurement.directory)) {
        int code = command_fail("cannot make a directory like %s: %s", measurement.directory,
                                strerror(errno));
        free(measurement.directory);
        return code;
    }
    measurement.console = xformat("%s/console", measurement.directory);

    struct strings args = {0};
    guest_arguments(&measurement, &args);
    struct launch_options launch_options = bench->launch;
    launch_options.args = args.items;
    struct config *config = echo_config();
    char *error = NULL;
    int code = EXIT_FAILURE;
    if (config && launch_init(&measurement.launch, config, &launch_options, &error) == 0)
        code = measure_with(&measurement, config, ret_result);
    else if (error)
        code = command_fail_line(error);
    launch_finish(&measurement.launch);
    config_destroy(config);
    strings_finish(&args);
    unlink(measurement.console);
    rmdir(measurement.directory);
    free(measurement.console);
    free(measurement.directory);
    return code;
}

/* --- all of them -------------------------------------------------------------------------------
 */

static struct bench_result *result_of(const struct bench *bench, uint64_t round, size_t side)
{
    return &bench->results[round * SIDES + side];
}

/* Sides take turns, forwards and then backwards: what the machine does meanwhile hits all. */
static int measure_all(struct bench *bench)
{
    int code = 0;
    for (uint64_t round = 0; round < bench->rounds; round++) {
        for (size_t turn = 0; turn < SIDES && code == 0 && !bench->signal; turn++) {
            size_t side = round % 2 ? SIDES - 1 - turn : turn;
            code = measure(bench, &sides[side], result_of(bench, round, side));
            if (bench->verbosity && code == 0 && !bench->signal)
                fprintf(stderr, "round %" PRIu64 " of %" PRIu64 ": %s: p50 %.0f ns\n", round + 1,
                        bench->rounds, sides[side].what, result_of(bench, round, side)->p50_ns);
        }
    }
    return bench->signal ? 128 + bench->signal : code;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static struct bench_result median_of(const struct bench *bench, size_t side)
{
    double p50[ROUNDS_MAX] = {0}, p99[ROUNDS_MAX] = {0}, per_second[ROUNDS_MAX] = {0};
    for (uint64_t round = 0; round < bench->rounds; round++) {
        const struct bench_result *result = result_of(bench, round, side);
        p50[round] = result->p50_ns;
        p99[round] = result->p99_ns;
        per_second[round] = result->per_second;
    }
    return (struct bench_result){
        .p50_ns = median(p50, bench->rounds),
        .p99_ns = median(p99, bench->rounds),
        .per_second = median(per_second, bench->rounds),
        .accesses = result_of(bench, 0, side)->accesses,
    };
}

static void print_table(const struct bench *bench, FILE *file)
{
    static const char *const titles[] = {"one 4-byte read", ">p50", ">p99", ">reads/s", NULL};
    struct table table = {.titles = titles};
    for (size_t side = 0; side < SIDES; side++) {
        struct bench_result result = median_of(bench, side);
        table_addf(&table, "%s", sides[side].what);
        table_addf(&table, "%.2f us", result.p50_ns / 1000);
        table_addf(&table, "%.2f us", result.p99_ns / 1000);
        table_addf(&table, "%.0f", result.per_second);
    }
    table_print(&table, file);
    table_finish(&table);
    fprintf(file,
            "from the guest to the device and back; medians of %" PRIu64 " round%s; QEMU %s, "
            "%ld processors\n",
            bench->rounds, bench->rounds == 1 ? "" : "s", bench->version ? bench->version : "?",
            sysconf(_SC_NPROCESSORS_ONLN));
}

static json_t *json_of(const struct bench_result *result)
{
    return json_pack("{s:f, s:f, s:f}", "p50_ns", result->p50_ns, "p99_ns", result->p99_ns,
                     "per_second", result->per_second);
}

static json_t *document(const struct bench *bench)
{
    json_t *results = json_array();
    for (size_t side = 0; side < SIDES; side++) {
        struct bench_result middle = median_of(bench, side);
        json_t *object = json_pack("{s:s, s:s, s:s, s:i, s:i, s:I}", "name", sides[side].name,
                                   "what", sides[side].what, "access", "read", "size", 4, "devices",
                                   1, "accesses", (json_int_t)middle.accesses);
        json_t *rounds = json_array(), *values = json_of(&middle);
        json_object_update(object, values);
        json_decref(values);
        for (uint64_t round = 0; round < bench->rounds; round++)
            json_array_append_new(rounds, json_of(result_of(bench, round, side)));
        json_object_set_new(object, "rounds", rounds);
        json_array_append_new(results, object);
    }
    return json_pack("{s:s, s:o, s:i, s:o}", "trestle", TRESTLE_VERSION, "qemu",
                     bench->version ? json_string(bench->version) : json_null(), "processors",
                     (int)sysconf(_SC_NPROCESSORS_ONLN), "results", results);
}

static int report(const struct bench *bench)
{
    bool to_stdout = bench->json && strcmp(bench->json, "-") == 0;
    print_table(bench, to_stdout ? stderr : stdout);
    if (!bench->json)
        return EXIT_SUCCESS;
    json_t *root = document(bench);
    char *error = NULL;
    int status = json_file_write(root, "--json", bench->json, &error);
    json_decref(root);
    if (status < 0) {
        command_fail_line(error);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static void find_version(struct bench *bench)
{
    const struct trestle_machine_options machine = {
        .size = sizeof(machine), .qemu = bench->launch.qemu, .search_path = getenv("PATH")};
    char *path = NULL;
    if (trestle_machine_find_qemu(&machine, &path, NULL) < 0 ||
        trestle_machine_version(path, &bench->version, NULL) < 0)
        bench->version = NULL;
    free(path);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct bench bench = {.rounds = ROUNDS_DEFAULT};
    char *error = NULL;
    int code = parse(command, argc, argv, &bench);
    if (code)
        return code;
    if (bench.json && json_file_check("--json", bench.json, &error) < 0)
        return command_fail_line(error);
    if (!bench.launch.kernel)
        code = find_guest(&bench);
    if (code == 0) {
        bench.results = xcalloc(bench.rounds * SIDES, sizeof(*bench.results));
        find_version(&bench);
        code = measure_all(&bench);
    }
    if (code == 0)
        code = report(&bench);
    free(bench.results);
    free(bench.version);
    free(bench.kernel);
    return code;
}

const struct command command_bench = {
    .name = "bench",
    .arguments = "[OPTION]...",
    .summary = "Measure one access from the guest to a device and back",
    .options = options,
    .run = run_command,
    .help = "The sides take turns, so that what else the machine does hits all of them alike; the\n"
            "floor is a callback inside QEMU that reads the guest's clock and leaves no process.\n"
            "A quiet machine and a release build give numbers worth comparing.\n",
};
