/* SPDX-License-Identifier: MIT */
/* Lines that somebody types at a terminal, with libedit. */
#ifndef CLI_POKE_PROMPT_H
#define CLI_POKE_PROMPT_H

#include "util.h"

/* Fills in what the last word of the line may become. */
typedef void prompt_complete_fn(void *context, const char *line, struct strings *ret_candidates);

/* Makes the editor ready. There is one per process, since libedit's interface has no object. */
void prompt_open(prompt_complete_fn *complete, void *context);

/* Returns a line, which the caller frees, or NULL at the end. Ctrl-C drops what was typed, and
 * Ctrl-Z stops the process, as in a shell. Between two calls the signals do what they do by
 * default. */
char *prompt_read(const char *prompt);

void prompt_close(void);

#endif
