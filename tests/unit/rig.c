/* SPDX-License-Identifier: MIT */
/* Runs the models of the unit tests on a timeline that the test moves. */
#include "rig.h"

struct rig rig;

static void rig_log(void *ctx, struct trestle_device *dev, enum trestle_log_level level,
                    const char *text)
{
    rig.warnings += level == TRESTLE_LOG_WARNING;
    rig.errors += level == TRESTLE_LOG_ERROR;
    snprintf(rig.log, sizeof(rig.log), "%s", text);
}

int rig_setup(void **state)
{
    rig = (struct rig){.ops = {.size = sizeof(rig.ops), .log = rig_log}};
    return trestle_sim_create(&rig.sim);
}

int rig_teardown(void **state)
{
    trestle_sim_destroy(rig.sim);
    return 0;
}

struct trestle_device *rig_device_at(const struct trestle_model *model, const char *name,
                                     uint64_t base, const char *const *params)
{
    struct trestle_param list[8];
    char text[8][64];
    size_t num = 0;
    for (; params && params[num]; num++) {
        assert_cmp(num, <, 8);
        assert_cmp(strlen(params[num]), <, sizeof(text[0]));
        strcpy(text[num], params[num]);
        char *equals = strchr(text[num], '=');
        assert_non_null(equals);
        *equals = '\0';
        list[num] = (struct trestle_param){text[num], equals + 1};
    }
    struct trestle_device_options options = {.size = sizeof(options),
                                             .name = name,
                                             .base_addr = base,
                                             .params = list,
                                             .num_params = num,
                                             .ops = &rig.ops};
    struct trestle_device *dev = NULL;
    char *error = NULL;
    if (trestle_device_create(rig.sim, model, &options, &dev, &error) < 0)
        fail_msg("%s", error);
    return dev;
}

struct trestle_device *rig_device(const struct trestle_model *model, const char *const *params)
{
    return rig_device_at(model, model->name, 0x10000000, params);
}

void rig_done(struct trestle_request *req)
{
    rig.done++;
}

int rig_access(struct trestle_device *dev, bool write, uint64_t offset, uint32_t size,
               uint64_t data, uint64_t *ret_data)
{
    struct trestle_request req = {
        .access = {.offset = offset, .size = size, .data = data}, .write = write, .done = rig_done};
    unsigned before = rig.done;
    if (trestle_device_submit(dev, &req) == -EINPROGRESS) {
        while (rig.done == before) {
            assert_int_not_equal(trestle_sim_next(rig.sim), TRESTLE_TIME_NEVER);
            (void)trestle_sim_run_until(rig.sim, trestle_sim_next(rig.sim));
        }
    }
    if (ret_data)
        *ret_data = req.ret_data;
    return req.status;
}

uint64_t rig_read_sized(struct trestle_device *dev, uint64_t offset, uint32_t size)
{
    uint64_t data;
    assert_int_equal(rig_access(dev, false, offset, size, 0, &data), 0);
    return data;
}

void rig_write_sized(struct trestle_device *dev, uint64_t offset, uint32_t size, uint64_t data)
{
    assert_int_equal(rig_access(dev, true, offset, size, data, NULL), 0);
}

uint32_t rig_read(struct trestle_device *dev, uint64_t offset)
{
    return (uint32_t)rig_read_sized(dev, offset, 4);
}

void rig_write(struct trestle_device *dev, uint64_t offset, uint32_t data)
{
    rig_write_sized(dev, offset, 4, data);
}

void rig_run_until(trestle_time when)
{
    (void)trestle_sim_run_until(rig.sim, when);
}

static void rig_hear(void *ctx, uint32_t port, const void *data, size_t size)
{
    struct rig_peer *peer = ctx;
    peer->heard++;
    peer->size = size;
    peer->when = trestle_sim_now(rig.sim);
    memcpy(peer->data, data, size);
}

void rig_link_peer(struct rig_peer *peer, struct trestle_device *dev, trestle_time latency)
{
    assert_int_equal(trestle_component_create(rig.sim, 1, rig_hear, peer, &peer->component), 0);
    assert_int_equal(
        trestle_link_create(peer->component, 0, trestle_device_component(dev), 0, latency, NULL),
        0);
}
