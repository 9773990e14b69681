/* SPDX-License-Identifier: MIT */
/* Host ends whose readers take their time, or go away. */
#include "run/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "log.h"

/* More than a FIFO and the buffer hold together. */
#define PLENTY ((size_t)1 << 20)

static char directory[] = "/tmp/trestle-backend-XXXXXX", path[64], text[80];
static int reader;

static int setup(void **state)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/fifo", directory);
    snprintf(text, sizeof(text), "file:%s", path);
    if (mkfifo(path, 0600) < 0)
        return -1;
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return reader < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    if (reader >= 0)
        close(reader);
    unlink(path);
    return rmdir(directory);
}

/* Until nothing more fits; how much has. */
static size_t fill(struct backend *backend)
{
    size_t taken = 0;
    for (; taken < PLENTY; taken++) {
        uint8_t byte = (uint8_t)(taken % 251);
        if (backend_write(backend, &byte, 1) == -ENOBUFS)
            return taken;
    }
    fail_msg("it takes everything");
    return 0;
}

static void test_slow_reader(void **state)
{
    struct backend *backend;
    size_t seen = 0;
    uint8_t bytes[4096];
    assert_int_equal(backend_open(text, "uart", &backend), 0);
    size_t taken = fill(backend);
    assert_cmp(taken, >=, 65536);
    fcntl(reader, F_SETFL, 0);
    while (seen < taken) {
        ssize_t n = read(reader, bytes, sizeof(bytes));
        assert_cmp(n, >, 0);
        for (ssize_t i = 0; i < n; i++, seen++)
            assert_int_equal(bytes[i], seen % 251);
    }
    backend_close(backend);
    assert_int_equal(read(reader, bytes, 1), 0);
    assert_int_equal(seen, taken);
}

/* Whoever shares standard output may have made it one that does not wait. */
static void test_shared_with_somebody_impatient(void **state)
{
    struct backend *backend;
    uint8_t bytes[4096];
    size_t seen = 0;
    int writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    int before = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    fflush(stdout);
    dup2(writer, STDOUT_FILENO);
    assert_int_equal(backend_open("stdio", "uart", &backend), 0);
    dup2(before, STDOUT_FILENO);
    close(before);
    close(writer);
    size_t taken = fill(backend);
    fcntl(reader, F_SETFL, 0);
    while (seen < taken) {
        ssize_t n = read(reader, bytes, sizeof(bytes));
        assert_cmp(n, >, 0);
        seen += (size_t)n;
    }
    backend_close(backend);
    assert_int_equal(read(reader, bytes, 1), 0);
}

static void test_reader_that_goes(void **state)
{
    struct backend *backend;
    assert_int_equal(backend_open(text, "uart", &backend), 0);
    fill(backend);
    close(reader);
    reader = -1;
    backend_close(backend);
}

static void test_what_cannot_be_opened(void **state)
{
    struct backend *backend;
    close(reader);
    reader = -1;
    assert_int_equal(backend_open(text, "uart", &backend), -ENXIO); /* nobody reads it */
    snprintf(text, sizeof(text), "file:%s", directory);
    assert_int_equal(backend_open(text, "uart", &backend), -EISDIR);
    assert_null(backend);
    backend_close(backend);
}

static void test_null(void **state)
{
    struct backend *backend;
    assert_int_equal(backend_open("null", "uart", &backend), 0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(backend_write(backend, "x", 1), 0);
    backend_close(backend);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    log_begin(); /* opens what it needs for good */
    const struct CMUnitTest tests[] = {
        TEST(test_slow_reader), TEST(test_shared_with_somebody_impatient),
        TEST(test_reader_that_goes), TEST(test_what_cannot_be_opened), TEST(test_null)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
