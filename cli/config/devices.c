/* SPDX-License-Identifier: MIT */
/* Devices and links as they stand in the file. config_check.c compares them with each other. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/region.h"
#include "base/socket_path.h"
#include "config/reader.h"
#include "sim/command.h"
#include "sim/lookup.h"
#include "svd/stub.h"
#include "trestle/registers.h"
#include "util.h"

enum { NAME_LENGTH_MAX = 64 };

void config_init_device(struct config_device *device)
{
    *device =
        (struct config_device){.timeout_ms = -1, .protocol = -1, .base_addr = TRESTLE_NO_BASE};
}

int config_set_name(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target)
{
    const char *name = json_string_value(value);
    int r = config_set_string(reader, key, where, value, target);
    if (r < 0)
        return r;
    /* A dot would be ambiguous in "device.port". */
    if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")])
        return config_fail(reader, where, "\"%s\" is not a name; use letters, digits, _ and - only",
                           name);
    if (strlen(name) > NAME_LENGTH_MAX)
        return config_fail(reader, where, "a name of %zu characters; use at most %d", strlen(name),
                           NAME_LENGTH_MAX);
    return 0;
}

/* Loads the file in another process first: the loader does not check what it reads, and a damaged
 * file ends the process that loads it. False: this file does. */
static bool survives_loading(const char *path)
{
    struct trestle_model_library *library;
    const struct trestle_model *model;
    int wait_status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        _exit(trestle_model_load(path, &library, &model, NULL) < 0);
    }
    if (pid < 0)
        return true;
    while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) <= 1;
}

static int load_model(struct config_reader *reader, const struct json_place *where,
                      const char *name, struct config_device *device)
{
    /* dlopen() takes a name without a slash for one to search for. */
    char *path = path_beside(reader->config->file, name);
    if (!strchr(path, '/')) {
        char *here = xformat("./%s", path);
        free(path);
        path = here;
    }
    device->model_name = config_keep(reader->config, path);
    char *error = NULL;
    bool is_python = strlen(path) > 3 && strcmp(path + strlen(path) - 3, ".py") == 0;
    if (!is_python && !survives_loading(path))
        return config_fail(reader, where, "%s is damaged: the loader crashes at it; build it again",
                           path);
    if (trestle_model_load(path, &device->library, &device->model, &error) == 0)
        return 0;
    int r = config_fail(reader, where, "%s", error);
    free(error);
    return r;
}

bool config_has_model(const char *name)
{
    return trestle_model_find(name) || strcmp(name, SVD_MODEL_NAME) == 0;
}

void config_list_models(struct strings *ret_names)
{
    for (const struct trestle_model *const *model = trestle_models(); *model; model++)
        strings_add(ret_names, (*model)->name);
    strings_add(ret_names, SVD_MODEL_NAME);
}

static int find_model(struct config_reader *reader, const struct json_place *where,
                      const char *name, struct config_device *device)
{
    device->model_name = name;
    device->model = trestle_model_find(name);
    if (config_has_model(name))
        return 0; /* a stub is made when all parameters are known */
    struct strings names = {0};
    config_list_models(&names);
    char *all = strings_join(&names, ", ");
    const char *near = suggest(name, names.items);
    int r =
        config_fail(reader, where,
                    "there is no model \"%s\"; %s%s%sthe models are %s, or a path to a .so or .py",
                    name, near ? "did you mean \"" : "", near ? near : "", near ? "\"? " : "", all);
    free(all);
    strings_finish(&names);
    return r;
}

int config_set_model(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target)
{
    const char *name = json_string_value(value);
    if (!name || !*name)
        return config_fail_type(reader, key, where, value);
    size_t length = strlen(name);
    const char *end = length > 3 ? name + length - 3 : "";
    bool is_path = strchr(name, '/') || strcmp(end, ".so") == 0 || strcmp(end, ".py") == 0;
    return (is_path ? load_model : find_model)(reader, where, name, target);
}

