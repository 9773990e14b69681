/* SPDX-License-Identifier: MIT */
/* Writes what a vendor's description gives of a model in C. */
#include "svd/skeleton.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

char *svd_skeleton_text(const char *text)
{
    char *escaped = xcalloc(2 * strlen(text) + 1, 1), *to = escaped;
    for (; *text; text++) {
        if (*text == '"' || *text == '\\' || *text == '?')
            *to++ = '\\';
        *to++ = (unsigned char)*text < ' ' ? ' ' : *text;
        if (text[0] == '*' && text[1] == '/')
            *to++ = ' ';
    }
    return escaped;
}

bool svd_skeleton_is_keyword(const char *name)
{
    static const char *const keywords[] = {
        "auto",   "break",  "case",     "char",   "const",    "continue", "default",  "do",
        "double", "else",   "enum",     "extern", "float",    "for",      "goto",     "if",
        "inline", "int",    "long",     "return", "register", "restrict", "short",    "signed",
        "sizeof", "static", "struct",   "switch", "typedef",  "union",    "unsigned", "void",
        "asm",    "typeof", "volatile", "while",
    };
    for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
        if (strcmp(name, keywords[i]) == 0)
            return true;
    return false;
}

/* Lower case, so that the name is no macro. The names of two rows may differ in case only; the
 * second one then gets a number. */
