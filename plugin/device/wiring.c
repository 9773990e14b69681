/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the wires from the board's devices to the inputs of an interrupt controller. */
#include "plugin/device/wiring.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINK_TYPE "link<irq>"
#define INPUT_NAME "/unnamed-gpio-in["

struct search {
    char *owner;         /* the path of the object that has the inputs */
    size_t parent_bytes; /* of owner: the path of the object around it */
    uint32_t num_inputs;
    void (*found)(uint32_t input, const char *type);
};

/* A container around a controller, such as Cortex-A9's, passes its own inputs on by number. */
static bool is_input(const struct search *search, const char *path, uint32_t *ret_input)
{
    size_t bytes = strlen(search->owner);
    const char *name = strstr(path, INPUT_NAME);
    size_t path_bytes = name ? (size_t)(name - path) : 0;
    if (!name || (path_bytes != bytes && path_bytes != search->parent_bytes) ||
        strncmp(path, search->owner, path_bytes) != 0)
        return false;
    unsigned long input = strtoul(name + strlen(INPUT_NAME), NULL, 10);
    *ret_input = (uint32_t)input;
    return input < search->num_inputs;
}

/* A platform bus is wired for devices that a user may add; nothing is at its wires until then. */
static bool is_platform_bus(const char *type)
{
    return strcmp(type, "platform-bus-device") == 0;
}

static int look_at(struct qemu_object *object, void *context)
{
    const struct search *search = context;
    const char *type = qemu.object_get_typename(object);
    struct qemu_property_iterator iterator;
    const struct qemu_property *property;
    qemu.object_property_iter_init(&iterator, object);
    while ((property = qemu.object_property_iter_next(&iterator))) {
        uint32_t input;
        /* Some have no type. An input of an object may be one of another's, by another name. */
        if (!property->type || strcmp(property->type, LINK_TYPE) != 0 ||
            strncmp(property->name, &INPUT_NAME[1], strlen(INPUT_NAME) - 1) == 0)
            continue;
        char *path = qemu.object_property_get_str(object, property->name, NULL);
        if (path && is_input(search, path, &input) && !is_platform_bus(type))
            search->found(input, type);
        free(path); /* glib's memory is malloc's */
    }
    return qemu.object_child_foreach(object, look_at, context);
}

void wiring_find(struct qemu_object *controller, uint32_t input, uint32_t num_inputs,
                 void (*found)(uint32_t input, const char *type))
{
    struct qemu_object *irq = (void *)qemu.qdev_get_gpio_in(controller, (int)input);
    struct search search = {
        .owner = qemu.object_get_canonical_path(irq), .num_inputs = num_inputs, .found = found};
    char *slash = search.owner ? strrchr(search.owner, '/') : NULL;
    if (slash) {
        *slash = '\0';
        slash = strrchr(search.owner, '/');
        search.parent_bytes = slash ? (size_t)(slash - search.owner) : 0;
        (void)look_at(qemu.qdev_get_machine(), &search);
    }
    free(search.owner);
}
