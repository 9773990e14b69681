/* SPDX-License-Identifier: MIT */
/* Devices that vendors' descriptions make: one peripheral of a file, or all of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "svd/stub.h"
#include "util.h"

/* Each file is read once. */
static int load(struct config_reader *reader, const struct json_place *where, const char *path,
                struct svd_file **ret_file)
{
    struct config *config = reader->config;
    for (size_t i = 0; i < config->num_svds; i++)
        if (strcmp(svd_path(config->svds[i]), path) == 0) {
            *ret_file = config->svds[i];
            return 0;
        }
    char *error = NULL;
    if (svd_load(path, ret_file, &error) < 0) {
        int r = config_fail(reader, where, "%s", error);
        free(error);
        return r;
    }
    config->svds = xrealloc(config->svds, config->num_svds + 1, sizeof(*config->svds));
    config->svds[config->num_svds++] = *ret_file;
    return 0;
}

/* --- "model": "svd" -------------------------------------------------------------------------- */

static struct trestle_param *find_param(struct config_device *device, const char *key)
{
    for (size_t i = 0; i < device->num_params; i++)
        if (strcmp(device->params[i].key, key) == 0)
            return &device->params[i];
    return NULL;
}

static int fail_param(struct config_reader *reader, const struct json_place *params,
                      const char *key, char *error)
{
    struct json_place here = {params, key, 0};
    int r = config_fail(reader, &here, "%s", error);
    free(error);
    return r;
}

static int preset(struct config_reader *reader, const struct json_place *params,
                  const struct config_device *device, struct svd_stub *stub)
{
    for (size_t i = 0; i < device->num_params; i++) {
        const struct trestle_param *param = &device->params[i];
        char *error = NULL;
        if (strcmp(param->key, "file") != 0 && strcmp(param->key, "peripheral") != 0 &&
            svd_stub_preset(stub, param->key, param->value, &error) < 0)
            return fail_param(reader, params, param->key, error);
    }
    return 0;
}

/* What the stub says of itself counts where the file says nothing else. */
static void use_stub(struct config *config, struct config_device *device, struct svd_stub *stub)
{
    device->model = &stub->model;
    if (!device->name)
        device->name = config_keep(config, xstrdup(stub->name));
    if (device->base_addr == TRESTLE_NO_BASE && !device->pci)
        device->base_addr = stub->base;
    if (device->size == 0)
        device->size = stub->size;
    if (device->size > stub->region.bytes)
        stub->region.bytes = stub->model.region_size = device->size;
}

int config_make_stub(struct config_reader *reader, const struct json_place *where,
                     struct config_device *device)
{
    struct json_place params = {where, "params", 0}, file_place = {&params, "file", 0};
    const struct trestle_param *file = find_param(device, "file");
    const struct trestle_param *peripheral = find_param(device, "peripheral");
    struct svd_file *svd;
    struct svd_stub *stub;
    char *error = NULL;
    if (!file || !peripheral)
        return config_fail(reader, device->num_params ? &params : where,
                           "the model svd needs to know what it stands for; add \"params\": "
                           "{ \"file\": \"nrf51.svd\", \"peripheral\": \"UART0\" }");
    int r = load(reader, &file_place, file->value, &svd);
    if (r < 0)
        return r;
    if (svd_stub_make(svd, peripheral->value, &stub, &error) < 0)
        return fail_param(reader, &params, "peripheral", error);
    r = preset(reader, &params, device, stub);
    if (r == 0)
        use_stub(reader->config, device, stub);
    return r;
}

/* --- "svd": FILE, "all": true ---------------------------------------------------------------- */

struct chip {
    const char *file;
    bool all;
    char **except;
};