char *svd_skeleton_name(const struct svd_stub *stub, const struct trestle_register *row,
                        bool (*is_taken)(const char *name))
{
    const char *place = strstr(row->name, "%s");
    char *name = place ? xformat("%.*s%s", (int)(place - row->name), row->name, place + 2)
                       : xstrdup(row->name);
    unsigned same = 0;
    for (char *at = name; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    for (const struct trestle_register *other = stub->table.rows; other < row; other++)
        same += strcasecmp(other->name, row->name) == 0;
    bool is_bad = isdigit((unsigned char)*name) || is_taken(name);
    if (!is_bad && !same)
        return name;
    char *other = same ? xformat("%s_%u", name, same + 1) : xformat("reg_%s", name);
    free(name);
    return other;
}

static char *member_name(const struct svd_stub *stub, const struct trestle_register *row)
{
    return svd_skeleton_name(stub, row, svd_skeleton_is_keyword);
}

static const char *type_name(uint32_t size)
{
    return size == 1 ? "uint8_t" : size == 2 ? "uint16_t" : size == 4 ? "uint32_t" : "uint64_t";
}

char *svd_skeleton_end(struct printed *text)
{
    char *bytes = printed_end(text);
    if (text->size > 0 && bytes[text->size - 1] == '\n')
        bytes[text->size - 1] = 0;
    return bytes;
}

char *svd_skeleton_members(const struct svd_stub *stub)
{
    struct printed text;
    printed_begin(&text);
    for (size_t i = 0; i < stub->table.num_rows; i++) {
        const struct trestle_register *row = &stub->table.rows[i];
        char *name = member_name(stub, row);
        fprintf(text.file, "    %s %s", type_name(row->size), name);
        if (row->count)
            fprintf(text.file, "[%" PRIu32 "]", row->count);
        fputs(";\n", text.file);
        free(name);
    }
    return svd_skeleton_end(&text);
}

const char *svd_skeleton_rights(enum trestle_rights rights)
{
    static const char *const names[] = {
        [TRESTLE_RIGHTS_DEFAULT] = "", [TRESTLE_RW] = "RW",   [TRESTLE_RO] = "RO",
        [TRESTLE_WO] = "WO",           [TRESTLE_W1C] = "W1C", [TRESTLE_W1S] = "W1S",
        [TRESTLE_W1T] = "W1T",         [TRESTLE_W0C] = "W0C", [TRESTLE_W0S] = "W0S",
        [TRESTLE_W0T] = "W0T",         [TRESTLE_WC] = "WC",   [TRESTLE_WS] = "WS",
        [TRESTLE_RC] = "RC",           [TRESTLE_RS] = "RS",
    };
    return names[rights];
}

static void print_rights(FILE *out, enum trestle_rights rights)
{
    if (rights != TRESTLE_RIGHTS_DEFAULT)
        fprintf(out, ", .access = TRESTLE_%s", svd_skeleton_rights(rights));
}

static void print_doc(FILE *out, const char *separator, const char *doc)
{
    if (!doc)
        return;
    char *text = svd_skeleton_text(doc);
    fprintf(out, "%s.doc = \"%s\"", separator, text);
    free(text);
}

static void print_field(FILE *out, const struct trestle_field *field)
{
    fprintf(out, "         {\"%s\", 0x%" PRIx64, field->name, field->mask);
    print_rights(out, field->access);
    for (const struct trestle_value *value = field->values; value && value->name; value++) {
        fputs(value == field->values ? ",\n          .values = TRESTLE_VALUES(" : ",", out);
        fprintf(out, "\n              {\"%s\", %" PRIu64, value->name, value->value);
        print_doc(out, ", ", value->doc);
        fputc('}', out);
    }
    fputs(field->values ? ")" : "", out);
    print_doc(out, ",\n          ", field->doc);
    fputc('}', out);
}

static void print_row(FILE *out, const struct svd_stub *stub, const struct trestle_register *row,
                      const char *state)
{
    char *name = member_name(stub, row);
    fprintf(out, "    {\"%s\", 0x%02" PRIx64 ", %s(struct %s, %s)", row->name, row->offset,
            row->count ? "TRESTLE_ARRAY_AT" : "TRESTLE_AT", state, name);
    free(name);
    if (row->stride && row->stride != row->size)
        fprintf(out, ", .stride = 0x%" PRIx32, row->stride);
    if (row->size != 4)
        fprintf(out, ", .size = %" PRIu32, row->size);
    if (row->access != TRESTLE_RW)
        print_rights(out, row->access);
    if (row->reset)
        fprintf(out, ", .reset = 0x%" PRIx64, row->reset);
    if (row->mask && row->mask != UINT64_MAX >> (64 - 8 * row->size))
        fprintf(out, ", .mask = 0x%" PRIx64, row->mask);
    fputs(",\n     .widths = 1 | 2 | 4 | 8", out);
    for (const struct trestle_field *field = row->fields; field && field->name; field++) {
        fputs(field == row->fields ? ",\n     .fields = TRESTLE_FIELDS(\n" : ",\n", out);
        print_field(out, field);
    }
    fputs(row->fields && row->fields->name ? ")" : "", out);
    print_doc(out, ",\n     ", row->doc);
    fputs("},\n", out);
}

char *svd_skeleton_rows(const struct svd_stub *stub, const char *state)
{
    struct printed text;
    printed_begin(&text);
    for (size_t i = 0; i < stub->table.num_rows; i++)
        print_row(text.file, stub, &stub->table.rows[i], state);
    return svd_skeleton_end(&text);
}

static bool can_be_read(const struct trestle_register *row)
{
    for (const struct trestle_field *field = row->fields; field && field->name; field++)
        if (field->access == TRESTLE_WO)
            return false;
    return row->access != TRESTLE_WO && row->count == 0;
}

static void print_check(FILE *out, const struct trestle_register *row,
                        enum svd_skeleton_check where, const char *name)
{
    if (where == SVD_IN_SCRIPT)
        fprintf(out, "expect %s.%s 0x%" PRIx64 "\n", name, row->name, row->reset);
    else if (where == SVD_IN_GUEST)
        fprintf(out, "    check_read(BASE + 0x%02" PRIx64 ", %u, 0x%" PRIx64 ", \"%s\");\n",
                row->offset, row->size, row->reset, row->name);
    else
        fprintf(out,
                "    CHECK(trestle_test_read(dev, 0x%02" PRIx64 ", %u) == 0x%" PRIx64
                "); /* %s */\n",
                row->offset, row->size, row->reset, row->name);
}

/* Prefers registers whose reset value is not 0, since they say more. */
char *svd_skeleton_checks(const struct svd_stub *stub, enum svd_skeleton_check where,
                          const char *name)
{
    enum { CHECKS_MAX = 8 };
    struct printed text;
    unsigned count = 0;
    printed_begin(&text);
    for (unsigned zero = 0; zero < 2; zero++)
        for (size_t i = 0; i < stub->table.num_rows && count < CHECKS_MAX; i++) {
            const struct trestle_register *row = &stub->table.rows[i];
            if (!can_be_read(row) || (row->reset == 0) != zero)
                continue;
            print_check(text.file, row, where, name);
            count++;
        }
    if (count == 0 && where == SVD_IN_GUEST) /* a guest that checks nothing has not passed */
        fputs("    check(true, \"there is nothing to read\");\n", text.file);
    return svd_skeleton_end(&text);
}
