/* SPDX-License-Identifier: MIT */
/* What derivedFrom names, and what an element has by itself or from there. */
#ifndef CLI_SVD_DERIVE_H
#define CLI_SVD_DERIVE_H

#include "svd/tree.h"

/* Finds node's base, the base of that, and so on. -ENOENT: the file has no such element, and node
 * has no base then; -ELOOP. *ret_error is then one line. */
int svd_derive(const char *file, struct svd_node *node, char **ret_error);
/* The child of node, or of the nearest base that has one. */
const struct svd_node *svd_get(const struct svd_node *node, enum svd_element element);
/* Its text, or fallback. */
const char *svd_get_text(const struct svd_node *node, enum svd_element element,
                         const char *fallback);
/* The node that the registers of a peripheral or the fields of a register stand in: most often a
 * child of its own. */
const struct svd_node *svd_container(const struct svd_node *node);

#endif
