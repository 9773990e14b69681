/* SPDX-License-Identifier: MIT */
/* The header of a trace: who is in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"
#include "trace/record.h"
#include "trestle/le.h"

#define DEVICE_MIN 22u /* bytes of a device with empty texts and no parameters */
#define PARAM_MIN 4u
#define LINK_SIZE 24u
#define REGISTER_MIN 21u
#define FIELD_MIN 12u
#define VALUE_MIN 10u

/* --- out ------------------------------------------------------------------------------------- */

struct growing {
    uint8_t *bytes; /* NULL: only counted */
    size_t size;
    bool is_too_large;
    bool has_registers, has_regions;
};

static void add_le(struct growing *out, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++, out->size++)
        if (out->bytes)
            out->bytes[out->size] = (uint8_t)(value >> 8 * i);
}

static void add_text(struct growing *out, const char *text)
{
    size_t length = strlen(text);
    if (length > UINT16_MAX)
        out->is_too_large = true;
    add_le(out, length, 2);
    if (out->bytes)
        memcpy(out->bytes + out->size, text, length);
    out->size += length;
}

static size_t count_fields(const struct trestle_register *reg)
{
    size_t count = 0;
    while (reg->fields && reg->fields[count].name)
        count++;
    return count;
}

static size_t count_values(const struct trestle_field *field)
{
    size_t count = 0;
    while (field->values && field->values[count].name)
        count++;
    return count;
}

static void add_count(struct growing *out, size_t count)
{
    if (count > UINT16_MAX)
        out->is_too_large = true;
    add_le(out, count, 2);
}

static void add_field(struct growing *out, const struct trestle_field *field)
{
    size_t num_values = count_values(field);
    add_le(out, field->mask, 8);
    add_text(out, field->name);
    add_count(out, num_values);
    for (size_t i = 0; i < num_values; i++) {
        add_le(out, field->values[i].value, 8);
        add_text(out, field->values[i].name);
    }
}

static void add_register(struct growing *out, const struct trestle_register *reg, uint8_t region)
{
    size_t num_fields = count_fields(reg);
    if (out->has_regions)
        add_le(out, region, 1);
    add_le(out, reg->offset, 8);
    add_le(out, reg->size, 1);
    add_le(out, reg->count, 4);
    add_le(out, reg->stride, 4);
    add_text(out, reg->name);
    add_count(out, num_fields);
    for (size_t i = 0; i < num_fields; i++)
        add_field(out, &reg->fields[i]);
}

static void add_header(struct growing *out, const struct trestle_trace_header *header, size_t size)
{
    for (size_t i = 0; i < sizeof(TRACE_MAGIC) - 1; i++)
        add_le(out, (uint8_t)TRACE_MAGIC[i], 1);
    add_le(out,
           out->has_regions     ? TRACE_VERSION_REGIONS
           : out->has_registers ? TRACE_VERSION_REGISTERS
                                : TRACE_VERSION,
           4);
    add_le(out, size, 4);
    add_le(out, header->num_devices, 4);
    add_le(out, header->num_links, 4);
    for (size_t i = 0; i < header->num_devices; i++) {
        const struct trestle_trace_device *device = &header->devices[i];
        add_le(out, device->base_addr, 8);
        add_le(out, device->size, 8);
        add_text(out, device->name);
        add_text(out, device->model);
        if (device->num_params > UINT16_MAX)
            out->is_too_large = true;
        add_le(out, device->num_params, 2);
        for (size_t j = 0; j < device->num_params; j++) {
            add_text(out, device->params[j].key);
            add_text(out, device->params[j].value);
        }
    }
    for (size_t i = 0; i < header->num_links; i++) {
        const struct trestle_trace_link *link = &header->links[i];
        for (unsigned end = 0; end < 2; end++) {
            add_le(out, link->devices[end], 4);
            add_le(out, link->ports[end], 4);
        }
        add_le(out, link->latency, 8);
    }
    for (size_t i = 0; out->has_registers && i < header->num_devices; i++) {
        const struct trestle_trace_device *device = &header->devices[i];
        add_le(out, device->num_registers, 4);
        for (size_t j = 0; j < device->num_registers; j++)
            add_register(out, &device->registers[j],
                         device->row_regions ? device->row_regions[j] : 0);
    }
}

static bool has_registers(const struct trestle_trace_header *header)
{
    for (size_t i = 0; i < header->num_devices; i++)
        if (header->devices[i].num_registers > 0)
            return true;
    return false;
}

static bool has_regions(const struct trestle_trace_header *header)
{
    for (size_t i = 0; i < header->num_devices; i++)
        for (size_t j = 0; j < header->devices[i].num_registers; j++)
            if (header->devices[i].row_regions && header->devices[i].row_regions[j] > 0)
                return true;
    return false;
}

