/* SPDX-License-Identifier: MIT */
/* Lines of trestle poke, and of a run's control socket: whatever they say, devices answer, or one
 * line of complaint comes. */
#include "poke/poke.h"
#include "trestle/models.h"
#include "trestle/test.h"

#include "fuzz.h"

#define RAM UINT64_C(0x80000000)

static int do_access(void *ctx, struct trestle_device *dev, bool write, uint64_t offset,
                     uint32_t size, uint64_t *ref_data)
{
    (void)ctx;
    return write ? trestle_test_try_write(dev, offset, size, *ref_data)
                 : trestle_test_try_read(dev, offset, size, ref_data);
}

static void do_run(void *ctx, trestle_time until)
{
    struct trestle_sim *sim = trestle_test_sim(ctx);
    trestle_time next = trestle_sim_next(sim);
    (void)trestle_sim_run_until(sim, next < until ? next : until);
}

static int do_copy(void *ctx, bool write, uint64_t addr, void *buf, size_t size)
{
    return trestle_test_copy(ctx, write, addr, buf, size);
}

static struct trestle_device *add(struct trestle_test *test, const char *model, const char *name,
                                  uint64_t base)
{
    const struct trestle_device_options options = {
        .size = sizeof(options), .name = name, .base_addr = base, .region_size = 4096};
    return trestle_test_add(test, trestle_model_find(model), &options);
}

/* What a command is, whom it concerns, and what its last word may become. */
static void look(const struct poke *poke, const char *line)
{
    struct strings candidates = {0};
    char *device = NULL, *copy = strdup(line), *rest = copy, *command;
    while ((command = poke_next_command(&rest))) {
        FUZZ_REQUIRE(poke_scope(command, &device) <= POKE_ANY);
        free(device);
    }
    poke_complete(poke, line, &candidates);
    strings_finish(&candidates);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trestle_test *test = trestle_test_create();
    struct trestle_device *devices[] = {add(test, "echo", "echo", 0x10200000),
                                        add(test, "timer", "timer", 0x10300000)};
    (void)trestle_test_ram(test, RAM, 4096);
    /* As on a control socket: time goes on a little at a time. */
    const struct poke_target target = {.ctx = test,
                                       .num_devices = 2,
                                       .devices = devices,
                                       .sim = trestle_test_sim(test),
                                       .access = do_access,
                                       .run = do_run,
                                       .run_max = TRESTLE_MS,
                                       .copy = do_copy};
    char *out = NULL, *text = strndup((const char *)data, size), *rest = text, *line;
    size_t out_size;
    struct poke poke = {.target = &target, .out = open_memstream(&out, &out_size)};
    FUZZ_REQUIRE(poke.out && text);
    while (!poke.quits && (line = strsep(&rest, "\n"))) {
        look(&poke, line);
        enum poke_status status = poke_line(&poke, line);
        FUZZ_REQUIRE(status == POKE_OK || (poke.error && poke.error[0]));
        FUZZ_REQUIRE(status != POKE_OK || !poke.error);
        FUZZ_REQUIRE(!poke.error || !strchr(poke.error, '\n'));
    }
    poke_finish(&poke);
    fclose(poke.out);
    free(out);
    free(text);
    trestle_test_destroy(test);
    return 0;
}
