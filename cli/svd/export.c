/* SPDX-License-Identifier: MIT */
/* Register tables as CMSIS-SVD 1.3. The order of elements is the schema's. */
#include "svd/export.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trestle/registers.h"
#include "util.h"

static void print_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else
            fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

/* Nothing for an empty text, which the schema does not allow. */
static void print_element(FILE *out, int depth, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    fprintf(out, "%*s<%s>", 2 * depth, "", name);
    print_text(out, text);
    fprintf(out, "</%s>\n", name);
}

static void print_number(FILE *out, int depth, const char *name, uint64_t value)
{
    fprintf(out, "%*s<%s>0x%" PRIx64 "</%s>\n", 2 * depth, "", name, value, name);
}

static void print_decimal(FILE *out, int depth, const char *name, uint64_t value)
{
    fprintf(out, "%*s<%s>%" PRIu64 "</%s>\n", 2 * depth, "", name, value, name);
}

/* A name of letters, digits and '_' that begins with no digit; "%s" stays. */
static void print_name(FILE *out, int depth, const char *name, const char *index)
{
    fprintf(out, "%*s<name>%s", 2 * depth, "", isdigit((unsigned char)*name) ? "_" : "");
    for (; *name; name++) {
        bool is_index = name[0] == '%' && name[1] == 's';
        fputs(is_index ? "%s" : "", out);
        if (is_index)
            name++;
        else
            fputc(isalnum((unsigned char)*name) ? *name : '_', out);
    }
    fprintf(out, "%s</name>\n", index);
}

/* --- rights ---------------------------------------------------------------------------------- */

static const struct {
    const char *access, *write, *read;
} rights_texts[] = {
    [TRESTLE_RIGHTS_DEFAULT] = {"read-write", NULL, NULL},
    [TRESTLE_RW] = {"read-write", NULL, NULL},
    [TRESTLE_RO] = {"read-only", NULL, NULL},
    [TRESTLE_WO] = {"write-only", NULL, NULL},
    [TRESTLE_W1C] = {"read-write", "oneToClear", NULL},
    [TRESTLE_W1S] = {"read-write", "oneToSet", NULL},
    [TRESTLE_W1T] = {"read-write", "oneToToggle", NULL},
    [TRESTLE_W0C] = {"read-write", "zeroToClear", NULL},
    [TRESTLE_W0S] = {"read-write", "zeroToSet", NULL},
    [TRESTLE_W0T] = {"read-write", "zeroToToggle", NULL},
    [TRESTLE_WC] = {"read-write", "clear", NULL},
    [TRESTLE_WS] = {"read-write", "set", NULL},
    [TRESTLE_RS] = {"read-only", NULL, "set"},
    [TRESTLE_RC] = {"read-only", NULL, "clear"},
    [TRESTLE_TRIGGER] = {"write-only", NULL, NULL},
    [TRESTLE_RESERVED] = {"read-only", NULL, NULL},
};

static void print_effects(FILE *out, int depth, enum trestle_rights rights)
{
    print_element(out, depth, "modifiedWriteValues", rights_texts[rights].write);
    print_element(out, depth, "readAction", rights_texts[rights].read);
}

/* --- registers ------------------------------------------------------------------------------- */

static void print_values(FILE *out, const struct trestle_value *value)
{
    if (!value || !value->name)
        return;
    fputs("              <enumeratedValues>\n", out);
    for (; value->name; value++) {
        fputs("                <enumeratedValue>\n", out);
        print_element(out, 9, "name", value->name);
        print_element(out, 9, "description", value->doc);
        print_decimal(out, 9, "value", value->value);
        fputs("                </enumeratedValue>\n", out);
    }
    fputs("              </enumeratedValues>\n", out);
}

static void print_field(FILE *out, const struct trestle_field *field, enum trestle_rights of_all)
{
    unsigned offset = (unsigned)__builtin_ctzll(field->mask);
    fputs("            <field>\n", out);
    print_name(out, 7, field->name, "");
    print_element(out, 7, "description", field->doc);
    print_decimal(out, 7, "bitOffset", offset);
    print_decimal(out, 7, "bitWidth", (unsigned)__builtin_popcountll(field->mask));
    if (field->access != TRESTLE_RIGHTS_DEFAULT && field->access != of_all) {
        print_element(out, 7, "access", rights_texts[field->access].access);
        print_effects(out, 7, field->access);
    }
    print_values(out, field->values);
    fputs("            </field>\n", out);
}

