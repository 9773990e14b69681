/* SPDX-License-Identifier: MIT */
/* Prints what a model says about itself, as text and as Markdown. */
#include "models/describe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "sim/lookup.h"
#include "table.h"
#include "util.h"

const struct trestle_region *describe_region(const struct trestle_model *model, size_t number)
{
    for (size_t i = 0; model->regions && i < number; i++)
        if (!model->regions[i])
            return NULL;
    return model->regions ? model->regions[number] : NULL;
}

struct trestle_register describe_row(const struct trestle_region *region, size_t number)
{
    struct trestle_register row = {0};
    size_t size = region->register_size < sizeof(row) ? region->register_size : sizeof(row);
    memcpy(&row, (const char *)region->registers + number * region->register_size, size);
    row.size = row.size ? row.size : 4;
    row.stride = row.stride ? row.stride : row.size;
    row.access = row.access ? row.access : TRESTLE_RW;
    if (region->field_size != sizeof(struct trestle_field) ||
        region->value_size != sizeof(struct trestle_value))
        row.fields = NULL;
    return row;
}

const char *describe_rights(enum trestle_rights rights)
{
    static const char *const names[] = {
        [TRESTLE_RIGHTS_DEFAULT] = "", [TRESTLE_RW] = "RW",   [TRESTLE_RO] = "RO",
        [TRESTLE_WO] = "WO",           [TRESTLE_W1C] = "W1C", [TRESTLE_W1S] = "W1S",
        [TRESTLE_W1T] = "W1T",         [TRESTLE_W0C] = "W0C", [TRESTLE_W0S] = "W0S",
        [TRESTLE_W0T] = "W0T",         [TRESTLE_WC] = "WC",   [TRESTLE_WS] = "WS",
        [TRESTLE_RC] = "RC",           [TRESTLE_RS] = "RS",   [TRESTLE_TRIGGER] = "W",
        [TRESTLE_RESERVED] = "-",
    };
    return (size_t)rights < sizeof(names) / sizeof(*names) ? names[rights] : "?";
}

const char *describe_bits(uint64_t mask, char *buf, size_t size)
{
    int low = __builtin_ctzll(mask), high = 63 - __builtin_clzll(mask);
    if (low == high)
        snprintf(buf, size, "%d", low);
    else
        snprintf(buf, size, "%d:%d", high, low);
    return buf;
}

/* "LED[4]": an array with the number of its elements. */
static char *row_name(const struct trestle_register *row)
{
    return row->count ? xformat("%s[%" PRIu32 "]", row->name, row->count) : xstrdup(row->name);
}

static char *value_list(const struct trestle_field *field)
{
    struct strings list = {0};
    for (const struct trestle_value *value = field->values; value && value->name; value++)
        strings_addf(&list, "%" PRIu64 " %s", value->value, value->name);
    char *text = strings_join(&list, ", ");
    strings_finish(&list);
    return text;
}

static char *join_doc(const char *values, const char *doc)
{
    return xformat("%s%s%s", values, *values && doc ? "; " : "", doc ? doc : "");
}

/* --- text ------------------------------------------------------------------------------------ */

static void add_row(struct table *table, const struct trestle_register *row)
{
    char *name = row_name(row);
    char bits[16];
    table_addf(table, "0x%04" PRIx64, row->offset);
    table_addf(table, "%s", name);
    table_addf(table, "%" PRIu32, 8 * row->size);
    table_addf(table, "%s", describe_rights(row->access));
    table_addf(table, "0x%" PRIx64, row->reset);
    table_addf(table, "%s", row->doc ? row->doc : "");
    for (const struct trestle_field *field = row->fields; field && field->name; field++) {
        char *values = value_list(field), *doc = join_doc(values, field->doc);
        table_addf(table, "%s", "");
        table_addf(table, "  %s", field->name);
        table_addf(table, "%s", describe_bits(field->mask, bits, sizeof(bits)));
        table_addf(table, "%s", describe_rights(field->access));
        table_addf(table, "%s", "");
        table_addf(table, "%s", doc);
        free(doc);
        free(values);
    }
    free(name);
}

