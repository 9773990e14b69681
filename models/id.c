/* SPDX-License-Identifier: MIT */
/*
 * id: says who it is, and remembers one number. For tests of address maps with many devices.
 *
 * offset  register  access  bits
 * 0x00    ID        R       64 bits: the parameter id, by default the base address of the device
 * 0x08    SCRATCH   RW      64 bits
 *
 * Accesses of 8, 16, 32 and 64 bits at any aligned place in a register reach just those bytes.
 *
 * Parameters: id.
 */
#include "trestle/device.h"

enum { ID = 0x00, SCRATCH = 0x08 };

struct id {
    uint64_t id, scratch;
};

static int id_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct id *id = trestle_device_state(dev);
    return trestle_params_u64(params, "id", trestle_device_base(dev), &id->id);
}

static void id_reset(struct trestle_device *dev)
{
    struct id *id = trestle_device_state(dev);
    id->scratch = 0;
}

/* Where the access begins inside its register, in bits. */
static unsigned shift_of(const struct trestle_access *access)
{
    return (access->offset & 7) * 8;
}

static int id_read(struct trestle_device *dev, struct trestle_request *req,
                   const struct trestle_access *access, uint64_t *ret_data)
{
    const struct id *id = trestle_device_state(dev);
    *ret_data = (access->offset < SCRATCH ? id->id : id->scratch) >> shift_of(access);
    return 0;
}

static int id_write(struct trestle_device *dev, struct trestle_request *req,
                    const struct trestle_access *access)
{
    struct id *id = trestle_device_state(dev);
    if (access->offset < SCRATCH) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "write to read-only register ID");
        return 0;
    }
    uint64_t mask = UINT64_MAX >> (64 - 8 * access->size) << shift_of(access);
    id->scratch = (id->scratch & ~mask) | access->data << shift_of(access);
    return 0;
}

const struct trestle_model trestle_id_model = {
    .size = sizeof(trestle_id_model),
    .name = "id",
    .region_size = 0x10,
    .access_sizes = 1 | 2 | 4 | 8,
    .state_size = sizeof(struct id),
    .init = id_init,
    .reset = id_reset,
    .read = id_read,
    .write = id_write,
};
