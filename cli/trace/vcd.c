/* SPDX-License-Identifier: MIT */
/*
 * A trace as value changes over engine time, for GTKWave and its like: a scope for each device. The
 * format wants all variables before the first change, and only the last record tells which there
 * are: so the changes wait in a temporary file.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/lookup.h"
#include "trace/names.h"
#include "trace/sinks.h"
#include "util.h"

enum {
    BUSY, /* an access is under way */
    READ,
    WRITE,
    OFFSET,
    DATA,
    ERROR,
    RESET,
    SEND,
    RECEIVE,
    INPUT,
    DMA, /* transfers under way */
    IRQ, /* ... */
    VARIABLES = IRQ + TRESTLE_IRQ_LINES_MAX,
};

static const struct variable {
    const char *type;
    unsigned bits;
    const char *name;
} variables[IRQ] = {
    [BUSY] = {"wire", 1, "busy"},        [READ] = {"event", 1, "read"},
    [WRITE] = {"event", 1, "write"},     [OFFSET] = {"reg", 64, "offset"},
    [DATA] = {"reg", 64, "data"},        [ERROR] = {"event", 1, "error"},
    [RESET] = {"event", 1, "reset"},     [SEND] = {"event", 1, "send"},
    [RECEIVE] = {"event", 1, "receive"}, [INPUT] = {"event", 1, "input"},
    [DMA] = {"reg", 32, "dma"},
};

/* A register as a variable: as the guest last read or wrote it. */
struct register_state {
    const struct trestle_register *reg;
    uint32_t index;
};

struct device_state {
    bool are_used[VARIABLES];
    struct trestle_trace_record access; /* the last that began */
    struct register_state *registers;   /* those that were accessed whole */
    size_t num_registers;
    char first[VARIABLES]; /* of a wire: its value at the start */
    uint32_t transfers;
    bool is_read;
};

struct vcd_sink {
    struct trace_sink sink;
    const struct trestle_trace_header *header;
    struct trace_names *names;
    struct device_state *devices;
    FILE *changes;
    trestle_time now;
    bool has_stall;
    trestle_time stall;
};

/* --- changes --------------------------------------------------------------------------------- */

/* A short name of printable characters for each variable; 0 is the stall's. */
static void print_id(uint64_t number, FILE *file, char end)
{
    do {
        fputc('!' + (int)(number % 94), file);
        number /= 94;
    } while (number > 0);
    fputc(end, file);
}

static uint64_t id_of(uint32_t device, unsigned variable)
{
    return (uint64_t)device * VARIABLES + variable + 1;
}

static void change_bit(struct vcd_sink *vcd, uint32_t device, unsigned variable, bool value)
{
    struct device_state *state = &vcd->devices[device];
    if (!state->are_used[variable])
        state->first[variable] = value ? '0' : '1';
    state->are_used[variable] = true;
    fputc(value ? '1' : '0', vcd->changes);
    print_id(id_of(device, variable), vcd->changes, '\n');
}

static void print_number(uint64_t value, uint64_t id, FILE *file)
{
    char digits[65], *digit = digits + sizeof(digits) - 1;
    *digit = '\0';
    do
        *--digit = value & 1 ? '1' : '0';
    while (value >>= 1);
    fprintf(file, "b%s ", digit);
    print_id(id, file, '\n');
}

static void change_number(struct vcd_sink *vcd, uint32_t device, unsigned variable, uint64_t value)
{
    vcd->devices[device].are_used[variable] = true;
    print_number(value, id_of(device, variable), vcd->changes);
}

/* Registers are numbered behind all other variables, device after device in turn. */
static uint64_t register_id(const struct vcd_sink *vcd, uint32_t device, size_t number)
{
    uint64_t devices = vcd->header->num_devices;
    return devices * VARIABLES + 1 + number * devices + device;
}

