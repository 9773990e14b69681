/* SPDX-License-Identifier: MIT */
/* Gives a model its parameters, and checks their types and ranges. */
#include "params.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "command.h"

int params_record_init(struct params_record *record, size_t num)
{
    *record = (struct params_record){.asked = calloc(num ? num : 1, sizeof(bool))};
    return record->asked ? 0 : -ENOMEM;
}

void params_record_finish(struct params_record *record)
{
    for (size_t i = 0; i < record->num_known; i++)
        free(record->known[i]);
    free(record->known);
    free(record->asked);
    free(record->error);
}

static void record_known(struct params_record *record, const char *key)
{
    for (size_t i = 0; i < record->num_known; i++) {
        if (strcmp(record->known[i], key) == 0)
            return;
    }
    char **known = reallocarray(record->known, record->num_known + 1, sizeof(*known));
    if (known)
        record->known = known;
    char *copy = known ? strdup(key) : NULL;
    if (copy)
        known[record->num_known++] = copy;
    else
        record->out_of_memory = true;
}

/* The configured text, or NULL. */
static const char *params_find(const struct trestle_params *params, const char *key)
{
    const char *value = NULL;
    record_known(params->record, key);
    for (size_t i = 0; i < params->num; i++) {
        if (strcmp(params->items[i].key, key) == 0) {
            params->record->asked[i] = true;
            value = params->items[i].value;
        }
    }
    return value;
}

int trestle_params_item(const struct trestle_params *params, size_t index, const char **ret_key,
                        const char **ret_value)
{
    if (index >= params->num)
        return -ENOENT;
    params->record->asked[index] = true;
    *ret_key = params->items[index].key;
    *ret_value = params->items[index].value;
    return 0;
}

int trestle_params_refuse(const struct trestle_params *params, const char *key,
                          const char *expected)
{
    const char *value = params_find(params, key);
    if (params->record->error)
        return -EINVAL;
    if (value)
        return error_set(&params->record->error, -EINVAL, "parameter '%s': '%s' is not %s", key,
                         value, expected);
    return error_set(&params->record->error, -EINVAL, "parameter '%s' is not %s", key, expected);
}

static bool parse_number(const char *text, enum trestle_number kind, uint64_t *ret_value)
{
    switch (kind) {
    case TRESTLE_NUMBER_PERIOD:
        return params_parse_frequency(text, ret_value) == 0;
    case TRESTLE_NUMBER_TIME:
        return trestle_parse_time(text, ret_value) == 0;
    default:
        return number_parse(text, ret_value);
    }
}

int trestle_params_number(const struct trestle_params *params, const char *key,
                          enum trestle_number kind, uint64_t fallback, uint64_t *ret_value)
{
    static const char *const expected[] = {
        [TRESTLE_NUMBER_U64] = "a whole number of 64 bits (decimal or 0x hexadecimal)",
        [TRESTLE_NUMBER_PERIOD] = "a frequency such as 1GHz (1Hz to 1THz) or its period",
        [TRESTLE_NUMBER_TIME] = "a time such as 10ns (ps, ns, us, ms, s)"};
    const char *text = params_find(params, key);
    uint64_t value = fallback;
    if (text && !parse_number(text, kind, &value))
        return trestle_params_refuse(params, key, expected[kind]);
    *ret_value = value;
    return 0;
}

int trestle_params_string(const struct trestle_params *params, const char *key,
                          const char *fallback, const char **ret_value)
{
    const char *text = params_find(params, key);
    *ret_value = text ? text : fallback;
    return 0;
}

static char *join(char *const *words, size_t num)
{
    size_t size = 1;
    for (size_t i = 0; i < num; i++)
        size += strlen(words[i]) + 2;
    char *text = malloc(size), *end = text;
    if (!text)
        return NULL;
    *end = '\0';
    for (size_t i = 0; i < num; i++)
        end += sprintf(end, "%s%s", i ? ", " : "", words[i]);
    return text;
}

static int refuse_unknown(const struct trestle_params *params, const char *key, char **ret_error)
{
    const struct params_record *record = params->record;
    if (record->num_known == 0)
        return error_set(ret_error, -EINVAL, "unknown parameter '%s'; there are none", key);
    char *known = join(record->known, record->num_known);
    int r = error_set(ret_error, -EINVAL, "unknown parameter '%s'; known: %s", key,
                      known ? known : "(out of memory)");
    free(known);
    return r;
}

int params_verdict(const struct trestle_params *params, char **ret_error)
{
    const struct params_record *record = params->record;
    if (record->error)
        return error_set(ret_error, -EINVAL, "%s", record->error);
    if (record->out_of_memory)
        return error_no_memory(ret_error);
    for (size_t i = 0; i < params->num; i++) {
        if (!record->asked[i])
            return refuse_unknown(params, params->items[i].key, ret_error);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(params->items[i].key, params->items[j].key) == 0)
                return error_set(ret_error, -EINVAL, "parameter '%s' is given twice",
                                 params->items[i].key);
        }
    }
    return 0;
}
