/* SPDX-License-Identifier: MIT */
/*
 * id: says who it is, and remembers one number. For tests of address maps with many devices.
 *
 * Accesses of 8, 16, 32 and 64 bits at any aligned place in a register reach just those bytes.
 *
 * Parameters: id.
 */
#include "trestle/registers.h"

struct id {
    uint64_t id, scratch;
};

static int id_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct id *id = trestle_device_state(dev);
    return trestle_params_u64(params, "id", trestle_device_base(dev), &id->id);
}

static const struct trestle_register registers[] = {
    {"ID", 0x00, TRESTLE_AT(struct id, id), .size = 8, .widths = 1 | 2 | 4 | 8, .keep = true,
     .access = TRESTLE_RO, .doc = "the parameter id, by default the base address"},
    {"SCRATCH", 0x08, TRESTLE_AT(struct id, scratch), .size = 8, .widths = 1 | 2 | 4 | 8},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_id_model = {
    .size = sizeof(trestle_id_model),
    .name = "id",
    .doc = "Says who it is: for tests of address maps with many devices.",
    .regions = TRESTLE_REGIONS(&region),
    .state_size = sizeof(struct id),
    .init = id_init,
};
