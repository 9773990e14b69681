/* SPDX-License-Identifier: MIT */
/* Names and values of registers as text. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lookup.h"
#include "registers.h"
#include "trestle/sim.h"

char *trestle_register_name(const struct trestle_register *reg, uint32_t index, char *buf,
                            size_t size)
{
    const char *mark = strstr(reg->name, "%s");
    if (mark)
        snprintf(buf, size, "%.*s%" PRIu32 "%s", (int)(mark - reg->name), reg->name, index,
                 mark + 2);
    else if (reg->count)
        snprintf(buf, size, "%s[%" PRIu32 "]", reg->name, index);
    else
        snprintf(buf, size, "%s", reg->name);
    return buf;
}

/* Text that grows in a buffer of fixed size, and is cut off there. */
struct text {
    char *buf;
    size_t size, used;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text->buf + text->used, text->size - text->used, format, args);
    va_end(args);
    if (n > 0)
        text->used = text->used + (size_t)n < text->size ? text->used + (size_t)n : text->size - 1;
}

static const char *value_name(const struct trestle_field *field, uint64_t value)
{
    for (const struct trestle_value *at = field->values; at && at->name; at++)
        if (at->value == value)
            return at->name;
    return NULL;
}

/* A flag is its name; others say their value. */
static void add_field(struct text *text, const struct trestle_field *field, uint64_t value,
                      bool is_first)
{
    uint64_t part = (value & field->mask) / (field->mask & -field->mask);
    const char *name = value_name(field, part);
    bool is_flag = (field->mask & (field->mask - 1)) == 0;
    add(text, "%s%s", is_first ? " {" : " ", field->name);
    if (name)
        add(text, "=%s", name);
    else if (!is_flag)
        add(text, "=0x%" PRIx64, part);
}

char *trestle_register_format(const struct trestle_register *reg, uint64_t value, char *buf,
                              size_t size)
{
    struct text text = {.buf = buf, .size = size};
    bool is_first = true;
    add(&text, "0x%" PRIx64, value);
    for (const struct trestle_field *field = reg->fields; field && field->name; field++) {
        uint64_t part = value & field->mask;
        if (part == 0 && !value_name(field, 0))
            continue;
        add_field(&text, field, value, is_first);
        is_first = false;
    }
    if (!is_first)
        add(&text, "}");
    return buf;
}
