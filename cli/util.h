/* SPDX-License-Identifier: MIT */
/*
 * Small helpers of the command. Memory never runs out here: a command that cannot allocate says
 * so and ends, so callers check nothing.
 */
#ifndef CLI_UTIL_H
#define CLI_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t count, size_t size);
char *xstrdup(const char *text);
char *xformat(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvformat(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* Text that is printed into memory; a file in between. */
struct printed {
    FILE *file;
    char *bytes;
    size_t size;
};
void printed_begin(struct printed *text);
/* Closes the file. malloc'd. */
char *printed_end(struct printed *text);

/* A growing list of strings, always ended by NULL. It owns its copies. */
struct strings {
    char **items;
    size_t count;
};
void strings_add(struct strings *list, const char *text);
void strings_addf(struct strings *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void strings_vaddf(struct strings *list, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void strings_finish(struct strings *list);
/* "a, b, c"; malloc'd. */
char *strings_join(const struct strings *list, const char *separator);

/* The words as one line that a shell reads as they are; ended by NULL; malloc'd. */
char *shell_quote(char *const *words);

/* The candidate that text was probably meant to be, or NULL. candidates is ended by NULL. */
const char *suggest(const char *text, char *const *candidates);
/* `; did you mean "echo"?`, or `; <listed as> a, b, c` when nothing is near; malloc'd. */
char *suggest_or_list(const char *text, const struct strings *candidates, const char *listed_as);
/* Keeps a message on its line, with anything that a file or a guest has put into it. */
void replace_control_characters(char *text);

/* Whether both are there, and are one regular file. */
bool is_same_file(const char *a, const char *b);
/* path as seen from the directory that `file` stands in; malloc'd. file NULL: from here. */
char *path_beside(const char *file, const char *path);
/* The program that a command begins with, as a shell finds it; malloc'd. NULL: there is none, and
 * errno says why. */
char *find_program(const char *name);
/* A file of Trestle's own, as seen from the program: where the build puts it, or where it is
 * installed. NULL: *ret_places says where it is not, "neither at A nor at B". Both malloc'd. */
char *find_own_file(const char *built, const char *installed, char **ret_places);

#endif
