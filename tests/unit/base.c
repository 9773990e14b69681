/* SPDX-License-Identifier: MIT */
/* The small rules that all rooms share: regions, socket paths, numbers, rates. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/image.h"
#include "base/io.h"
#include "base/number.h"
#include "base/process.h"
#include "base/rate_limit.h"
#include "base/region.h"
#include "base/sized.h"
#include "base/socket_path.h"
#include "check.h"

static void test_regions(void **state)
{
    (void)state;
    assert_int_equal(region_check(8, 1), REGION_FINE);
    assert_int_equal(region_check(4, 8), REGION_MISALIGNED);
    assert_int_equal(region_check(8, 0), REGION_EMPTY);
    assert_int_equal(region_check(UINT64_MAX - 7, 8), REGION_FINE);
    assert_int_equal(region_check(UINT64_MAX - 7, 9), REGION_WRAPS);
    assert_int_equal(region_check(0, UINT64_MAX), REGION_FINE);
    assert_int_equal(region_last(UINT64_MAX - 7, 8), UINT64_MAX);
    assert_null(region_complaint(0, 1));
    assert_string_equal(region_complaint(1, 1), "the base is not a multiple of 8");
}

static void test_overlaps(void **state)
{
    (void)state;
    assert_false(regions_overlap(0, 8, 8, 8));
    assert_false(regions_overlap(8, 8, 0, 8));
    assert_true(regions_overlap(0, 9, 8, 8));
    assert_true(regions_overlap(8, 8, 0, 9));
    assert_true(regions_overlap(0, 64, 8, 8));
    assert_true(regions_overlap(UINT64_MAX - 7, 8, 0, UINT64_MAX));
}

static char file[] = "/tmp/trestle-base-XXXXXX";

static void put(const void *bytes, size_t size)
{
    FILE *stream = fopen(file, "we");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

static void test_files(void **state)
{
    char *text;
    size_t size;
    put("hello", 5);
    assert_int_equal(io_read_file(file, 5, &text, &size), 0);
    assert_int_equal(size, 5);
    assert_string_equal(text, "hello");
    free(text);
    assert_int_equal(io_read_file(file, 4, &text, &size), -EFBIG);
    assert_int_equal(io_read_file("/nowhere/at/all", 5, &text, &size), -ENOENT);
    assert_int_equal(io_read_file("/", 5, &text, &size), -EISDIR);
}

/* Each form, told by its magic number, and the machines that it runs on. */
static void test_images(void **state)
{
    static const struct {
        size_t at;
        const char *bytes;
        size_t length;
        const char *arch; /* NULL: not known */
    } forms[] = {{0x38, "RSC\x05", 4, "riscv"},  {0x38, "ARM\x64", 4, "aarch64"},
                 {0x24, "\x18(o\x01", 4, "arm"}, {0x202, "HdrS", 4, "x86_64"},
                 {4, "zimg", 4, NULL},           {0, "\x1f\x8b", 2, NULL}};
    uint8_t head[0x210] = {0};
    const char *arch;
    put(head, sizeof(head));
    assert_int_equal(image_look(file, &arch), IMAGE_UNKNOWN);
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        memset(head, 0, sizeof(head));
        memcpy(head + forms[i].at, forms[i].bytes, forms[i].length);
        put(head, forms[i].at + forms[i].length);
        assert_int_equal(image_look(file, &arch), IMAGE_LINUX);
        assert_string_equal(arch ? arch : "", forms[i].arch ? forms[i].arch : "");
        put(head, forms[i].at + forms[i].length - 1);
        assert_int_equal(image_look(file, &arch), IMAGE_UNKNOWN);
    }
    assert_int_equal(image_look("/nowhere/at/all", &arch), IMAGE_UNREADABLE);
    assert_int_equal(image_look("/", &arch), IMAGE_UNREADABLE);
    assert_true(image_runs_on(NULL, "arm"));
    assert_true(image_runs_on("arm", "arm"));
    assert_true(image_runs_on("arm", "aarch64"));
    assert_false(image_runs_on("aarch64", "arm"));
    assert_false(image_runs_on("x86_64", "aarch64"));
    assert_true(image_runs_on("riscv", "riscv32"));
    assert_true(image_runs_on("riscv", "riscv64"));
    assert_false(image_runs_on("riscv", "arm"));
}

