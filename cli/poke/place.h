/* SPDX-License-Identifier: MIT */
/* Places in devices, as people write them: uart.STATUS, uart.STATUS.ready, uart+0x8, uart+0x8:2. */
#ifndef CLI_POKE_PLACE_H
#define CLI_POKE_PLACE_H

#include "poke/poke.h"

struct place {
    struct trestle_device *dev;
    uint64_t offset;
    uint32_t size;
    uint64_t mask; /* of a field; otherwise all bits of the size */
};

/* False: *ret_error is a sentence, malloc'd. */
bool place_parse(const struct poke_target *target, const char *text, struct place *ret_place,
                 char **ret_error);
/* Returns the device of that name, or NULL and a sentence. */
struct trestle_device *place_device(const struct poke_target *target, const char *name,
                                    char **ret_error);
/* Finds devices, registers of one, or fields of a register, that begin like the word. */
void place_complete(const struct poke_target *target, const char *word, struct strings *ret_list);
/* The part of a register's value that the place is. */
uint64_t place_extract(const struct place *place, uint64_t value);
uint64_t place_insert(const struct place *place, uint64_t value, uint64_t part);
bool place_is_field(const struct place *place);

#endif
