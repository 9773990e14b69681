/* SPDX-License-Identifier: MIT */
/* Makes JSON of the registers of a model, for programs. Numbers that may be large are text. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "config/config.h"
#include "models/describe.h"
#include "sim/lookup.h"
#include "util.h"

static json_t *hexadecimal(uint64_t value)
{
    char *text = xformat("0x%" PRIx64, value);
    json_t *json = json_string(text);
    free(text);
    return json;
}

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static json_t *name_list(const char *const *names)
{
    json_t *list = json_array();
    for (; names && *names; names++)
        json_array_append_new(list, json_string(*names));
    return list;
}

static json_t *field_object(const struct trestle_field *field)
{
    json_t *object = json_object(), *values = json_array();
    set_text(object, "name", field->name);
    json_object_set_new(object, "mask", hexadecimal(field->mask));
    if (field->access)
        set_text(object, "access", describe_rights(field->access));
    set_text(object, "doc", field->doc);
    for (const struct trestle_value *value = field->values; value && value->name; value++)
        json_array_append_new(values, json_pack("{s:s, s:o}", "name", value->name, "value",
                                                hexadecimal(value->value)));
    json_object_set_new(object, "values", values);
    return object;
}

static json_t *row_object(const struct trestle_register *row)
{
    json_t *object = json_object(), *fields = json_array();
    set_text(object, "name", row->name);
    json_object_set_new(object, "offset", hexadecimal(row->offset));
    json_object_set_new(object, "size", json_integer(row->size));
    set_text(object, "access", describe_rights(row->access));
    json_object_set_new(object, "reset", hexadecimal(row->reset));
    if (row->count) {
        json_object_set_new(object, "count", json_integer(row->count));
        json_object_set_new(object, "stride", json_integer(row->stride));
    }
    set_text(object, "doc", row->doc);
    for (const struct trestle_field *field = row->fields; field && field->name; field++)
        json_array_append_new(fields, field_object(field));
    json_object_set_new(object, "fields", fields);
    return object;
}

/* With the keys of a configuration. */
static json_t *pci_object(const struct trestle_model *model)
{
    const struct trestle_pci *pci = model->pci;
    json_t *bars = json_array();
    for (size_t i = 0; describe_region(model, i); i++)
        json_array_append_new(bars, json_string(config_bar_kind(pci, i)));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "vendor", hexadecimal(pci->vendor),
                     "device", hexadecimal(pci->device), "subsystem_vendor",
                     hexadecimal(pci->subsystem_vendor), "subsystem", hexadecimal(pci->subsystem),
                     "class", hexadecimal(pci->class_code), "revision", json_integer(pci->revision),
                     "bar", bars);
}

struct json_t *describe_json(const struct trestle_model *model)
{
    json_t *object = json_object(), *regions = json_array();
    const struct trestle_region *region;
    set_text(object, "name", model->name);
    set_text(object, "doc", model->doc);
    set_text(object, "compatible", model->compatible);
    json_object_set_new(object, "bytes", json_integer((json_int_t)trestle_model_bytes(model)));
    json_object_set_new(object, "irqs", name_list(model->irqs));
    json_object_set_new(object, "ports", name_list(model->ports));
    if (model->pci)
        json_object_set_new(object, "pci", pci_object(model));
    for (size_t i = 0; (region = describe_region(model, i)) != NULL; i++) {
        json_t *one = json_object(), *rows = json_array();
        set_text(one, "name", region->name);
        for (size_t j = 0; region->registers && j < region->num_registers; j++) {
            const struct trestle_register row = describe_row(region, j);
            json_array_append_new(rows, row_object(&row));
        }
        json_object_set_new(one, "registers", rows);
        json_array_append_new(regions, one);
    }
    json_object_set_new(object, "regions", regions);
    return object;
}
