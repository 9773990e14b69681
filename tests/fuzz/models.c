/* SPDX-License-Identifier: MIT */
/* The bundled models under a guest that may do anything: write what it likes into registers and
 * into the memory that they read, in whatever order. They stay within their memory and their
 * descriptors, and each access comes to an end. */
#include "trestle/test.h"

#include <sys/mman.h>

#include "fuzz.h"
#include "trestle/models.h"

#define RAM_BASE UINT64_C(0x80000000)
#define RAM_SIZE 0x10000u
#define OPS_MAX 256
/* A file's, for disks. */
#define DISK_SIZE 65536

enum op { WRITE, WRITE_ADDRESS, READ, RUN, FILL, SEND, INPUT, RESET, OPS };

struct bench {
    struct trestle_test *test;
    struct trestle_device *dev;
    struct trestle_test_peer *peer;
    uint8_t *ram;
    int disk_fd;
};

static const struct trestle_model *choose(struct fuzz_input *in)
{
    const struct trestle_model *const *all = trestle_models();
    size_t count = 0, chosen = fuzz_byte(in);
    while (all[count])
        count++;
    return all[chosen % count];
}

static bool add_device(struct bench *bench, const struct trestle_model *model)
{
    char path[32];
    struct trestle_param param = {"file", path};
    struct trestle_device_options options = {
        .size = sizeof(options), .name = "dut", .base_addr = 0x10000000, .params = &param};
    char *error = NULL;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", bench->disk_fd);
    for (options.num_params = 0; options.num_params < 2; options.num_params++) {
        free(error);
        error = NULL;
        if (trestle_test_try_add(bench->test, model, &options, &bench->dev, &error) == 0)
            return true;
    }
    free(error);
    return false; /* it needs something else */
}

static uint64_t region_size(const struct bench *bench)
{
    uint64_t size = trestle_device_size(bench->dev);
    return size < 1 << 16 ? size : 1 << 16;
}

static void access_register(struct bench *bench, struct fuzz_input *in, enum op op)
{
    uint64_t offset = fuzz_number(in, 2) % region_size(bench), data = 0;
    uint32_t size = 1u << (fuzz_byte(in) & 3);
    int r;
    if (op == READ) {
        r = trestle_test_try_read(bench->dev, offset, size, &data);
    } else {
        data = op == WRITE ? fuzz_number(in, size) : RAM_BASE + fuzz_number(in, 2);
        r = trestle_test_try_write(bench->dev, offset, size, data);
    }
    FUZZ_REQUIRE(r <= 0);
}

static void fill(struct bench *bench, struct fuzz_input *in)
{
    uint32_t at = (uint32_t)fuzz_number(in, 2), size = fuzz_byte(in) & 63;
    if (at + size <= RAM_SIZE)
        fuzz_bytes(in, bench->ram + at, size);
}

static void perform(struct bench *bench, struct fuzz_input *in)
{
    uint8_t bytes[64];
    enum op op = fuzz_byte(in) % OPS;
    size_t size;
    switch (op) {
    case RUN:
        trestle_test_run(bench->test, fuzz_number(in, 2) * TRESTLE_NS);
        break;
    case FILL:
        fill(bench, in);
        break;
    case SEND:
        size = fuzz_byte(in) % sizeof(bytes) + 1;
        fuzz_bytes(in, bytes, size);
        if (bench->peer)
            trestle_test_send(bench->peer, bytes, size);
        break;
    case INPUT:
        size = fuzz_byte(in) % sizeof(bytes);
        fuzz_bytes(in, bytes, size);
        trestle_test_input(bench->dev, bytes, size);
        break;
    case RESET:
        trestle_test_reset(bench->dev);
        break;
    default:
        access_register(bench, in, op);
        break;
    }
}

static void on_log(void *ctx, enum trestle_log_level level, const char *text)
{
    (void)ctx;
    FUZZ_REQUIRE(level <= TRESTLE_LOG_DEBUG && *text && !strchr(text, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    int free_before = fuzz_free_descriptor();
    struct bench bench = {.test = trestle_test_create(),
                          .disk_fd = memfd_create("disk", MFD_CLOEXEC)};
    const struct trestle_model *model = choose(&in);
    FUZZ_REQUIRE(bench.disk_fd >= 0 && ftruncate(bench.disk_fd, DISK_SIZE) == 0);
    bench.ram = trestle_test_ram(bench.test, RAM_BASE, RAM_SIZE);
    trestle_test_on_log(bench.test, on_log, NULL);
    if (add_device(&bench, model)) {
        if (trestle_device_model(bench.dev)->peer_ports > 0)
            bench.peer = trestle_test_peer(bench.dev, 0, TRESTLE_NS);
        for (unsigned i = 0; i < OPS_MAX && in.next < in.end; i++)
            perform(&bench, &in);
    }
    trestle_test_destroy(bench.test);
    close(bench.disk_fd);
    FUZZ_REQUIRE(fuzz_free_descriptor() == free_before);
    return 0;
}
