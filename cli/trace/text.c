/* SPDX-License-Identifier: MIT */
/* A trace for people: a line for each record, but one for an access that was answered at once. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace/names.h"
#include "trace/sinks.h"
#include "util.h"

#define BYTES_SHOWN 32u

struct text_sink {
    struct trace_sink sink;
    const struct trestle_trace_header *header;
    struct trace_names *names;
    int name_width;
    struct trestle_trace_record *accesses; /* by device: the last that began */
    bool has_held;                         /* an access that is not printed yet... */
    struct trestle_trace_record held;      /* ...since its answer may come next */
};

/* --- parts of a line ------------------------------------------------------------------------- */

static void print_time(trestle_time time, FILE *file)
{
    if (time == TRESTLE_TIME_NEVER)
        fprintf(file, "%17s", "-");
    else
        fprintf(file, "%13" PRIu64 ".%03" PRIu64, time / TRESTLE_NS, time % TRESTLE_NS);
}

static void print_head(const struct text_sink *text, const struct trestle_trace_record *record)
{
    FILE *file = text->sink.file;
    print_time(record->time, file);
    print_time(record->guest_time, file);
    fprintf(file, "  %-*s  ", text->name_width, text->header->devices[record->device].name);
}

static void print_status(const struct trestle_trace_record *record, FILE *file)
{
    const char *why = strerrordesc_np(-record->status);
    fprintf(file, "error %d (%s)", -record->status, why ? why : "unknown");
}

static void print_bytes(const struct trestle_trace_record *record, FILE *file)
{
    fprintf(file, "%" PRIu32 " bytes:", record->size);
    for (uint32_t i = 0; i < record->size && i < BYTES_SHOWN; i++)
        fprintf(file, " %02x", record->bytes[i]);
    fputs(record->size > BYTES_SHOWN ? " ..." : "", file);
}

static void print_access(const struct trestle_trace_record *access, struct trace_names *names,
                         FILE *file)
{
    bool is_write = access->kind == TRESTLE_TRACE_WRITE;
    char name[128], value[256];
    trace_names_register(names, access, name, sizeof(name));
    fprintf(file, "%-5s %" PRIu32 "  ", is_write ? "write" : "read", access->size);
    if (access->number > 0)
        fprintf(file, "region %" PRIu32 " ", access->number);
    fprintf(file, "0x%02" PRIx64 "%s%s", access->addr, name[0] ? " " : "", name);
    if (is_write)
        fprintf(file, "  %s", trace_names_value(names, access, access->data, value, sizeof(value)));
}

static void print_result(const struct trestle_trace_record *access,
                         const struct trestle_trace_record *answer, struct trace_names *names,
                         FILE *file)
{
    char value[256];
    if (answer->status < 0) {
        fputs("  ", file);
        print_status(answer, file);
    } else if (access->kind == TRESTLE_TRACE_READ) {
        fprintf(file, "  %s", trace_names_value(names, access, answer->data, value, sizeof(value)));
    }
}

void trace_print_record(const struct trestle_trace_record *record, struct trace_names *names,
                        FILE *file)
{
    const char *name = trestle_trace_kind_name(record->kind);
    switch (record->kind) {
    case TRESTLE_TRACE_READ:
    case TRESTLE_TRACE_WRITE:
        print_access(record, names, file);
        break;
    case TRESTLE_TRACE_ANSWER:
        fputs("answer ", file);
        if (record->status < 0)
            print_status(record, file);
        else
            fprintf(file, "0x%" PRIx64, record->data);
        break;
    case TRESTLE_TRACE_IRQ:
        fprintf(file, "irq %" PRIu32 " %s", record->number, record->data ? "up" : "down");
        break;
    case TRESTLE_TRACE_RESET:
        fprintf(file, "%s%s", name,
                record->number == TRESTLE_TRACE_RESET_ALONE ? " of this device" : "");
        break;
    case TRESTLE_TRACE_SEND:
    case TRESTLE_TRACE_RECEIVE:
        fprintf(file, "%s peer%" PRIu32 "  ", name, record->number);
        print_bytes(record, file);
        break;
    case TRESTLE_TRACE_INPUT:
        fprintf(file, "%s  ", name);
        print_bytes(record, file);
        break;
    case TRESTLE_TRACE_DMA_READ:
    case TRESTLE_TRACE_DMA_WRITE:
        fprintf(file, "dma %" PRIu32 " %s  0x%" PRIx64 "  %" PRIu64 " bytes", record->number,
                record->kind == TRESTLE_TRACE_DMA_READ ? "reads" : "writes", record->addr,
                record->data);
        break;
    case TRESTLE_TRACE_DMA_DATA:
        fprintf(file, "dma %" PRIu32 " moves  ", record->number);
        print_bytes(record, file);
        break;
    case TRESTLE_TRACE_DMA_END:
    case TRESTLE_TRACE_DMA_REFUSED:
        fprintf(file, "dma %" PRIu32 " %s", record->number,
                record->kind == TRESTLE_TRACE_DMA_END ? "done" : "refused");
        if (record->status < 0) {
            fputs(": ", file);
            print_status(record, file);
        }
        break;
    }
}

/* --- records --------------------------------------------------------------------------------- */

static void print_held(struct text_sink *text)
{
    if (!text->has_held)
        return;
    text->has_held = false;
    print_head(text, &text->held);
    print_access(&text->held, text->names, text->sink.file);
    fputs("  ...\n", text->sink.file);
}

static void print_answer(struct text_sink *text, const struct trestle_trace_record *answer)
{
    FILE *file = text->sink.file;
    const struct trestle_trace_record *access = &text->accesses[answer->device];
    if (text->has_held && text->held.device == answer->device && text->held.time == answer->time) {
        text->has_held = false;
        print_head(text, answer);
    } else {
        print_held(text);
        print_head(text, answer);
        fputs("answered ", file);
    }
    print_access(access, text->names, file);
    print_result(access, answer, text->names, file);
}

static void text_record(struct trace_sink *sink, const struct trestle_trace_record *record)
{
    struct text_sink *text = (struct text_sink *)sink;
    if (record->kind == TRESTLE_TRACE_READ || record->kind == TRESTLE_TRACE_WRITE) {
        print_held(text);
        text->held = text->accesses[record->device] = *record;
        text->has_held = true;
        return;
    }
    if (record->kind == TRESTLE_TRACE_ANSWER) {
        print_answer(text, record);
    } else {
        print_held(text);
        print_head(text, record);
        trace_print_record(record, text->names, sink->file);
    }
    fputc('\n', sink->file);
}

static bool text_end(struct trace_sink *sink)
{
    struct text_sink *text = (struct text_sink *)sink;
    print_held(text);
    trace_names_destroy(text->names);
    free(text->accesses);
    free(text);
    return true;
}

struct trace_sink *trace_text_sink(const struct trestle_trace_header *header, FILE *file)
{
    struct text_sink *text = xcalloc(1, sizeof(*text));
    text->sink = (struct trace_sink){text_record, text_end, file};
    text->header = header;
    text->names = trace_names_create(header);
    text->accesses = xcalloc(header->num_devices, sizeof(*text->accesses));
    for (size_t i = 0; i < header->num_devices; i++)
        if ((int)strlen(header->devices[i].name) > text->name_width)
            text->name_width = (int)strlen(header->devices[i].name);
    if (text->name_width > 32)
        text->name_width = 32;
    fprintf(file, "%17s%17s  %-*s\n", "engine ns", "guest ns", text->name_width, "device");
    return &text->sink;
}
