/* SPDX-License-Identifier: MIT */
/* What the stand-ins of a test were asked for, in order, and the plugin's lines among it. */
#ifndef TRESTLE_TESTS_NOTES_H
#define TRESTLE_TESTS_NOTES_H

enum { NOTES_SIZE = 8192 };

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What has been noted since the last notes_take(). */
const char *notes(void);
/* The same, and forgets it. It stays until the next call. */
const char *notes_take(void);

#define check_log(expected) assert_string_equal(notes_take(), expected)

#endif
