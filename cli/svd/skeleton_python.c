/* SPDX-License-Identifier: MIT */
/* Writes what a vendor's description gives of a model in Python. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svd/skeleton.h"

char *svd_skeleton_python_text(const char *text)
{
    char *escaped = xcalloc(2 * strlen(text) + 1, 1), *to = escaped;
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            *to++ = '\\';
        *to++ = (unsigned char)*text < ' ' ? ' ' : *text;
    }
    return escaped;
}

/* Whether Python or trestle.Model has the name; trestle.Model refuses such registers. */
static bool is_taken(const char *name)
{
    static const char *const words[] = {
        "accept_input", "access_sizes", "and",
        "as",           "assert",       "async",
        "await",        "base",         "break",
        "class",        "compatible",   "complete",
        "continue",     "def",          "del",
        "dma_done",     "dma_failed",   "dma_read",
        "dma_write",    "elif",         "else",
        "except",       "fail",         "finally",
        "fini",         "for",          "forward",
        "from",         "global",       "has_output",
        "holes",        "if",           "import",
        "in",           "info",         "init",
        "input",        "irq",          "irq_lines",
        "irqs",         "is",           "lambda",
        "linked",       "memory_read",  "memory_write",
        "message",      "name",         "needs_icount",
        "nonlocal",     "not",          "now",
        "or",           "output",       "param",
        "param_period", "param_refuse", "param_time",
        "pass",         "peer_ports",   "ports",
        "pulse",        "raise",        "read",
        "region_size",  "reset",        "return",
        "self_reset",   "send",         "set_access_latency",
        "start",        "timers",       "trestle",
        "try",          "wake",         "wake_after",
        "wake_at",      "warning",      "while",
        "with",         "write",        "yield",
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(name, words[i]) == 0)
            return true;
    return false;
}

static void print_text(FILE *out, const char *key, const char *text)
{
    char *escaped = text ? svd_skeleton_python_text(text) : NULL;
    if (escaped)
        fprintf(out, "%s\"%s\"", key, escaped);
    free(escaped);
}

static void print_field(FILE *out, const struct trestle_field *field)
{
    const char *rights = svd_skeleton_rights(field->access);
    print_text(out, "\n            ", field->name);
    if (!*rights && !field->values && !field->doc) {
        fprintf(out, ": 0x%" PRIx64 ",", field->mask);
        return;
    }
    fprintf(out, ": {\"mask\": 0x%" PRIx64, field->mask);
    print_text(out, ", \"access\": ", *rights ? rights : NULL);
    for (const struct trestle_value *value = field->values; value && value->name; value++) {
        print_text(out, value == field->values ? ",\n                \"values\": {" : ", ",
                   value->name);
        fprintf(out, ": %" PRIu64, value->value);
    }
    fputs(field->values ? "}" : "", out);
    print_text(out, ",\n                \"doc\": ", field->doc);
    fputs("},", out);
}

/* Whether text is name in upper case, which trestle.Register takes by default. */
static bool is_upper_case(const char *text, const char *name)
{
    while (*text && *text == toupper((unsigned char)*name)) {
        text++;
        name++;
    }
    return !*text && !*name;
}

static void print_row(FILE *out, const struct svd_stub *stub, const struct trestle_register *row)
{
    const char *rights = svd_skeleton_rights(row->access);
    char *name = svd_skeleton_name(stub, row, is_taken);
    fprintf(out, "    %s = trestle.Register(0x%02" PRIx64, name, row->offset);
    if (*rights && row->access != TRESTLE_RW)
        print_text(out, ", ", rights);
    if (!is_upper_case(row->name, name))
        print_text(out, ", name=", row->name);
    free(name);
    if (row->size != 4)
        fprintf(out, ", size=%" PRIu32, row->size);
    if (row->count)
        fprintf(out, ", count=%" PRIu32, row->count);
    if (row->stride && row->stride != row->size)
        fprintf(out, ", stride=0x%" PRIx32, row->stride);
    if (row->reset)
        fprintf(out, ", reset=0x%" PRIx64, row->reset);
    if (row->mask && row->mask != UINT64_MAX >> (64 - 8 * row->size))
        fprintf(out, ", mask=0x%" PRIx64, row->mask);
    fputs(",\n        widths=1 | 2 | 4 | 8", out);
    for (const struct trestle_field *field = row->fields; field && field->name; field++) {
        fputs(field == row->fields ? ",\n        fields={" : "", out);
        print_field(out, field);
    }
    fputs(row->fields && row->fields->name ? "\n        }" : "", out);
    print_text(out, ",\n        doc=", row->doc);
    fputs(")\n", out);
}

char *svd_skeleton_attributes(const struct svd_stub *stub)
{
    struct printed text;
    printed_begin(&text);
    for (size_t i = 0; i < stub->table.num_rows; i++)
        print_row(text.file, stub, &stub->table.rows[i]);
    return svd_skeleton_end(&text);
}
