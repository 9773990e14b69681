/* SPDX-License-Identifier: MIT */
/* A model with four regions: registers of its own code, two tables, and memory of its own code
 * behind them. A write to the last register of the third raises the line. */
#include <errno.h>
#include <string.h>

#include "trestle/registers.h"

#define FIRST_BYTES 64
#define LAST_BYTES 8192

struct regions {
    uint32_t mode, level, count;
    uint8_t first[FIRST_BYTES], last[LAST_BYTES];
};

static uint8_t *memory(struct trestle_device *dev, const struct trestle_access *access)
{
    struct regions *regions = trestle_device_state(dev);
    return (access->region == 0 ? regions->first : regions->last) + access->offset;
}

static int read_memory(struct trestle_device *dev, struct trestle_request *request,
                       const struct trestle_access *access, uint64_t *ret_data)
{
    (void)request;
    memcpy(ret_data, memory(dev, access), access->size);
    return 0;
}

static int write_memory(struct trestle_device *dev, struct trestle_request *request,
                        const struct trestle_access *access)
{
    (void)request;
    memcpy(memory(dev, access), &access->data, access->size);
    return 0;
}

static int level_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    trestle_device_irq(dev, 0, access->value & 1);
    return 0;
}

static const struct trestle_region first = {TRESTLE_REGION_SIZES, .name = "first",
                                            .bytes = FIRST_BYTES, .widths = 15};
static const struct trestle_register modes[] = {{"MODE", 0x00, TRESTLE_AT(struct regions, mode)}};
static const struct trestle_region mode = {TRESTLE_REGION(modes), .name = "mode"};
static const struct trestle_register levels[] = {
    {"COUNT", 0x00, TRESTLE_AT(struct regions, count)},
    {"LEVEL", 0x1fc, TRESTLE_AT(struct regions, level), .on_write = level_written}};
static const struct trestle_region level = {TRESTLE_REGION(levels), .name = "level"};
static const struct trestle_region last = {TRESTLE_REGION_SIZES, .name = "last",
                                           .bytes = LAST_BYTES, .widths = 15};

static const struct trestle_pci pci = {
    .size = sizeof(pci),
    .vendor = 0x1234,
    .device = 0x5355,
    .class_code = 0xff0000,
    .bar = TRESTLE_BAR_MEM,
    .more_bars = {TRESTLE_BAR_IO, TRESTLE_BAR_MEM, TRESTLE_BAR_MEM64},
};

static const struct trestle_model model = {
    .size = sizeof(model),
    .name = "regions",
    .regions = TRESTLE_REGIONS(&first, &mode, &level, &last),
    .irq_lines = 1,
    .pci = &pci,
    .state_size = sizeof(struct regions),
    .read = read_memory,
    .write = write_memory,
};
TRESTLE_MODEL_EXPORT(model);
