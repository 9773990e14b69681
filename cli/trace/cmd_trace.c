/* SPDX-License-Identifier: MIT */
/* trestle trace: what a file of --trace says. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "sim/command.h"
#include "trace/file.h"
#include "trace/sinks.h"
#include "util.h"

static const struct command_option options[] = {
    {'d', "device", "NAME", "show only what concerns this device", .long_only = true},
    {'H', "hash", NULL, "recompute the hash of the run, and print nothing else", .long_only = true},
    {'p', "perfetto", "FILE", "write JSON for ui.perfetto.dev instead; -: to standard output",
     .long_only = true},
    {'v', "vcd", "FILE", "write value changes for GTKWave instead; -: to standard output",
     .long_only = true},
    {'r', "registers", NULL, "print what registers held, as the guest last saw them",
     .long_only = true},
    {'a', "at", "TIME", "with --registers: at this time of the engine", .long_only = true},
    {0},
};

/* Where a trace goes: text, or what options ask for. */
struct output {
    const char *option, *path;
    struct trace_sink *(*make)(const struct trestle_trace_header *header, FILE *file);
    struct trace_sink *sink;
    FILE *file;
    int error; /* of the first write that failed */
};

enum { TEXT, PERFETTO, VCD, REGISTERS, OUTPUTS };

struct trace_options {
    const char *device;
    bool hash;
    trestle_time at; /* for registers */
    struct output outputs[OUTPUTS];
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
        case 'p':
            wanted->outputs[PERFETTO].path = argument;
            break;
        case 'v':
            wanted->outputs[VCD].path = argument;
            break;
        case 'r':
            wanted->outputs[REGISTERS].path = "-";
            break;
        case 'a':
            if (trestle_parse_time(argument, &wanted->at) < 0)
                return command_fail("--at %s is not a time; write for example --at 10us", argument);
            break;
        default:
            return EXIT_BAD_INPUT;
        }
    }
    const char *perfetto = wanted->outputs[PERFETTO].path, *vcd = wanted->outputs[VCD].path;
    if (wanted->hash && (wanted->device || perfetto || vcd))
        return command_fail("--hash is about the whole run, and prints nothing else; leave "
                            "the other options out");
    if (perfetto && vcd && strcmp(perfetto, vcd) == 0)
        return command_fail("--perfetto and --vcd cannot both write %s; name two files", vcd);
    bool has_registers = wanted->outputs[REGISTERS].path;
    if (wanted->at != TRESTLE_TIME_NEVER && !has_registers)
        return command_fail("--at belongs to --registers; add --registers");
    if (has_registers && wanted->hash)
        return command_fail("--hash is printed alone; leave --registers out");
    if (!perfetto && !vcd && !wanted->hash && !has_registers)
        wanted->outputs[TEXT].path = "-";
    return 0;
}

/* --- outputs ----------------------------------------------------------------------------------
 */

static int fail_output(const struct output *output, int error)
{
    return command_fail("cannot write %s %s: %s", output->option, output->path, strerror(error));
}

static int open_output(struct output *output, const struct trace_file *trace)
{
    const struct trestle_trace_header *header = trestle_trace_header(trace->reader);
    if (!output->path)
        return 0;
    if (is_same_file(output->path, trace->path))
        return command_fail("%s %s would overwrite the trace; name another file", output->option,
                            output->path);
    output->file = strcmp(output->path, "-") == 0 ? stdout : fopen(output->path, "we");
    if (!output->file)
        return fail_output(output, errno);
    if (trace_file_is_live(trace)) /* and so is what is made of it */
        setvbuf(output->file, NULL, _IOLBF, 0);
    output->sink = output->make(header, output->file);
    return output->sink ? 0 : fail_output(output, errno);
}

static int close_output(struct output *output)
{
    errno = output->error;
    bool is_whole = !output->sink || output->sink->end(output->sink);
    if (!output->file)
        return 0;
    /* The records first, then what is wrong with the trace. */
    if (fflush(output->file) != 0 || ferror(output->file))
        is_whole = false;
    if (output->file != stdout && fclose(output->file) != 0)
        is_whole = false;
    bool has_enough = output->file == stdout && errno == EPIPE; /* the reader, such as head */
    if (is_whole || has_enough)
        return 0;
    fail_output(output, errno ? errno : EIO);
    return EXIT_FAILURE;
}

static bool takes_more(const struct output *outputs)
{
    for (size_t i = 0; i < OUTPUTS; i++)
        if (outputs[i].sink && ferror(outputs[i].file))
            return false;
    return true;
}

static void put_record(struct output *outputs, const struct trestle_trace_record *record)
{
    for (size_t i = 0; i < OUTPUTS; i++) {
        if (!outputs[i].sink)
            continue;
        outputs[i].sink->record(outputs[i].sink, record);
        if (ferror(outputs[i].file) && !outputs[i].error)
            outputs[i].error = errno;
    }
}

/* --- reading ----------------------------------------------------------------------------------
 */

/* Reads to the end, or up to what is wrong. */
static int show(struct trace_file *trace, uint32_t device, trestle_time at, struct output *outputs)
{
    struct trestle_trace_record record;
    char *error = NULL;
    int r = 0, code = 0;
    for (size_t i = 0; i < OUTPUTS && code == 0; i++)
        code = open_output(&outputs[i], trace);
    if (code == 0 && outputs[REGISTERS].sink)
        trace_registers_until(outputs[REGISTERS].sink, at);
    while (code == 0 && takes_more(outputs) &&
           (r = trestle_trace_next(trace->reader, &record, &error)) > 0)
        if (device == TRACE_ALL_DEVICES || device == record.device)
            put_record(outputs, &record);
    for (size_t i = 0; i < OUTPUTS; i++) {
        int failed = close_output(&outputs[i]);
        code = code ? code : failed;
    }
    return r < 0 ? trace_file_fail(trace, error) : code;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct trace_options wanted = {
        .outputs = {[TEXT] = {"the trace to", NULL, trace_text_sink},
                    [PERFETTO] = {"--perfetto", NULL, trace_perfetto_sink},
                    [VCD] = {"--vcd", NULL, trace_vcd_sink},
                    [REGISTERS] = {"--registers to", NULL, trace_registers_sink}},
        .at = TRESTLE_TIME_NEVER};
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
        code = show(&trace, device, wanted.at, wanted.outputs);
    if (wanted.hash && code == 0)
        printf("%016" PRIx64 "\n", trestle_trace_hash(trace.reader));
    trace_file_close(&trace);
    return code;
}

const struct command command_trace = {
    .name = "trace",
    .arguments = "FILE [OPTION]...",
    .summary = "Print a trace that --trace has written, or convert it",
    .options = options,
    .run = run_command,
    .help = "FILE may be - for standard input. If a trace is cut off or damaged, what is there is\n"
            "printed. Then one line says where the trace ends, and the exit code is 2.\n",
};
