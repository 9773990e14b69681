/* SPDX-License-Identifier: MIT */
/* The console and the disk that speak virtio, as drivers use them, and as they should not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "trestle/le.h"
#include "virtio_driver.h"

static char file[] = "/tmp/trestle-virtio-XXXXXX", param[64];

/* --- the console ----------------------------------------------------------------------------- */

enum { RECEIVE, TRANSMIT };

static int setup_console(void **state)
{
    driver_begin("virtio-console", NULL);
    driver_start(0);
    driver_queue(RECEIVE, 4);
    driver_queue(TRANSMIT, 4);
    return 0;
}

static int teardown(void **state)
{
    driver_end();
    return 0;
}

static void test_output(void **state)
{
    size_t size;
    memcpy(driver_ram(BUFFERS), "hello, world", 12);
    driver_queue_desc(TRANSMIT, 0, BUFFERS, 5, DESC_NEXT, 1);
    driver_queue_desc(TRANSMIT, 1, BUFFERS + 5, 7, 0, 0);
    driver_offer(TRANSMIT, 0);
    assert_int_equal(driver_used(TRANSMIT), 1);
    const void *output = trestle_test_output(driver.dev, &size);
    assert_int_equal(size, 12);
    assert_memory_equal(output, "hello, world", 12);
}

static void speak(void)
{
    driver_queue_desc(TRANSMIT, 0, BUFFERS + 0x1000, 1, 0, 0);
    driver_offer(TRANSMIT, 0);
}

/* A driver that is just beginning gets nothing yet, and one without buffers loses nothing. */
static void test_input(void **state)
{
    assert_int_equal(trestle_test_input(driver.dev, "x", 1), 0);
    driver_queue_desc(RECEIVE, 0, BUFFERS, 4, DESC_WRITE, 0);
    driver_queue_desc(RECEIVE, 1, BUFFERS + 4, 4, DESC_WRITE, 0);
    driver_offer(RECEIVE, 0);
    driver_offer(RECEIVE, 1);
    assert_int_equal(trestle_test_input(driver.dev, "x", 1), 0);
    speak();
    assert_int_equal(trestle_test_input(driver.dev, "abcdef", 6), 4);
    assert_int_equal(trestle_test_input(driver.dev, "ef", 2), 2);
    assert_int_equal(trestle_test_input(driver.dev, "gh", 2), 0);
    assert_int_equal(driver_used(RECEIVE), 2);
    assert_int_equal(driver_used_entry(RECEIVE, 1).size, 2);
    assert_memory_equal(driver_ram(BUFFERS), "abcdef", 6);
    assert_true(trestle_test_irq(driver.dev, 0));
    driver_offer(RECEIVE, 0);
    assert_int_equal(trestle_test_input(driver.dev, "gh", 2), 2);
    put(0x070, 0);
    assert_int_equal(trestle_test_input(driver.dev, "gh", 2), 0);
}

static void test_buffers_without_room(void **state)
{
    driver_queue_desc(RECEIVE, 0, BUFFERS, 4, 0, 0);
    driver_offer(RECEIVE, 0);
    speak();
    assert_int_equal(driver_used(RECEIVE), 1);
    assert_int_equal(trestle_test_input(driver.dev, "x", 1), 0);
    driver_queue_desc(RECEIVE, 1, 0x1000, 4, DESC_WRITE, 0);
    driver_offer(RECEIVE, 1);
    assert_int_equal(trestle_test_input(driver.dev, "x", 1), 1);
    assert_int_equal(get(0x070), 0x4f);
}

static void test_much_output(void **state)
{
    driver_queue_desc(TRANSMIT, 0, BUFFERS, UINT32_MAX, 0, 0);
    driver_offer(TRANSMIT, 0);
    assert_int_equal(get(0x070), 0x4f);
    assert_non_null(strstr(trestle_test_log(driver.test), "more than 1048576 bytes at a time"));
}

/* --- the disk -------------------------------------------------------------------------------- */

#define SECTORS 8u
#define HEADER (BUFFERS)
#define STATUS (BUFFERS + 0x100)
#define DATA (BUFFERS + 0x1000)

static int begin_disk(const char *more)
{
    strcpy(file + strlen(file) - 6, "XXXXXX");
    int fd = mkostemp(file, O_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)SECTORS * 512) < 0 ||
        pwrite(fd, "sector three", 12, 1536) < 0)
        return -1;
    close(fd);
    snprintf(param, sizeof(param), "file=%s", file);
    driver.test = trestle_test_create();
    driver.ram = trestle_test_ram(driver.test, RAM_BASE, RAM_SIZE);
    driver.dev = trestle_test_load(driver.test, "virtio-blk", param, more, NULL);
    driver_start(0);
    driver_queue(0, 4);
    return 0;
}

static int setup_disk(void **state)
{
    return begin_disk(NULL);
}

static int setup_read_only(void **state)
{
    return begin_disk("read_only=1");
}

static int teardown_disk(void **state)
{
    driver_end();
    return unlink(file);
}

