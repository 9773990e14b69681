/* SPDX-License-Identifier: MIT */
/* trestle trace: what a file of --trace says. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "trace_file.h"
#include "trace_sinks.h"
#include "util.h"

static const struct command_option options[] = {
    {'d', "device", "NAME", "only what concerns this device", .long_only = true},
    {'H', "hash", NULL, "print the hash of the run alone, computed anew", .long_only = true},
    {0},
};

struct trace_options {
    const char *device;
    bool hash;
};

static int parse(const struct command *command, int argc, char **argv, struct trace_options *wanted)
{
    const char *argument;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        switch (letter) {
        case 'd':
            wanted->device = argument;
            break;
        case 'H':
            wanted->hash = true;
            break;
        default:
            return EXIT_BAD_INPUT;
        }
    }
    if (wanted->hash && wanted->device)
        return command_fail("--hash is that of the whole run; leave --device out");
    return 0;
}

/* To the end, or to what is wrong. */
static int show(struct trace_file *trace, uint32_t device, struct trace_sink *sink)
{
    struct trestle_trace_record record;
    char *error = NULL;
    int r;
    while ((r = trestle_trace_next(trace->reader, &record, &error)) > 0)
        if (sink && (device == TRACE_ALL_DEVICES || device == record.device)) {
            sink->record(sink, &record);
            if (ferror(sink->file))
                break;
        }
    if (sink)
        sink->end(sink);
    fflush(stdout); /* the records first, then what is wrong */
    return r < 0 ? trace_file_fail(trace, error) : EXIT_SUCCESS;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct trace_options wanted = {0};
    struct trace_file trace;
    int code = parse(command, argc, argv, &wanted);
    if (code)
        return code;
    const char *path = command_operand(command, argc, argv, "a trace");
    if (!path)
        return EXIT_BAD_INPUT;
    code = trace_file_open(&trace, path);
    if (code)
        return code;
    uint32_t device = TRACE_ALL_DEVICES;
    code = wanted.device ? trace_file_device(&trace, wanted.device, &device) : 0;
    if (code == 0)
        code =
            show(&trace, device,
                 wanted.hash ? NULL : trace_text_sink(trestle_trace_header(trace.reader), stdout));
    if (wanted.hash && code == 0)
        printf("%016" PRIx64 "\n", trestle_trace_hash(trace.reader));
    trace_file_close(&trace);
    return code;
}

const struct command command_trace = {
    .name = "trace",
    .arguments = "FILE [OPTION]...",
    .summary = "Print a trace that --trace has written",
    .options = options,
    .run = run_command,
    .help =
        "FILE may be - for standard input. What is there of a trace that is cut off or damaged\n"
        "is printed; then one line says where it ends, and the exit code is 2.\n",
};
