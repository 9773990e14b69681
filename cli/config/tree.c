/* SPDX-License-Identifier: MIT */
/* "compatible", "alias" and "dt" of devices, written as the text that the plugin reads: the body of
 * a node, as in device tree sources. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "util.h"

enum { NAME_MAX = 31, ALIAS_MAX = 31 };

#define WORD_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,._+?#@-"

static const char property_characters[] = WORD_CHARACTERS;
static const char path_characters[] = WORD_CHARACTERS "/";

int config_set_compatible(struct config_reader *reader, const struct config_key *key,
                          const struct json_place *where, const json_t *value, void *target)
{
    struct config_device *device = target;
    bool is_list = json_is_array(value) && json_array_size(value) > 0;
    if (!is_list && !json_is_string(value))
        return config_fail_type(reader, key, where, value);
    for (size_t i = 0; i < (is_list ? json_array_size(value) : 1); i++) {
        const char *text = json_string_value(is_list ? json_array_get(value, i) : value);
        if (!text || !*text || text[strspn(text, property_characters)])
            return config_fail_type(reader, key, where, value);
    }
    device->compatible = value;
    return 0;
}

int config_set_alias(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    if (!text || !*text || strlen(text) > ALIAS_MAX ||
        text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        return config_fail_type(reader, key, where, value);
    return config_set_string(reader, key, where, value, target);
}

/* A vendor's three or four letters, and four hexadecimal digits. */
int config_set_acpi_id(struct config_reader *reader, const struct config_key *key,
                       const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    size_t length = text ? strlen(text) : 0;
    if ((length != 7 && length != 8) ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != length ||
        strspn(text + length - 4, "0123456789ABCDEF") != 4)
        return config_fail_type(reader, key, where, value);
    return config_set_string(reader, key, where, value, target);
}

int config_set_dt(struct config_reader *reader, const struct config_key *key,
                  const struct json_place *where, const json_t *value, void *target)
{
    struct config_device *device = target;
    if (!json_is_object(value))
        return config_fail_type(reader, key, where, value);
    device->dt = value;
    return 0;
}

/* --- from JSON to text ---------------------------------------------------------------------------
 */

static int fail_value(struct config_reader *reader, const struct json_place *where,
                      const json_t *value)
{
    static const struct config_key row = {
        .what = "a property",
        .example = "1, \"text\", \"&device\", true, [1, \"text\"], { \"u64\": 1 }, "
                   "{ \"bytes\": \"00ff\" }, or { ... } for a node"};
    return config_fail_type(reader, &row, where, value);
}

static bool has_node(const struct config_device *device)
{
    return device->compatible || device->model->compatible;
}

static int write_reference(struct config_reader *reader, const struct json_place *where,
                           const char *name, struct strings *text)
{
    const struct config *config = reader->config;
    size_t length = strlen(name);
    bool is_path = length > 2 && name[0] == '{' && name[1] == '/' && name[length - 1] == '}' &&
                   strspn(name + 1, path_characters) == length - 2;
    bool is_found = is_path || strcmp(name, "intc") == 0;
    for (size_t i = 0; i < config->num_devices && !is_found; i++)
        is_found = strcmp(config->devices[i].name, name) == 0 && has_node(&config->devices[i]);
    if (!is_found)
        return config_fail(
            reader, where,
            "there is no device \"%s\" with a compatible; name one, \"&intc\" for the "
            "interrupt controller, or \"&{/path}\" for a node of the board's",
            name);
    strings_addf(text, "<&%s>", name);
    return 0;
}

static void write_string(const char *string, struct strings *text)
{
    strings_add(text, "\"");
    for (; *string; string++)
        strings_addf(text, strchr("\"\\", *string) ? "\\%c" : "%c", *string);
    strings_add(text, "\"");
}

static int write_wide(struct config_reader *reader, const struct json_place *where,
                      const json_t *value, struct strings *text)
{
    static const struct config_key key = {.what = "a number",
                                          .example = "\"u64\": \"0x100000000\""};
    uint64_t number;
    int r = config_set_u64(reader, &key, where, value, &number);
    if (r == 0)
        strings_addf(text, "<0x%" PRIx64 " 0x%" PRIx64 ">", number >> 32, number & UINT32_MAX);
    return r;
}

static int write_bytes(struct config_reader *reader, const struct json_place *where,
                       const json_t *value, struct strings *text)
{
    static const struct config_key key = {.what = "a list of bytes",
                                          .example = "\"bytes\": \"00ff\""};
    const char *digits = json_string_value(value);
    if (!digits || strlen(digits) % 2 || digits[strspn(digits, "0123456789abcdefABCDEF")])
        return config_fail_type(reader, &key, where, value);
    strings_addf(text, "[%s]", digits);
    return 0;
}

