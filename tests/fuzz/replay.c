/* SPDX-License-Identifier: MIT */
/*
 * A model held against a trace, by values or by times: whatever the trace says, there is a verdict,
 * a difference or an error of one line each. The first byte says which model, and which way.
 */
#include "trace/replay.h"

#include "../unit/trace_unit.h"
#include "fuzz.h"
#include "trestle/models.h"

static void check_line(char *text)
{
    FUZZ_REQUIRE(!text || (text[0] && !strchr(text, '\n')));
    free(text);
}

static const struct trestle_model *choose_model(unsigned kind)
{
    static const char *const names[] = {"echo", "compute", "dma", "ns16550"};
    return kind < sizeof(names) / sizeof(*names) ? trestle_model_find(names[kind]) : &unit_model;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trestle_trace_reader *reader = NULL;
    char *error = NULL;
    FILE *file = size > 1 ? fmemopen((void *)(uintptr_t)(data + 1), size - 1, "rb") : NULL;
    if (!file)
        return 0;
    if (trestle_trace_open(file, &reader, &error) == 0) {
        const struct trestle_trace_header *header = trestle_trace_header(reader);
        const struct config_device configured = {.name = "dut",
                                                 .model = choose_model(data[0] >> 2 & 7),
                                                 .base_addr = 0x10000000,
                                                 .size = 0x1000};
        struct replay replay = {
            .reader = reader, .device = data[0] >> 1 & 1, .configured = &configured};
        if (replay.device < header->num_devices) {
            int r = (data[0] & 1 ? replay_run : replay_values)(&replay, &error);
            FUZZ_REQUIRE(r <= 0 && (r < 0 || !error));
            FUZZ_REQUIRE(replay.compared <= trestle_trace_count(reader));
            check_line(replay.difference);
        }
    }
    check_line(error);
    trestle_trace_close(reader);
    fclose(file);
    return 0;
}
