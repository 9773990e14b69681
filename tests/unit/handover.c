/* SPDX-License-Identifier: MIT */
/* What passes between a run and its processes comes out as it went in, and nothing else does. */
#include "base/handover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

/* As the process would take it. Both descriptors are this test's again afterwards. */
static int pass(const char *bytes, size_t size, struct handover **ret_given)
{
    int in[2], out[2], in_fd, out_fd;
    char variable[32];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(write(in[1], bytes, size), (ssize_t)size);
    close(in[1]);
    snprintf(variable, sizeof(variable), "%d,%d", in[0], out[1]);
    int r = handover_take(variable, &in_fd, &out_fd, ret_given);
    close(in[0]);
    close(out[0]);
    close(out[1]);
    return r;
}

static void test_all_of_it(void **state)
{
    struct handover_param params[] = {{(char *)"key", (char *)"a=b\nc"}, {(char *)"k", (char *)""}};
    struct handover_device devices[] = {{.name = (char *)"one",
                                         .model = (char *)"./a b.so",
                                         .base_addr = 0x10200000,
                                         .size = 4096,
                                         .listen_fd = 7,
                                         .backend = (char *)"fds:-1,9,-1,0",
                                         .params = params,
                                         .num_params = 2},
                                        {.name = (char *)"two",
                                         .size = 8,
                                         .is_pci = true,
                                         .base_addr = UINT64_MAX,
                                         .listen_fd = 8}};
    struct handover_link link = {(char *)"one.peer", (char *)"two.peer", 1000};
    const struct handover said = {.name = (char *)"soc",
                                  .trace = (char *)"/tmp/x",
                                  .run_hash = true,
                                  .watchdog_ms = 5,
                                  .verbosity = 2,
                                  .devices = devices,
                                  .num_devices = 2,
                                  .links = &link,
                                  .num_links = 1};
    struct handover *given;
    char *bytes;
    size_t size;
    (void)state;
    assert_int_equal(handover_write(&said, &bytes, &size), 0);
    assert_int_equal(pass(bytes, size, &given), 0);
    assert_string_equal(given->name, "soc");
    assert_string_equal(given->trace, "/tmp/x");
    assert_true(given->run_hash);
    assert_int_equal(given->watchdog_ms, 5);
    assert_int_equal(given->verbosity, 2);
    assert_int_equal(given->num_devices, 2);
    assert_string_equal(given->devices[0].model, "./a b.so");
    assert_string_equal(given->devices[0].params[0].value, "a=b\nc");
    assert_string_equal(given->devices[0].params[1].value, "");
    assert_int_equal(given->devices[0].base_addr, 0x10200000);
    assert_string_equal(given->devices[0].backend, "fds:-1,9,-1,0");
    assert_null(given->devices[1].backend);
    assert_null(given->devices[1].model);
    assert_true(given->devices[1].is_pci);
    assert_int_equal(given->devices[1].base_addr, UINT64_MAX);
    assert_int_equal(given->devices[1].listen_fd, 8);
    assert_string_equal(given->links[0].to, "two.peer");
    assert_int_equal(given->links[0].latency, 1000);
    handover_free(given);
    /* Whatever is cut off is refused, and nothing is lost. */
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(pass(bytes, cut, &given), -EINVAL);
    free(bytes);
}

static void test_strangers(void **state)
{
    static const char no_device[] = "name=soc\0",
                      no_value[] = "name=soc\0device=a\0size=8\0listen=5\0param=x\0",
                      bad[] = "name=soc\0verbosity=loud\0";
    struct handover *given;
    int in, out;
    (void)state;
    assert_int_equal(handover_take("", &in, &out, &given), -EINVAL);
    assert_int_equal(handover_take("5", &in, &out, &given), -EINVAL);
    assert_int_equal(handover_take("0,1", &in, &out, &given), -EINVAL);
    assert_int_equal(handover_take("901,902", &in, &out, &given), -EBADF);
    assert_int_equal(pass(no_device, sizeof(no_device), &given), -EINVAL);
    assert_int_equal(pass(no_value, sizeof(no_value), &given), -EINVAL);
    assert_int_equal(pass(bad, sizeof(bad), &given), -EINVAL);
}

static void test_report(void **state)
{
    const struct trestle_device_stats counts = {.reads = 1,
                                                .writes = 2,
                                                .bytes = 3,
                                                .errors = 4,
                                                .latency_p50_ns = 5,
                                                .latency_p99_ns = 6,
                                                .latency_max_ns = UINT64_MAX};
    struct handover_report report;
    char bytes[512];
    int out[2];
    (void)state;
    assert_int_equal(pipe(out), 0);
    assert_int_equal(handover_say(out[1], "serves", ""), 0);
    assert_int_equal(handover_say_counts(out[1], &counts), 0);
    assert_int_equal(handover_say(out[1], "hash", "00ff"), 0);
    assert_int_equal(handover_say(out[1], "failure", "two words"), 0);
    ssize_t size = read(out[0], bytes, sizeof(bytes));
    close(out[0]);
    close(out[1]);
    assert_int_equal(handover_read_report(bytes, (size_t)size, &report), 0);
    assert_true(report.serves);
    assert_int_equal(report.num_devices, 1);
    assert_memory_equal(report.devices, &counts, sizeof(counts));
    assert_string_equal(report.run_hash, "00ff");
    assert_string_equal(report.failure, "two words");
    assert_null(report.disturbance);
    handover_finish_report(&report);
    assert_int_equal(handover_read_report(bytes, (size_t)size - 1, &report), 0);
    assert_null(report.failure);
    handover_finish_report(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