/* Names of models in older configurations. */
static const struct {
    const char *component, *model;
} components[] = {
    {"acalsim.QEMUDevice", "echo"},
    {"acalsim.ComputeDevice", "compute"},
    {"acalsim.MMIODevice", "dma"},
};

static int set_component(struct config_reader *reader, const struct config_key *key,
                         const struct json_place *where, const json_t *value, void *target)
{
    struct config_device *device = target;
    const char *name = json_string_value(value);
    if (!name)
        return config_fail_type(reader, key, where, value);
    struct strings names = {0};
    for (size_t i = 0; i < sizeof(components) / sizeof(*components); i++) {
        strings_add(&names, components[i].component);
        if (strcmp(name, components[i].component) != 0)
            continue;
        strings_finish(&names);
        device->model_name = components[i].model;
        device->model = trestle_model_find(components[i].model);
        return 0;
    }
    char *help = suggest_or_list(name, &names, "the components are");
    int r = config_fail(reader, where, "there is no component \"%s\"%s", name, help);
    free(help);
    strings_finish(&names);
    return r;
}

int config_set_base(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target)
{
    uint64_t base;
    struct config_key local = *key;
    local.offset = 0;
    int r = config_set_u64(reader, &local, where, value, &base);
    if (r < 0)
        return r;
    if (base % REGION_ALIGN)
        return config_fail(reader, where,
                           "0x%llx is not a multiple of 8; choose an aligned base address",
                           (unsigned long long)base);
    *(uint64_t *)((char *)target + key->offset) = base;
    return 0;
}

int config_set_size(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target)
{
    uint64_t *size = (uint64_t *)((char *)target + key->offset);
    int r = config_set_u64(reader, key, where, value, target);
    if (r == 0 && *size == 0)
        return config_fail(reader, where,
                           "a region of size 0 holds no register; write for example 4096");
    return r;
}

int config_set_socket(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target)
{
    int r = config_set_path(reader, key, where, value, target);
    if (r < 0)
        return r;
    const char *path = *(const char **)((char *)target + key->offset);
    if (strlen(path) > SOCKET_PATH_MAX)
        return config_fail(reader, where,
                           "a path of %zu bytes, and a Unix socket has room for %zu; choose a "
                           "shorter one",
                           strlen(path), SOCKET_PATH_MAX);
    return 0;
}

/* The value as the text that a model's parameter functions read; NULL for what has none. */
static char *param_text(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return xstrdup(json_string_value(value));
    case JSON_INTEGER:
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE: {
        char *json = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        char *text = xstrdup(json);
        free(json);
        return text;
    }
    default:
        return NULL;
    }
}

/* A parameter of that name is a path. */
#define PARAM_FILE "file"

int config_set_params(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target)
{
    struct config_device *device = target;
    if (!json_is_object(value))
        return config_fail_type(reader, key, where, value);
    device->params =
        config_keep(reader->config, xcalloc(json_object_size(value), sizeof(*device->params)));
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)value, name, member)
    {
        char *text = param_text(member);
        /* The path as seen from here: a device in a process of its own, and a trace, need that. */
        if (text && strcmp(name, PARAM_FILE) == 0) {
            char *beside = path_beside(reader->config->file, text);
            free(text);
            text = beside;
        }
        if (!text) {
            static const struct config_key param = {.what = "a parameter",
                                                    .example = "10, \"1GHz\" or true"};
            struct json_place here = {where, name, 0};
            return config_fail_type(reader, &param, &here, member);
        }
        device->params[device->num_params++] =
            (struct trestle_param){name, config_keep(reader->config, text)};
    }
    return 0;
}

/* One number, or one for each of the model's lines; "watchdog" is QEMU's own. Which inputs the
 * machine has, only QEMU knows. */
