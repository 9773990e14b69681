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

/* A negative errno with the sentence. An answer may take patience_s seconds; 0: as long as it
 * takes. */
int control_connect(const char *path, unsigned patience_s, int *ret_fd, char **ret_error);
/* Asks, "VERB REST", or "VERB" where rest is NULL, and waits for the answer. A negative errno with
 * the sentence: -ECONNRESET: the run has ended, or what is there is no run; -ETIMEDOUT: the
 * patience is over, and control_take_late() comes before the next question. */
int control_ask(int fd, const char *verb, const char *rest, struct control_answer *ret_answer,
                char **ret_error);
/* Takes an answer that nobody waits for any more. -ETIMEDOUT: it has not come yet. */
int control_take_late(int fd);
void control_answer_finish(struct control_answer *answer);

#endif
