/* SPDX-License-Identifier: MIT */
/* Puts the devices and links of a configuration on the bench that unit tests of models use. */
#include "poke/offline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run/watchdog.h"
#include "sim/command.h"
#include "trestle/test.h"

/* Boards have their memory here. The host gives it only when something touches it. */
#define RAM_SIZE (UINT64_C(256) << 20)

static uint64_t ram_of(const char *arch)
{
    if (arch && (strcmp(arch, "arm") == 0 || strcmp(arch, "aarch64") == 0))
        return UINT64_C(0x40000000);
    return arch && strcmp(arch, "x86_64") == 0 ? 0 : UINT64_C(0x80000000);
}

static int do_access(void *ctx, struct trestle_device *dev, bool write, uint64_t offset,
                     uint32_t size, uint64_t *ref_data)
{
    (void)ctx;
    if (write)
        return trestle_test_try_write(dev, offset, size, *ref_data);
    return trestle_test_try_read(dev, offset, size, ref_data);
}

static void do_run(void *ctx, trestle_time until)
{
    struct trestle_sim *sim = trestle_test_sim(((struct offline *)ctx)->test);
    trestle_time next = trestle_sim_next(sim);
    (void)trestle_sim_run_until(sim, next < until ? next : until);
}

static int do_copy(void *ctx, bool write, uint64_t addr, void *buf, size_t size)
{
    return trestle_test_copy(((struct offline *)ctx)->test, write, addr, buf, size);
}

static void log_line(void *ctx, enum trestle_log_level level, const char *text)
{
    struct offline *offline = ctx;
    offline->has_lost |= offline->is_ending && level == TRESTLE_LOG_ERROR;
    if (level <= TRESTLE_LOG_WARNING || offline->is_verbose)
        fprintf(stderr, "trestle: %s\n", text);
}

static int add_devices(struct offline *offline, const struct config *config, char **ret_error)
{
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_device *device = &config->devices[i];
        const struct trestle_device_options options = {.size = sizeof(options),
                                                       .name = device->name,
                                                       .base_addr = device->base_addr,
                                                       .region_size = device->size,
                                                       .params = device->params,
                                                       .num_params = device->num_params};
        char *error = NULL;
        if (device->is_served_by_command) {
            *ret_error = config_complain_device(config, i, "process",
                                                "a command serves it, and poke starts no commands; "
                                                "use a configuration without this device");
            return -EINVAL;
        }
        int r = trestle_test_try_add(offline->test, device->model, &options, &offline->devices[i],
                                     &error);
        if (r < 0) {
            *ret_error = config_complain_params(config, i, error ? error : strerror(-r));
            free(error);
            return -EINVAL;
        }
    }
    return 0;
}

/* "device.port", which the configuration has checked already. */
static struct trestle_device *end_of(const struct offline *offline, const struct config *config,
                                     const char *text, uint32_t *ret_port)
{
    const char *dot = strchr(text, '.');
    for (size_t i = 0; dot && i < config->num_devices; i++) {
        const char *name = config->devices[i].name;
        if (strlen(name) == (size_t)(dot - text) && strncmp(name, text, strlen(name)) == 0 &&
            trestle_model_port(config->devices[i].model, dot + 1, ret_port) == 0)
            return offline->devices[i];
    }
    return NULL;
}

static void add_links(struct offline *offline, const struct config *config)
{
    for (size_t i = 0; i < config->num_links; i++) {
        const struct config_link *link = &config->links[i];
        uint32_t from_port = 0, to_port = 0;
        struct trestle_device *from = end_of(offline, config, link->from, &from_port);
        struct trestle_device *to = end_of(offline, config, link->to, &to_port);
        if (!from || !to)
            continue;
        trestle_test_link(from, from_port, to, to_port, link->latency);
        struct trestle_component *component = trestle_device_component(from);
        if (trestle_link_set_bandwidth(trestle_component_link(component, from_port),
                                       link->bandwidth) < 0)
            abort(); /* the configuration has been checked */
    }
}

/* Calls start() of the models before the first command, as a run does. */
static int start_devices(struct offline *offline, const struct config *config, char **ret_error)
{
    char *error = NULL;
    int r = 0;
    for (size_t i = 0; i < config->num_devices && r == 0; i++)
        r = trestle_device_start(offline->devices[i], &error);
    if (r < 0)
        *ret_error = xformat("trestle: %s", error ? error : strerror(-r));
    free(error);
    return r;
}

int offline_init(struct offline *offline, const struct config *config, bool verbose,
                 char **ret_error)
{
    *offline = (struct offline){.test = trestle_test_create(), .is_verbose = verbose};
    offline->devices = xcalloc(config->num_devices, sizeof(*offline->devices));
    watchdog_watch(trestle_test_sim(offline->test));
    trestle_test_on_log(offline->test, log_line, offline);
    (void)trestle_test_ram(offline->test, ram_of(config->arch), RAM_SIZE);
    int r = add_devices(offline, config, ret_error);
    if (r == 0) {
        add_links(offline, config);
        r = start_devices(offline, config, ret_error);
    }
    if (r < 0) {
        (void)offline_finish(offline);
        return r;
    }
    offline->target = (struct poke_target){.ctx = offline,
                                           .num_devices = config->num_devices,
                                           .devices = offline->devices,
                                           .sim = trestle_test_sim(offline->test),
                                           .access = do_access,
                                           .run = do_run,
                                           .copy = do_copy};
    return 0;
}

int offline_finish(struct offline *offline)
{
    offline->is_ending = true;
    if (offline->test) {
        watchdog_finish();
        trestle_test_remove_devices(offline->test);
    }
    watchdog_watch(NULL);
    trestle_test_destroy(offline->test);
    int r = offline->has_lost ? -EIO : 0;
    free(offline->devices);
    *offline = (struct offline){0};
    return r;
}
