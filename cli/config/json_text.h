/* SPDX-License-Identifier: MIT */
/*
 * Where things stand in a JSON text. jansson gives values without their lines; these functions
 * find the line again, for the one message that needs it. The text must be valid JSON.
 */
#ifndef CLI_JSON_TEXT_H
#define CLI_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A value in a document, named by the way to it. Usually it lies on the stack of the code that
 * walks through the document. */
struct json_place {
    const struct json_place *parent; /* NULL: the value belongs to the outermost object */
    const char *key;                 /* a member of an object; NULL: */
    size_t index;                    /* an item of an array */
};

/* Counted from 1: the line of a member's key, or of an item's first character. NULL is the
 * document itself. */
unsigned json_place_line(const char *text, const struct json_place *place);
/* "devices[1].base_addr"; malloc'd; "" for NULL. */
char *json_place_name(const struct json_place *place);

#endif