static void print_fields(FILE *out, const struct trestle_register *reg)
{
    const struct trestle_field *fields = reg->fields;
    enum trestle_rights of_all = reg->access ? reg->access : TRESTLE_RW;
    bool is_first = true;
    for (; fields && fields->name; fields++) {
        if (fields->access == TRESTLE_RESERVED || fields->mask == 0)
            continue;
        if (is_first)
            fputs("          <fields>\n", out);
        is_first = false;
        print_field(out, fields, of_all);
    }
    if (!is_first)
        fputs("          </fields>\n", out);
}

static void print_register(FILE *out, const struct trestle_register *reg)
{
    uint32_t size = reg->size ? reg->size : 4;
    fputs("        <register>\n", out);
    if (reg->count > 0) {
        print_decimal(out, 5, "dim", reg->count);
        print_number(out, 5, "dimIncrement", reg->stride ? reg->stride : size);
    }
    print_name(out, 5, reg->name, reg->count > 0 && !strstr(reg->name, "%s") ? "[%s]" : "");
    print_element(out, 5, "description", reg->doc);
    print_number(out, 5, "addressOffset", reg->offset);
    print_decimal(out, 5, "size", 8 * size);
    print_element(out, 5, "access", rights_texts[reg->access].access);
    print_number(out, 5, "resetValue", reg->reset);
    print_effects(out, 5, reg->access);
    print_fields(out, reg);
    fputs("        </register>\n", out);
}

/* --- peripherals ----------------------------------------------------------------------------- */

static void print_registers(FILE *out, const struct trestle_region *region)
{
    if (!region || region->num_registers == 0)
        return;
    fputs("      <registers>\n", out);
    for (size_t i = 0; i < region->num_registers; i++)
        print_register(out, &region->registers[i]);
    fputs("      </registers>\n", out);
}

/* inputs: "40:41", one for each line that is connected. */
static void print_interrupts(FILE *out, const char *name, const struct trestle_model *model,
                             const char *inputs)
{
    const char *const *lines = model->irqs;
    for (unsigned number = 0; inputs; number++) {
        const char *end = strchr(inputs, ':');
        char *text =
            lines && *lines ? xformat("%s_%s", name, *lines++) : xformat("%s_irq%u", name, number);
        fputs("      <interrupt>\n", out);
        print_element(out, 4, "name", text);
        print_decimal(out, 4, "value", strtoull(inputs, NULL, 10));
        fputs("      </interrupt>\n", out);
        free(text);
        inputs = end ? end + 1 : NULL;
    }
}

static void print_peripheral(FILE *out, const struct config_device *device)
{
    const struct trestle_model *model = device->model;
    fputs("    <peripheral>\n", out);
    print_name(out, 3, device->name, "");
    print_element(out, 3, "description", model->doc ? model->doc : model->name);
    print_number(out, 3, "baseAddress", device->base_addr);
    fputs("      <addressBlock>\n", out);
    print_number(out, 4, "offset", 0);
    print_number(out, 4, "size", device->size);
    print_element(out, 4, "usage", "registers");
    fputs("      </addressBlock>\n", out);
    print_interrupts(out, device->name, model, device->irq);
    print_registers(out, model->regions ? model->regions[0] : NULL);
    fputs("    </peripheral>\n", out);
}

void svd_export(FILE *out, const char *name, const struct config *config)
{
    fputs("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
          "<device schemaVersion=\"1.3\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema-instance\" "
          "xs:noNamespaceSchemaLocation=\"CMSIS-SVD.xsd\">\n",
          out);
    print_name(out, 1, name, "");
    print_element(out, 1, "version", "1.0");
    print_element(out, 1, "description", "Devices that Trestle joins to QEMU");
    print_decimal(out, 1, "addressUnitBits", 8);
    print_decimal(out, 1, "width", 64);
    print_decimal(out, 1, "size", 32);
    print_element(out, 1, "access", "read-write");
    print_number(out, 1, "resetValue", 0);
    fputs("  <peripherals>\n", out);
    for (size_t i = 0; i < config->num_devices; i++)
        print_peripheral(out, &config->devices[i]);
    fputs("  </peripherals>\n</device>\n", out);
}
