/* SPDX-License-Identifier: MIT */
/*
 * The register table of a peripheral's description. In a description registers may overlap or be
 * misaligned; in a table they must not. The widest of several registers that overlap becomes the
 * row, with the rights of all.
 */
#ifndef CLI_SVD_TABLE_H
#define CLI_SVD_TABLE_H

#include "svd/svd.h"
#include "trestle/registers.h"

/* A peripheral of the table, and where it begins there. */
struct svd_part {
    const struct svd_peripheral *peripheral;
    uint64_t offset;
    const char *prefix; /* of the names of its registers; "": none */
};

struct svd_table {
    struct trestle_register *rows; /* by offset */
    size_t num_rows;
    size_t state_size; /* where the rows' values live */
    uint64_t end;      /* of the last register */
    /* Registers that lie too far from the others to be in one region with them. */
    size_t num_left_out;
    const char *left_out; /* the first of them */
};

/* How far apart registers of one table may be. */
#define SVD_REGION_MAX (UINT64_C(16) << 20)

/* Makes a table. The rows live as long as the file. */
void svd_table_make(struct svd_file *file, const struct svd_part *parts, size_t num_parts,
                    struct svd_table *ret_table);
/* The row of that name, or NULL. An array is one row. */
struct trestle_register *svd_table_find(const struct svd_table *table, const char *name);

#endif