static void test_processes(void **state)
{
    struct process_info ours, child;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t ended;
    assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
    assert_true(process_look(getpid(), &ours));
    assert_true(process_look(pid, &child));
    assert_int_equal(child.state, 'Z');
    assert_int_equal(ours.parent, getppid());
    assert_int_equal(child.parent, getpid());
    assert_cmp(child.start, >=, ours.start);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(process_look(pid, &child));
    assert_true(process_namespace());
}

static void test_socket_paths(void **state)
{
    struct sockaddr_un address;
    char path[SOCKET_PATH_MAX + 2];
    (void)state;
    memset(path, 'x', sizeof(path));
    path[SOCKET_PATH_MAX + 1] = '\0';
    assert_int_equal(socket_path_address(path, &address), -ENAMETOOLONG);
    path[SOCKET_PATH_MAX] = '\0';
    assert_int_equal(socket_path_address(path, &address), 0);
    assert_string_equal(address.sun_path, path);
    assert_int_equal(socket_path_address("", &address), -EINVAL);
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {"",
                                      "0x",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1x",
                                      "0xg",
                                      "xy",
                                      "18446744073709551616",
                                      "0x10000000000000000"};
    uint64_t value = 7;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(number_parse(bad[i], &value));
    assert_int_equal(value, 7);
    assert_true(number_parse("18446744073709551615", &value));
    assert_int_equal(value, UINT64_MAX);
    assert_true(number_parse("0xFf", &value));
    assert_int_equal(value, 255);
    assert_true(number_parse("010", &value));
    assert_int_equal(value, 10);
}

static void test_rates(void **state)
{
    struct rate_limit limit = {0};
    uint64_t left_out;
    (void)state;
    for (unsigned i = 0; i < RATE_LIMIT_LINES; i++) {
        assert_true(rate_limit_allows(&limit, 5 + i, 100, &left_out));
        assert_int_equal(left_out, 0);
    }
    assert_false(rate_limit_allows(&limit, 104, 100, &left_out));
    assert_false(rate_limit_allows(&limit, 104, 100, &left_out));
    assert_true(rate_limit_allows(&limit, 105, 100, &left_out)); /* the window began at 5 */
    assert_int_equal(left_out, 2);
    assert_true(rate_limit_allows(&limit, 1000, 100, &left_out));
    assert_int_equal(left_out, 0);
}

struct versioned {
    size_t size;
    uint32_t first, second;
};

static void test_sized_structs(void **state)
{
    struct versioned ours, theirs[2] = {{.size = sizeof(ours), .first = 1, .second = 2}};
    size_t min_size = offsetof(struct versioned, second);
    (void)state;
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), 0);
    assert_int_equal(ours.second, 2);
    theirs->size = min_size;
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), 0);
    assert_int_equal(ours.first, 1);
    assert_int_equal(ours.second, 0);
    assert_int_equal(ours.size, sizeof(ours));
    theirs->size = min_size - 1;
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), -EINVAL);
    theirs->size = SIZE_MAX;
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), -EINVAL);
    theirs->size = sizeof(theirs);
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), 0);
    theirs[1].second = 1;
    assert_int_equal(sized_import(&ours, sizeof(ours), min_size, theirs), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regions),       cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_socket_paths),  cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_files),         cmocka_unit_test(test_images),
        cmocka_unit_test(test_processes),     cmocka_unit_test(test_rates),
        cmocka_unit_test(test_sized_structs),
    };
    int fd = mkstemp(file);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(file);
    return failed;
}
