/* SPDX-License-Identifier: MIT */
/*
 * The elements of a CMSIS-SVD file as a tree, with their text and lines. Nothing is inherited or
 * repeated yet. Elements that do not describe registers are left out.
 */
#ifndef CLI_SVD_TREE_H
#define CLI_SVD_TREE_H

#include <stddef.h>

enum svd_element {
    SVD_UNKNOWN,
    SVD_ACCESS,
    SVD_ADDRESS_BLOCK,
    SVD_ADDRESS_OFFSET,
    SVD_BASE_ADDRESS,
    SVD_BIT_OFFSET,
    SVD_BIT_RANGE,
    SVD_BIT_WIDTH,
    SVD_CLUSTER,
    SVD_DESCRIPTION,
    SVD_DEVICE,
    SVD_DIM,
    SVD_DIM_INCREMENT,
    SVD_DIM_INDEX,
    SVD_DISPLAY_NAME,
    SVD_ENUMERATED_VALUE,
    SVD_ENUMERATED_VALUES,
    SVD_FIELD,
    SVD_FIELDS,
    SVD_INTERRUPT,
    SVD_LSB,
    SVD_MODIFIED_WRITE_VALUES,
    SVD_MSB,
    SVD_NAME,
    SVD_OFFSET,
    SVD_PERIPHERAL,
    SVD_PERIPHERALS,
    SVD_READ_ACTION,
    SVD_REGISTER,
    SVD_REGISTERS,
    SVD_RESET_VALUE,
    SVD_SIZE,
    SVD_VALUE,
};

struct svd_node {
    enum svd_element element;
    unsigned line;
    const char *text;         /* without white space at its ends; "" where there is none */
    const char *derived_from; /* the attribute, or NULL */
    struct svd_node *parent, *first, *next;

    /* For the reader: what derived_from names, once somebody has asked. */
    struct svd_node *base;
    enum { SVD_BASE_UNKNOWN, SVD_BASE_SOUGHT, SVD_BASE_KNOWN } base_state;
};

struct svd_tree {
    struct svd_node *root; /* <device> */
    struct svd_chunk *chunks;
};

/* Parses text. -EINVAL: *ret_error is one line that begins with file and line, the caller's to
 * free. */
int svd_tree_parse(const char *file, const char *text, size_t size, struct svd_tree *ret_tree,
                   char **ret_error);
void svd_tree_finish(struct svd_tree *tree);
/* The element as it stands in a file: "addressOffset". */
const char *svd_element_name(enum svd_element element);
/* The first child of that kind, or NULL. */
struct svd_node *svd_child(const struct svd_node *node, enum svd_element element);

/* Zeroed memory that lives as long as the tree. */
void *svd_tree_alloc(struct svd_tree *tree, size_t size);
char *svd_tree_text(struct svd_tree *tree, const char *text, size_t size);

#endif
