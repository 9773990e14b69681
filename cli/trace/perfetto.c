/* SPDX-License-Identifier: MIT */
/*
 * A trace in the JSON that Chrome and ui.perfetto.dev read: a thread for each device, with its
 * accesses as slices over engine time, interrupt lines as counters, transfers as asynchronous
 * slices, and the rest as instants. Timestamps are microseconds there: six decimals keep
 * picoseconds.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "trace/names.h"
#include "trace/sinks.h"
#include "util.h"

struct perfetto_sink {
    struct trace_sink sink;
    const struct trestle_trace_header *header;
    struct trace_names *names;
    struct trestle_trace_record *accesses; /* by device: the one under way */
    bool *are_open;
};

static void print_time(const char *key, trestle_time time, FILE *file)
{
    fprintf(file, ",\"%s\":%" PRIu64 ".%06" PRIu64, key, time / TRESTLE_US, time % TRESTLE_US);
}

/* Names of devices that a configuration accepts need no escapes; others lose what does. */
static void print_name(const char *name, FILE *file)
{
    for (; *name; name++)
        fputc(*name < ' ' || *name > '~' || *name == '"' || *name == '\\' ? '?' : *name, file);
}

static void begin_event(const struct perfetto_sink *perfetto, const char *phase,
                        const struct trestle_trace_record *record)
{
    FILE *file = perfetto->sink.file;
    fprintf(file, ",\n{\"ph\":\"%s\",\"pid\":1,\"tid\":%" PRIu32, phase, record->device + 1);
    print_time("ts", record->time, file);
}

static void print_bytes(const struct trestle_trace_record *record, FILE *file)
{
    for (uint32_t i = 0; i < record->size; i++)
        fprintf(file, "%s%02x", i > 0 ? " " : "", record->bytes[i]);
}

static void print_value(const struct trestle_trace_record *access, uint64_t value,
                        struct trace_names *names, FILE *file)
{
    char text[256];
    fputs(",\"data\":\"", file);
    print_name(trace_names_value(names, access, value, text, sizeof(text)), file);
    fputc('"', file);
}

/* An access's name, and the beginning of its arguments. */
static void print_access(const struct trestle_trace_record *access, struct trace_names *names,
                         FILE *file)
{
    bool is_write = access->kind == TRESTLE_TRACE_WRITE;
    char name[128];
    fprintf(file, ",\"name\":\"%s ", is_write ? "write" : "read");
    if (trace_names_register(names, access, name, sizeof(name))[0])
        print_name(name, file);
    else
        fprintf(file, "0x%02" PRIx64, access->addr);
    fprintf(file, "\",\"args\":{\"offset\":\"0x%02" PRIx64 "\",\"size\":%" PRIu32, access->addr,
            access->size);
    if (access->guest_time != TRESTLE_TIME_NEVER)
        print_time("guest_us", access->guest_time, file);
    if (is_write)
        print_value(access, access->data, names, file);
}

static void answer(struct perfetto_sink *perfetto, const struct trestle_trace_record *record)
{
    FILE *file = perfetto->sink.file;
    const struct trestle_trace_record *access = &perfetto->accesses[record->device];
    if (!perfetto->are_open[record->device])
        return;
    perfetto->are_open[record->device] = false;
    begin_event(perfetto, "X", access);
    print_time("dur", record->time - access->time, file);
    print_access(access, perfetto->names, file);
    if (record->status < 0)
        fprintf(file, ",\"error\":%d", -record->status);
    else if (access->kind == TRESTLE_TRACE_READ)
        print_value(access, record->data, perfetto->names, file);
    fputs("}}", file);
}

static void irq(struct perfetto_sink *perfetto, const struct trestle_trace_record *record)
{
    FILE *file = perfetto->sink.file;
    begin_event(perfetto, "C", record);
    fputs(",\"name\":\"", file);
    print_name(perfetto->header->devices[record->device].name, file);
    fprintf(file, " irq %" PRIu32 "\",\"args\":{\"level\":%" PRIu64 "}}", record->number,
            record->data);
}

