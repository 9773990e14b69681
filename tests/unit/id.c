/* SPDX-License-Identifier: MIT */
/* The id model against its register map. */
#include "rig.h"
#include "trestle/bridge.h"
#include "trestle/models.h"

static void test_identity(void **state)
{
    const struct trestle_model *model = trestle_model_find("id");
    struct trestle_device *a = rig_device_at(model, "a", 0x1020000008, NULL);
    struct trestle_device *b =
        rig_device_at(model, "b", 0x2000, (const char *const[]){"id=0x8877665544332211", NULL});
    assert_int_equal(rig_read_sized(a, 0, 8), 0x1020000008); /* the base, unless told otherwise */
    assert_int_equal(rig_read(a, 0), 0x20000008);
    assert_int_equal(rig_read(a, 4), 0x10);
    for (uint32_t size = 1; size <= 8; size *= 2) {
        for (uint64_t at = 0; at < 8; at += size)
            assert_int_equal(rig_read_sized(b, at, size),
                             (0x8877665544332211u >> 8 * at & UINT64_MAX >> (64 - 8 * size)));
    }
    rig_write(b, 0, 5);
    assert_int_equal(rig.warnings, 1);
    assert_int_equal(rig_read(b, 0), 0x44332211);
    trestle_device_destroy(a);
    trestle_device_destroy(b);
}

static void test_scratch(void **state)
{
    struct trestle_device *dev = rig_device(trestle_model_find("id"), NULL);
    rig_write_sized(dev, 8, 8, 0x8877665544332211);
    rig_write_sized(dev, 9, 1, 0xaa);
    assert_int_equal(rig_read_sized(dev, 8, 8), 0x887766554433aa11);
    rig_write_sized(dev, 12, 4, 0);
    assert_int_equal(rig_read_sized(dev, 8, 8), 0x4433aa11);
    rig_write_sized(dev, 14, 2, 0xbeef);
    assert_int_equal(rig_read_sized(dev, 8, 8), 0xbeef00004433aa11);
    assert_int_equal(rig_read_sized(dev, 14, 2), 0xbeef);
    trestle_device_reset(dev);
    assert_int_equal(rig_read_sized(dev, 8, 8), 0);
    trestle_device_destroy(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {RIG_TEST(test_identity), RIG_TEST(test_scratch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
