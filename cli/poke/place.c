/* SPDX-License-Identifier: MIT */
/* Turns what a person writes for a place in a device into an offset, a size and a mask. */
#include "poke/place.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "sim/lookup.h"
#include "trestle/registers.h"

static uint64_t mask_of(uint32_t size)
{
    return size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
}

struct trestle_device *place_device(const struct poke_target *target, const char *name,
                                    char **ret_error)
{
    struct strings names = {0};
    for (size_t i = 0; i < target->num_devices; i++) {
        const char *candidate = trestle_device_name(target->devices[i]);
        if (strcmp(candidate, name) == 0) {
            strings_finish(&names);
            return target->devices[i];
        }
        strings_add(&names, candidate);
    }
    for (size_t i = 0; target->elsewhere && i < target->elsewhere->count; i++) {
        if (strcmp(target->elsewhere->items[i], name) == 0) {
            *ret_error = target->complain_elsewhere(target->ctx, name);
            strings_finish(&names);
            return NULL;
        }
        strings_add(&names, target->elsewhere->items[i]);
    }
    char *help = suggest_or_list(name, &names, "the devices are");
    *ret_error = xformat("there is no device \"%s\"%s", name, help);
    free(help);
    strings_finish(&names);
    return NULL;
}

/* The width of an access if nobody says one: 32 bits, or another one that the model has. */
static uint32_t usual_size(const struct trestle_device *dev)
{
    uint32_t sizes = trestle_device_model(dev)->access_sizes;
    return sizes & 4 ? 4 : sizes & 8 ? 8 : sizes & 2 ? 2 : 1;
}

/* "0x8" or "0x8:2" */
static bool parse_offset(char *text, struct place *place, char **ret_error)
{
    char *colon = strchr(text, ':');
    uint64_t size = usual_size(place->dev);
    if (colon)
        *colon = '\0';
    if (!number_parse(text, &place->offset)) {
        *ret_error = xformat("\"%s\" is not an offset; write for example %s+0x8", text,
                             trestle_device_name(place->dev));
        return false;
    }
    if (colon &&
        (!number_parse(colon + 1, &size) || (size != 1 && size != 2 && size != 4 && size != 8))) {
        *ret_error = xformat("\"%s\" is not a size; write 1, 2, 4 or 8", colon + 1);
        return false;
    }
    place->size = (uint32_t)size;
    place->mask = mask_of(place->size);
    return true;
}

static const struct trestle_field *find_field(const struct trestle_register *reg, const char *name)
{
    for (const struct trestle_field *field = reg->fields; field && field->name; field++)
        if (strcasecmp(field->name, name) == 0)
            return field;
    return NULL;
}

static void list_fields(const struct trestle_register *reg, struct strings *ret_names)
{
    for (const struct trestle_field *field = reg->fields; field && field->name; field++)
        strings_add(ret_names, field->name);
}

static void list_registers(const struct trestle_device *dev, struct strings *ret_names)
{
    struct trestle_register_at at = {0};
    char name[128];
    while (trestle_device_next_register(dev, 0, &at))
        strings_add(ret_names, trestle_register_name(at.reg, at.index, name, sizeof(name)));
}

static void complain_name(const char *what, const char *name, struct strings *known,
                          const char *owner, char **ret_error)
{
    char *help = known->count ? suggest_or_list(name, known, "there are")
                              : xformat("; %s names none", owner);
    *ret_error = xformat("there is no %s \"%s\"%s", what, name, help);
    free(help);
    strings_finish(known);
}

/* "STATUS" or "STATUS.ready" */
static bool parse_name(char *text, struct place *place, char **ret_error)
{
    struct trestle_register_at at;
    struct strings known = {0};
    uint32_t region;
    char *dot = strchr(text, '.');
    if (dot)
        *dot++ = '\0';
    if (!trestle_device_find_register(place->dev, text, &region, &at) || region != 0) {
        list_registers(place->dev, &known);
        complain_name("register", text, &known, trestle_device_name(place->dev), ret_error);
        return false;
    }
    place->offset = at.offset;
    place->size = at.reg->size;
    place->mask = mask_of(place->size);
    const struct trestle_field *field = dot ? find_field(at.reg, dot) : NULL;
    if (field)
        place->mask = field->mask;
    if (!dot || field)
        return true;
    list_fields(at.reg, &known);
    complain_name("field", dot, &known, text, ret_error);
    return false;
}

/* text: "STA" or "STATUS.re". */
static void complete_register(const struct trestle_device *dev, const char *text,
                              struct strings *ret_list)
{
    const char *name = trestle_device_name(dev), *dot = strchr(text, '.');
    size_t length = dot ? (size_t)(dot - text) : strlen(text);
    struct trestle_register_at at = {0};
    char reg[128];
    while (trestle_device_next_register(dev, 0, &at)) {
        trestle_register_name(at.reg, at.index, reg, sizeof(reg));
        if (strncasecmp(reg, text, length) != 0 || (dot && reg[length]))
            continue;
        if (!dot)
            strings_addf(ret_list, "%s.%s", name, reg);
        for (const struct trestle_field *field = dot ? at.reg->fields : NULL; field && field->name;
             field++)
            if (strncasecmp(field->name, dot + 1, strlen(dot + 1)) == 0)
                strings_addf(ret_list, "%s.%s.%s", name, reg, field->name);
    }
}

void place_complete(const struct poke_target *target, const char *word, struct strings *ret_list)
{
    const char *dot = strchr(word, '.');
    for (size_t i = 0; i < target->num_devices; i++) {
        const char *name = trestle_device_name(target->devices[i]);
        size_t length = strlen(name);
        if (!dot && strncmp(name, word, strlen(word)) == 0)
            strings_add(ret_list, name);
        if (dot && (size_t)(dot - word) == length && strncmp(name, word, length) == 0)
            complete_register(target->devices[i], dot + 1, ret_list);
    }
    for (size_t i = 0; !dot && target->elsewhere && i < target->elsewhere->count; i++)
        if (strncmp(target->elsewhere->items[i], word, strlen(word)) == 0)
            strings_add(ret_list, target->elsewhere->items[i]);
}

bool place_parse(const struct poke_target *target, const char *text, struct place *ret_place,
                 char **ret_error)
{
    char *copy = xstrdup(text), *end = copy + strcspn(copy, "+.");
    char kind = *end;
    *end = '\0';
    *ret_place = (struct place){.dev = place_device(target, copy, ret_error)};
    bool is_found = ret_place->dev && kind &&
                    (kind == '+' ? parse_offset : parse_name)(end + 1, ret_place, ret_error);
    if (ret_place->dev && !kind)
        *ret_error = xformat("\"%s\" names no register; write for example %s+0x8", text, copy);
    free(copy);
    return is_found;
}

bool place_is_field(const struct place *place)
{
    return place->mask != mask_of(place->size);
}

uint64_t place_extract(const struct place *place, uint64_t value)
{
    return place->mask ? (value & place->mask) / (place->mask & -place->mask) : 0;
}

uint64_t place_insert(const struct place *place, uint64_t value, uint64_t part)
{
    uint64_t shifted = place->mask ? part * (place->mask & -place->mask) : 0;
    return (value & ~place->mask) | (shifted & place->mask);
}