static void change_register(struct vcd_sink *vcd, const struct trestle_trace_record *access,
                            uint64_t value)
{
    struct device_state *state = &vcd->devices[access->device];
    const struct trestle_register *reg;
    uint32_t index;
    if (!trace_names_find(vcd->names, access, &reg, &index) ||
        reg->offset + (uint64_t)index * reg->stride != access->addr || reg->size != access->size)
        return;
    size_t number = 0;
    while (number < state->num_registers &&
           (state->registers[number].reg != reg || state->registers[number].index != index))
        number++;
    if (number == state->num_registers) {
        state->registers = xrealloc(state->registers, number + 1, sizeof(*state->registers));
        state->registers[state->num_registers++] = (struct register_state){reg, index};
    }
    print_number(value, register_id(vcd, access->device, number), vcd->changes);
}

static void set_time(struct vcd_sink *vcd, const struct trestle_trace_record *record)
{
    if (record->time != vcd->now)
        fprintf(vcd->changes, "#%" PRIu64 "\n", record->time);
    vcd->now = record->time;
    if (record->guest_time == TRESTLE_TIME_NEVER)
        return;
    trestle_time stall = record->time - record->guest_time;
    if (vcd->has_stall && vcd->stall == stall)
        return;
    vcd->has_stall = true;
    vcd->stall = stall;
    print_number(stall, 0, vcd->changes);
}

static void vcd_record(struct trace_sink *sink, const struct trestle_trace_record *record)
{
    struct vcd_sink *vcd = (struct vcd_sink *)sink;
    uint32_t device = record->device;
    struct device_state *state = &vcd->devices[device];
    set_time(vcd, record);
    switch (record->kind) {
    case TRESTLE_TRACE_READ:
    case TRESTLE_TRACE_WRITE:
        state->is_read = record->kind == TRESTLE_TRACE_READ;
        state->access = *record;
        change_bit(vcd, device, state->is_read ? READ : WRITE, true);
        change_bit(vcd, device, BUSY, true);
        change_number(vcd, device, OFFSET, record->addr);
        if (!state->is_read)
            change_number(vcd, device, DATA, record->data);
        break;
    case TRESTLE_TRACE_ANSWER:
        change_bit(vcd, device, BUSY, false);
        if (record->status < 0)
            change_bit(vcd, device, ERROR, true);
        else if (state->is_read)
            change_number(vcd, device, DATA, record->data);
        if (record->status >= 0 && state->access.size > 0)
            change_register(vcd, &state->access,
                            state->is_read ? record->data : state->access.data);
        break;
    case TRESTLE_TRACE_IRQ:
        change_bit(vcd, device, IRQ + record->number, record->data);
        break;
    case TRESTLE_TRACE_RESET:
        change_bit(vcd, device, RESET, true);
        if (state->transfers > 0)
            change_number(vcd, device, DMA, state->transfers = 0);
        break;
    case TRESTLE_TRACE_SEND:
        change_bit(vcd, device, SEND, true);
        break;
    case TRESTLE_TRACE_RECEIVE:
        change_bit(vcd, device, RECEIVE, true);
        break;
    case TRESTLE_TRACE_INPUT:
        change_bit(vcd, device, INPUT, true);
        break;
    case TRESTLE_TRACE_DMA_READ:
    case TRESTLE_TRACE_DMA_WRITE:
        change_number(vcd, device, DMA, ++state->transfers);
        break;
    case TRESTLE_TRACE_DMA_END:
    case TRESTLE_TRACE_DMA_REFUSED:
        if (state->transfers > 0)
            change_number(vcd, device, DMA, --state->transfers);
        break;
    case TRESTLE_TRACE_DMA_DATA:
        break;
    }
}

/* --- the file -------------------------------------------------------------------------------- */

static bool is_used(const struct device_state *state)
{
    for (unsigned i = 0; i < VARIABLES; i++)
        if (state->are_used[i])
            return true;
    return false;
}

