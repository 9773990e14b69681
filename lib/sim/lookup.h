/* SPDX-License-Identifier: MIT */
/* What the tables of devices and models say, for Trestle's own programs: which registers there are,
 * what they hold, and how large everything is. */
#ifndef TRESTLE_SIM_LOOKUP_H
#define TRESTLE_SIM_LOOKUP_H

#include "trestle/registers.h"

/* A register of a device or a model. */
struct trestle_register_at {
    const struct trestle_region *region;
    const struct trestle_register *reg; /* in this library's size */
    uint32_t index;                     /* in an array */
    uint64_t offset;                    /* of this register in the region */
};

/* The register that covers the byte at an offset. False: none does, or the region has no table. */
bool trestle_device_register(const struct trestle_device *dev, uint32_t region, uint64_t offset,
                             struct trestle_register_at *ret_at);
/* The next register of a region after `at`, in the order of the table; the first if at->reg is
 * NULL. False: there is none. */
bool trestle_device_next_register(const struct trestle_device *dev, uint32_t region,
                                  struct trestle_register_at *ref_at);
/* The register of that name ("STATUS", "LED[2]", "CH2_ADDR"); case does not matter. */
bool trestle_device_find_register(const struct trestle_device *dev, const char *name,
                                  uint32_t *ret_region, struct trestle_register_at *ret_at);
/* The stored value, without any hook. False: there is none. */
bool trestle_device_stored(const struct trestle_device *dev, const struct trestle_register_at *at,
                           uint64_t *ret_value);

/* "LED[2]" into buf, always ended; returns buf. */
char *trestle_register_name(const struct trestle_register *reg, uint32_t index, char *buf,
                            size_t size);
/* "0x2 {ready}": the value, and its fields that are not 0; fields with named values show the name
 * ("0x6 {mode=fast}"). Into buf, always ended; returns buf. */
char *trestle_register_format(const struct trestle_register *reg, uint64_t value, char *buf,
                              size_t size);
/* "STATUS -> 0x2 {ready}" or "CTRL <- 0x1 {start}", of a finished access; "" if the region
 * has no table. Into buf, always ended; returns buf. */
char *trestle_device_access_text(const struct trestle_device *dev,
                                 const struct trestle_request *req, char *buf, size_t size);

/* Bytes of the first region, and the OR of the widths that it takes: those that the model states
 * (region_size, access_sizes), otherwise those of its registers. */
uint64_t trestle_model_bytes(const struct trestle_model *model);
uint32_t trestle_model_widths(const struct trestle_model *model);
/* Interrupt lines: irq_lines, or as many as there are names. */
uint32_t trestle_model_irq_lines(const struct trestle_model *model);
/* Bytes of any region; 0: the model has no such region. */
uint64_t trestle_model_region_bytes(const struct trestle_model *model, uint32_t region);
bool trestle_model_region_is_memory(const struct trestle_model *model, uint32_t region);

#endif
