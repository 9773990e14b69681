/* SPDX-License-Identifier: MIT */
/* Turns what a person writes for a place in a device into an offset, a size and a mask. */
#include "poke/place.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"

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
    char *help = suggest_or_list(name, &names, "the devices are");
    *ret_error = xformat("there is no device \"%s\"%s", name, help);
    free(help);
    strings_finish(&names);
    return NULL;
}

/* The width that an access has if nobody says one: 32 bits, or what the model has instead. */
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

bool place_parse(const struct poke_target *target, const char *text, struct place *ret_place,
                 char **ret_error)
{
    char *copy = xstrdup(text), *end = copy + strcspn(copy, "+.");
    char kind = *end;
    *end = '\0';
    *ret_place = (struct place){.dev = place_device(target, copy, ret_error)};
    bool is_found = ret_place->dev && kind == '+' && parse_offset(end + 1, ret_place, ret_error);
    if (ret_place->dev && kind != '+')
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