static void transfer(struct perfetto_sink *perfetto, const struct trestle_trace_record *record)
{
    FILE *file = perfetto->sink.file;
    bool is_end =
        record->kind == TRESTLE_TRACE_DMA_END || record->kind == TRESTLE_TRACE_DMA_REFUSED;
    begin_event(perfetto, is_end ? "e" : "b", record);
    fprintf(file, ",\"cat\":\"dma\",\"id\":\"%" PRIu32 ".%" PRIu32 "\",\"name\":\"", record->device,
            record->number);
    print_name(perfetto->header->devices[record->device].name, file);
    fprintf(file, " dma %" PRIu32 "\",\"args\":{", record->number);
    if (is_end)
        fprintf(file, "\"error\":%d}}", -record->status);
    else
        fprintf(file, "\"kind\":\"%s\",\"addr\":\"0x%" PRIx64 "\",\"size\":%" PRIu64 "}}",
                trestle_trace_kind_name(record->kind), record->addr, record->data);
}

static void instant(struct perfetto_sink *perfetto, const struct trestle_trace_record *record)
{
    FILE *file = perfetto->sink.file;
    begin_event(perfetto, "i", record);
    fprintf(file, ",\"s\":\"t\",\"name\":\"%s\",\"args\":{", trestle_trace_kind_name(record->kind));
    if (record->kind != TRESTLE_TRACE_RESET) {
        fprintf(file, "\"port\":%" PRIu32 ",\"bytes\":\"", record->number);
        print_bytes(record, file);
        fputc('"', file);
    }
    fputs("}}", file);
}

static void perfetto_record(struct trace_sink *sink, const struct trestle_trace_record *record)
{
    struct perfetto_sink *perfetto = (struct perfetto_sink *)sink;
    switch (record->kind) {
    case TRESTLE_TRACE_READ:
    case TRESTLE_TRACE_WRITE:
        perfetto->accesses[record->device] = *record;
        perfetto->are_open[record->device] = true;
        break;
    case TRESTLE_TRACE_ANSWER:
        answer(perfetto, record);
        break;
    case TRESTLE_TRACE_IRQ:
        irq(perfetto, record);
        break;
    case TRESTLE_TRACE_RESET:
    case TRESTLE_TRACE_SEND:
    case TRESTLE_TRACE_RECEIVE:
    case TRESTLE_TRACE_INPUT:
        instant(perfetto, record);
        break;
    case TRESTLE_TRACE_DMA_READ:
    case TRESTLE_TRACE_DMA_WRITE:
    case TRESTLE_TRACE_DMA_END:
    case TRESTLE_TRACE_DMA_REFUSED:
        transfer(perfetto, record);
        break;
    case TRESTLE_TRACE_DMA_DATA: /* nobody looks at megabytes there */
        break;
    }
}

static bool perfetto_end(struct trace_sink *sink)
{
    struct perfetto_sink *perfetto = (struct perfetto_sink *)sink;
    for (size_t i = 0; i < perfetto->header->num_devices; i++) {
        if (!perfetto->are_open[i])
            continue;
        begin_event(perfetto, "B", &perfetto->accesses[i]); /* without an end, as it was */
        print_access(&perfetto->accesses[i], perfetto->names, sink->file);
        fputs("}}", sink->file);
    }
    fputs("\n]}\n", sink->file);
    trace_names_destroy(perfetto->names);
    free(perfetto->accesses);
    free(perfetto->are_open);
    free(perfetto);
    return true;
}

struct trace_sink *trace_perfetto_sink(const struct trestle_trace_header *header, FILE *file)
{
    struct perfetto_sink *perfetto = xcalloc(1, sizeof(*perfetto));
    perfetto->sink = (struct trace_sink){perfetto_record, perfetto_end, file};
    perfetto->header = header;
    perfetto->names = trace_names_create(header);
    perfetto->accesses = xcalloc(header->num_devices, sizeof(*perfetto->accesses));
    perfetto->are_open = xcalloc(header->num_devices, sizeof(*perfetto->are_open));
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
          "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"trestle\"}}",
          file);
    for (size_t i = 0; i < header->num_devices; i++) {
        fprintf(file,
                ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%zu,\"name\":\"thread_name\","
                "\"args\":{\"name\":\"",
                i + 1);
        print_name(header->devices[i].name, file);
        fputs("\"}}", file);
    }
    return &perfetto->sink;
}
