/* SPDX-License-Identifier: MIT */
/* Looks up registers of a trace: the places that come again and again are remembered. */
#include "trace/names.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sim/lookup.h"
#include "util.h"

#define REMEMBERED 256

struct place {
    const struct trestle_register *reg; /* NULL: none is there */
    uint64_t offset;
    uint32_t device, region, index;
    bool is_known;
};

struct trace_names {
    const struct trestle_trace_header *header;
    struct place places[REMEMBERED];
};

struct trace_names *trace_names_create(const struct trestle_trace_header *header)
{
    struct trace_names *names = xcalloc(1, sizeof(*names));
    names->header = header;
    return names;
}

void trace_names_destroy(struct trace_names *names)
{
    free(names);
}

static bool covers(const struct trestle_register *reg, uint64_t offset, uint32_t *ret_index)
{
    uint64_t behind = offset - reg->offset;
    uint64_t index = reg->count ? behind / reg->stride : 0;
    if (offset < reg->offset || (reg->count && index >= reg->count) ||
        behind - index * (reg->count ? reg->stride : 0) >= reg->size)
        return false;
    *ret_index = (uint32_t)index;
    return true;
}

static struct place look_up(const struct trestle_trace_header *header,
                            const struct trestle_trace_record *access)
{
    uint64_t offset = access->addr;
    struct place place = {
        .offset = offset, .device = access->device, .region = access->number, .is_known = true};
    const struct trestle_trace_device *of = &header->devices[access->device];
    for (size_t i = 0; i < of->num_registers && !place.reg; i++)
        if ((of->row_regions ? of->row_regions[i] : 0) == access->number &&
            covers(&of->registers[i], offset, &place.index))
            place.reg = &of->registers[i];
    return place;
}

bool trace_names_find(struct trace_names *names, const struct trestle_trace_record *access,
                      const struct trestle_register **ret_reg, uint32_t *ret_index)
{
    struct place *place =
        &names->places[(access->addr / 4 + 31 * (uint64_t)access->device + access->number) %
                       REMEMBERED];
    if (!place->is_known || place->device != access->device || place->region != access->number ||
        place->offset != access->addr)
        *place = look_up(names->header, access);
    *ret_reg = place->reg;
    *ret_index = place->index;
    return place->reg != NULL;
}

const char *trace_names_register(struct trace_names *names,
                                 const struct trestle_trace_record *access, char *buf, size_t size)
{
    const struct trestle_register *reg;
    uint32_t index;
    buf[0] = '\0';
    if (names && trace_names_find(names, access, &reg, &index))
        trestle_register_name(reg, index, buf, size);
    return buf;
}

const char *trace_names_value(struct trace_names *names, const struct trestle_trace_record *access,
                              uint64_t value, char *buf, size_t size)
{
    const struct trestle_register *reg;
    uint32_t index;
    bool is_whole = names && trace_names_find(names, access, &reg, &index) &&
                    reg->offset + (uint64_t)index * reg->stride == access->addr &&
                    reg->size == access->size;
    if (is_whole)
        trestle_register_format(reg, value, buf, size);
    else
        snprintf(buf, size, "0x%" PRIx64, value);
    return buf;
}
