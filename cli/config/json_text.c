/* SPDX-License-Identifier: MIT */
/* Finds the line of a value in a JSON text that jansson has already parsed. */
#include "config/json_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static const char *skip_string(const char *p)
{
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

/* No recursion: a document may be nested as deeply as the parser allowed. */
static const char *skip_value(const char *p)
{
    size_t depth = 0;
    do {
        p = skip_space(p);
        if (*p == '"') {
            p = skip_string(p);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            depth--;
            p++;
        } else {
            p += strspn(p, ",:");
            p += strcspn(p, " \t\r\n,:]}[{\"");
        }
    } while (depth > 0);
    return p;
}

/* The string that begins at p, its escapes resolved; malloc'd. */
static char *decode_string(const char *p)
{
    json_t *value = json_loadb(p, (size_t)(skip_string(p) - p), JSON_DECODE_ANY, NULL);
    char *text = xstrdup(value ? json_string_value(value) : "");
    json_decref(value);
    return text;
}

/* Steps over the members of an object, or the items of an array (no key). *p stands behind the
 * bracket or the last value. */
static bool next_entry(const char **p, const char **ret_key, const char **ret_value)
{
    const char *at = skip_space(*p);
    if (*at == ',')
        at = skip_space(at + 1);
    if (*at == '}' || *at == ']') {
        *p = at + 1;
        return false;
    }
    *ret_key = at;
    if (*at == '"') {
        const char *colon = skip_space(skip_string(at));
        if (*colon == ':')
            at = skip_space(colon + 1);
    }
    *ret_value = at;
    return true;
}

/* Returns the value at place. *ret_start is where a reader would point: at the key, if it has one.
 */
static const char *locate(const char *text, const struct json_place *place, const char **ret_start)
{
    if (!place)
        return *ret_start = skip_space(text);
    const char *container = locate(text, place->parent, ret_start);
    if (*container != '{' && *container != '[')
        return container;

    const char *p = container + 1, *key, *value;
    for (size_t i = 0; next_entry(&p, &key, &value); i++) {
        bool found = i == place->index;
        if (place->key) {
            char *name = decode_string(key);
            found = strcmp(name, place->key) == 0;
            free(name);
        }
        if (found) {
            *ret_start = key;
            return value;
        }
        p = skip_value(value);
    }
    return container;
}

static unsigned line_of(const char *text, const char *at)
{
    unsigned line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

unsigned json_place_line(const char *text, const struct json_place *place)
{
    const char *start = text;
    locate(text, place, &start);
    return line_of(text, start);
}

char *json_place_name(const struct json_place *place)
{
    if (!place)
        return xstrdup("");
    char *parent = json_place_name(place->parent), *name;
    if (place->key)
        name = xformat("%s%s%s", parent, *parent ? "." : "", place->key);
    else
        name = xformat("%s[%zu]", parent, place->index);
    free(parent);
    return name;
}
