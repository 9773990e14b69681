/* SPDX-License-Identifier: MIT */
/* Writes a table with the names of registers, which is compiled with a core. */
#include "rtl/registers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "models/describe.h"
#include "svd/skeleton.h"
#include "svd/stub.h"
#include "trestle/models.h"
#include "util.h"

int rtl_registers_from_svd(struct rtl_registers *registers, const char *path,
                           const char *peripheral, char **ret_error)
{
    struct svd_stub *stub;
    int r = svd_load(path, &registers->svd, ret_error);
    size_t count = r == 0 ? svd_num_peripherals(registers->svd) : 0;
    if (r == 0 && !peripheral && count > 1) {
        *ret_error = xformat("%s has %zu peripherals; name one with --peripheral, such as %s or %s",
                             path, count, svd_peripheral_name(registers->svd, 0),
                             svd_peripheral_name(registers->svd, 1));
        r = -EINVAL;
    }
    if (r == 0 && !peripheral)
        peripheral = svd_peripheral_name(registers->svd, 0);
    if (r == 0)
        r = svd_stub_make(registers->svd, peripheral, &stub, ret_error);
    if (r == 0)
        registers->model = &stub->model;
    return r;
}

int rtl_registers_from_model(struct rtl_registers *registers, const char *name, char **ret_error)
{
    int r = 0;
    if (strchr(name, '/'))
        r = trestle_model_load(name, &registers->library, &registers->model, ret_error);
    else
        registers->model = trestle_model_find(name);
    if (r < 0)
        return r;
    if (!registers->model)
        *ret_error = xformat(
            "there is no model %s; trestle models lists all models, and one in a file needs "
            "a path such as ./%s.so",
            name, name);
    else if (!describe_region(registers->model, 0) ||
             !describe_region(registers->model, 0)->registers)
        *ret_error = xformat("the model %s has no table of registers", name);
    return *ret_error ? -EINVAL : 0;
}

void rtl_registers_finish(struct rtl_registers *registers)
{
    svd_destroy(registers->svd);
    trestle_model_unload(registers->library);
}

static void print_text(const char *text, FILE *out)
{
    char *escaped = text ? svd_skeleton_text(text) : NULL;
    fprintf(out, escaped ? "\"%s\"" : "nullptr", escaped);
    free(escaped);
}

static void print_values(const struct trestle_value *value, const char *name, FILE *out)
{
    fprintf(out, "static const struct trestle_value %s[] = {\n", name);
    for (; value->name; value++) {
        fprintf(out, "    {\"%s\", 0x%" PRIx64 "u, ", value->name, value->value);
        print_text(value->doc, out);
        fputs("},\n", out);
    }
    fputs("    {}};\n", out);
}

/* Prints the names of a row's fields as C++. */
static void print_fields(const struct trestle_field *fields, size_t row, FILE *out)
{
    for (const struct trestle_field *field = fields; field->name; field++) {
        if (!field->values)
            continue;
        char *name = xformat("rtl_values_%zu_%zu", row, (size_t)(field - fields));
        print_values(field->values, name, out);
        free(name);
    }
    fprintf(out, "static const struct trestle_field rtl_fields_%zu[] = {\n", row);
    for (const struct trestle_field *field = fields; field->name; field++) {
        fprintf(out, "    {\"%s\", 0x%" PRIx64 "u, trestle_rights(%d), ", field->name, field->mask,
                (int)field->access);
        if (field->values)
            fprintf(out, "rtl_values_%zu_%zu, ", row, (size_t)(field - fields));
        else
            fputs("nullptr, ", out);
        print_text(field->doc, out);
        fputs("},\n", out);
    }
    fputs("    {}};\n", out);
}

void rtl_registers_map(const struct rtl_registers *registers, FILE *out)
{
    const struct trestle_region *region =
        registers->model ? describe_region(registers->model, 0) : NULL;
    if (!region) {
        fputs("#include \"runtime.h\"\n"
              "static const struct trestle_region *const *const rtl_regions = nullptr;\n",
              out);
        return;
    }
    fputs("#include \"runtime.h\"\n", out);
    for (size_t i = 0; i < region->num_registers; i++) {
        struct trestle_register row = describe_row(region, i);
        if (row.fields)
            print_fields(row.fields, i, out);
    }
    fputs("static const struct trestle_register rtl_rows[] = {\n", out);
    for (size_t i = 0; i < region->num_registers; i++) {
        struct trestle_register row = describe_row(region, i);
        fprintf(out, "    trestle::named(\"%s\", 0x%" PRIx64 "u, trestle_rights(%d), ", row.name,
                row.offset, (int)row.access);
        if (row.fields)
            fprintf(out, "rtl_fields_%zu, ", i);
        else
            fputs("nullptr, ", out);
        print_text(row.doc, out);
        fprintf(out, ", %" PRIu32 ", 0x%" PRIx64 "u, %" PRIu32 ", %" PRIu32 "),\n", row.size,
                row.reset, row.count, row.stride);
    }
    fputs("};\nstatic const struct trestle_region rtl_region = trestle::names_of(rtl_rows);\n"
          "static const struct trestle_region *const rtl_regions[] = {&rtl_region, nullptr};\n",
          out);
}
