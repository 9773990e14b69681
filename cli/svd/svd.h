/* SPDX-License-Identifier: MIT */
/*
 * CMSIS-SVD, the format in which vendors publish the registers of their chips. These functions read
 * each peripheral of a file, with all that it inherits, repeats and nests. Real files are sloppy:
 * the reader takes what it can understand. An error is one sentence with the file and the line.
 */
#ifndef CLI_SVD_SVD_H
#define CLI_SVD_SVD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum svd_access {
    SVD_READ = 1,
    SVD_WRITE = 2,
};

/* What a write does to the bits, and what a read does. */
enum svd_write_effect {
    SVD_WRITE_STORES,
    SVD_ONE_CLEARS,
    SVD_ONE_SETS,
    SVD_ONE_TOGGLES,
    SVD_ZERO_CLEARS,
    SVD_ZERO_SETS,
    SVD_ZERO_TOGGLES,
    SVD_WRITE_CLEARS,
    SVD_WRITE_SETS,
};
enum svd_read_effect {
    SVD_READ_KEEPS,
    SVD_READ_CLEARS,
    SVD_READ_SETS,
};

struct svd_rights {
    unsigned access; /* OR of enum svd_access */
    enum svd_write_effect on_write;
    enum svd_read_effect on_read;
};

struct svd_value {
    const char *name, *doc; /* doc may be NULL, here and below */
    uint64_t value;
};

struct svd_field {
    const char *name, *doc;
    unsigned lsb, width; /* within the register */
    struct svd_rights rights;
    struct svd_value *values;
    size_t num_values;
};

struct svd_register {
    /* In the name of an array "%s" stands for the index, as in "CH%s". Without it, the index is
     * appended: "CH[2]". The name includes the clusters. */
    const char *name, *doc;
    unsigned line;
    uint64_t offset; /* from the peripheral's base */
    unsigned bits;   /* 1 or more */
    uint64_t count;  /* 0: no array */
    uint64_t stride; /* of the array, in bytes */
    uint64_t reset;  /* its low 64 bits */
    struct svd_rights rights;
    struct svd_field *fields;
    size_t num_fields;
};

struct svd_interrupt {
    const char *name, *doc;
    uint64_t number;
};

struct svd_peripheral {
    const char *name, *doc;
    unsigned line;
    uint64_t base;
    uint64_t bytes; /* up to the end of its last address block; 0: the file has none */
    struct svd_register *registers;
    size_t num_registers;
    struct svd_interrupt *interrupts;
    size_t num_interrupts;
};

struct svd_file;

/* Reads a file. Negative errno: *ret_error is one line, the caller's to free. */
int svd_load(const char *path, struct svd_file **ret_file, char **ret_error);
/* The same from text; path is for messages. */
int svd_parse(const char *path, const char *text, size_t size, struct svd_file **ret_file,
              char **ret_error);
/* Also destroys what svd_read() has returned. NULL is fine. */
void svd_destroy(struct svd_file *file);
const char *svd_path(const struct svd_file *file);
/* Zeroed memory that lives as long as the file. */
void *svd_alloc(struct svd_file *file, size_t size);

size_t svd_num_peripherals(const struct svd_file *file);
/* The name of a peripheral, and its line in the file. */
const char *svd_peripheral_name(const struct svd_file *file, size_t index);
unsigned svd_peripheral_line(const struct svd_file *file, size_t index);
/* -ENOENT: *ret_error says which names are near. */
int svd_find(const struct svd_file *file, const char *name, size_t *ret_index, char **ret_error);
/* Reads a peripheral. The result lives as long as the file. -EINVAL: *ret_error is one line. */
int svd_read(struct svd_file *file, size_t index, struct svd_peripheral *ret_peripheral,
             char **ret_error);

#endif
