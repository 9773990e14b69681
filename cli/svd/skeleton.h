/* SPDX-License-Identifier: MIT */
/* A stub's table as C or Python, for the skeleton of a model that is to become more. */
#ifndef CLI_SVD_SKELETON_H
#define CLI_SVD_SKELETON_H

#include "svd/stub.h"
#include "util.h"

/* Members of the state, "    uint32_t ctrl;", without the last line's end; malloc'd, as those
 * below. */
char *svd_skeleton_members(const struct svd_stub *stub);
/* Rows of the table, whose values live in members of `state`. */
char *svd_skeleton_rows(const struct svd_stub *stub, const char *state);
/* A line for each of the first registers that can be read, which checks its value after a reset: in
 * a guest, in a unit test, or in a script that knows the device by that name. */
enum svd_skeleton_check { SVD_IN_GUEST, SVD_IN_TEST, SVD_IN_SCRIPT };
char *svd_skeleton_checks(const struct svd_stub *stub, enum svd_skeleton_check where,
                          const char *name);
/* Attributes of a class in Python, "    ctrl = trestle.Register(0x00, name=\"CTRL\")". */
char *svd_skeleton_attributes(const struct svd_stub *stub);
/* Whether C has that word for itself. */
bool svd_skeleton_is_keyword(const char *name);
/* Text as it stands in a C string or comment: a line at most, without quotes around it. */
char *svd_skeleton_text(const char *text);
/* The same in a string of Python's. */
char *svd_skeleton_python_text(const char *text);

/* --- for the files of the skeleton --- */

/* In lower case, another one for each row, and with something before it where `is_taken` says so.
 */
char *svd_skeleton_name(const struct svd_stub *stub, const struct trestle_register *row,
                        bool (*is_taken)(const char *name));
/* "W1C"; "" where nothing is said. */
const char *svd_skeleton_rights(enum trestle_rights rights);
/* Without the last line's end. */
char *svd_skeleton_end(struct printed *text);

#endif
