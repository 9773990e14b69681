/* SPDX-License-Identifier: MIT */
/* Runs one measurement of trestle bench: QEMU, the measuring guest, and its devices. */
#include "bench/measure.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "command.h"
#include "run/guest.h"
#include "run/run.h"

/* The clock lies behind the last of 1024 devices. */
#define DEVICE_BASE 0x10200000u
#define KVM_DEVICE_BASE 0xd0200000u /* in the hole below the PC's PCI devices */
#define DEVICE_SIZE 0x1000u
#define CLOCK_BASE 0x10f00000u
/* A guest that takes longer than this has lost its way. */
#define MEASUREMENT_S 120

struct measurement {
    const struct bench_setup *setup;
    const struct bench_side *side;
    int signal;
    struct run run;
    struct launch launch;
    struct guest guest;
    char *directory, *console; /* where QEMU writes what the guest prints */
};

static uint32_t device_base(const struct bench_side *side)
{
    return bench_is_kvm(side) ? KVM_DEVICE_BASE : DEVICE_BASE;
}

static struct config *echo_config(const struct bench_side *side)
{
    const char *process = side->path == BENCH_INLINE ? "inline" : "shared";
    unsigned devices = bench_is_floor(side) ? 1 : side->devices;
    json_t *list = json_array();
    for (unsigned i = 0; i < devices; i++) {
        char name[16], base[16];
        snprintf(name, sizeof(name), "echo%u", i);
        snprintf(base, sizeof(base), "0x%x", device_base(side) + i * DEVICE_SIZE);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", name, "model",
                                              "echo", "process", process, "base_addr", base, "size",
                                              (int)DEVICE_SIZE));
    }
    json_t *document = json_pack("{s:o}", "devices", list);
    if (bench_is_kvm(side))
        json_object_set_new(document, "machine",
                            json_pack("{s:s, s:s}", "arch", BENCH_KVM_ARCH, "accel", "kvm"));
    struct config *config = NULL;
    char *error = NULL;
    if (config_from_document(document, &config, &error) < 0)
        command_fail_line(error);
    return config;
}

/* What the plugin is told of each device; malloc'd. */
static char *device_properties(const struct bench_side *side)
{
    static const char *const ways[] = {
        [BENCH_V1] = "protocol=1",
        [BENCH_V2_SOCKET] = "carrier=socket",
        [BENCH_V2_SHM] = "carrier=shm",
        [BENCH_KVM_SHM] = "carrier=shm",
    };
    if (side->path == BENCH_INLINE)
        return xstrdup("inline=on");
    return xformat("%s,wait=%s,timeout_ms=0%s", ways[side->path], bench_wait_name(side->wait),
                   side->op == BENCH_POSTED ? ",posted_writes=on" : "");
}

static void add_floor(struct strings *args, uint32_t base, uint32_t size)
{
    strings_add(args, "-device");
    strings_addf(args, "sst-device,floor=on,base_address=0x%x,size=%u", base, size);
}

/* The floor is a device that answers with the guest's clock; there is always one, to measure
 * with. But under KVM some hosts cannot read 8 bytes at once: that guest has a clock of its own. */
static void guest_arguments(const struct measurement *measurement, struct strings *args)
{
    const struct bench_side *side = measurement->side;
    uint64_t count = measurement->setup->count;
    if (count == 0)
        count = bench_side_accesses(side, measurement->setup->quick);
    strings_add(args, "-serial");
    strings_addf(args, "file:%s", measurement->console);
    strings_add(args, "-monitor");
    strings_add(args, "none");
    if (!bench_is_kvm(side))
        add_floor(args, CLOCK_BASE, 8);
    for (unsigned i = 0; bench_is_floor(side) && i < side->devices; i++)
        add_floor(args, device_base(side) + i * DEVICE_SIZE, DEVICE_SIZE);
    strings_add(args, "-smp");
    strings_addf(args, "%u", side->vcpus);
    strings_add(args, "-append");
    strings_addf(args,
                 "op=%s size=4 count=%" PRIu64 " n=%u harts=%u order=random base=0x%x stride=0x%x "
                 "clock=0x%x batch=1",
                 side->op == BENCH_READ ? "read" : "write", count, side->devices, side->vcpus,
                 device_base(side), DEVICE_SIZE, bench_is_kvm(side) ? 0 : CLOCK_BASE);
}

static int run_qemu(struct measurement *measurement)
{
    struct run *run = &measurement->run;
    struct guest *guest = &measurement->guest;
    char *error = NULL;
    if (guest_start(guest, run, &measurement->launch.machine, &error) < 0) {
        command_fail_line(error);
        return EXIT_FAILURE;
    }
    own_launched(run->own);
    int r = guest_serve(guest, clock_ns() + MEASUREMENT_S * NS_PER_S);
    if (r == 0 && !run->signal && !guest->has_ended) {
        char *text = bench_side_text(measurement->side);
        command_fail("%s: no result within %d s; stop other work on the machine, or try a smaller "
                     "--count",
                     text, MEASUREMENT_S);
        free(text);
        r = -ETIMEDOUT;
    }
    guest_stop(guest);
    guest_finish(guest);
    measurement->signal = run->signal;
    return r < 0 ? EXIT_FAILURE : 0;
}

static int read_result(struct measurement *measurement, struct bench_result *ret_result)
{
    char *text = NULL;
    size_t size;
    int r = io_read_file(measurement->console, 1 << 24, &text, &size);
    if (r < 0) {
        command_fail("cannot read what the guest printed: %s", strerror(-r));
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
    const struct bench_side *side = measurement->side;
    const struct run_options run_options = {.verbosity = measurement->setup->verbosity,
                                            .wait = side->wait};
    char *error = NULL;
    int r = run_init(&measurement->run, config, &run_options, &error);
    if (r == 0)
        r = run_listen(&measurement->run, &error);
    if (r < 0) {
        run_finish(&measurement->run);
        return command_fail_line(error);
    }
    struct trestle_machine_options *machine = &measurement->launch.machine;
    launch_set_sockets(&measurement->launch, config, measurement->run.bridge);
    char *properties = bench_is_floor(side) ? NULL : device_properties(side);
    for (size_t i = 0; i < config->num_devices; i++)
        measurement->launch.devices[i].properties = properties;
    machine->num_devices = properties ? config->num_devices : 0;
    launch_set_inline(&measurement->launch, measurement->run.own);
    r = run_qemu(measurement);
    free(properties);
    run_finish(&measurement->run);
    if (r == 0 && !measurement->signal)
        r = read_result(measurement, ret_result);
    return r;
}

int bench_measure(const struct bench_setup *setup, const struct bench_side *side,
                  struct bench_result *ret_result, int *ret_signal)
{
    struct measurement measurement = {.setup = setup, .side = side};
    *ret_signal = 0;
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
    struct launch_options launch_options = setup->launch;
    launch_options.args = args.items;
    if (bench_is_kvm(side))
        launch_options.kernel = setup->kvm_kernel;
    struct config *config = echo_config(side);
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
    *ret_signal = measurement.signal;
    return code;
}