static int set_irq(struct config_reader *reader, const struct config_key *key,
                   const struct json_place *where, const json_t *value, void *target)
{
    enum { INPUT_MAX = UINT16_MAX };
    struct config_device *device = target;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    struct strings inputs = {0};
    int r = 0;
    if (count == 0)
        return config_fail_type(reader, key, where, value);
    for (size_t i = 0; i < count && r == 0; i++) {
        const json_t *input = json_is_array(value) ? json_array_get(value, i) : value;
        struct json_place item = {where, NULL, i};
        json_int_t number = json_integer_value(input);
        const char *text = json_string_value(input);
        if (text && strcmp(text, "watchdog") == 0)
            strings_add(&inputs, text);
        else if (!json_is_integer(input) || number < 0 || number > INPUT_MAX)
            r = config_fail_type(reader, key, json_is_array(value) ? &item : where, input);
        else
            strings_addf(&inputs, "%d", (int)number);
    }
    if (r == 0) {
        device->irq = config_keep(reader->config, strings_join(&inputs, ":"));
        device->num_irqs = count;
    }
    strings_finish(&inputs);
    return r;
}

static char *const restart_choices[] = {"never", "on-failure", "always", NULL};
static char *const endian_choices[] = {"little", "big", NULL};
static char *const carrier_choices[] = {"auto", "socket", "shm", NULL};

static char *const on_error_choices[] = {"fault", "ones", "zeros", NULL};

static int set_protocol(struct config_reader *reader, const struct config_key *key,
                        const struct json_place *where, const json_t *value, void *target)
{
    struct config_device *device = target;
    if (!json_is_string(value) || strcmp(json_string_value(value), "vfio-user") != 0)
        return config_set_count(reader, key, where, value, target);
    device->protocol = PROTOCOL_VFIO_USER;
    return 0;
}

/* A device inside QEMU speaks protocol 2, by calls. */
static int check_inline(struct config_reader *reader, const struct json_place *where,
                        const struct config_device *device)
{
    const struct {
        const char *key;
        bool is_wrong;
        const char *why;
    } rules[] = {
        {"protocol", device->protocol == 1, "protocol 1 always uses a socket"},
        {"carrier", device->carrier && strcmp(device->carrier, "socket") == 0,
         "a device inside QEMU needs no carrier"},
        {"release_lock", device->release_lock, "a device inside QEMU needs QEMU's lock"},
        {"socket", device->socket != NULL, "nobody else can connect to a device inside QEMU"},
        {"model", device->model_name && strcmp(device->model_name, "svd") == 0,
         "a stub of a vendor's peripheral needs the run's own process"},
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        struct json_place here = {where, rules[i].key, 0};
        if (rules[i].is_wrong)
            return config_fail(reader, &here, "%s; remove the key, or \"process\": \"inline\"",
                               rules[i].why);
    }
    return 0;
}

/* The text with its path relative to the configuration; NULL: it is not of that kind. */
static const char *place_of_kind(struct config *config, const char *text, const char *kind)
{
    size_t length = strlen(kind);
    if (!text || strncmp(text, kind, length) != 0 || !text[length])
        return NULL;
    char *beside = path_beside(config->file, text + length);
    const char *place = config_keep(config, xformat("%s%s", kind, beside));
    free(beside);
    return place;
}

static bool is_tap(const char *text)
{
    size_t length = strlen(BACKEND_TAP), name_length = strlen(text) - length;
    return strncmp(text, BACKEND_TAP, length) == 0 && name_length > 0 && name_length < IFNAMSIZ &&
           !strpbrk(text, "/ ");
}

static int set_backend(struct config_reader *reader, const struct config_key *key,
                       const struct json_place *where, const json_t *value, void *target)
{
    static const char *const words[] = {"stdio", "pty", "null"};
    struct config_device *device = target;
    const char *text = json_string_value(value);
    device->backend = place_of_kind(reader->config, text, BACKEND_FILE);
    if (!device->backend)
        device->backend = place_of_kind(reader->config, text, BACKEND_UNIX);
    for (size_t i = 0; text && i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(text, words[i]) == 0)
            device->backend = words[i];
    if (text && is_tap(text))
        device->backend = config_keep(reader->config, xstrdup(text));
    return device->backend ? 0 : config_fail_type(reader, key, where, value);
}

