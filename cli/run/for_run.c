/* SPDX-License-Identifier: MIT */
/* A run has started this process. Serves the devices that the run names. */
#include "run/for_run.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/handover.h"
#include "command.h"
#include "config/config.h"
#include "run/serve.h"
#include "util.h"

static json_t *device_object(const struct handover_device *given)
{
    json_t *params = json_object(), *device = json_object();
    char *size = xformat("0x%" PRIx64, given->size);
    char *base = xformat("0x%" PRIx64, given->base_addr);
    for (size_t i = 0; i < given->num_params; i++)
        json_object_set_new(params, given->params[i].key, json_string(given->params[i].value));
    json_object_set_new(device, "name", json_string(given->name));
    json_object_set_new(device, "model", json_string(given->model ? given->model : ""));
    json_object_set_new(device, "size", json_string(size));
    json_object_set_new(device, "params", params);
    if (given->is_pci)
        json_object_set_new(device, "pci", json_object());
    else
        json_object_set_new(device, "base_addr", json_string(base));
    free(size);
    free(base);
    return device;
}

static json_t *document_of(const struct handover *given)
{
    json_t *devices = json_array(), *links = json_array();
    for (size_t i = 0; i < given->num_devices; i++)
        json_array_append_new(devices, device_object(&given->devices[i]));
    for (size_t i = 0; i < given->num_links; i++) {
        const struct handover_link *link = &given->links[i];
        char *latency = xformat("%" PRIu64 "ps", link->latency);
        char *bandwidth = xformat("%" PRIu64 "bit/s", link->bandwidth);
        json_t *object =
            json_pack("{s:s, s:s, s:s}", "from", link->from, "to", link->to, "latency", latency);
        if (link->bandwidth)
            json_object_set_new(object, "bandwidth", json_string(bandwidth));
        json_array_append_new(links, object);
        free(bandwidth);
        free(latency);
    }
    return json_pack("{s:o, s:o}", "devices", devices, "links", links);
}

int serve_for_run(const char *variable)
{
    struct handover *given;
    struct serve_options serve = {.quiet = true};
    struct config *config;
    char *error = NULL;
    int r = handover_take(variable, &serve.given_fd, &serve.say_fd, &given);
    if (r < 0)
        return command_fail(HANDOVER_VARIABLE "=%s does not come from a run: %s; name a model",
                            variable, error_text(r));
    serve.process = given->name;
    serve.verbosity = given->verbosity;
    serve.trace = given->trace;
    serve.run_hash = given->run_hash;
    serve.without_shm = given->without_shm;
    serve.control_fd = given->control_fd;
    if (config_from_document(document_of(given), &config, &error) < 0) {
        handover_free(given);
        return serve_refuse(&serve, error);
    }
    for (size_t i = 0; i < config->num_devices; i++) {
        config->devices[i].listen_fd = given->devices[i].listen_fd;
        config->devices[i].backend = given->devices[i].backend;
    }
    config->watchdog_ms = given->watchdog_ms;
    int code = serve_config(config, &serve);
    config_destroy(config);
    handover_free(given);
    return code;
}
