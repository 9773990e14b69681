/* SPDX-License-Identifier: MIT */
/* Makes the lines of trestle top: the run as a whole, its devices, the registers of one, and the
 * last accesses. */
#include "top/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

/* What the devices, and the registers, may have of the screen's rows at most. */
#define PART_OF_ROWS 3u
#define HEAD_ROWS 3u

/* --- numbers --------------------------------------------------------------------------------- */

/* Three digits or so: "1.23 ms". */
static char *time_text(uint64_t ps)
{
    static const char *const units[] = {"ps", "ns", "us", "ms", "s"};
    double value = (double)ps;
    size_t unit = 0;
    if (ps == STATE_UNKNOWN)
        return xstrdup("-");
    for (; value >= 1000 && unit + 1 < sizeof(units) / sizeof(*units); unit++)
        value /= 1000;
    return xformat("%.*f %s",
                   value >= 100 || unit == 0 ? 0
                   : value >= 10             ? 1
                                             : 2,
                   value, units[unit]);
}

static double seconds_between(const struct page *page)
{
    return (double)(page->now->host_ns - page->before->host_ns) / 1e9;
}

/* Per second of the host's. */
static double rate(const struct page *page, uint64_t before, uint64_t now)
{
    double seconds = seconds_between(page);
    return seconds > 0 && now >= before ? (double)(now - before) / seconds : 0;
}

static uint64_t accesses_of(const struct state_device *device)
{
    return device->reads + device->writes + device->errors;
}

/* A device as it was before; the run's devices are always the same. */
static const struct state_device *device_before(const struct page *page, size_t index)
{
    return &(index < page->before->num_devices ? page->before : page->now)->devices[index];
}

/* --- the parts ------------------------------------------------------------------------------- */

static void add_head(const struct page *page, struct strings *lines)
{
    const struct state *before = page->before, *now = page->now;
    double accesses = 0, irqs = 0;
    for (size_t i = 0; i < now->num_devices; i++) {
        const struct state_device *device = &now->devices[i], *old = device_before(page, i);
        accesses += device->is_unknown ? 0 : rate(page, accesses_of(old), accesses_of(device));
        irqs += device->is_unknown ? 0 : rate(page, old->irqs, device->irqs);
    }
    char *guest = time_text(now->guest), *engine = time_text(now->engine);
    char *next = now->next == STATE_UNKNOWN
                     ? xstrdup("none is due")
                     : time_text(now->next > now->engine ? now->next - now->engine : 0);
    strings_addf(lines, "trestle top %s: %.0f accesses/s, %.0f interrupts/s", page->path, accesses,
                 irqs);
    if (now->guest == STATE_UNKNOWN || before->guest == STATE_UNKNOWN)
        strings_addf(lines, "guest: says no time");
    else
        strings_addf(lines, "guest: %s, %.3f of the host's time", guest,
                     rate(page, before->guest, now->guest) / 1e12);
    strings_addf(lines, "engine: %s, %" PRIu64 " event%s wait%s%s%s", engine, now->pending,
                 now->pending == 1 ? "" : "s", now->pending == 1 ? "s" : "",
                 now->next == STATE_UNKNOWN ? "" : ", the next in ",
                 now->next == STATE_UNKNOWN ? "" : next);
    free(next);
    free(engine);
    free(guest);
}

static void add_time(struct table *table, uint64_t ns)
{
    char *text = ns == 0 ? xstrdup("-") : time_text(ns * 1000);
    table_addf(table, "%s", text);
    free(text);
}

static void add_device(const struct page *page, struct table *table, size_t index)
{
    const struct state_device *device = &page->now->devices[index];
    const struct state_device *old = device_before(page, index);
    table_addf(table, "%s", device->name);
    for (size_t i = 0; device->is_unknown && i < 7; i++)
        table_addf(table, "-");
    if (device->is_unknown) {
        table_addf(table, "not known");
        return;
    }
    table_addf(table, "%.0f", rate(page, accesses_of(old), accesses_of(device)));
    table_addf(table, "%" PRIu64, device->reads);
    table_addf(table, "%" PRIu64, device->writes);
    table_addf(table, "%" PRIu64, device->errors);
    add_time(table, device->p50_ns);
    add_time(table, device->p99_ns);
    table_addf(table, "%.0f", rate(page, old->irqs, device->irqs));
    if (device->levels)
        table_addf(table, "0x%" PRIx64, device->levels);
    else
        table_addf(table, "-");
}

/* A table's lines, of which `first` and the next `count` are wanted behind the title. */
static void add_lines(struct strings *lines, char *text, size_t first, size_t count)
{
    char *rest = NULL;
    size_t row = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), row++)
        if (row == 0 || (row > first && row <= first + count))
            strings_add(lines, line);
}

static void add_title(struct page_lines *to)
{
    strings_add(&to->lines, "");
    to->titles[to->num_titles++] = to->lines.count;
}

static void add_devices(const struct page *page, struct page_lines *to, size_t room)
{
    static const char *const titles[] = {"device",  ">accesses/s", ">reads", ">writes",
                                         ">errors", ">p50",        ">p99",   ">interrupts/s",
                                         "lines",   NULL};
    struct table table = {.titles = titles};
    size_t count = page->now->num_devices < room ? page->now->num_devices : room;
    size_t first = page->selected < count ? 0 : page->selected + 1 - count;
    struct printed printed;
    add_title(to);
    to->selected = to->lines.count + 1 + page->selected - first;
    for (size_t i = 0; i < page->now->num_devices; i++)
        add_device(page, &table, i);
    printed_begin(&printed);
    table_print(&table, printed.file);
    table_finish(&table);
    char *text = printed_end(&printed);
    add_lines(&to->lines, text, first, count);
    free(text);
}

static void add_registers(const struct page *page, struct page_lines *to, size_t room)
{
    const struct state *now = page->now;
    add_title(to);
    if (page->selected >= now->num_devices)
        return;
    char *text = xformat("registers of %s\n%s", now->devices[page->selected].name, page->registers);
    add_lines(&to->lines, text, 0, room);
    free(text);
}

static void add_accesses(const struct page *page, struct page_lines *to)
{
    const struct state *now = page->now;
    add_title(to);
    strings_add(&to->lines, "last accesses");
    for (size_t i = 0; i < now->num_accesses && to->lines.count < page->rows; i++) {
        const struct state_access *access = &now->accesses[i];
        char *time = time_text(access->time);
        strings_addf(&to->lines, "%10s  %s %s", time,
                     access->device < now->num_devices ? now->devices[access->device].name : "",
                     access->text);
        free(time);
    }
}

void page_make(const struct page *page, struct page_lines *ret_lines)
{
    size_t room = page->rows > HEAD_ROWS ? (page->rows - HEAD_ROWS) / PART_OF_ROWS : 1;
    *ret_lines = (struct page_lines){0};
    room = room > 3 ? room - 2 : 1;
    add_head(page, &ret_lines->lines);
    add_devices(page, ret_lines, room);
    add_registers(page, ret_lines, room);
    add_accesses(page, ret_lines);
}

void page_finish(struct page_lines *lines)
{
    strings_finish(&lines->lines);
}
