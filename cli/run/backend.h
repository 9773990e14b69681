/* SPDX-License-Identifier: MIT */
/* A host end: where the output of a device goes, and where its input comes from. No function here
 * waits, since a thread does, with a buffer in each direction. Output that does not fit is lost; it
 * is counted and reported. Input that does not fit stays with its sender. */
#ifndef CLI_BACKEND_H
#define CLI_BACKEND_H

#include <stdbool.h>
#include <stddef.h>

struct backend;
struct trestle_model;

/* text: "stdio", "pty", "null", "unix:PATH", "file:PATH" or "tap:NAME"; input: "file:PATH", or
 * NULL: from where text leads. Nothing is read for a model that has no input. *ret_backend is NULL
 * where nothing goes anywhere. Nothing is changed before backend_start(), but files are made. A
 * negative errno. */
int backend_open(const char *text, const char *input, const struct trestle_model *model,
                 const char *name, struct backend **ret_backend);
/* The most that backend_lend() adds. */
#define BACKEND_FDS_MAX 3
/* For another process, which inherits the descriptors that are added to fds, and opens them by the
 * text; malloc'd. This one is not started, but prepared. */
char *backend_lend(const struct backend *backend, int *fds, size_t *ref_num_fds);
/* Files are emptied. A negative errno. NULL is fine. */
int backend_prepare(struct backend *backend);
/* Files are emptied, and the thread begins. A negative errno. NULL is fine. */
int backend_start(struct backend *backend);
/* The path of its "pty". A negative errno: it is none. */
int backend_terminal(const struct backend *backend, char *buf, size_t size);
/* 0; -ENOBUFS: some of it is lost; -EINVAL: it is not whole frames, where it should be, and all of
 * it is lost. NULL is fine. One thread at a time, from here on. */
int backend_write(struct backend *backend, const void *data, size_t size);
/* Readable when backend_read() may give something. -1 for NULL. */
int backend_fd(const struct backend *backend);
/* At most size bytes of what has come; the descriptor is readable again if more is left. Where the
 * device takes none, size is 0, and backend_ask() is due when it does. */
size_t backend_read(struct backend *backend, void *data, size_t size);
/* The device takes input again: the descriptor becomes readable, if there is any. */
void backend_ask(struct backend *backend);
/* Passes on the remaining output, for as long as a reader takes it. NULL is fine. */
void backend_close(struct backend *backend);
/* The same at the end of the process, while a callback may be under way that writes: nothing is
 * freed. */
void backend_abandon(struct backend *backend);

#endif
