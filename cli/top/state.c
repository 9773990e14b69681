/* SPDX-License-Identifier: MIT */
/* Reads a state from the JSON of the control socket. */
#include "top/state.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control/attached.h"
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

static struct state_device *find_device(const struct state *state, const char *name)
{
    for (size_t i = 0; name && i < state->num_devices; i++)
        if (strcmp(state->devices[i].name, name) == 0)
            return &state->devices[i];
    return NULL;
}

static void read_device(const json_t *object, struct state_device *device)
{
    device->is_unknown = json_is_true(json_object_get(object, "own"));
    device->reads = number_of(object, "reads");
    device->writes = number_of(object, "writes");
    device->errors = number_of(object, "errors");
    device->p50_ns = number_of(object, "p50_ns");
    device->p99_ns = number_of(object, "p99_ns");
    device->irqs = number_of(object, "irqs");
    device->levels = number_of(object, "levels");
}

/* The run knows all its devices, and its processes know what theirs do. */
static void read_devices(const json_t *array, struct state *state)
{
    size_t count = json_array_size(array);
    if (!state->devices) {
        state->devices = xcalloc(count + 1, sizeof(*state->devices));
        for (size_t i = 0; i < count; i++)
            state->devices[i].name = text_of(json_array_get(array, i), "name");
        state->num_devices = count;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *object = json_array_get(array, i);
        struct state_device *device =
            find_device(state, json_string_value(json_object_get(object, "name")));
        if (device)
            read_device(object, device);
    }
}

/* Theirs are numbered as in their process. */
static void read_accesses(const json_t *root, struct state *state)
{
    const json_t *array = json_object_get(root, "accesses");
    const json_t *devices = json_object_get(root, "devices");
    size_t count = json_array_size(array);
    state->accesses =
        xrealloc(state->accesses, state->num_accesses + count + 1, sizeof(*state->accesses));
    for (size_t i = 0; i < count; i++) {
        const json_t *object = json_array_get(array, i);
        const json_t *theirs = json_array_get(devices, (size_t)number_of(object, "device"));
        const struct state_device *device =
            find_device(state, json_string_value(json_object_get(theirs, "name")));
        state->accesses[state->num_accesses++] = (struct state_access){
            .time = number_of(object, "time"),
            .device = device ? (size_t)(device - state->devices) : state->num_devices,
            .text = text_of(object, "text")};
    }
}

/* A run without devices of its own has no time either. */
static void read_times(const json_t *root, bool has_devices, struct state *state)
{
    state->host_ns = number_of(root, "host_ns");
    state->pending += number_of(root, "pending");
    if (state->has_times || !has_devices)
        return;
    state->has_times = true;
    state->engine = number_of(root, "engine");
    state->guest = number_of(root, "guest");
    state->next = number_of(root, "next");
}

static int later_first(const void *a, const void *b)
{
    const struct state_access *one = a, *other = b;
    return one->time < other->time ? 1 : one->time > other->time ? -1 : 0;
}

static int read_view(const struct control_answer *answer, bool has_devices, struct state *state)
{
    json_t *root = json_loads(answer->out, 0, NULL);
    if (!root)
        return -EPROTO;
    read_times(root, has_devices, state);
    read_devices(json_object_get(root, "devices"), state);
    read_accesses(root, state);
    json_decref(root);
    return 0;
}

int state_get(struct attached *run, struct state *ret_state, char **ret_error)
{
    struct state state = {.engine = STATE_UNKNOWN, .guest = STATE_UNKNOWN, .next = STATE_UNKNOWN};
    int r = 0;
    for (size_t i = 0; i < run->count && r == 0; i++) {
        struct control_answer answer;
        bool is_run = i == 0;
        char *error = NULL;
        r = attached_ask(run, &run->processes[i], "view", NULL, &answer, &error);
        if (r < 0 && is_run) {
            *ret_error = error;
            return r;
        }
        free(error);
        if (r < 0) { /* its devices stay unknown */
            r = 0;
            continue;
        }
        r = read_view(&answer, run->processes[i].devices.count > 0, &state);
        if (r < 0)
            *ret_error = xformat("that run is from another version of Trestle%s%s",
                                 answer.error[0] ? ": " : "", answer.error);
        control_answer_finish(&answer);
    }
    if (r < 0) {
        state_finish(&state);
        return r;
    }
    if (run->count > 1 && state.num_accesses > 1)
        qsort(state.accesses, state.num_accesses, sizeof(*state.accesses), later_first);
    *ret_state = state;
    return 0;
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
