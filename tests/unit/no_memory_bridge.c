/* SPDX-License-Identifier: MIT */
/* What takes ret_error, when memory runs out: each failure says why, and leaves nothing behind. The
 * linker puts the __wrap functions in the place of the allocator's (-Wl,--wrap). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "machine/command.h"
#include "trestle/bridge.h"
#include "trestle/machine.h"
#include "trestle/models.h"

static unsigned allocations; /* so far */
static unsigned fail_at;     /* the number of the allocation that fails; 0: none */

#define WRAP(name, parameters, arguments)                                 \
    void *__real_##name parameters;                                       \
    void *__wrap_##name parameters;                                       \
    void *__wrap_##name parameters                                        \
    {                                                                     \
        return ++allocations == fail_at ? NULL : __real_##name arguments; \
    }
WRAP(malloc, (size_t size), (size))
WRAP(calloc, (size_t count, size_t size), (count, size))
WRAP(realloc, (void *old, size_t size), (old, size))
WRAP(reallocarray, (void *old, size_t count, size_t size), (old, count, size))
WRAP(strdup, (const char *text), (text))
WRAP(strndup, (const char *text, size_t size), (text, size))

static struct trestle_bridge *bridge;
static char directory[] = "/tmp/trestle-test-XXXXXX";

static int add_devices(char **ret_error)
{
    const struct trestle_param params[] = {{"compute_latency", "1"}};
    int r = 0;
    for (unsigned i = 0; i < 2 && r == 0; i++) {
        const struct trestle_bridge_device device = {.size = sizeof(device),
                                                     .name = i ? "b" : "a",
                                                     .model = trestle_model_find("compute"),
                                                     .base_addr = 0x10200000 + i * 0x1000,
                                                     .params = params,
                                                     .num_params = 1,
                                                     .model_file = "/models/compute.so"};
        r = trestle_bridge_add_device(bridge, &device, NULL, ret_error);
    }
    return r;
}

static int serve(char **ret_error)
{
    const struct trestle_bridge_options options = {
        .size = sizeof(options), .socket_dir = directory, .run_hash = true};
    const struct trestle_bridge_link link = {.size = sizeof(link),
                                             .from = "a.peer",
                                             .to = "b.peer",
                                             .latency = TRESTLE_NS,
                                             .bandwidth = 1000000000};
    char path[64];
    snprintf(path, sizeof(path), "%s/trace", directory);
    int r = trestle_bridge_create(&options, &bridge, ret_error);
    if (r == 0)
        r = add_devices(ret_error);
    if (r == 0)
        r = trestle_bridge_link(bridge, &link, ret_error);
    if (r == 0)
        r = trestle_bridge_trace(bridge, path, ret_error);
    if (r == 0)
        r = trestle_bridge_listen(bridge, ret_error);
    trestle_bridge_destroy(bridge);
    bridge = NULL;
    unlink(path);
    return r;
}

static int find_arguments(char **ret_error)
{
    const struct trestle_machine_device device = {.name = "a",
                                                  .on_error = NULL,
                                                  .timeout_ms = -1,
                                                  .socket_path = "/tmp/a",
                                                  .base_addr = 0x10200000,
                                                  .region_size = 0x1000};
    const struct trestle_machine_options options = {.size = sizeof(options),
                                                    .arch = "riscv32",
                                                    .qemu = "/bin/true",
                                                    .plugin = "/bin/true",
                                                    .devices = &device,
                                                    .num_devices = 1,
                                                    .memory = "64M",
                                                    .append = "quiet"};
    char **argv = NULL;
    int r = trestle_machine_args(&options, &argv, ret_error);
    free(argv);
    return r;
}

static int load_model(char **ret_error)
{
    struct trestle_model_library *library = NULL;
    const struct trestle_model *model;
    int r = trestle_model_load(FIXTURES "/good.so", &library, &model, ret_error);
    if (r == 0)
        trestle_model_unload(library);
    return r;
}

/* Gives up at the first allocation that fails, then at the second, and so on. */
static void fail_in_turn(int (*what)(char **ret_error), unsigned min_failures)
{
    unsigned failures = 0;
    for (fail_at = 1;; fail_at++) {
        char *error = NULL;
        allocations = 0;
        int r = what(&error);
        if (r == 0)
            assert_null(error);
        if (r == 0 && allocations < fail_at)
            break; /* it asks for no more than that */
        if (r < 0) {
            if (!error)
                fail_msg("allocation %u fails with %d and no word", fail_at, r);
            failures++;
        }
        free(error);
    }
    fail_at = 0;
    assert_cmp(failures, >=, min_failures);
}

static void test_bridge(void **state)
{
    fail_in_turn(serve, 20);
}

static void hear(void *ctx)
{
}

static void test_watch(void **state)
{
    const struct trestle_bridge_options options = {.size = sizeof(options)};
    assert_int_equal(trestle_bridge_create(&options, &bridge, NULL), 0);
    allocations = 0;
    fail_at = 1;
    int r = trestle_bridge_watch(bridge, STDIN_FILENO, hear, NULL);
    fail_at = 0;
    assert_int_equal(r, -ENOMEM);
    trestle_bridge_destroy(bridge);
    bridge = NULL;
}

static void test_arguments(void **state)
{
    fail_in_turn(find_arguments, 5);
}

static void test_model(void **state)
{
    fail_in_turn(load_model, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bridge),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_model),
    };
    if (!mkdtemp(directory))
        return 1;
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failures;
}