static int set_input(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target)
{
    struct config_device *device = target;
    device->input = place_of_kind(reader->config, json_string_value(value), BACKEND_FILE);
    return device->input ? 0 : config_fail_type(reader, key, where, value);
}

#define DEVICE(name) offsetof(struct config_device, name)

static const struct config_key device_keys[] = {
    {"name", config_set_name, DEVICE(name), "a name", "\"name\": \"echo_device\""},
    {"model", config_set_model, 0, "a model", "\"model\": \"echo\""},
    {"component", set_component, 0, "a component", "\"component\": \"acalsim.QEMUDevice\""},
    {"base_addr", config_set_base, DEVICE(base_addr), "an address",
     "\"base_addr\": \"0x10200000\""},
    {"pci", config_set_pci, 0, "a place on a PCI bus",
     "\"pci\": {} or \"pci\": { \"addr\": \"04.0\" }"},
    {"size", config_set_size, DEVICE(size), "a size", "\"size\": 4096 or \"size\": \"0x1000\""},
    {"params", config_set_params, 0, "an object of parameters",
     "\"params\": { \"echo_latency\": 10 }"},
    {"socket", config_set_socket, DEVICE(socket), "a path", "\"socket\": \"echo.sock\""},
    {"on_error", config_set_choice, DEVICE(on_error), "a choice here", .choices = on_error_choices},
    {"timeout_ms", config_set_count, DEVICE(timeout_ms), "a number of milliseconds",
     "\"timeout_ms\": 1000, or 0 for never", .max = INT32_MAX},
    {"shadow", config_set_bool, DEVICE(shadow), "true or false", "\"shadow\": true"},
    {"behind", config_set_bool, DEVICE(behind), "true or false", "\"behind\": true"},
    {"endian", config_set_choice, DEVICE(endian), "a choice here", .choices = endian_choices},
    {"irq", set_irq, 0, "an interrupt number, or a list of them",
     "\"irq\": 40, or \"irq\": [40, 41] for two lines"},
    {"process", config_set_process, 0, "a process",
     "\"process\": \"own\" or \"process\": { \"name\": \"soc\" }"},
    {"restart", config_set_choice, DEVICE(restart), "a choice here", .choices = restart_choices},
    {"posted_writes", config_set_bool, DEVICE(posted_writes), "true or false",
     "\"posted_writes\": true"},
    {"release_lock", config_set_bool, DEVICE(release_lock), "true or false",
     "\"release_lock\": true"},
    {"carrier", config_set_choice, DEVICE(carrier), "a choice here", .choices = carrier_choices},
    {"protocol", set_protocol, DEVICE(protocol), "a version of the protocol",
     "\"protocol\": 2, or 1 for the older one; or \"vfio-user\"", .max = 2},
    {"backend", set_backend, 0, "a place on the host",
     "\"backend\": \"stdio\", \"pty\", \"unix:uart.sock\", \"file:uart.txt\", \"tap:tap0\" or "
     "\"null\""},
    {"input", set_input, 0, "a file of input", "\"input\": \"file:keys.txt\""},
    {"compatible", config_set_compatible, 0, "a device tree's compatible, or a list of them",
     "\"compatible\": \"ns16550a\""},
    {"alias", config_set_alias, DEVICE(alias), "an alias in a device tree",
     "\"alias\": \"serial1\""},
    {"acpi_id", config_set_acpi_id, DEVICE(acpi_id), "an ACPI id", "\"acpi_id\": \"PNP0501\""},
    {"dt", config_set_dt, 0, "an object of properties", "\"dt\": { \"clock-frequency\": 3686400 }"},
    {0},
};

bool config_takes_stdin(const struct config_device *device)
{
    return device->backend && strcmp(device->backend, "stdio") == 0 && !device->input &&
           device->model && device->model->input;
}

