/* SPDX-License-Identifier: MIT */
/* A model whose second region is plain memory, which its registers fill and add up. */
#include "trestle/registers.h"

#define WORDS 16384

static uint32_t *words(struct trestle_device *dev)
{
    return trestle_device_region_memory(dev, 1);
}

static int first_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    access->value = *words(dev);
    return 0;
}

static int fill_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    for (unsigned i = 0; i < WORDS; i++)
        words(dev)[i] = (uint32_t)access->value;
    return 0;
}

static int sum_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < WORDS; i++)
        sum += words(dev)[i];
    access->value = sum;
    return 0;
}

static const struct trestle_register rows[] = {
    {"FIRST", 0x0, .access = TRESTLE_RO, .on_read = first_read},
    {"FILL", 0x4, .access = TRESTLE_TRIGGER, .on_write = fill_written},
    {"SUM", 0x8, .access = TRESTLE_RO, .on_read = sum_read}};
static const struct trestle_region registers = {TRESTLE_REGION(rows), .name = "registers"};
static const struct trestle_region memory = {TRESTLE_REGION_SIZES, .name = "memory",
                                             .bytes = 4 * WORDS, .is_memory = true};

static const struct trestle_pci pci = {
    .size = sizeof(pci), .vendor = 0x1234, .device = 0x5357, .class_code = 0xff0000};

static const struct trestle_model model = {
    .size = sizeof(model),
    .name = "window",
    .regions = TRESTLE_REGIONS(&registers, &memory),
    .pci = &pci,
};
TRESTLE_MODEL_EXPORT(model);
