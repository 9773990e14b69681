/* SPDX-License-Identifier: MIT */
/* What a model says about itself, for people, documents, firmware and programs. */
#ifndef CLI_MODELS_DESCRIBE_H
#define CLI_MODELS_DESCRIBE_H

#include <stdio.h>

#include "trestle/registers.h"

/* A table with fields, for a terminal. */
void describe_text(FILE *out, const struct trestle_model *model);
/* The same in Markdown; docs/models.md has the tables of the bundled models. */
void describe_markdown(FILE *out, const struct trestle_model *model);
/* C for firmware: offsets, masks, shifts and named values. */
void describe_header(FILE *out, const struct trestle_model *model);
/* A JSON object; malloc'd by jansson. */
struct json_t *describe_json(const struct trestle_model *model);

/* --- what the three have in common --- */

/* The regions of a model; NULL ends them. */
const struct trestle_region *describe_region(const struct trestle_model *model, size_t number);
/* A row as this program's struct, with defaults filled in. A row of another version has no fields.
 */
struct trestle_register describe_row(const struct trestle_region *region, size_t number);
/* "RW", "RO", ... */
const char *describe_rights(enum trestle_rights rights);
/* Writes "0" or "7:4" into buf, and returns buf. */
const char *describe_bits(uint64_t mask, char *buf, size_t size);

#endif
