/* SPDX-License-Identifier: MIT */
/* The other end of a run's control socket. */
#ifndef CLI_CONTROL_CLIENT_H
#define CLI_CONTROL_CLIENT_H

#include "control/wire.h"
#include "util.h"

struct control_answer {
    enum control_status status;
    char *out;   /* malloc'd, with a NUL behind it */
    char *error; /* a sentence, or "" */
};

/* A negative errno with the sentence. */
int control_connect(const char *path, int *ret_fd, char **ret_error);
/* Asks, "VERB REST", or "VERB" where rest is NULL, and waits for the answer. A negative errno with
 * the sentence: the run has ended, or what is there is no run. */
int control_ask(int fd, const char *verb, const char *rest, struct control_answer *ret_answer,
                char **ret_error);
void control_answer_finish(struct control_answer *answer);

#endif
