/* SPDX-License-Identifier: MIT */
/* Reads a state from the JSON of the control socket. */
#include "top/state.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "control/client.h"
#include "util.h"

static uint64_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (uint64_t)json_integer_value(value) : STATE_UNKNOWN;
}

static char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    char *copy = xstrdup(text ? text : "");
    replace_control_characters(copy);
    return copy;
}

static void read_devices(const json_t *array, struct state *state)
{
    state->num_devices = json_array_size(array);
    state->devices = xcalloc(state->num_devices + 1, sizeof(*state->devices));
    for (size_t i = 0; i < state->num_devices; i++) {
        const json_t *object = json_array_get(array, i);
        state->devices[i] =
            (struct state_device){.name = text_of(object, "name"),
                                  .is_own = json_is_true(json_object_get(object, "own")),
                                  .reads = number_of(object, "reads"),
                                  .writes = number_of(object, "writes"),
                                  .errors = number_of(object, "errors"),
                                  .p50_ns = number_of(object, "p50_ns"),
                                  .p99_ns = number_of(object, "p99_ns"),
                                  .irqs = number_of(object, "irqs"),
                                  .levels = number_of(object, "levels")};
    }
}

static void read_accesses(const json_t *array, struct state *state)
{
    state->num_accesses = json_array_size(array);
    state->accesses = xcalloc(state->num_accesses + 1, sizeof(*state->accesses));
    for (size_t i = 0; i < state->num_accesses; i++) {
        const json_t *object = json_array_get(array, i);
        state->accesses[i] = (struct state_access){.time = number_of(object, "time"),
                                                   .device = (size_t)number_of(object, "device"),
                                                   .text = text_of(object, "text")};
    }
}

int state_get(int fd, struct state *ret_state, char **ret_error)
{
    struct control_answer answer;
    int status = control_ask(fd, "view", NULL, &answer, ret_error);
    if (status < 0)
        return status;
    json_t *root = json_loads(answer.out, 0, NULL);
    if (root) {
        *ret_state = (struct state){.engine = number_of(root, "engine"),
                                    .guest = number_of(root, "guest"),
                                    .next = number_of(root, "next"),
                                    .pending = number_of(root, "pending"),
                                    .host_ns = number_of(root, "host_ns")};
        read_devices(json_object_get(root, "devices"), ret_state);
        read_accesses(json_object_get(root, "accesses"), ret_state);
        json_decref(root);
    } else {
        status = -EPROTO;
        *ret_error = xformat("that run is of another version of Trestle%s%s",
                             answer.error[0] ? ": " : "", answer.error);
    }
    control_answer_finish(&answer);
    return status;
}

void state_finish(struct state *state)
{
    for (size_t i = 0; i < state->num_devices; i++)
        free(state->devices[i].name);
    for (size_t i = 0; i < state->num_accesses; i++)
        free(state->accesses[i].text);
    free(state->devices);
    free(state->accesses);
    *state = (struct state){0};
}
