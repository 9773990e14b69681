/* SPDX-License-Identifier: MIT */
/* The engine when memory runs out, and the promise that a running engine asks for none. The linker
 * puts the __wrap functions in the place of the allocator's (-Wl,--wrap). */
#include "rig.h"
#include "sim/event.h"
#include "sim/sim.h"

static unsigned allocations; /* so far */
static unsigned fail_at;     /* the number of the allocation that fails; 0: none */

static bool fails(void)
{
    allocations++;
    return allocations == fail_at;
}

#define WRAP(name, parameters, arguments)                \
    void *__real_##name parameters;                      \
    void *__wrap_##name parameters;                      \
    void *__wrap_##name parameters                       \
    {                                                    \
        return fails() ? NULL : __real_##name arguments; \
    }
WRAP(malloc, (size_t size), (size))
WRAP(calloc, (size_t count, size_t size), (count, size))
WRAP(reallocarray, (void *old, size_t count, size_t size), (old, count, size))
WRAP(strdup, (const char *text), (text))

static int init(struct trestle_device *dev, const struct trestle_params *params)
{
    uint64_t a, b;
    int r = trestle_params_u64(params, "a", 1, &a);
    return r == 0 ? trestle_params_u64(params, "b", 2, &b) : r;
}

static void wake_again(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    uint8_t text[64] = {0};
    trestle_device_wake_after(dev, timer, 10);
    if (!trestle_device_linked(dev, 0))
        return;
    assert_int_equal(trestle_device_send(dev, 0, text, sizeof(text)), 0);
    assert_int_equal(trestle_device_dma_read(dev, 0, trestle_device_state(dev), 8, 0), 0);
}

static int read_nothing(struct trestle_device *dev, struct trestle_request *req,
                        const struct trestle_access *access, uint64_t *ret_data)
{
    return 0;
}

static const struct trestle_model model = {
    .size = sizeof(model),
    .name = "test",
    .region_size = 8,
    .access_sizes = 4,
    .timers = 20,
    .peer_ports = 1,
    .state_size = 64,
    .init = init,
    .wake = wake_again,
    .read = read_nothing,
};

static int dma_at_once(void *ctx, struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                       size_t size, uint64_t id)
{
    return trestle_device_dma_complete(dev, id, 0);
}

/* Does everything that allocates, and gives up at the first failure. */
static int all(void)
{
    struct trestle_sim *sim = NULL;
    struct trestle_component *component;
    struct trestle_device *a = NULL, *b = NULL;
    const struct trestle_param params[] = {{"a", "1"}, {"b", "2"}};
    const struct trestle_host_ops ops = {.size = sizeof(ops), .dma = dma_at_once};
    struct trestle_device_options options = {
        .size = sizeof(options), .name = "d", .params = params, .num_params = 2, .ops = &ops};
    struct trestle_event events[60];
    uint8_t buf[8];
    char *error = NULL;
    int r = trestle_sim_create(&sim);
    if (r == 0)
        r = trestle_component_create(sim, 1, NULL, NULL, &component);
    if (r == 0)
        r = trestle_device_create(sim, &model, &options, &a, &error);
    if (r == 0)
        r = trestle_device_create(sim, &model, &options, &b, &error);
    if (r == 0)
        r = trestle_link_create(trestle_device_component(a), 0, trestle_device_component(b), 0, 1,
                                NULL);
    for (size_t i = 0; i < 60 && r == 0; i++)
        r = trestle_device_send(a, 0, "x", 1);
    if (r == 0)
        r = trestle_device_dma_read(a, 0, buf, 8, 1);
    for (size_t i = 0; i < 60 && r == 0; i++) {
        trestle_event_init(&events[i], NULL);
        r = trestle_sim_schedule(sim, &events[i], 1000);
    }
    if (r != 0)
        assert_int_equal(r, -ENOMEM);
    if (r < 0 && error)
        assert_non_null(strstr(error, "out of memory"));
    free(error);
    trestle_device_destroy(a);
    trestle_device_destroy(b);
    if (sim)
        assert_int_equal(sim->queue.reserved, 0);
    trestle_sim_destroy(sim);
    return r;
}

static void test_every_allocation_may_fail(void **state)
{
    unsigned failures = 0;
    for (fail_at = 1;; fail_at++, failures++) {
        allocations = 0;
        int r = all();
        if (allocations < fail_at)
            break; /* it asks for no more than that */
        assert_int_equal(r, -ENOMEM);
    }
    fail_at = 0;
    assert_cmp(failures, >, 20);
}

static void test_reserved_timers_never_fail(void **state)
{
    struct trestle_event events[100];
    unsigned scheduled = 0;
    struct trestle_device *dev = rig_device(&model, NULL);
    /* Events without a reservation take all the room there is, and get no more. */
    allocations = 0;
    fail_at = 1;
    for (size_t i = 0; i < 100; i++) {
        trestle_event_init(&events[i], NULL);
        allocations = 0;
        if (trestle_sim_schedule(rig.sim, &events[i], 5000) == -ENOMEM)
            break;
        scheduled++;
    }
    assert_cmp(scheduled, <, 100);
    assert_int_equal(trestle_sim_schedule(rig.sim, &events[0], 6000), 0); /* moving never fails */
    for (uint32_t i = 0; i < 20; i++)
        trestle_device_wake_at(dev, i, 4000);
    assert_cmp(rig.sim->queue.count, <=, rig.sim->queue.capacity);
    fail_at = 0;
    assert_int_equal(trestle_sim_run_until(rig.sim, 4000), 20);
    trestle_device_destroy(dev);
}

static void test_running_asks_for_no_memory(void **state)
{
    rig.ops.dma = dma_at_once;
    struct trestle_device *a = rig_device(&model, NULL), *b = rig_device(&model, NULL);
    assert_int_equal(trestle_link_create(trestle_device_component(a), 0,
                                         trestle_device_component(b), 0, 30, NULL),
                     0);
    for (uint32_t i = 0; i < 20; i++) {
        trestle_device_wake_at(a, i, i);
        trestle_device_wake_at(b, i, i);
    }
    rig_run_until(2000);
    allocations = 0;
    for (int i = 0; i < 100; i++) {
        rig_run_until(trestle_sim_now(rig.sim) + 100);
        assert_int_equal(rig_read(a, 0), 0);
    }
    assert_int_equal(allocations, 0);
    trestle_device_destroy(a);
    trestle_device_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_every_allocation_may_fail),
        RIG_TEST(test_reserved_timers_never_fail),
        RIG_TEST(test_running_asks_for_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