static int set_except(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target)
{
    struct chip *chip = target;
    if (!json_is_array(value))
        return config_fail_type(reader, key, where, value);
    size_t count = json_array_size(value);
    chip->except = config_keep(reader->config, xcalloc(count + 1, sizeof(*chip->except)));
    for (size_t i = 0; i < count; i++) {
        struct json_place here = {where, NULL, i};
        const char *name = json_string_value(json_array_get(value, i));
        if (!name)
            return config_fail_type(reader, key, &here, json_array_get(value, i));
        chip->except[i] = (char *)name;
    }
    return 0;
}

static const struct config_key chip_keys[] = {
    {"svd", config_set_path, offsetof(struct chip, file), "a path", "\"svd\": \"nrf51.svd\"",
     .required = true},
    {"all", config_set_bool, offsetof(struct chip, all), "true", "\"all\": true"},
    {"except", set_except, 0, "a list of peripherals", "\"except\": [\"UART0\", \"RTC0\"]"},
    {0},
};

static int check_except(struct config_reader *reader, const struct json_place *where,
                        const struct chip *chip, const struct svd_file *svd)
{
    struct json_place list = {where, "except", 0};
    for (size_t i = 0; chip->except && chip->except[i]; i++) {
        struct json_place here = {&list, NULL, i};
        size_t index;
        char *error = NULL;
        if (svd_find(svd, chip->except[i], &index, &error) == 0)
            continue;
        int r = config_fail(reader, &here, "%s", error);
        free(error);
        return r;
    }
    return 0;
}

static bool is_name(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->num_devices; i++)
        if (strcmp(config->devices[i].name, name) == 0)
            return true;
    return false;
}

static void add_stub(struct config *config, size_t item, const char *file, struct svd_stub *stub)
{
    config->devices = xrealloc(config->devices, config->num_devices + 1, sizeof(*config->devices));
    struct config_device *device = &config->devices[config->num_devices];
    config_init_device(device);
    device->item = item;
    device->model_name = SVD_MODEL_NAME;
    device->behind = true;
    device->params = config_keep(config, xcalloc(2, sizeof(*device->params)));
    device->params[device->num_params++] = (struct trestle_param){"file", file};
    device->params[device->num_params++] = (struct trestle_param){"peripheral", stub->names};
    char *name = xstrdup(stub->name);
    for (unsigned number = 2; is_name(config, name); number++) {
        free(name);
        name = xformat("%s_%u", stub->name, number);
    }
    device->name = config_keep(config, name);
    use_stub(config, device, stub);
    config->num_devices++;
}

bool config_is_chip(const json_t *value)
{
    return json_object_get(value, "svd");
}

int config_read_chip(struct config_reader *reader, const struct json_place *where, size_t item,
                     const json_t *value)
{
    struct config *config = reader->config;
    struct chip chip = {0};
    struct svd_file *svd;
    struct json_place file_place = {where, "svd", 0};
    static char *const none[] = {NULL};
    int r = config_read_object(reader, where, value, chip_keys, &chip);
    if (r == 0 && !chip.all)
        r = config_fail(reader, where,
                        "add \"all\": true for all peripherals of the file; for one of "
                        "them, write \"model\": \"svd\"");
    if (r == 0)
        r = load(reader, &file_place, chip.file, &svd);
    if (r == 0)
        r = check_except(reader, where, &chip, svd);
    if (r < 0)
        return r;
    struct svd_taken *taken = xcalloc(config->num_devices, sizeof(*taken));
    for (size_t i = 0; i < config->num_devices; i++)
        taken[i] = (struct svd_taken){config->devices[i].base_addr, config->devices[i].size};
    struct svd_stub **stubs = NULL;
    size_t count = 0;
    char *error = NULL;
    if (svd_stubs_make(svd, chip.except ? chip.except : none, taken, config->num_devices, &stubs,
                       &count, &error) < 0) {
        r = config_fail(reader, &file_place, "%s", error);
        free(error);
    }
    free(taken);
    for (size_t i = 0; i < count; i++)
        add_stub(config, item, chip.file, stubs[i]);
    free(stubs);
    return r;
}
