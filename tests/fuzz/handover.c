/* SPDX-License-Identifier: MIT */
/* What passes between a run and its processes: whatever the bytes, it is refused, or what was
 * understood comes out again when it is written and read once more. The first byte says which way
 * they go. */
#include "base/handover.h"

#include "fuzz.h"

static int take(const void *bytes, size_t size, struct handover **ret_given)
{
    int in[2], out[2], in_fd, out_fd;
    char variable[32];
    FUZZ_REQUIRE(pipe(in) == 0 && pipe(out) == 0);
    FUZZ_REQUIRE(write(in[1], bytes, size) == (ssize_t)size);
    close(in[1]);
    snprintf(variable, sizeof(variable), "%d,%d", in[0], out[1]);
    int r = handover_take(variable, &in_fd, &out_fd, ret_given);
    FUZZ_REQUIRE(r < 0 || (in_fd == in[0] && out_fd == out[1]));
    close(in[0]);
    close(out[0]);
    close(out[1]);
    return r;
}

static void order(const uint8_t *data, size_t size)
{
    struct handover *given, *again;
    char *bytes, *more;
    size_t num_bytes, num_more;
    if (take(data, size, &given) < 0)
        return;
    FUZZ_REQUIRE(given->name && given->num_devices > 0);
    FUZZ_REQUIRE(handover_write(given, &bytes, &num_bytes) == 0);
    FUZZ_REQUIRE(take(bytes, num_bytes, &again) == 0);
    FUZZ_REQUIRE(handover_write(again, &more, &num_more) == 0);
    FUZZ_REQUIRE(num_bytes == num_more && memcmp(bytes, more, num_bytes) == 0);
    handover_free(given);
    handover_free(again);
    free(bytes);
    free(more);
}

static void report(const uint8_t *data, size_t size)
{
    struct handover_report report;
    FUZZ_REQUIRE(handover_read_report((const char *)data, size, &report) == 0);
    FUZZ_REQUIRE(report.num_devices <= size);
    handover_finish_report(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int free_fd = fuzz_free_descriptor();
    /* A pipe takes this much without a reader. */
    if (size == 0 || size > 60000)
        return 0;
    if (data[0] == 'r')
        report(data + 1, size - 1);
    else
        order(data + 1, size - 1);
    FUZZ_REQUIRE(fuzz_free_descriptor() == free_fd);
    return 0;
}