int trace_encode_header(const struct trestle_trace_header *header, uint8_t **ret_buf,
                        size_t *ret_size)
{
    struct growing counted = {.has_registers = has_registers(header),
                              .has_regions = has_regions(header)};
    add_header(&counted, header, 0);
    /* Names are a help; a trace without them is whole. */
    if (counted.has_registers && (counted.is_too_large || counted.size > TRACE_HEADER_MAX)) {
        counted = (struct growing){0};
        add_header(&counted, header, 0);
    }
    if (counted.is_too_large || counted.size > TRACE_HEADER_MAX)
        return -EFBIG;
    struct growing out = {.bytes = malloc(counted.size),
                          .has_registers = counted.has_registers,
                          .has_regions = counted.has_regions};
    if (!out.bytes)
        return -ENOMEM;
    add_header(&out, header, counted.size);
    *ret_buf = out.bytes;
    *ret_size = out.size;
    return 0;
}

/* --- in -------------------------------------------------------------------------------------- */

int trace_header_size(const uint8_t *buf, size_t *ret_size, const char **ret_why)
{
    uint32_t size = trestle_get_le32(buf + 12);
    *ret_why = NULL;
    if (memcmp(buf, TRACE_MAGIC, sizeof(TRACE_MAGIC) - 1) != 0)
        *ret_why = "not a trace";
    else if (trestle_get_le32(buf + 8) < TRACE_VERSION ||
             trestle_get_le32(buf + 8) > TRACE_VERSION_REGIONS)
        *ret_why = "a trace of another version";
    else if (size < TRACE_HEADER_START || size > TRACE_HEADER_MAX)
        *ret_why = "a header of impossible size";
    if (*ret_why)
        return -EPROTO;
    *ret_size = size;
    return 0;
}

struct shrinking {
    const uint8_t *at, *end;
    bool is_bad, is_no_memory;
};

static const uint8_t *take(struct shrinking *in, size_t size)
{
    if (in->is_bad || (size_t)(in->end - in->at) < size) {
        in->is_bad = true;
        return NULL;
    }
    in->at += size;
    return in->at - size;
}

static uint16_t take_le16(struct shrinking *in)
{
    const uint8_t *bytes = take(in, 2);
    return bytes ? trestle_get_le16(bytes) : 0;
}

static uint32_t take_le32(struct shrinking *in)
{
    const uint8_t *bytes = take(in, 4);
    return bytes ? trestle_get_le32(bytes) : 0;
}

static uint64_t take_le64(struct shrinking *in)
{
    const uint8_t *bytes = take(in, 8);
    return bytes ? trestle_get_le64(bytes) : 0;
}

/* NULL when it is bad: no text has a byte 0 in it. */
static const char *take_text(struct shrinking *in)
{
    size_t length = take_le16(in);
    const uint8_t *bytes = take(in, length);
    if (!bytes || memchr(bytes, 0, length)) {
        in->is_bad = true;
        return NULL;
    }
    char *text = strndup((const char *)bytes, length);
    if (!text)
        in->is_no_memory = in->is_bad = true;
    return text;
}

/* A table of as many entries as can be there; one more, so that none is no special case. */
static void *make_table(struct shrinking *in, uint32_t count, size_t least_bytes, size_t size)
{
    void *table = NULL;
    if ((size_t)(in->end - in->at) / least_bytes < count)
        in->is_bad = true;
    else if (!(table = calloc((size_t)count + 1, size)))
        in->is_no_memory = in->is_bad = true;
    return table;
}

static void take_params(struct shrinking *in, struct trestle_trace_device *device)
{
    uint16_t count = take_le16(in);
    struct trestle_param *params = make_table(in, count, PARAM_MIN, sizeof(*params));
    device->params = params;
    for (; params && device->num_params < count && !in->is_bad; device->num_params++) {
        params[device->num_params].key = take_text(in);
        params[device->num_params].value = take_text(in);
    }
}

static void take_devices(struct shrinking *in, uint32_t count, struct trestle_trace_header *header)
{
    struct trestle_trace_device *devices = make_table(in, count, DEVICE_MIN, sizeof(*devices));
    header->devices = devices;
    for (; devices && header->num_devices < count && !in->is_bad; header->num_devices++) {
        struct trestle_trace_device *device = &devices[header->num_devices];
        device->base_addr = take_le64(in);
        device->size = take_le64(in);
        device->name = take_text(in);
        device->model = take_text(in);
        take_params(in, device);
    }
}

static void take_links(struct shrinking *in, uint32_t count, struct trestle_trace_header *header)
{
    struct trestle_trace_link *links = make_table(in, count, LINK_SIZE, sizeof(*links));
    header->links = links;
    for (; links && header->num_links < count && !in->is_bad; header->num_links++) {
        struct trestle_trace_link *link = &links[header->num_links];
        for (unsigned end = 0; end < 2; end++) {
            link->devices[end] = take_le32(in);
            link->ports[end] = take_le32(in);
            if (link->devices[end] >= header->num_devices || link->ports[end] > 31)
                in->is_bad = true;
        }
        link->latency = take_le64(in);
    }
}

