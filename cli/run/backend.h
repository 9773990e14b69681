/* SPDX-License-Identifier: MIT */
/*
 * A host end: where the output of a device goes. Writing never waits: a thread of its own hands the
 * bytes on, and what does not fit its buffer is lost, counted and said.
 */
#ifndef CLI_BACKEND_H
#define CLI_BACKEND_H

#include <stddef.h>

struct backend;

/* text: "stdio", "null" or "file:PATH"; of a device of that name. *ret_backend is NULL for "null",
 * which takes everything. A negative errno: the file cannot be opened, or there is no thread. */
int backend_open(const char *text, const char *name, struct backend **ret_backend);
/* 0, or -ENOBUFS: some of it is lost. NULL is fine. One thread at a time. */
int backend_write(struct backend *backend, const void *data, size_t size);
/* Hands on what it still has, for as long as the reader takes it. NULL is fine. */
void backend_close(struct backend *backend);

#endif
