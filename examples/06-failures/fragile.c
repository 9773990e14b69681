/* SPDX-License-Identifier: MIT */
/*
 * An id device whose process ends at a write to CRASH, as that of a model with a bug does.
 *
 * offset  register  access  bits
 * 0x00    ID        R       64 bits: the base address
 * 0x08    SCRATCH   RW      64 bits, 0 at first
 * 0x10    CRASH     W       ends the process
 */
#include <signal.h>
#include <unistd.h>

#include <trestle/device.h>

enum { ID = 0x00, SCRATCH = 0x08, CRASH = 0x10 };

struct fragile {
    uint64_t scratch;
};

static int fragile_read(struct trestle_device *dev, struct trestle_request *req,
                        const struct trestle_access *access, uint64_t *ret_data)
{
    const struct fragile *fragile = trestle_device_state(dev);
    *ret_data = access->offset == ID        ? trestle_device_base(dev)
                : access->offset == SCRATCH ? fragile->scratch
                                            : 0;
    return 0;
}

static int fragile_write(struct trestle_device *dev, struct trestle_request *req,
                         const struct trestle_access *access)
{
    struct fragile *fragile = trestle_device_state(dev);
    if (access->offset == SCRATCH)
        fragile->scratch = access->data;
    if (access->offset == CRASH)
        kill(getpid(), SIGKILL); /* a crash without a core dump */
    return 0;
}

static const struct trestle_model fragile_model = {
    .size = sizeof(fragile_model),
    .name = "fragile",
    .region_size = 0x18,
    .access_sizes = 4 | 8,
    .state_size = sizeof(struct fragile),
    .read = fragile_read,
    .write = fragile_write,
};

TRESTLE_MODEL_EXPORT(fragile_model);
