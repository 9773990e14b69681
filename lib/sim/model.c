/* SPDX-License-Identifier: MIT */
/* Copies a model's table of any size to the size that this library knows. */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "command.h"
#include "lookup.h"
#include "registers.h"

/* The data at the beginning of the table was there from the first version on. */
#define MODEL_MIN_SIZE offsetof(struct trestle_model, init)

static bool name_is_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return name && *name && strspn(name, allowed) == strlen(name);
}

static uint32_t count_names(const char *const *names, uint32_t max)
{
    uint32_t count = 0;
    while (names && names[count] && count <= max)
        count++;
    return count;
}

uint32_t trestle_model_irq_lines(const struct trestle_model *model)
{
    return model->irq_lines ? model->irq_lines : count_names(model->irqs, TRESTLE_IRQ_LINES_MAX);
}

/* What a table of registers and lists of names say, a model need not say again. */
static int import_descriptions(struct trestle_model *copy, char **ret_error)
{
    struct register_banks *shared = NULL, *banks;
    char *why = NULL;
    int r = registers_take(&shared, copy, &banks, &why);
    if (r < 0)
        error_set(ret_error, r, "model '%s': %s", copy->name, why ? why : "out of memory");
    free(why);
    if (r < 0)
        return r;
    if (copy->region_size == 0)
        copy->region_size = registers_bytes(banks, 0);
    if (copy->access_sizes == 0)
        copy->access_sizes = registers_widths(banks, 0);
    copy->irq_lines = trestle_model_irq_lines(copy);
    if (copy->peer_ports == 0)
        copy->peer_ports = count_names(copy->ports, TRESTLE_PEER_PORTS_MAX);
    registers_release(&shared, banks);
    return 0;
}

int model_import(const struct trestle_model *model, struct trestle_model *ret_model,
                 char **ret_error)
{
    struct trestle_model copy;
    if (!model)
        return error_set(ret_error, -EINVAL, "there is no model table");
    int r = sized_import(&copy, sizeof(copy), MODEL_MIN_SIZE, model);
    if (r == -E2BIG)
        return error_set(ret_error, r, "the model was built for a newer Trestle");
    if (r < 0)
        return error_set(ret_error, r,
                         "the model table's size is %zu; it is sizeof(struct trestle_model)",
                         model->size);
    if (!name_is_valid(copy.name))
        return error_set(ret_error, -EINVAL,
                         "the model's name is not made of letters, digits, '_' and '-'");
    r = import_descriptions(&copy, ret_error);
    if (r < 0)
        return r;
    if (copy.region_size == 0)
        return error_set(ret_error, -EINVAL, "model '%s': region_size is 0", copy.name);
    if (copy.access_sizes == 0 || (copy.access_sizes & ~15u) != 0)
        return error_set(ret_error, -EINVAL, "model '%s': access_sizes is not an OR of 1, 2, 4, 8",
                         copy.name);
    if (copy.irq_lines > TRESTLE_IRQ_LINES_MAX)
        return error_set(ret_error, -EINVAL, "model '%s': more than %d interrupt lines", copy.name,
                         TRESTLE_IRQ_LINES_MAX);
    if (copy.peer_ports > TRESTLE_PEER_PORTS_MAX)
        return error_set(ret_error, -EINVAL, "model '%s': more than %d peer ports", copy.name,
                         TRESTLE_PEER_PORTS_MAX);
    if (copy.timers > TRESTLE_TIMERS_MAX)
        return error_set(ret_error, -EINVAL, "model '%s': more than %d timers", copy.name,
                         TRESTLE_TIMERS_MAX);
    *ret_model = copy;
    return 0;
}

int trestle_model_port(const struct trestle_model *model, const char *name, uint32_t *ret_port)
{
    static const char prefix[] = "peer";
    uint32_t port = 0;
    for (uint32_t i = 0; model->ports && model->ports[i]; i++) {
        if (strcmp(model->ports[i], name) == 0) {
            *ret_port = i;
            return 0;
        }
    }
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return -ENOENT;
    const char *digits = name + sizeof(prefix) - 1;
    if (digits[0] == '0' && digits[1] != '\0')
        return -ENOENT;
    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9' || port > TRESTLE_PEER_PORTS_MAX)
            return -ENOENT;
        port = port * 10 + (uint32_t)(*digits - '0');
    }
    if (port >= model->peer_ports)
        return -ENOENT;
    *ret_port = port;
    return 0;
}
