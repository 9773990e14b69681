/* SPDX-License-Identifier: MIT */
/* The reader of traces: any bytes give records whose fields can be trusted, and then their end or
 * an error of one line. */
#include "trace/trace.h"

#include <errno.h>

#include "fuzz.h"

static void check_error(int error, char **text)
{
    FUZZ_REQUIRE(error == -EPROTO || error == -ENODATA || error == -ENOMEM);
    FUZZ_REQUIRE(*text && **text && !strchr(*text, '\n'));
    free(*text);
    *text = NULL;
}

static void check_record(const struct trestle_trace_header *header,
                         const struct trestle_trace_record *record, trestle_time *ref_time)
{
    FUZZ_REQUIRE(record->device < header->num_devices);
    FUZZ_REQUIRE(record->time >= *ref_time);
    FUZZ_REQUIRE(record->guest_time <= record->time || record->guest_time == TRESTLE_TIME_NEVER);
    FUZZ_REQUIRE(record->status <= 0);
    FUZZ_REQUIRE(*trestle_trace_kind_name(record->kind));
    *ref_time = record->time;
    unsigned sum = 0;
    for (uint32_t i = 0; record->bytes && i < record->size; i++)
        sum += record->bytes[i];
    FUZZ_REQUIRE(sum <= 255 * record->size);
}

/* Of names, places and fields nobody looks whether they are there: the reader has. */
static void check_registers(const struct trestle_trace_device *device)
{
    for (size_t i = 0; i < device->num_registers; i++) {
        const struct trestle_register *row = &device->registers[i];
        FUZZ_REQUIRE(row->name && strlen(row->name) < 1 << 20);
        FUZZ_REQUIRE(row->size == 1 || row->size == 2 || row->size == 4 || row->size == 8);
        for (const struct trestle_field *field = row->fields; field && field->name; field++)
            FUZZ_REQUIRE(field->mask && strlen(field->name) < 1 << 20);
    }
}

static void read_all(struct trestle_trace_reader *reader)
{
    const struct trestle_trace_header *header = trestle_trace_header(reader);
    struct trestle_trace_record record;
    trestle_time time = 0;
    char *text = NULL;
    uint64_t count = 0;
    int r;
    for (size_t i = 0; i < header->num_devices; i++)
        FUZZ_REQUIRE(strlen(header->devices[i].name) + strlen(header->devices[i].model) < 1 << 20);
    for (size_t i = 0; i < header->num_devices; i++)
        check_registers(&header->devices[i]);
    while ((r = trestle_trace_next(reader, &record, &text)) > 0) {
        check_record(header, &record, &time);
        FUZZ_REQUIRE(trestle_trace_count(reader) == ++count);
    }
    if (r < 0)
        check_error(r, &text);
    FUZZ_REQUIRE(trestle_trace_next(reader, &record, &text) == r && !text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trestle_trace_reader *reader = NULL;
    char *text = NULL;
    FILE *file = size ? fmemopen((void *)(uintptr_t)data, size, "rb") : NULL;
    if (!file)
        return 0;
    int r = trestle_trace_open(file, &reader, &text);
    if (r < 0)
        check_error(r, &text);
    else
        read_all(reader);
    trestle_trace_close(reader);
    fclose(file);
    return 0;
}