int config_finish_device(struct config_reader *reader, const struct json_place *where, size_t index,
                         const char *base_key, struct config_device *device)
{
    bool is_stub = device->model_name && strcmp(device->model_name, SVD_MODEL_NAME) == 0;
    if (device->base_addr == TRESTLE_NO_BASE && !is_stub && !device->pci)
        return config_fail(reader, where,
                           "\"%s\" is missing; add for example \"%s\": "
                           "\"0x10200000\"",
                           base_key, base_key);
    if (is_stub && config_make_stub(reader, where, device) < 0)
        return -EINVAL;
    if (config_finish_process(reader, where, device) < 0)
        return -EINVAL;
    if (!device->model)
        return config_fail(reader, where,
                           "\"model\" is missing; add for example \"model\": \"echo\"");
    if (device->pci && config_finish_pci(reader, where, device) < 0)
        return -EINVAL;
    if (!device->name)
        device->name = config_keep(reader->config, xformat("device%zu", index));
    if (device->size == 0)
        device->size = trestle_model_bytes(device->model);
    struct json_place base = {where, base_key, 0}, size = {where, "size", 0};
    if (device->size < trestle_model_bytes(device->model))
        return config_fail(reader, &size,
                           "%llu bytes do not hold the registers of %s; write %llu or more",
                           (unsigned long long)device->size, device->model->name,
                           (unsigned long long)trestle_model_bytes(device->model));
    if (!device->pci && region_wraps(device->base_addr, device->size))
        return config_fail(reader, &base,
                           "0x%llx plus %llu bytes runs past the end of the address space; "
                           "choose a lower base address or a smaller size",
                           (unsigned long long)device->base_addr, (unsigned long long)device->size);
    struct json_place behind = {where, "behind", 0};
    if (device->shadow && device->behind)
        return config_fail(reader, &behind, "\"shadow\" says the opposite; remove one of the two");
    struct json_place protocol = {where, "protocol", 0}, restart = {where, "restart", 0};
    if (device->protocol == 0)
        return config_fail(reader, &protocol,
                           "0 is not a version of the protocol; write 2, or 1 for the older one");
    if (device->protocol == PROTOCOL_VFIO_USER && config_check_vfio(reader, where, device) < 0)
        return -EINVAL;
    if (device->restart && (!device->own_process || device->is_inline))
        return config_fail(reader, &restart,
                           "only a device in a process of its own is started again; add "
                           "\"process\": \"own\" or remove the key");
    struct json_place backend = {where, device->backend ? "backend" : "input", 0};
    struct json_place input = {where, "input", 0};
    if (device->backend && !device->model->has_output && !device->model->input)
        return config_fail(reader, &backend, "%s has no output; remove the key",
                           device->model->name);
    if (device->backend && is_tap(device->backend) && !device->model->has_frames)
        return config_fail(reader, &backend,
                           "a tap carries network frames, and %s has none; choose \"pty\" or "
                           "\"unix:PATH\"",
                           device->model->name);
    if (device->input && !device->model->input)
        return config_fail(reader, &input, "%s has no input; remove the key", device->model->name);
    if (config_takes_stdin(device) && device->own_process)
        return config_fail(reader, &backend,
                           "standard input is the run's own, and not its processes'; choose "
                           "\"pty\" or \"unix:PATH\"");
    if (device->is_inline && check_inline(reader, where, device) < 0)
        return -EINVAL;
    struct json_place irq = {where, "irq", 0};
    uint32_t lines = trestle_model_irq_lines(device->model);
    if (device->num_irqs > 0 && lines == 0)
        return config_fail(reader, &irq, "%s has no interrupt line; remove the key",
                           device->model->name);
    if (device->num_irqs > lines)
        return config_fail(reader, &irq, "%zu interrupts are given, but %s has only %u; give fewer",
                           device->num_irqs, device->model->name, lines);
    return 0;
}

