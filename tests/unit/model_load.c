/* SPDX-License-Identifier: MIT */
/* Bundled models, and models from shared objects. */
#include <fcntl.h>
#include <unistd.h>

#include "rig.h"
#include "trestle/bridge.h"
#include "trestle/models.h"

/* FIXTURES: the directory of the shared objects, from the build. SOURCE: this file, no shared
 * object. CORE: one in Verilog. */

static void test_bundled(void **state)
{
    static const char *const names[] = {
        "at24",           "compute",    "dma",        "echo",  "edu",    "goldfish-rtc",
        "i2c-ocores",     "id",         "ns16550",    "nvme",  "panel",  "serial-line",
        "sifive-gpio",    "sp805",      "sunxi-wdt",  "timer", "tmp102", "virtio-blk",
        "virtio-console", "virtio-net", "virtio-rng",
    };
    const struct trestle_model *const *models = trestle_models();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_non_null(models[i]);
        assert_string_equal(models[i]->name, names[i]);
        assert_ptr_equal(trestle_model_find(names[i]), models[i]);
        if (strcmp(names[i], "virtio-blk") != 0)                 /* which needs a file */
            trestle_device_destroy(rig_device(models[i], NULL)); /* a table that is accepted */
    }
    assert_null(models[sizeof(names) / sizeof(names[0])]);
    assert_null(trestle_model_find("nothing"));
    assert_null(trestle_model_find(""));
}

static void test_load(void **state)
{
    struct trestle_model_library *library;
    const struct trestle_model *model;
    char *error = NULL;
    if (trestle_model_load(FIXTURES "/good.so", &library, &model, &error) < 0)
        fail_msg("%s", error);
    assert_string_equal(model->name, "good");
    struct trestle_device *dev = rig_device(model, NULL);
    rig_run_until(1234 * TRESTLE_NS);
    assert_int_equal(rig_read(dev, 0), 1234);
    trestle_device_destroy(dev);
    trestle_model_unload(library);
    trestle_model_unload(NULL);
}

/* As cp writes over a file: it becomes empty, and then another one. */
static void write_over(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_cmp(fd, >=, 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void test_a_file_that_is_overwritten(void **state)
{
    static const uint8_t zeroes[65536];
    static uint8_t bytes[1 << 20];
    char path[] = "/tmp/trestle-XXXXXX.so";
    struct trestle_model_library *library, *again;
    const struct trestle_model *model, *same;
    int original = open(FIXTURES "/good.so", O_RDONLY | O_CLOEXEC), copy = mkstemps(path, 3);
    ssize_t size = read(original, bytes, sizeof(bytes));
    assert_cmp(copy, >=, 0);
    assert_cmp(size, >=, 1);
    assert_cmp(size, <, sizeof(bytes));
    close(original);
    close(copy);
    write_over(path, bytes, (size_t)size);
    assert_int_equal(trestle_model_load(path, &library, &model, NULL), 0);
    assert_int_equal(trestle_model_load(path, &again, &same, NULL), 0);
    for (int i = 0; i < 2; i++) {
        write_over(path, zeroes, i ? sizeof(zeroes) : 1);
        struct trestle_device *dev = rig_device(i ? same : model, NULL);
        rig_run_until(1234 * TRESTLE_NS);
        assert_int_equal(rig_read(dev, 0), 1234);
        trestle_device_destroy(dev);
    }
    trestle_model_unload(again);
    trestle_model_unload(library);
    unlink(path);
}

static void test_older_table(void **state)
{
    struct trestle_model_library *library;
    const struct trestle_model *model;
    assert_int_equal(trestle_model_load(FIXTURES "/older.so", &library, &model, NULL), 0);
    assert_int_equal(model->size, sizeof(struct trestle_model));
    assert_false(model->wake);
    assert_false(model->message);
    assert_false(model->dma_done);
    assert_true(model->read);
    struct trestle_device *dev = rig_device(model, NULL);
    assert_int_equal(rig_read(dev, 0), 0x01de);
    rig_run_until(10); /* its timer fires, and there is no wake() to call */
    trestle_device_destroy(dev);
    trestle_model_unload(library);
}

static void refused(const char *path, int expected, const char *text)
{
    struct trestle_model_library *library = NULL;
    const struct trestle_model *model = NULL;
    char *error = NULL;
    assert_int_equal(trestle_model_load(path, &library, &model, &error), expected);
    assert_null(library);
    assert_null(model);
    assert_non_null(error);
    if (!strstr(error, text) || strchr(error, '\n'))
        fail_msg("'%s' has not '%s' in it, or is not one line", error, text);
    free(error);
    assert_int_equal(trestle_model_load(path, &library, &model, NULL), expected);
}

static void test_refused(void **state)
{
    refused(FIXTURES "/absent.so", -ENOENT,
            "absent.so: No such file or directory; build it, or correct the path");
    refused("good.so", -ENOENT, "'good.so'; a model in a file needs a '/': ./good.so");
    refused(FIXTURES "/no_entry.so", -ENOEXEC,
            "no_entry.so is not a model: it has no trestle_model_entry");
    refused(FIXTURES "/null_entry.so", -ENOEXEC, "has no trestle_model_entry");
    refused(FIXTURES "/bad_table.so", -ENOEXEC, "bad_table.so: model 'bad': region_size is 0");
    refused(FIXTURES "/unresolved.so", -ENOEXEC, "function_of_another_library");
    refused(SOURCE, -ENOEXEC, "compile it with -shared -fPIC, and name the result");
    refused(CORE, -ENOEXEC, "it is Verilog; trestle rtl build makes a model of it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_bundled),
        RIG_TEST(test_load),
        RIG_TEST(test_a_file_that_is_overwritten),
        RIG_TEST(test_older_table),
        RIG_TEST(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
