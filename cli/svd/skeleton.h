/* SPDX-License-Identifier: MIT */
/* A stub's table as C, for the skeleton of a model that is to become more. */
#ifndef CLI_SVD_SKELETON_H
#define CLI_SVD_SKELETON_H

#include "svd/stub.h"

/* Members of the state, "    uint32_t ctrl;", without the last line's end; malloc'd, as those
 * below. */
char *svd_skeleton_members(const struct svd_stub *stub);
/* Rows of the table, whose values live in members of `state`. */
char *svd_skeleton_rows(const struct svd_stub *stub, const char *state);
/* A line for each of the first registers that can be read, which checks its value after a reset: in
 * a guest, or in a unit test. */
char *svd_skeleton_checks(const struct svd_stub *stub, bool in_guest);
/* Whether C has that word for itself. */
bool svd_skeleton_is_keyword(const char *name);
/* Text as it stands in a C string or comment: a line at most, without quotes around it. */
char *svd_skeleton_text(const char *text);

#endif
