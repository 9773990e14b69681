/* SPDX-License-Identifier: MIT */
/* A program that serves devices of a run: what it is told, and what it tells. */
#include "trestle/process.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/handover.h"
#include "bridge_fixture.h"

/* The run's side. */
static struct run {
    char dir[64], trace[96];
    struct sockaddr_un addresses[2];
    int listen_fds[2];
    int in[2], out[2];
    int verbosity;
    bool with_trace;
    unsigned lines[4];
} run;

static void count_line(void *ctx, enum trestle_log_level level, const char *text)
{
    assert_ptr_equal(ctx, &run);
    run.lines[level]++;
}

static const struct trestle_process_options options = {
    .size = sizeof(options), .log = count_line, .ctx = &run};

static int begin_run(void **state)
{
    run = (struct run){.dir = "/tmp/trestle-unit-XXXXXX"};
    assert_non_null(mkdtemp(run.dir));
    snprintf(run.trace, sizeof(run.trace), "%s/trace", run.dir);
    assert_int_equal(pipe(run.in), 0);
    assert_int_equal(pipe(run.out), 0);
    for (int i = 0; i < 2; i++) {
        run.addresses[i].sun_family = AF_UNIX;
        snprintf(run.addresses[i].sun_path, sizeof(run.addresses[i].sun_path), "%s/%d", run.dir, i);
        run.listen_fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(
            bind(run.listen_fds[i], (struct sockaddr *)&run.addresses[i], sizeof(run.addresses[i])),
            0);
        assert_int_equal(listen(run.listen_fds[i], 1), 0);
    }
    return 0;
}

static int end_run(void **state)
{
    for (int i = 0; i < 2; i++) {
        close(run.listen_fds[i]); /* which the process leaves open until it ends */
        unlink(run.addresses[i].sun_path);
    }
    unlink(run.trace);
    rmdir(run.dir);
    close(run.out[0]);
    return 0;
}

/* The process, which has its ends of the pipes from now on. */
static struct trestle_process *start_process(void)
{
    struct handover_device devices[2] = {
        {.name = (char *)"one", .size = 4096, .base_addr = BASE, .listen_fd = run.listen_fds[0]},
        {.name = (char *)"two",
         .size = 8192,
         .base_addr = BASE + STRIDE,
         .listen_fd = run.listen_fds[1]}};
    const struct handover handover = {.name = (char *)"soc",
                                      .trace = run.with_trace ? run.trace : NULL,
                                      .run_hash = true,
                                      .verbosity = run.verbosity,
                                      .devices = devices,
                                      .num_devices = 2};
    struct trestle_process *process = NULL;
    char variable[32], *bytes, *error = NULL;
    size_t size;
    assert_int_equal(handover_write(&handover, &bytes, &size), 0);
    assert_int_equal(write(run.in[1], bytes, size), (ssize_t)size);
    free(bytes);
    snprintf(variable, sizeof(variable), "%d,%d", run.in[0], run.out[1]);
    if (trestle_process_create(variable, &options, &process, &error) < 0)
        fail_msg("%s", error);
    return process;
}

static struct handover_report heard(void)
{
    struct handover_report report;
    char said[1000];
    ssize_t n = read(run.out[0], said, sizeof(said));
    assert_int_equal(handover_read_report(said, n > 0 ? (size_t)n : 0, &report), 0);
    return report;
}

