/* SPDX-License-Identifier: MIT */
/* Looks at what passes at the devices of a run, and prints it as JSON. */
#include "run/view.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bridge/command.h"
#include "run/run.h"
#include "sim/lookup.h"
#include "trace/trace.h"
#include "trestle/registers.h"
#include "util.h"

/* A power of two. */
#define ACCESSES 32u

struct seen {
    const struct trestle_device *device;
    uint32_t index;
    trestle_time time;
    struct trestle_request request; /* status: -EINPROGRESS until it is answered */
};

struct view {
    struct run *run;
    uint64_t count; /* of accesses so far; the latest of them are in the ring */
    struct seen ring[ACCESSES];
    struct place {
        uint64_t latest; /* in count: of the device's latest access */
        uint64_t irqs;
    } places[];
};

static void see_access(struct view *view, const struct trestle_device *dev,
                       const struct trestle_trace_record *record)
{
    view->places[record->device].latest = view->count;
    view->ring[view->count++ % ACCESSES] = (struct seen){
        .device = dev,
        .index = record->device,
        .time = record->time,
        .request = {.access = {.offset = record->addr, .size = record->size, .data = record->data},
                    .write = record->kind == TRESTLE_TRACE_WRITE,
                    .status = -EINPROGRESS}};
}

static void see_answer(struct view *view, const struct trestle_trace_record *record)
{
    uint64_t which = view->places[record->device].latest;
    struct trestle_request *request = &view->ring[which % ACCESSES].request;
    if (view->count - which > ACCESSES || request->status != -EINPROGRESS)
        return;
    request->status = record->status;
    request->ret_data = record->data;
}

static void see(void *ctx, const struct trestle_device *dev, struct trestle_trace_record *record)
{
    struct view *view = ctx;
    if (record->kind == TRESTLE_TRACE_READ || record->kind == TRESTLE_TRACE_WRITE)
        see_access(view, dev, record);
    else if (record->kind == TRESTLE_TRACE_ANSWER && view->count > 0)
        see_answer(view, record);
    else if (record->kind == TRESTLE_TRACE_IRQ)
        view->places[record->device].irqs += record->data;
}

struct view *view_begin(struct run *run)
{
    struct view *view = xcalloc(1, sizeof(*view) + trestle_bridge_num_devices(run->bridge) *
                                                       sizeof(view->places[0]));
    view->run = run;
    trestle_bridge_observe(run->bridge, see, view);
    return view;
}

void view_end(struct view *view)
{
    if (view)
        trestle_bridge_observe(view->run->bridge, NULL, NULL);
    free(view);
}

/* --- as JSON --------------------------------------------------------------------------------- */

static json_t *number(uint64_t value)
{
    return value > INT64_MAX ? json_null() : json_integer((json_int_t)value);
}

static json_t *device_object(const struct view *view, uint32_t index)
{
    struct trestle_device_stats stats;
    const struct trestle_device *dev = trestle_bridge_device(view->run->bridge, index);
    trestle_bridge_stats(view->run->bridge, index, &stats);
    if (!dev)
        return json_pack("{s:s, s:b}", "name", stats.name, "own", 1);
    uint64_t levels = 0;
    for (uint32_t line = 0; line < trestle_device_model(dev)->irq_lines; line++)
        levels |= (uint64_t)trestle_device_irq_level(dev, line) << line;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", stats.name, "reads",
                     number(stats.reads), "writes", number(stats.writes), "errors",
                     number(stats.errors), "p50_ns", number(stats.latency_p50_ns), "p99_ns",
                     number(stats.latency_p99_ns), "irqs", number(view->places[index].irqs),
                     "levels", json_integer((json_int_t)levels));
}

/* "STATUS -> 0x2 {ready}", or without a table "+0x8:4 -> 0x2". */
static char *access_text(const struct seen *seen)
{
    char text[256] = "";
    const struct trestle_request *request = &seen->request;
    if (request->status == 0)
        trestle_device_access_text(seen->device, request, text, sizeof(text));
    if (text[0])
        return xstrdup(text);
    char *place = xformat("+0x%" PRIx64 ":%" PRIu32, request->access.offset, request->access.size);
    char *line =
        request->status == -EINPROGRESS ? xformat("%s %s ...", place, request->write ? "<-" : "->")
        : request->status < 0
            ? xformat("%s %s %s", place, request->write ? "<-" : "->", strerror(-request->status))
        : request->write ? xformat("%s <- 0x%" PRIx64, place, request->access.data)
                         : xformat("%s -> 0x%" PRIx64, place, request->ret_data);
    free(place);
    return line;
}

static json_t *accesses_array(const struct view *view)
{
    json_t *array = json_array();
    for (uint64_t i = 1; i <= ACCESSES && i <= view->count; i++) {
        const struct seen *seen = &view->ring[(view->count - i) % ACCESSES];
        char *text = access_text(seen);
        json_array_append_new(array, json_pack("{s:o, s:i, s:s}", "time", number(seen->time),
                                               "device", (int)seen->index, "text", text));
        free(text);
    }
    return array;
}

void view_print(const struct view *view, FILE *out)
{
    struct trestle_bridge *bridge = view->run->bridge;
    const struct trestle_sim *sim = trestle_bridge_sim(bridge);
    json_t *devices = json_array();
    for (uint32_t i = 0; i < trestle_bridge_num_devices(bridge); i++)
        json_array_append_new(devices, device_object(view, i));
    json_t *root = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "engine", number(trestle_sim_now(sim)), "guest",
        number(trestle_bridge_guest_time(bridge)), "next", number(trestle_sim_next(sim)), "pending",
        number(trestle_sim_pending(sim)), "host_ns", number(clock_ns()), "devices", devices,
        "accesses", accesses_array(view));
    json_dumpf(root, out, JSON_COMPACT);
    fputc('\n', out);
    json_decref(root);
}
