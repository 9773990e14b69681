/* SPDX-License-Identifier: MIT */
/* Tables for people: columns as wide as their widest cell. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdio.h>

#include "util.h"

struct table {
    const char *const *titles; /* ended by NULL; one that begins with '>' aligns right */
    struct strings cells;      /* row by row */
};

/* A cell more, left to right, row after row. */
void table_addf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *table, FILE *file);
void table_finish(struct table *table);

#endif
