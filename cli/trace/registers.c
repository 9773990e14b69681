/* SPDX-License-Identifier: MIT */
/* Tells what registers held at some time: the value that the guest last read or wrote whole. */
#include <inttypes.h>
#include <stdlib.h>

#include "sim/lookup.h"
#include "table.h"
#include "trace/names.h"
#include "trace/sinks.h"
#include "util.h"

struct seen {
    uint32_t index; /* in an array */
    uint64_t value;
    trestle_time when;
    bool is_written;
};

/* What was seen of one row of a table: its registers, by index. */
struct row_seen {
    struct seen *seen;
    size_t count;
};

struct registers_sink {
    struct trace_sink sink;
    const struct trestle_trace_header *header;
    struct trace_names *names;
    trestle_time until;
    struct row_seen **rows;                /* [device][row] */
    struct trestle_trace_record *accesses; /* by device: the last that began */
};

static void remember(struct row_seen *row, uint32_t index, const struct seen *seen)
{
    size_t at = 0;
    while (at < row->count && row->seen[at].index < index)
        at++;
    if (at == row->count || row->seen[at].index != index) {
        row->seen = xrealloc(row->seen, row->count + 1, sizeof(*row->seen));
        for (size_t i = row->count++; i > at; i--)
            row->seen[i] = row->seen[i - 1];
    }
    row->seen[at] = *seen;
}

static void registers_record(struct trace_sink *sink, const struct trestle_trace_record *record)
{
    struct registers_sink *registers = (struct registers_sink *)sink;
    const struct trestle_register *reg;
    uint32_t index;
    if (record->time > registers->until)
        return;
    struct trestle_trace_record *access = &registers->accesses[record->device];
    if (record->kind == TRESTLE_TRACE_READ || record->kind == TRESTLE_TRACE_WRITE)
        *access = *record;
    if (record->kind != TRESTLE_TRACE_ANSWER || record->status < 0 || access->size == 0 ||
        !trace_names_find(registers->names, access, &reg, &index) ||
        reg->offset + (uint64_t)index * reg->stride != access->addr || reg->size != access->size)
        return;
    bool is_written = access->kind == TRESTLE_TRACE_WRITE;
    const struct seen seen = {.index = index,
                              .value = is_written ? access->data : record->data,
                              .when = record->time,
                              .is_written = is_written};
    size_t row = (size_t)(reg - registers->header->devices[record->device].registers);
    remember(&registers->rows[record->device][row], index, &seen);
}

static void add_seen(struct table *table, const char *device, const struct trestle_register *reg,
                     const struct seen *seen)
{
    char name[128], value[256];
    table_addf(table, "%s", device);
    table_addf(table, "0x%04" PRIx64, reg->offset + (uint64_t)seen->index * reg->stride);
    table_addf(table, "%s", trestle_register_name(reg, seen->index, name, sizeof(name)));
    table_addf(table, "%s", trestle_register_format(reg, seen->value, value, sizeof(value)));
    table_addf(table, "%s", seen->is_written ? "written" : "read");
    table_addf(table, "%" PRIu64 ".%03" PRIu64, seen->when / TRESTLE_NS, seen->when % TRESTLE_NS);
}

static bool registers_end(struct trace_sink *sink)
{
    static const char *const titles[] = {"device", "offset", "register", "value",
                                         "as",     ">ns",    NULL};
    struct registers_sink *registers = (struct registers_sink *)sink;
    struct table table = {.titles = titles};
    for (size_t i = 0; i < registers->header->num_devices; i++) {
        const struct trestle_trace_device *device = &registers->header->devices[i];
        for (size_t j = 0; j < device->num_registers; j++) {
            struct row_seen *row = &registers->rows[i][j];
            for (size_t k = 0; k < row->count; k++)
                add_seen(&table, device->name, &device->registers[j], &row->seen[k]);
            free(row->seen);
        }
        free(registers->rows[i]);
    }
    table_print(&table, sink->file);
    table_finish(&table);
    trace_names_destroy(registers->names);
    free(registers->rows);
    free(registers->accesses);
    free(registers);
    return true;
}

struct trace_sink *trace_registers_sink(const struct trestle_trace_header *header, FILE *file)
{
    struct registers_sink *registers = xcalloc(1, sizeof(*registers));
    registers->sink = (struct trace_sink){registers_record, registers_end, file};
    registers->header = header;
    registers->names = trace_names_create(header);
    registers->until = TRESTLE_TIME_NEVER;
    registers->accesses = xcalloc(header->num_devices, sizeof(*registers->accesses));
    registers->rows = xcalloc(header->num_devices, sizeof(struct row_seen *));
    for (size_t i = 0; i < header->num_devices; i++)
        registers->rows[i] = xcalloc(header->devices[i].num_registers, sizeof(struct row_seen));
    return &registers->sink;
}

void trace_registers_until(struct trace_sink *sink, trestle_time until)
{
    ((struct registers_sink *)sink)->until = until;
}
