/* SPDX-License-Identifier: MIT */
/* Runs `trestle bench` for one side many times at once, and adds up what they say. */
#include "bench/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/error.h"
#include "bench/report.h"
#include "command.h"
#include "run/run.h"

struct job {
    struct child child;
    int output_fd; /* a pipe: its JSON; -1: none */
};

/* The side by words that only it has. */
static void add_arguments(const struct bench_setup *setup, const struct bench_side *side,
                          struct strings *args)
{
    bool waits = bench_waits(side);
    strings_add(args, "trestle");
    strings_add(args, "bench");
    strings_add(args, "--rounds=1");
    strings_addf(args, "--only=%s,%s,%u%s%s", bench_path_name(side->path), bench_op_name(side->op),
                 side->devices, waits ? "," : "", waits ? bench_wait_name(side->wait) : "");
    strings_addf(args, "--kernel=%s", setup->launch.kernel);
    if (setup->launch.qemu)
        strings_addf(args, "--qemu=%s", setup->launch.qemu);
    if (setup->launch.plugin)
        strings_addf(args, "--plugin=%s", setup->launch.plugin);
    if (setup->quick)
        strings_add(args, "--quick");
    if (setup->count)
        strings_addf(args, "--count=%" PRIu64, setup->count);
}

/* The table for people goes nowhere. */
static int start(struct job *job, const struct bench_setup *setup, const struct bench_side *side)
{
    struct strings args = {0};
    int pipe_fds[2] = {-1, -1}, null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int status = null_fd < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0 ? -errno : 0;
    job->output_fd = pipe_fds[0];
    add_arguments(setup, side, &args);
    strings_addf(&args, "--json=/proc/self/fd/%d", pipe_fds[1]);
    const struct child_options options = {.path = "/proc/self/exe",
                                          .argv = args.items,
                                          .stdio_fds = {null_fd, null_fd},
                                          .kept_fds = &pipe_fds[1],
                                          .num_kept_fds = 1};
    if (status == 0)
        status = child_start(&options, &job->child);
    strings_finish(&args);
    if (pipe_fds[1] >= 0)
        close(pipe_fds[1]);
    if (null_fd >= 0)
        close(null_fd);
    return status;
}

/* Once it has ended, or closed its JSON. */
static int read_result(const struct job *job, struct bench_result *ret_result)
{
    json_t *root = json_loadfd(job->output_fd, 0, NULL);
    const json_t *result = json_array_get(json_object_get(root, "results"), 0);
    int r = json_unpack((json_t *)(uintptr_t)result, "{s:F, s:F, s:F, s:F, s:F}", "p50_ns",
                        &ret_result->p50_ns, "p90_ns", &ret_result->p90_ns, "p99_ns",
                        &ret_result->p99_ns, "p999_ns", &ret_result->p999_ns, "per_second",
                        &ret_result->per_second);
    json_decref(root);
    return r < 0 ? -EIO : 0;
}

static int finish(struct job *job, struct bench_result *ret_result)
{
    int r = job->child.pid > 0 ? read_result(job, ret_result) : -EIO;
    child_finish(&job->child);
    if (job->output_fd >= 0)
        close(job->output_fd);
    return r;
}

int bench_measure_jobs(const struct bench_setup *setup, const struct bench_side *side,
                       unsigned count, struct bench_result *ret_result)
{
    struct job *jobs = xcalloc(count, sizeof(*jobs));
    struct bench_result *results = xcalloc(count, sizeof(*results));
    double per_second = 0;
    unsigned failed = 0;
    int status = 0;
    for (unsigned i = 0; i < count; i++)
        jobs[i] = (struct job){.child = CHILD_NONE, .output_fd = -1};
    for (unsigned i = 0; i < count && status == 0; i++)
        status = start(&jobs[i], setup, side);
    if (status < 0)
        command_fail("--jobs %u: a process could not be started: %s", count, error_text(status));
    for (unsigned i = 0; i < count; i++) {
        failed += finish(&jobs[i], &results[i]) < 0;
        per_second += results[i].per_second;
    }
    if (failed > 0 && status == 0)
        command_fail("--jobs %u: %u of them ended without a result", count, failed);
    *ret_result = bench_median(results, count);
    ret_result->per_second = per_second;
    free(results);
    free(jobs);
    return failed > 0 ? EXIT_FAILURE : 0;
}
