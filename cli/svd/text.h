/* SPDX-License-Identifier: MIT */
/* The spellings of numbers, words and lists that real SVD files have. */
#ifndef CLI_SVD_TEXT_H
#define CLI_SVD_TEXT_H

#include "svd/svd.h"

enum svd_number {
    SVD_NUMBER_BAD,
    SVD_NUMBER_GOOD,
    SVD_NUMBER_WIDE, /* more than 64 bits; the low ones were returned */
};

/* Numbers are hexadecimal (0x1F, 1Fh or 'h1F), binary (0b101 or #1x1, where an x is 0), or decimal.
 * They may begin with +, end with k, M, G, T or C's suffixes, and have _ between the digits. */
enum svd_number svd_number(const char *text, uint64_t *ret_value);
/* OR of enum svd_access; 0: the word is unknown. */
unsigned svd_access_word(const char *text);
enum svd_write_effect svd_write_word(const char *text);
enum svd_read_effect svd_read_word(const char *text);
/* "[7:4]", "7:4" or "3". */
bool svd_bit_range(const char *text, uint64_t *ret_msb, uint64_t *ret_lsb);
/* The index-th of "0-3", "A-D" or "A,B,C"; malloc'd. NULL: there are fewer. */
char *svd_dim_index(const char *text, uint64_t index);
/* Whether they are 0, 1, 2 and so on. */
bool svd_dim_counts(const char *text, uint64_t count);

#endif
