/* SPDX-License-Identifier: MIT */
/* Prints the registers of a model as a C header for firmware. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "models/describe.h"
#include "util.h"

/* A macro's name: upper case, with '_' for characters that no name may have, and without an array's
 * "%s". */
static char *macro(const char *prefix, const char *name)
{
    char *text = xformat("%s%s%s", prefix, *prefix ? "_" : "", name);
    char *mark = strstr(text, "%s");
    if (mark)
        memmove(mark, mark + 2, strlen(mark + 2) + 1);
    for (char *c = text; *c; c++)
        *c = (char)(isalnum((unsigned char)*c) ? toupper((unsigned char)*c) : '_');
    return text;
}

static void define(FILE *out, const char *name, uint64_t value)
{
    const char *suffix = value > UINT32_MAX ? "ull" : value > INT32_MAX ? "u" : "";
    fprintf(out, "#define %s 0x%" PRIx64 "%s\n", name, value, suffix);
}

static void define_fields(FILE *out, const char *prefix, const struct trestle_register *row)
{
    for (const struct trestle_field *field = row->fields; field && field->name; field++) {
        char *name = macro(prefix, field->name);
        define(out, name, field->mask);
        fprintf(out, "#define %s_SHIFT %d\n", name, __builtin_ctzll(field->mask));
        for (const struct trestle_value *value = field->values; value && value->name; value++) {
            char *named = macro(name, value->name);
            define(out, named, value->value);
            free(named);
        }
        free(name);
    }
}

static void define_row(FILE *out, const char *prefix, const struct trestle_register *row)
{
    char *name = macro(prefix, row->name);
    if (row->doc)
        fprintf(out, "/* %s */\n", row->doc);
    if (row->count)
        fprintf(out, "#define %s(n) (0x%" PRIx64 " + 0x%" PRIx32 " * (n))\n", name, row->offset,
                row->stride);
    else
        define(out, name, row->offset);
    define_fields(out, name, row);
    free(name);
}

void describe_header(FILE *out, const struct trestle_model *model)
{
    char *prefix = macro("", model->name);
    const struct trestle_region *region;
    fprintf(out, "/* Registers of %s: offsets, masks and shifts of fields, named values. */\n",
            model->name);
    fprintf(out, "#ifndef %s_REGISTERS_H\n#define %s_REGISTERS_H\n\n", prefix, prefix);
    for (size_t i = 0; (region = describe_region(model, i)) != NULL; i++)
        for (size_t j = 0; region->registers && j < region->num_registers; j++) {
            const struct trestle_register row = describe_row(region, j);
            define_row(out, prefix, &row);
        }
    fputs("\n#endif\n", out);
    free(prefix);
}
