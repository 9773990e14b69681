/* SPDX-License-Identifier: MIT */
/* Numbers as people write them. */
#ifndef TRESTLE_BASE_NUMBER_H
#define TRESTLE_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal or 0x hexadecimal digits and nothing around them, not even blanks. */
bool number_parse(const char *text, uint64_t *ret_value);

#endif
