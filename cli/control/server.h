/* SPDX-License-Identifier: MIT */
/* The control socket of a run, on which other processes of the same user ask. A line asks. The
 * answer is a line, too, "STATUS OUT ERROR", followed by as many bytes of output and of an error as
 * it says. STATUS is a word of control_status_name(). */
#ifndef CLI_CONTROL_SERVER_H
#define CLI_CONTROL_SERVER_H

#include <stdbool.h>
#include <stdio.h>

#include "control/wire.h"

struct control_server;
struct listener;

/* Answers a line, whose newline is gone: prints to out, and sets *ret_error, malloc'd, where it
 * does not succeed. */
typedef enum control_status (*control_answer_fn)(void *ctx, const char *line, FILE *out,
                                                 char **ret_error);

/* Listens at path with mode 0600, by the rules for the sockets of devices. -EADDRINUSE and the like
 * with a sentence. */
int control_server_open(const char *path, control_answer_fn answer, void *ctx,
                        struct control_server **ret_server, char **ret_error);
/* Serves a listener that is there already. It takes the listener over, even if it fails. */
int control_server_create(struct listener *listener, control_answer_fn answer, void *ctx,
                          struct control_server **ret_server);
/* Readable when control_server_serve() has something to do. */
int control_server_fd(const struct control_server *server);
bool control_server_has_peers(const struct control_server *server);
/* Answers what has been asked, and never waits: a peer that does not take its answer is not
 * listened to. */
void control_server_serve(struct control_server *server);
/* Removes the file of the socket, from any thread. NULL is fine. */
void control_server_unlink(const struct control_server *server);
/* And all the rest. NULL is fine. */
void control_server_close(struct control_server *server);

#endif
