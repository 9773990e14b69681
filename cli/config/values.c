/* SPDX-License-Identifier: MIT */
/* Reading objects by table, the values in them, and saying what is wrong with them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "config/reader.h"
#include "sim/command.h"
#include "util.h"

void *config_keep(struct config *config, void *memory)
{
    config->kept = xrealloc(config->kept, config->num_kept + 1, sizeof(*config->kept));
    config->kept[config->num_kept++] = memory;
    return memory;
}

/* "two.json:7: devices[1].base_addr", or "trestle" where there is no file; malloc'd. */
static char *locate(const struct config *config, const struct json_place *where)
{
    if (!config->file)
        return xstrdup("trestle");
    char *name = json_place_name(where);
    char *text = xformat("%s:%u%s%s", config->file, json_place_line(config->text, where),
                         *name ? ": " : "", name);
    free(name);
    replace_control_characters(text);
    return text;
}

static char *complain(const struct config *config, const struct json_place *where,
                      const char *format, va_list args)
{
    char *location = locate(config, where), *sentence = xvformat(format, args);
    char *line = xformat("%s: %s", location, sentence);
    free(location);
    free(sentence);
    replace_control_characters(line);
    return line;
}

int config_fail(struct config_reader *reader, const struct json_place *where, const char *format,
                ...)
{
    va_list args;
    va_start(args, format);
    *reader->ret_error = complain(reader->config, where, format, args);
    va_end(args);
    return -EINVAL;
}

char *config_complain_machine(const struct config *config, const char *key, const char *format, ...)
{
    struct json_place machine = {NULL, "machine", 0}, place = {&machine, key, 0};
    va_list args;
    va_start(args, format);
    char *line = complain(config, &place, format, args);
    va_end(args);
    return line;
}

/* The device of a file without "devices" stands at the top level, under other keys. */
static bool is_alone(const struct config *config)
{
    return config->document && !json_object_get(config->document, "devices");
}

char *config_where_device(const struct config *config, size_t index)
{
    struct json_place devices = {NULL, "devices", 0};
    struct json_place device = {&devices, NULL, config->devices[index].item};
    if (!config->file)
        return NULL;
    return locate(config, is_alone(config) ? NULL : &device);
}

char *config_complain_device(const struct config *config, size_t index, const char *key,
                             const char *format, ...)
{
    struct json_place devices = {NULL, "devices", 0};
    struct json_place device = {&devices, NULL, config->devices[index].item};
    struct json_place place = {&device, key, 0};
    const struct json_place *where = key ? &place : &device;
    va_list args;
    va_start(args, format);
    char *line = complain(config, is_alone(config) ? NULL : where, format, args);
    va_end(args);
    return line;
}

char *config_complain_params(const struct config *config, size_t index, const char *sentence)
{
    const struct config_device *device = &config->devices[index];
    struct json_place devices = {NULL, "devices", 0};
    struct json_place entry = {&devices, NULL, device->item};
    struct json_place params = {is_alone(config) ? NULL : &entry, "params", 0};
    struct json_place place = {&params, NULL, 0};
    /* The library names the device, which the place does as well. */
    char *prefix = xformat("device '%s': ", device->name);
    if (strncmp(sentence, prefix, strlen(prefix)) == 0)
        sentence += strlen(prefix);
    free(prefix);
    for (size_t i = 0; i < device->num_params && !place.key; i++) {
        char *named = xformat("parameter '%s'", device->params[i].key);
        if (strstr(sentence, named))
            place.key = device->params[i].key;
        free(named);
    }
    if (!place.key)
        return config_complain_device(config, index, NULL, "%s", sentence);
    char *location = locate(config, &place), *line = xformat("%s: %s", location, sentence);
    free(location);
    return line;
}

/* As a person would call the value; malloc'd. */
static char *describe(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return xstrdup("an object {...}");
    case JSON_ARRAY:
        return xstrdup("a list [...]");
    case JSON_STRING:
        if (json_string_length(value) > 60)
            return xformat("\"%.50s...\"", json_string_value(value));
        return xformat("\"%s\"", json_string_value(value));
    case JSON_REAL:
        return xformat("%g", json_real_value(value));
    case JSON_INTEGER:
        return xformat("%lld", (long long)json_integer_value(value));
    case JSON_TRUE:
        return xstrdup("true");
    case JSON_FALSE:
        return xstrdup("false");
    case JSON_NULL:
        break;
    }
    return xstrdup("null");
}