/* A text that is not empty, and can be shown as it is. */
static const char *take_name(struct shrinking *in)
{
    const char *name = take_text(in);
    in->is_bad |= name && !*name;
    for (const char *c = name; c && *c; c++)
        in->is_bad |= (unsigned char)*c < ' ' || *c == 0x7f;
    return name;
}

static void take_values(struct shrinking *in, struct trestle_field *field)
{
    uint16_t count = take_le16(in);
    struct trestle_value *values = make_table(in, count, VALUE_MIN, sizeof(*values));
    field->values = values;
    for (uint16_t i = 0; values && i < count && !in->is_bad; i++) {
        values[i].value = take_le64(in);
        values[i].name = take_name(in);
    }
}

static void take_fields(struct shrinking *in, struct trestle_register *reg)
{
    uint16_t count = take_le16(in);
    struct trestle_field *fields = make_table(in, count, FIELD_MIN, sizeof(*fields));
    reg->fields = fields;
    for (uint16_t i = 0; fields && i < count && !in->is_bad; i++) {
        fields[i].mask = take_le64(in);
        fields[i].name = take_name(in);
        in->is_bad |= fields[i].mask == 0;
        if (fields[i].name) /* without one it is the end of the table */
            take_values(in, &fields[i]);
    }
}

static uint8_t take_region(struct shrinking *in)
{
    const uint8_t *region = take(in, 1);
    in->is_bad |= region && *region >= TRESTLE_REGIONS_MAX;
    return region ? *region : 0;
}

static void take_register(struct shrinking *in, struct trestle_register *reg)
{
    reg->offset = take_le64(in);
    const uint8_t *size = take(in, 1);
    reg->size = size ? *size : 0;
    reg->count = take_le32(in);
    reg->stride = take_le32(in);
    reg->name = take_name(in);
    if ((reg->size != 1 && reg->size != 2 && reg->size != 4 && reg->size != 8) ||
        (reg->count > 0 && reg->stride == 0))
        in->is_bad = true;
    take_fields(in, reg);
}

static void take_registers(struct shrinking *in, struct trestle_trace_header *header,
                           bool has_regions)
{
    for (size_t i = 0; i < header->num_devices && !in->is_bad; i++) {
        struct trestle_trace_device *device = (struct trestle_trace_device *)&header->devices[i];
        uint32_t count = take_le32(in);
        struct trestle_register *registers =
            make_table(in, count, REGISTER_MIN, sizeof(*registers));
        device->registers = registers;
        uint8_t *regions = has_regions ? make_table(in, count, REGISTER_MIN, 1) : NULL;
        device->row_regions = regions;
        for (; registers && device->num_registers < count && !in->is_bad; device->num_registers++) {
            if (regions)
                regions[device->num_registers] = take_region(in);
            take_register(in, &registers[device->num_registers]);
        }
    }
}

int trace_decode_header(const uint8_t *buf, size_t size, struct trestle_trace_header *ret_header,
                        const char **ret_why)
{
    struct shrinking in = {.at = buf + 16, .end = buf + size};
    struct trestle_trace_header header = {0};
    uint32_t num_devices = take_le32(&in), num_links = take_le32(&in);
    *ret_why = NULL;
    take_devices(&in, num_devices, &header);
    take_links(&in, num_links, &header);
    uint32_t version = trestle_get_le32(buf + 8);
    if (version >= TRACE_VERSION_REGISTERS)
        take_registers(&in, &header, version == TRACE_VERSION_REGIONS);
    if (!in.is_bad && in.at == in.end) {
        *ret_header = header;
        return 0;
    }
    trace_free_header(&header);
    if (in.is_no_memory)
        return -ENOMEM;
    *ret_why = "a damaged header";
    return -EPROTO;
}

static void free_register(const struct trestle_register *reg)
{
    for (const struct trestle_field *field = reg->fields; field && field->name; field++) {
        for (const struct trestle_value *value = field->values; value && value->name; value++)
            free((void *)value->name);
        free((void *)field->values);
        free((void *)field->name);
    }
    free((void *)reg->fields);
    free((void *)reg->name);
}

void trace_free_header(struct trestle_trace_header *header)
{
    for (size_t i = 0; i < header->num_devices; i++) {
        const struct trestle_trace_device *device = &header->devices[i];
        for (size_t j = 0; j < device->num_params; j++) {
            free((void *)device->params[j].key);
            free((void *)device->params[j].value);
        }
        for (size_t j = 0; j < device->num_registers; j++)
            free_register(&device->registers[j]);
        free((void *)device->registers);
        free((void *)device->row_regions);
        free((void *)device->params);
        free((void *)device->name);
        free((void *)device->model);
    }
    free((void *)header->devices);
    free((void *)header->links);
    *header = (struct trestle_trace_header){0};
}
