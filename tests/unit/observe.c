/* SPDX-License-Identifier: MIT */
/* What an observer of the engine sees, and in which order. */
#include "rig.h"

#include "sim/command.h"
#include "trace/trace.h"
#include "trace_unit.h"

/* One line for each record. */
static char seen[4096];

static void look(void *ctx, const struct trestle_device *dev, struct trestle_trace_record *record)
{
    size_t used = strlen(seen);
    assert_ptr_equal(ctx, seen);
    snprintf(seen + used, sizeof(seen) - used, "%s %s %llu: %u %u %llx %llx %d %02x\n",
             trestle_device_name(dev), trestle_trace_kind_name(record->kind),
             (unsigned long long)record->time, record->number, record->size,
             (unsigned long long)record->addr, (unsigned long long)record->data, record->status,
             record->bytes ? record->bytes[0] : 0u);
}

static void assert_seen(const char *expected)
{
    assert_string_equal(seen, expected);
    seen[0] = '\0';
}

static struct trestle_device *observed(void)
{
    struct trestle_device *dev = rig_device(&unit_model, NULL);
    seen[0] = '\0';
    trestle_sim_observe(rig.sim, look, seen);
    return dev;
}

static void test_accesses(void **state)
{
    struct trestle_device *dev = observed();
    rig_run_until(100);
    rig_write(dev, VALUE, 7);
    assert_int_equal(rig_read(dev, VALUE), 0xffffff11);
    assert_seen("unit write 100: 0 4 0 7 0 00\n"
                "unit answer 100: 0 0 0 0 0 00\n"
                "unit read 100: 0 4 0 0 0 00\n"
                "unit answer 100: 0 0 0 ffffff11 0 00\n");
    assert_int_equal(rig_read(dev, LATER), 0xdef);
    assert_seen("unit read 100: 0 4 4 0 0 00\n"
                "unit answer 500100: 0 0 0 def 0 00\n");
    trestle_device_destroy(dev);
}

static void test_refused_accesses(void **state)
{
    struct trestle_device *dev = observed();
    assert_int_equal(rig_access(dev, true, NOTHING, 4, 1, NULL), -EIO);
    assert_int_equal(rig_access(dev, false, VALUE, 8, 0, NULL), -EINVAL);
    assert_seen("unit write 0: 0 4 18 1 0 00\n"
                "unit answer 0: 0 0 0 0 -5 00\n"
                "unit read 0: 0 8 0 0 0 00\n"
                "unit answer 0: 0 0 0 0 -22 00\n");
    trestle_device_destroy(dev);
}

static void test_an_interrupt_stands_before_the_answer(void **state)
{
    struct trestle_device *dev = observed();
    rig_write(dev, LINE, 1);
    rig_write(dev, LINE, 1); /* nothing changes */
    assert_seen("unit write 0: 0 4 8 1 0 00\n"
                "unit irq 0: 0 0 0 1 0 00\n"
                "unit answer 0: 0 0 0 0 0 00\n"
                "unit write 0: 0 4 8 1 0 00\n"
                "unit answer 0: 0 0 0 0 0 00\n");
    trestle_device_destroy(dev);
}

static void test_a_reset_ends_what_is_under_way(void **state)
{
    struct trestle_device *dev = observed();
    struct trestle_request req = {.access = {.offset = LATER, .size = 4}, .done = rig_done};
    rig_write(dev, LINE, 1);
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    seen[0] = '\0';
    trestle_device_reset(dev);
    rig_run_until(1000 * TRESTLE_NS);
    assert_seen("unit reset 0: 0 0 0 0 0 00\n"
                "unit irq 0: 0 0 0 0 0 00\n"
                "unit answer 0: 0 0 0 0 -125 00\n");
    trestle_device_destroy(dev);
}

static void test_messages(void **state)
{
    struct trestle_device *dev = observed();
    struct rig_peer peer = {0};
    assert_int_equal(rig_access(dev, true, SAY, 4, 0, NULL), -ENOTCONN);
    assert_seen("unit write 0: 0 4 c 0 0 00\n"
                "unit answer 0: 0 0 0 0 -107 00\n"); /* nothing was sent */
    rig_link_peer(&peer, dev, 100);
    rig_write(dev, SAY, 0);
    rig_run_until(100);
    assert_int_equal(peer.heard, 1);
    assert_int_equal(trestle_component_send(peer.component, 0, "yes", 3), 0);
    rig_run_until(200);
    assert_seen("unit write 0: 0 4 c 0 0 00\n"
                "unit send 0: 0 2 0 0 0 68\n"
                "unit answer 0: 0 0 0 0 0 00\n"
                "unit receive 200: 0 3 0 0 0 79\n"
                "unit irq 200: 0 0 0 1 0 00\n");
    trestle_device_destroy(dev);
}

/* --- transfers ------------------------------------------------------------------------------- */

static uint64_t last_id;

static int host_dma(void *ctx, struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                    size_t size, uint64_t id)
{
    last_id = id;
    return size == 1 ? -ENOTSUP : 0;
}

static void test_transfers(void **state)
{
    rig.ops.dma = host_dma;
    struct trestle_device *dev = observed();
    rig_write(dev, FETCH, 3);
    memcpy(trestle_device_dma_buffer(dev, last_id, NULL), "abc", 3);
    rig_run_until(700);
    assert_int_equal(trestle_device_dma_complete(dev, last_id, 0), 0);
    assert_seen("unit write 0: 0 4 10 3 0 00\n"
                "unit dma read 0: 0 0 80000000 3 0 00\n"
                "unit answer 0: 0 0 0 0 0 00\n"
                "unit dma data 700: 0 3 0 0 0 61\n"
                "unit dma end 700: 0 0 0 0 0 00\n");
    rig_run_until(800);
    rig_write(dev, STORE, TRESTLE_TRACE_DATA_MAX + 2); /* in two pieces */
    assert_int_equal(trestle_device_dma_complete(dev, last_id, -EFAULT), 0);
    assert_seen("unit write 800: 0 4 14 8002 0 00\n"
                "unit dma write 800: 0 0 80000000 8002 0 00\n"
                "unit dma data 800: 0 32768 0 0 0 5a\n"
                "unit dma data 800: 0 2 0 0 0 5a\n"
                "unit answer 800: 0 0 0 0 0 00\n"
                "unit dma end 800: 0 0 0 0 -14 00\n");
    rig_run_until(900);
    assert_int_equal(rig_access(dev, true, FETCH, 4, 1, NULL), -ENOTSUP);
    assert_seen("unit write 900: 0 4 10 1 0 00\n"
                "unit dma read 900: 0 0 80000000 1 0 00\n"
                "unit dma refused 900: 0 0 0 0 -95 00\n"
                "unit answer 900: 0 0 0 0 -95 00\n");
    trestle_device_destroy(dev);
}

static void test_nobody_looks_any_more(void **state)
{
    struct trestle_device *dev = observed();
    trestle_sim_observe(rig.sim, NULL, NULL);
    rig_write(dev, VALUE, 7);
    assert_seen("");
    trestle_device_destroy(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_accesses),
        RIG_TEST(test_refused_accesses),
        RIG_TEST(test_an_interrupt_stands_before_the_answer),
        RIG_TEST(test_a_reset_ends_what_is_under_way),
        RIG_TEST(test_messages),
        RIG_TEST(test_transfers),
        RIG_TEST(test_nobody_looks_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