static void declare(const struct device_state *state, uint32_t device, FILE *file)
{
    for (unsigned i = 0; i < VARIABLES; i++) {
        if (!state->are_used[i])
            continue;
        const struct variable *variable = i < IRQ ? &variables[i] : NULL;
        fprintf(file, "$var %s %u ", variable ? variable->type : "wire",
                variable ? variable->bits : 1);
        print_id(id_of(device, i), file, ' ');
        if (variable)
            fprintf(file, "%s $end\n", variable->name);
        else
            fprintf(file, "irq%u $end\n", i - IRQ);
    }
}

static void declare_registers(const struct vcd_sink *vcd, uint32_t device, FILE *file)
{
    const struct device_state *state = &vcd->devices[device];
    char name[128];
    for (size_t i = 0; i < state->num_registers; i++) {
        const struct register_state *of = &state->registers[i];
        fprintf(file, "$var reg %" PRIu32 " ", 8 * of->reg->size);
        print_id(register_id(vcd, device, i), file, ' ');
        fprintf(file, "%s $end\n", trestle_register_name(of->reg, of->index, name, sizeof(name)));
    }
}

/* In that format a name is one word. */
static void print_scope(const char *name, FILE *file)
{
    fputs("$scope module ", file);
    for (; *name; name++)
        fputc(*name <= ' ' || *name > '~' ? '_' : *name, file);
    fputs(" $end\n", file);
}

static void print_start(const struct device_state *state, uint32_t device, FILE *file)
{
    for (unsigned i = 0; i < VARIABLES; i++) {
        bool is_event = i < IRQ && strcmp(variables[i].type, "event") == 0;
        if (!state->are_used[i] || is_event)
            continue;
        if (i == DMA)
            fputs("b0 ", file);
        else if (i < IRQ && variables[i].bits > 1)
            fputs("bx ", file);
        else
            fputc(state->first[i], file);
        print_id(id_of(device, i), file, '\n');
    }
}

static void copy_changes(struct vcd_sink *vcd)
{
    char buf[1 << 16];
    size_t size;
    rewind(vcd->changes);
    while ((size = fread(buf, 1, sizeof(buf), vcd->changes)) > 0)
        fwrite(buf, 1, size, vcd->sink.file);
}

static bool vcd_end(struct trace_sink *sink)
{
    struct vcd_sink *vcd = (struct vcd_sink *)sink;
    FILE *file = sink->file;
    uint32_t count = (uint32_t)vcd->header->num_devices;
    fputs("$version trestle $end\n$timescale 1 ps $end\n$scope module trestle $end\n", file);
    if (vcd->has_stall)
        fputs("$var reg 64 ! stall $end\n", file);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_used(&vcd->devices[i]))
            continue;
        print_scope(vcd->header->devices[i].name, file);
        declare(&vcd->devices[i], i, file);
        declare_registers(vcd, i, file);
        fputs("$upscope $end\n", file);
    }
    fputs("$upscope $end\n$enddefinitions $end\n#0\n$dumpvars\n", file);
    if (vcd->has_stall)
        fputs("bx !\n", file);
    for (uint32_t i = 0; i < count; i++)
        print_start(&vcd->devices[i], i, file);
    for (uint32_t i = 0; i < count; i++) {
        for (size_t j = 0; j < vcd->devices[i].num_registers; j++) {
            fputs("bx ", file);
            print_id(register_id(vcd, i, j), file, '\n');
        }
        free(vcd->devices[i].registers);
    }
    fputs("$end\n", file);
    copy_changes(vcd);
    bool is_whole = !ferror(vcd->changes);
    fclose(vcd->changes);
    trace_names_destroy(vcd->names);
    free(vcd->devices);
    free(vcd);
    return is_whole;
}

struct trace_sink *trace_vcd_sink(const struct trestle_trace_header *header, FILE *file)
{
    FILE *changes = tmpfile();
    if (!changes)
        return NULL;
    struct vcd_sink *vcd = xcalloc(1, sizeof(*vcd));
    vcd->sink = (struct trace_sink){vcd_record, vcd_end, file};
    vcd->header = header;
    vcd->names = trace_names_create(header);
    vcd->changes = changes;
    vcd->devices = xcalloc(header->num_devices, sizeof(*vcd->devices));
    return &vcd->sink;
}
