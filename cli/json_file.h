/* SPDX-License-Identifier: MIT */
/* A document that an option such as "--stats FILE" asks for. */
#ifndef CLI_JSON_FILE_H
#define CLI_JSON_FILE_H

struct json_t;

/* Whether path ("-": standard output) can be written later; -EINVAL with the line. */
int json_file_check(const char *option, const char *path, char **ret_error);
/* Replaces a file whole or not at all. A symbolic link stays, and so does what is no file. */
int json_file_write(const struct json_t *document, const char *option, const char *path,
                    char **ret_error);
/* The same for text that is no JSON. */
int text_file_write(const char *text, const char *option, const char *path, char **ret_error);

#endif
