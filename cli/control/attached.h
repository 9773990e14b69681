/* SPDX-License-Identifier: MIT */
/* A run that a command is attached to, and the run's processes for some of its devices. Each takes
 * commands on a socket of its own. This file finds out which one a command goes to. */
#ifndef CLI_CONTROL_ATTACHED_H
#define CLI_CONTROL_ATTACHED_H

#include "control/client.h"
#include "util.h"

struct attached_process {
    char *name;   /* NULL: the run's own process */
    int fd;       /* -1: it is not connected */
    bool is_late; /* with an answer */
    struct strings devices;
};

struct attached {
    const char *path;
    struct attached_process *processes; /* the run's own first */
    size_t count;
};

/* A negative errno with the sentence. */
int attached_open(const char *path, struct attached *ret_attached, char **ret_error);
/* Does the commands of a line, each where its device is, and prints to out. A negative errno with
 * the sentence, as control_ask(); -ECONNRESET: the run has ended. Otherwise 0; *ret_error is a
 * sentence unless *ret_status is CONTROL_OK or CONTROL_QUIT. */
int attached_do(struct attached *attached, const char *line, FILE *out,
                enum control_status *ret_status, char **ret_error);
/* What the last word of the line may become. */
void attached_complete(struct attached *attached, const char *line, struct strings *ret_list);
/* Asks one of the processes. As control_ask(). */
int attached_ask(struct attached *attached, struct attached_process *process, const char *verb,
                 const char *rest, struct control_answer *ret_answer, char **ret_error);
/* Fine on zeroes. */
void attached_close(struct attached *attached);

#endif
