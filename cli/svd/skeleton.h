/* SPDX-License-Identifier: MIT */
/* A stub's table as C or Python, for the skeleton of a model that its author completes. */
#ifndef CLI_SVD_SKELETON_H
#define CLI_SVD_SKELETON_H

#include "svd/stub.h"
#include "util.h"

/* Members of the state, "    uint32_t ctrl;", without the last newline; malloc'd, as are the others
 * below. */
char *svd_skeleton_members(const struct svd_stub *stub);
/* Rows of the table, whose values live in members of `state`. */
char *svd_skeleton_rows(const struct svd_stub *stub, const char *state);
/* Lines that check the values of the first readable registers after a reset, one line each: in a
 * guest, in a unit test, or in a script that knows the device by `name`. */
enum svd_skeleton_check { SVD_IN_GUEST, SVD_IN_TEST, SVD_IN_SCRIPT };
char *svd_skeleton_checks(const struct svd_stub *stub, enum svd_skeleton_check where,
                          const char *name);
/* Attributes of a class in Python, "    ctrl = trestle.Register(0x00, name=\"CTRL\")". */
char *svd_skeleton_attributes(const struct svd_stub *stub);
/* Whether C reserves that word. */
bool svd_skeleton_is_keyword(const char *name);
/* Text for a C string or comment: one line, without quotes around it. */
char *svd_skeleton_text(const char *text);
/* The same for a string in Python. */
char *svd_skeleton_python_text(const char *text);

/* --- for the files of the skeleton --- */

/* The name of a row in lower case, different for each row. If `is_taken` is true, it gets a prefix.
 */
char *svd_skeleton_name(const struct svd_stub *stub, const struct trestle_register *row,
                        bool (*is_taken)(const char *name));
/* "W1C", or "" for the default. */
const char *svd_skeleton_rights(enum trestle_rights rights);
/* Ends the text, without its last newline. */
char *svd_skeleton_end(struct printed *text);

#endif