/* {"u64": n} and {"bytes": "00ff"}; false: an object of another kind, which is a node. */
static bool is_wide(const json_t *value)
{
    return json_object_size(value) == 1 && json_object_get(value, "u64");
}

static bool is_bytes(const json_t *value)
{
    return json_object_size(value) == 1 && json_object_get(value, "bytes");
}

static int write_item(struct config_reader *reader, const struct json_place *where,
                      const json_t *value, struct strings *text)
{
    const char *string = json_string_value(value);
    json_int_t number = json_integer_value(value);
    if (is_wide(value))
        return write_wide(reader, where, json_object_get(value, "u64"), text);
    if (is_bytes(value))
        return write_bytes(reader, where, json_object_get(value, "bytes"), text);
    if (string && string[0] == '&')
        return write_reference(reader, where, string + 1, text);
    if (string) {
        write_string(string, text);
        return 0;
    }
    if (!json_is_integer(value))
        return fail_value(reader, where, value);
    if (number > (json_int_t)UINT32_MAX || number < INT32_MIN)
        return config_fail(reader, where,
                           "%" JSON_INTEGER_FORMAT " does not fit into a cell of 32 bits; write "
                           "{ \"u64\": ... } for two cells",
                           number);
    strings_addf(text, "<%" JSON_INTEGER_FORMAT ">", number);
    return 0;
}

static int write_list(struct config_reader *reader, const struct json_place *where,
                      const json_t *value, struct strings *text)
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct json_place here = {where, NULL, i};
        if (i > 0)
            strings_add(text, ", ");
        int r = write_item(reader, &here, json_array_get(value, i), text);
        if (r < 0)
            return r;
    }
    return 0;
}

static int write_body(struct config_reader *reader, const struct json_place *where,
                      const json_t *value, struct strings *text);

static int write_member(struct config_reader *reader, const struct json_place *where,
                        const json_t *value, struct strings *text)
{
    bool is_node = json_is_object(value) && !is_wide(value) && !is_bytes(value);
    bool is_list = json_is_array(value) && json_array_size(value) > 0;
    int r = 0;
    strings_add(text, where->key);
    if (is_node) {
        strings_add(text, " { ");
        r = write_body(reader, where, value, text);
        strings_add(text, "}");
    } else if (!json_is_true(value)) {
        strings_add(text, " = ");
        r = (is_list ? write_list : write_item)(reader, where, value, text);
    }
    strings_add(text, "; ");
    return r;
}

static int write_body(struct config_reader *reader, const struct json_place *where,
                      const json_t *value, struct strings *text)
{
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)value, name, member)
    {
        struct json_place here = {where, name, 0};
        if (!*name || strlen(name) > NAME_MAX || name[strspn(name, property_characters)])
            return config_fail(
                reader, &here,
                "\"%s\" is not a name in a device tree; use up to %d letters, digits "
                "and ,._+?#@-",
                name, NAME_MAX);
        int r = write_member(reader, &here, member, text);
        if (r < 0)
            return r;
    }
    return 0;
}

/* What the plugin sets by itself would be said twice, and could disagree. */
static int check_own_properties(struct config_reader *reader, const struct json_place *where,
                                const json_t *dt)
{
    static const char *const own[] = {"reg", "interrupts", "interrupt-parent", "phandle",
                                      "compatible"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        struct json_place here = {where, own[i], 0};
        if (json_object_get(dt, own[i]))
            return config_fail(reader, &here,
                               "Trestle makes this property from the device's other keys; remove "
                               "it here");
    }
    return 0;
}

static int write_node(struct config_reader *reader, const struct json_place *where,
                      struct config_device *device, struct strings *text)
{
    struct json_place compatible = {where, "compatible", 0}, dt = {where, "dt", 0};
    int r = 0;
    strings_add(text, "compatible = ");
    if (!device->compatible)
        write_string(device->model->compatible, text);
    else if (json_is_array(device->compatible))
        r = write_list(reader, &compatible, device->compatible, text);
    else
        r = write_item(reader, &compatible, device->compatible, text);
    strings_add(text, "; ");
    if (r == 0 && device->dt)
        r = check_own_properties(reader, &dt, device->dt);
    if (r == 0 && device->dt)
        r = write_body(reader, &dt, device->dt, text);
    return r;
}

int config_make_node(struct config_reader *reader, const struct json_place *where,
                     struct config_device *device)
{
    const char *key = device->dt ? "dt" : device->alias ? "alias" : NULL;
    struct json_place here = {where, key, 0};
    struct strings text = {0};
    if (!has_node(device))
        return key ? config_fail(reader, &here,
                                 "a node needs a compatible; add for example \"compatible\": "
                                 "\"ns16550a\"")
                   : 0;
    int r = write_node(reader, where, device, &text);
    if (r == 0)
        device->node = config_keep(reader->config, strings_join(&text, ""));
    strings_finish(&text);
    return r;
}