static uint8_t request(uint32_t type, uint64_t sector, uint32_t size)
{
    uint8_t *header = driver_ram(HEADER);
    bool reads = type != 1;
    trestle_put_le32(header, type);
    trestle_put_le64(header + 8, sector);
    *driver_ram(STATUS) = 0xff;
    driver_desc(0, HEADER, 16, DESC_NEXT, size > 0 ? 1 : 2);
    driver_desc(1, DATA, size, DESC_NEXT | (reads ? DESC_WRITE : 0), 2);
    driver_desc(2, STATUS, 1, DESC_WRITE, 0);
    driver_offer(0, 0);
    return *driver_ram(STATUS);
}

static uint16_t times_used(void)
{
    return driver_used(0);
}

static void test_disk(void **state)
{
    char sector[512];
    assert_int_equal(trestle_test_read(driver.dev, 0x100, 8), SECTORS);
    assert_int_equal(get(0x10c), 128);
    assert_int_equal(request(0, 3, 1024), 0);
    assert_memory_equal(driver_ram(DATA), "sector three", 13);
    assert_int_equal(driver_used_entry(0, 0).size, 1025);
    memset(driver_ram(DATA), 'w', 512);
    assert_int_equal(request(1, 7, 512), 0);
    assert_int_equal(driver_used_entry(0, 1).size, 1);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, sector, 512, 7 * 512), 512);
    close(fd);
    assert_memory_equal(sector, driver_ram(DATA), 512);
    assert_int_equal(request(4, 0, 0), 0);
    assert_int_equal(request(8, 0, 20), 0);
    assert_string_equal((char *)driver_ram(DATA), "virtio-blk");
    assert_int_equal(request(99, 0, 0), 2);
    assert_int_equal(times_used(), 5);
}

static void test_read_only(void **state)
{
    assert_int_equal(get(0x010) >> 5 & 1, 1);
    assert_int_equal(request(0, 3, 512), 0);
    assert_int_equal(request(1, 3, 512), 1);
}

static void test_sectors_that_are_not_there(void **state)
{
    assert_int_equal(request(0, 8, 512), 1);
    assert_int_equal(request(0, 7, 1024), 1);
    assert_int_equal(request(1, UINT64_MAX, 512), 1);
    assert_int_equal(request(1, UINT64_MAX / 512, 512), 1);
    assert_int_equal(request(0, 0, 100), 1);
    assert_int_equal(request(0, 0, UINT32_MAX - 511), 1);
    assert_int_equal(request(0, 8, 0), 0); /* nothing at the end */
    assert_int_equal(truncate(file, 1024), 0);
    assert_int_equal(request(0, 1, 512), 0);
    assert_int_equal(request(0, 3, 512), 1); /* the file has become shorter */
    assert_int_equal(get(0x070), 0xf);
}

static void test_requests_without_room(void **state)
{
    driver_desc(0, HEADER, 8, DESC_NEXT, 1);
    driver_desc(1, STATUS, 1, DESC_WRITE, 0);
    driver_offer(0, 0);
    assert_int_equal(get(0x070), 0x4f);
    assert_non_null(strstr(trestle_test_log(driver.test), "no room for its header or its status"));
    driver_start(0);
    driver_queue(0, 4);
    driver_desc(0, HEADER, 16, 0, 0);
    driver_offer(0, 0);
    assert_int_equal(get(0x070), 0x4f);
    driver_start(0);
    driver_queue(0, 4);
    assert_int_equal(request(0, 0, 512), 0);
    driver_desc(1, 0x1000, 512, DESC_NEXT | DESC_WRITE, 2);
    driver_offer(0, 0);
    assert_int_equal(get(0x070), 0x4f);
}

static void assert_no_disk(const char *path, const char *why)
{
    char *error = NULL;
    struct trestle_device *dev;
    const struct trestle_param params[] = {{"file", path}};
    const struct trestle_device_options options = {
        .size = sizeof(options), .name = "disk", .params = params, .num_params = path != NULL};
    int r =
        trestle_test_try_add(driver.test, trestle_device_model(driver.dev), &options, &dev, &error);
    assert_int_equal(r, -EINVAL);
    if (!strstr(error, why))
        fail_msg("\"%s\" is not in \"%s\"", why, error);
    free(error);
}

static void test_files_that_cannot_be(void **state)
{
    assert_no_disk(NULL, "it needs the parameter \"file\"");
    assert_no_disk("/no/such/file", "/no/such/file cannot be its disk: No such file or directory");
    assert_no_disk("/dev/null", "/dev/null cannot be its disk: it is not a file");
    assert_no_disk(file, "another device uses it");
    char other[] = "/tmp/trestle-virtio-XXXXXX";
    int fd = mkostemp(other, O_CLOEXEC);
    assert_no_disk(other, "it is empty");
    assert_int_equal(ftruncate(fd, 700), 0);
    assert_no_disk(other, "it is no whole number of sectors of 512 bytes");
    close(fd);
    unlink(other);
}

#define CONSOLE_TEST(f) cmocka_unit_test_setup_teardown(f, setup_console, teardown)
#define DISK_TEST(f) cmocka_unit_test_setup_teardown(f, setup_disk, teardown_disk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONSOLE_TEST(test_output),
        CONSOLE_TEST(test_input),
        CONSOLE_TEST(test_buffers_without_room),
        CONSOLE_TEST(test_much_output),
        DISK_TEST(test_disk),
        cmocka_unit_test_setup_teardown(test_read_only, setup_read_only, teardown_disk),
        DISK_TEST(test_sectors_that_are_not_there),
        DISK_TEST(test_requests_without_room),
        DISK_TEST(test_files_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