static int read_device(struct config_reader *reader, const struct json_place *where, size_t index,
                       const json_t *value)
{
    struct config *config = reader->config;
    struct config_device *device = &config->devices[config->num_devices++];
    static const struct config_key device_row = {
        .what = "a device",
        .example = "{ \"model\": \"echo\", \"base_addr\": \"0x10200000\" }",
    };
    config_init_device(device);
    device->item = index;
    if (!json_is_object(value))
        return config_fail_type(reader, &device_row, where, value);
    if (json_object_get(value, "model") && json_object_get(value, "component")) {
        struct json_place here = {where, "component", 0};
        return config_fail(reader, &here, "\"model\" says it already; remove one of the two");
    }
    int r = config_read_object(reader, where, value, device_keys, device);
    return r < 0 ? r : config_finish_device(reader, where, index, "base_addr", device);
}

int config_set_devices(struct config_reader *reader, const struct config_key *key,
                       const struct json_place *where, const json_t *value, void *target)
{
    struct config *config = reader->config;
    if (!json_is_array(value))
        return config_fail_type(reader, key, where, value);
    size_t count = json_array_size(value);
    if (count == 0)
        return config_fail(reader, where, "the list is empty; write for example %s", key->example);
    config->devices = xcalloc(count, sizeof(*config->devices));
    /* The peripherals of a chip's file go where the other devices leave room. */
    for (unsigned chips = 0; chips < 2; chips++)
        for (size_t i = 0; i < count; i++) {
            struct json_place here = {where, NULL, i};
            const json_t *item = json_array_get(value, i);
            if (config_is_chip(item) != chips)
                continue;
            int r = chips ? config_read_chip(reader, &here, i, item)
                          : read_device(reader, &here, i, item);
            if (r < 0)
                return r;
        }
    return 0;
}

static int set_bandwidth(struct config_reader *reader, const struct config_key *key,
                         const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    struct config_link *link = target;
    if (!text || trestle_parse_bandwidth(text, &link->bandwidth) < 0)
        return config_fail_type(reader, key, where, value);
    return 0;
}

#define LINK(name) offsetof(struct config_link, name)

static const struct config_key link_keys[] = {
    {"from", config_set_string, LINK(from), "a port", "\"from\": \"compute_device.peer\"",
     .required = true},
    {"to", config_set_string, LINK(to), "a port", "\"to\": \"echo_device.peer\"", .required = true},
    {"latency", config_set_time, LINK(latency), "a time", "\"latency\": \"1ns\"", .required = true},
    {"bandwidth", set_bandwidth, LINK(bandwidth), "a bandwidth", "\"bandwidth\": \"1Gbit/s\""},
    {0},
};

int config_set_links(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target)
{
    static const struct config_key link_row = {
        .what = "a link",
        .example = "{ \"from\": \"a.peer\", \"to\": \"b.peer\", \"latency\": \"1ns\" }",
    };
    struct config *config = reader->config;
    if (!json_is_array(value))
        return config_fail_type(reader, key, where, value);
    config->num_links = json_array_size(value);
    config->links = xcalloc(config->num_links, sizeof(*config->links));
    for (size_t i = 0; i < config->num_links; i++) {
        struct json_place here = {where, NULL, i};
        const json_t *link = json_array_get(value, i);
        if (!json_is_object(link))
            return config_fail_type(reader, &link_row, &here, link);
        int r = config_read_object(reader, &here, link, link_keys, &config->links[i]);
        if (r < 0)
            return r;
        const struct config_link *made = &config->links[i];
        size_t length = strcspn(made->from, ".");
        /* A trace knows only latencies, and replay has to make such a link by itself. */
        if (made->bandwidth && strcspn(made->to, ".") == length &&
            strncmp(made->from, made->to, length) == 0)
            return config_fail(reader, &here,
                               "a link of a device to itself has no bandwidth; leave it out");
    }
    return 0;
}