int config_fail_type(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value)
{
    char *found = describe(value);
    int r = config_fail(reader, where, "%s is not %s; write for example %s", found, key->what,
                        key->example);
    free(found);
    return r;
}

static int fail_unknown_key(struct config_reader *reader, const struct json_place *where,
                            const struct config_key *keys)
{
    struct strings names = {0};
    for (; keys->name; keys++)
        strings_add(&names, keys->name);
    char *help = suggest_or_list(where->key, &names, "the keys here are");
    int r = config_fail(reader, where, "unknown key%s", help);
    free(help);
    strings_finish(&names);
    return r;
}

int config_read_object(struct config_reader *reader, const struct json_place *where,
                       const json_t *value, const struct config_key *keys, void *target)
{
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)value, name, member) /* in the file's order */
    {
        struct json_place here = {where, name, 0};
        const struct config_key *key = keys;
        while (key->name && strcmp(key->name, name) != 0)
            key++;
        int r = key->name ? key->set(reader, key, &here, member, target)
                          : fail_unknown_key(reader, &here, keys);
        if (r < 0)
            return r;
    }
    for (const struct config_key *key = keys; key->name; key++)
        if (key->required && !json_object_get(value, key->name))
            return config_fail(reader, where, "\"%s\" is missing; add for example %s", key->name,
                               key->example);
    return 0;
}

static void *field(const struct config_key *key, void *target)
{
    return (char *)target + key->offset;
}

int config_set_string(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    if (!text || !*text)
        return config_fail_type(reader, key, where, value);
    *(const char **)field(key, target) = text;
    return 0;
}

int config_set_path(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    if (!text || !*text)
        return config_fail_type(reader, key, where, value);
    struct config *config = reader->config;
    *(const char **)field(key, target) = config_keep(config, path_beside(config->file, text));
    return 0;
}

int config_set_choice(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    struct strings choices = {0};
    for (char *const *choice = key->choices; *choice; choice++) {
        if (text && strcmp(*choice, text) == 0) {
            strings_finish(&choices);
            *(const char **)field(key, target) = text;
            return 0;
        }
        strings_add(&choices, *choice);
    }
    char *found = describe(value);
    char *help = suggest_or_list(text ? text : "", &choices, "choose one of");
    int r = config_fail(reader, where, "%s is not %s%s", found, key->what, help);
    free(found);
    free(help);
    strings_finish(&choices);
    return r;
}

int config_set_u64(struct config_reader *reader, const struct config_key *key,
                   const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    uint64_t number = (uint64_t)json_integer_value(value);
    /* Decimal text is refused: other tools read "10200000" as hexadecimal. */
    bool valid = json_is_integer(value) ? json_integer_value(value) >= 0
                                        : text && text[0] == '0' && number_parse(text, &number) &&
                                              (text[1] == 'x' || text[1] == 'X');
    if (!valid)
        return config_fail_type(reader, key, where, value);
    *(uint64_t *)field(key, target) = number;
    return 0;
}

int config_set_count(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target)
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number > key->max)
        return config_fail_type(reader, key, where, value);
    *(int64_t *)field(key, target) = number;
    return 0;
}

int config_set_bool(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target)
{
    if (!json_is_boolean(value))
        return config_fail_type(reader, key, where, value);
    *(bool *)field(key, target) = json_is_true(value);
    return 0;
}

int config_set_maybe(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target)
{
    if (!json_is_boolean(value))
        return config_fail_type(reader, key, where, value);
    *(int *)field(key, target) = json_is_true(value);
    return 0;
}

int config_set_time(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    trestle_time time;
    if (!text || trestle_parse_time(text, &time) < 0)
        return config_fail_type(reader, key, where, value);
    *(trestle_time *)field(key, target) = time;
    return 0;
}