/* A guest that writes once to the second device, and then the run ends. */
static void *be_the_guest(void *unused)
{
    uint8_t bytes[TRESTLE_V1_REQUEST_SIZE], answer[TRESTLE_V1_RESPONSE_SIZE];
    const struct trestle_v1_request request = {TRESTLE_V1_WRITE, 8, BASE + STRIDE, 5};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    trestle_v1_encode_request(bytes, &request);
    if (connect(fd, (struct sockaddr *)&run.addresses[1], sizeof(run.addresses[1])) == 0 &&
        send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
        (void)!recv(fd, answer, sizeof(answer), MSG_WAITALL);
    close(fd);
    close(run.in[1]);
    return unused;
}

static void serve(struct trestle_process *process)
{
    pthread_t guest;
    char *error = NULL;
    assert_int_equal(pthread_create(&guest, NULL, be_the_guest, NULL), 0);
    if (trestle_process_serve(process, &error) < 0)
        fail_msg("%s", error);
    pthread_join(guest, NULL);
}

static void test_what_is_served_is_told(void **state)
{
    struct stat st;
    struct trestle_device *device;
    uint32_t num;
    char *error = NULL;
    run.with_trace = true;
    struct trestle_process *process = start_process();
    const struct trestle_process_device *devices = trestle_process_devices(process, &num);
    assert_int_equal(num, 2);
    assert_string_equal(devices[1].name, "two");
    assert_int_equal(devices[1].size, 8192);
    assert_int_equal(trestle_process_add_device(process, &memory_model, NULL, NULL), 0);
    assert_int_equal(trestle_process_serve(process, &error), -EINVAL);
    assert_string_equal(error, "two has no model");
    free(error);
    assert_int_equal(trestle_process_add_device(process, &memory_model, &device, NULL), 0);
    assert_string_equal(trestle_device_name(device), "two");
    assert_int_equal(trestle_process_add_device(process, &memory_model, NULL, &error), -ENOENT);
    assert_string_equal(error, "the run wants only 2 devices from soc");
    free(error);
    serve(process);
    struct handover_report report = heard();
    assert_true(report.serves);
    assert_false(report.has_lost);
    assert_null(report.failure);
    assert_null(report.disturbance);
    assert_int_equal(strlen(report.run_hash), 16);
    assert_int_equal(report.num_devices, 2);
    assert_int_equal(report.devices[0].writes, 0);
    assert_int_equal(report.devices[1].writes, 1);
    handover_finish_report(&report);
    trestle_process_destroy(process);
    assert_int_equal(fcntl(run.out[0], F_SETFL, O_NONBLOCK), 0);
    report = heard();
    assert_false(report.has_lost);
    assert_int_equal(stat(run.trace, &st), 0);
    assert_cmp(st.st_size, >, 0);
}

/* As many lines as the run's -v asks for. */
static void test_lines(void **state)
{
    for (int verbosity = 0; verbosity <= 2; verbosity++) {
        if (verbosity > 0)
            begin_run(state);
        run.verbosity = verbosity;
        struct trestle_process *process = start_process();
        struct trestle_device *device;
        assert_int_equal(trestle_process_add_device(process, &memory_model, &device, NULL), 0);
        assert_int_equal(trestle_process_add_device(process, &memory_model, NULL, NULL), 0);
        for (int level = TRESTLE_LOG_ERROR; level <= TRESTLE_LOG_DEBUG; level++)
            trestle_device_log(device, (enum trestle_log_level)level, "a line");
        serve(process);
        trestle_process_destroy(process);
        assert_int_equal(run.lines[TRESTLE_LOG_ERROR], 1);
        assert_int_equal(run.lines[TRESTLE_LOG_WARNING], 1);
        assert_int_equal(run.lines[TRESTLE_LOG_INFO] > 0, verbosity >= 1);
        assert_int_equal(run.lines[TRESTLE_LOG_DEBUG] > 0, verbosity >= 2);
        if (verbosity < 2)
            end_run(state);
    }
}

static void fail_at_the_end(struct trestle_device *dev)
{
    trestle_device_fail(dev, "its file is full");
}

static void test_a_model_that_loses_something(void **state)
{
    struct trestle_model loser = memory_model;
    loser.fini = fail_at_the_end;
    struct trestle_process *process = start_process();
    assert_int_equal(trestle_process_add_device(process, &loser, NULL, NULL), 0);
    assert_int_equal(trestle_process_add_device(process, &memory_model, NULL, NULL), 0);
    serve(process);
    trestle_process_destroy(process);
    struct handover_report report = heard();
    assert_true(report.has_lost);
    handover_finish_report(&report);
}

static void test_refused(void **state)
{
    struct trestle_process *process = start_process();
    trestle_process_refuse(process, "there is no clock");
    trestle_process_destroy(process);
    struct handover_report report = heard();
    assert_false(report.serves);
    assert_string_equal(report.failure, "there is no clock");
    handover_finish_report(&report);
    close(run.in[1]);
}

static void expect_error(const char *variable, const struct trestle_process_options *given,
                         int expected, const char *text)
{
    struct trestle_process *process = NULL;
    char *error = NULL;
    assert_int_equal(trestle_process_create(variable, given, &process, &error), expected);
    assert_null(process);
    if (!strstr(error, text))
        fail_msg("%s", error);
    free(error);
}

static void test_no_run(void **state)
{
    struct trestle_process_options newer = options;
    newer.size = 0;
    expect_error(NULL, &options, -ENOENT, "no run has started this program");
    expect_error("1,2", &options, -EINVAL, "TRESTLE_PROCESS=1,2 does not come from a run: ");
    expect_error("3,4", &newer, -EINVAL, "the size of struct trestle_process_options is 0: ");
    trestle_process_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_served_is_told, begin_run, end_run),
        cmocka_unit_test_setup_teardown(test_lines, begin_run, end_run),
        cmocka_unit_test_setup_teardown(test_a_model_that_loses_something, begin_run, end_run),
        cmocka_unit_test_setup_teardown(test_refused, begin_run, end_run),
        cmocka_unit_test(test_no_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
