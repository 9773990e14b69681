/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the body of a device tree's node from text. */
#include "plugin/device/dts.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 63, DEPTH_MAX = 8 };

struct reader {
    struct dts *dts;
    const char *at;
};

static int fail(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int fail(struct reader *reader, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reader->dts->wrong, sizeof(reader->dts->wrong), format, args);
    va_end(args);
    return -1;
}

static void skip_space(struct reader *reader)
{
    while (isspace((unsigned char)*reader->at))
        reader->at++;
}

static bool take(struct reader *reader, char c)
{
    skip_space(reader);
    if (*reader->at != c)
        return false;
    reader->at++;
    return true;
}

static int expected(struct reader *reader, const char *what)
{
    return fail(reader, "%s is expected at '%.20s'", what, reader->at);
}

static int read_name(struct reader *reader, char ret_name[NAME_MAX_LENGTH + 1])
{
    skip_space(reader);
    size_t length = strspn(reader->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789,._+?#@-");
    if (length == 0 || length > NAME_MAX_LENGTH)
        return expected(reader, "a name of up to 63 characters");
    memcpy(ret_name, reader->at, length);
    ret_name[length] = '\0';
    reader->at += length;
    return 0;
}

/* "{/path}" */
static int read_path(struct reader *reader, char *ret_path, size_t size)
{
    size_t length = strcspn(reader->at, "}");
    if (reader->at[length] != '}' || length >= size || *reader->at != '/')
        return expected(reader, "a path and }");
    memcpy(ret_path, reader->at, length);
    ret_path[length] = '\0';
    reader->at += length + 1;
    return 0;
}

static int add_byte(struct reader *reader, struct dts_value *value, uint8_t byte)
{
    if (value->length == DTS_VALUE_MAX)
        return fail(reader, "a property has more than %d bytes", DTS_VALUE_MAX);
    value->bytes[value->length++] = byte;
    return 0;
}

static int add_cell(struct reader *reader, struct dts_value *value, uint32_t cell)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        if (add_byte(reader, value, (uint8_t)(cell >> shift)) < 0)
            return -1;
    return 0;
}

static int read_cell(struct reader *reader, struct dts_value *value)
{
    char name[4 * NAME_MAX_LENGTH], *end;
    uint32_t phandle;
    if (take(reader, '&')) {
        bool is_path = take(reader, '{');
        if (!reader->dts->resolve)
            return fail(reader, "a property refers to a node, and in ACPI there are none");
        if ((is_path ? read_path(reader, name, sizeof(name)) : read_name(reader, name)) < 0)
            return -1;
        if (is_path && !reader->dts->resolve(name, &phandle))
            return fail(reader, "the board has no node &{%s} that a property can refer to", name);
        if (!is_path && !reader->dts->resolve(name, &phandle))
            return fail(reader, "no device has the node &%s; use a device's dt_label, or &intc",
                        name);
        return add_cell(reader, value, phandle);
    }
    long long number = strtoll(reader->at, &end, 0);
    if (end == reader->at || number > UINT32_MAX || number < INT32_MIN)
        return expected(reader, "a number of 32 bits, &label or >");
    reader->at = end;
    return add_cell(reader, value, (uint32_t)number);
}

static int read_string(struct reader *reader, struct dts_value *value)
{
    for (; *reader->at != '"'; reader->at++) {
        if (*reader->at == '\\')
            reader->at++;
        if (*reader->at == '\0')
            return expected(reader, "\"");
        if (add_byte(reader, value, (uint8_t)*reader->at) < 0)
            return -1;
    }
    reader->at++;
    return add_byte(reader, value, 0);
}

static int read_bytes(struct reader *reader, struct dts_value *value)
{
    while (!take(reader, ']')) {
        char digits[3] = {reader->at[0], reader->at[0] ? reader->at[1] : '\0', '\0'};
        if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]))
            return expected(reader, "two hexadecimal digits or ]");
        reader->at += 2;
        if (add_byte(reader, value, (uint8_t)strtoul(digits, NULL, 16)) < 0)
            return -1;
    }
    return 0;
}

static int read_value(struct reader *reader, struct dts_value *value)
{
    if (take(reader, '"')) {
        value->has_strings = true;
        return read_string(reader, value);
    }
    if (take(reader, '[')) {
        value->has_bytes = true;
        return read_bytes(reader, value);
    }
    if (!take(reader, '<'))
        return expected(reader, "\", < or [");
    value->has_cells = true;
    while (!take(reader, '>'))
        if (read_cell(reader, value) < 0)
            return -1;
    return 0;
}

static int put_property(struct reader *reader, int node, const char *name)
{
    struct dts_value value;
    value.length = 0;
    value.has_strings = value.has_cells = value.has_bytes = false;
    if (take(reader, '='))
        do
            if (read_value(reader, &value) < 0)
                return -1;
        while (take(reader, ','));
    if (!take(reader, ';') && *reader->at)
        return expected(reader, ";");
    const char *wrong = reader->dts->put(reader->dts->tree, node, name, &value);
    return wrong ? fail(reader, "property %s: %s", name, wrong) : 0;
}

static int put_body(struct reader *reader, int node, unsigned depth)
{
    char name[NAME_MAX_LENGTH + 1];
    if (depth > DEPTH_MAX)
        return fail(reader, "nodes are nested more than %d deep", DEPTH_MAX);
    for (;;) {
        skip_space(reader);
        if (*reader->at == '\0' || *reader->at == '}')
            return 0;
        if (read_name(reader, name) < 0)
            return -1;
        if (!take(reader, '{')) {
            if (put_property(reader, node, name) < 0)
                return -1;
            continue;
        }
        int child;
        const char *wrong = reader->dts->add(reader->dts->tree, node, name, &child);
        if (wrong)
            return fail(reader, "node %s: %s", name, wrong);
        if (put_body(reader, child, depth + 1) < 0)
            return -1;
        if (!take(reader, '}'))
            return expected(reader, "}");
        take(reader, ';');
    }
}

int dts_put(struct dts *dts, int node, const char *text)
{
    struct reader reader = {dts, text};
    if (put_body(&reader, node, 0) < 0)
        return -1;
    return *reader.at ? expected(&reader, "the end") : 0;
}
