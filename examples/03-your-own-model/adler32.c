/* SPDX-License-Identifier: MIT */
/* A checksum unit with one register. A write feeds it a byte; a read gives the Adler-32 of all
 * bytes so far, and takes `latency` (default 50ns). */
#include <errno.h>
#include <trestle/device.h>

struct adler32 {
    uint64_t sum; /* of sums << 16 | of bytes */
    trestle_time latency;
    struct trestle_request *waiting; /* a read that is not answered yet */
};

static void reset(struct trestle_device *dev)
{
    struct adler32 *s = trestle_device_state(dev);
    s->sum = 1;
}

static int init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct adler32 *s = trestle_device_state(dev);
    reset(dev);
    return trestle_params_time(params, "latency", 50 * TRESTLE_NS, &s->latency);
}

static int do_read(struct trestle_device *dev, struct trestle_request *req,
                   const struct trestle_access *access, uint64_t *ret_data)
{
    struct adler32 *s = trestle_device_state(dev);
    s->waiting = req;
    trestle_device_wake_after(dev, 0, s->latency);
    return -EINPROGRESS; /* wake() answers it */
}

static void wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct adler32 *s = trestle_device_state(dev);
    trestle_request_complete(s->waiting, 0, s->sum);
}

static int do_write(struct trestle_device *dev, struct trestle_request *req,
                    const struct trestle_access *access)
{
    struct adler32 *s = trestle_device_state(dev);
    uint64_t a = ((s->sum & 0xffff) + (access->data & 0xff)) % 65521;
    s->sum = ((s->sum >> 16) + a) % 65521 << 16 | a;
    return 0;
}

/* clang-format off */
static const struct trestle_model adler32 = {
    .size = sizeof(adler32), .name = "adler32", .region_size = 4, .access_sizes = 1 | 4,
    .timers = 1, .state_size = sizeof(struct adler32), .init = init, .reset = reset,
    .read = do_read, .write = do_write, .wake = wake};
TRESTLE_MODEL_EXPORT(adler32);