static void print_names(FILE *out, const char *what, const char *unnamed, uint32_t count,
                        const char *const *names)
{
    if (count == 0)
        return;
    fprintf(out, "%s: ", what);
    for (uint32_t i = 0; i < count; i++)
        if (names && names[i])
            fprintf(out, "%s%s", i > 0 ? ", " : "", names[i]);
        else
            fprintf(out, "%s%s%" PRIu32, i > 0 ? ", " : "", unnamed, i);
    fputc('\n', out);
}

static uint32_t count_of(uint32_t count, const char *const *names)
{
    while (names && names[count])
        count++;
    return count;
}

/* What a guest finds on a PCI bus, unless the configuration says otherwise. */
static void print_pci(FILE *out, const struct trestle_model *model)
{
    const struct trestle_pci *pci = model->pci;
    const struct trestle_region *region;
    if (!pci)
        return;
    fprintf(out, "pci: %04x:%04x, class 0x%06x, revision %u, BARs", pci->vendor, pci->device,
            pci->class_code, pci->revision);
    for (size_t i = 0; (region = describe_region(model, i)) != NULL; i++)
        fprintf(out, region->name ? "%s %s (%s)" : "%s %s%s", i > 0 ? "," : "",
                region->name ? region->name : "", config_bar_kind(pci, i));
    fputc('\n', out);
}

void describe_text(FILE *out, const struct trestle_model *model)
{
    static const char *const titles[] = {"offset", "register", ">bits", "access",
                                         ">reset", "meaning",  NULL};
    fprintf(out, "%s%s%s\n", model->name, model->doc ? ": " : "", model->doc ? model->doc : "");
    if (model->compatible)
        fprintf(out, "compatible: %s\n", model->compatible);
    fprintf(out, "%" PRIu64 " bytes\n", trestle_model_bytes(model));
    print_names(out, "interrupts", "line ",
                count_of(model->irqs ? 0 : model->irq_lines, model->irqs), model->irqs);
    print_names(out, "ports", "peer", count_of(model->ports ? 0 : model->peer_ports, model->ports),
                model->ports);
    print_pci(out, model);
    const struct trestle_region *region;
    for (size_t i = 0; (region = describe_region(model, i)) != NULL; i++) {
        struct table table = {.titles = titles};
        fprintf(out, "\n%s%s%s", region->name ? "region " : "", region->name ? region->name : "",
                region->name ? "\n" : "");
        for (size_t j = 0; region->registers && j < region->num_registers; j++) {
            const struct trestle_register row = describe_row(region, j);
            add_row(&table, &row);
        }
        table_print(&table, out);
        table_finish(&table);
    }
    if (!model->regions)
        fputs("It has no table of registers.\n", out);
}

/* --- markdown -------------------------------------------------------------------------------- */

void describe_markdown(FILE *out, const struct trestle_model *model)
{
    const struct trestle_region *region;
    char bits[16];
    for (size_t i = 0; (region = describe_region(model, i)) != NULL; i++) {
        if (region->name)
            fprintf(out, "%s%s:\n\n", i > 0 ? "\n" : "", region->name);
        fputs(
            "| offset | register | bits | access | reset | meaning |\n|---|---|---|---|---|---|\n",
            out);
        for (size_t j = 0; region->registers && j < region->num_registers; j++) {
            const struct trestle_register row = describe_row(region, j);
            char *name = row_name(&row);
            fprintf(out, "| 0x%02" PRIx64 " | %s | %" PRIu32 " | %s | 0x%" PRIx64 " | %s |\n",
                    row.offset, name, 8 * row.size, describe_rights(row.access), row.reset,
                    row.doc ? row.doc : "");
            free(name);
            for (const struct trestle_field *field = row.fields; field && field->name; field++) {
                char *values = value_list(field), *doc = join_doc(values, field->doc);
                fprintf(out, "| | - %s | %s | %s | | %s |\n", field->name,
                        describe_bits(field->mask, bits, sizeof(bits)),
                        describe_rights(field->access), doc);
                free(doc);
                free(values);
            }
        }
    }
}
